"""Applications: register, link to models, send feedback."""

import logging
from typing import Any, Dict, List, Mapping, Optional

from .client import Client
from .connection import Connection
from .selection import make_selection

logger = logging.getLogger(__name__)


class Applications(Connection):
    """The methods of `ClipperConnection` for applications."""

    def register_application(
        self,
        name: str,
        input_type: str,
        default_output: str,
        slo_micros: int,
        selection_policy: Optional[str] = None,
        loss: Optional[str] = None,
        confidence: Optional[float] = None,
        uid: Optional[str] = None,
        cache: Any = None,
        limits: Optional[Mapping[str, Any]] = None,
        nulls: Optional[bool] = None,
        binary: Optional[bool] = None,
        decompress: Any = None,
        explain: Optional[bool] = None,
    ) -> None:
        """Register an application; it answers at ``/<name>/predict``.

        Args:
            name: letters, digits, `.`, `_` and `-`.
            input_type: bytes, integers, floats, doubles or strings.
            default_output: output when no model answers within the SLO.
            slo_micros: latency SLO in microseconds, rounded up to
                milliseconds.
            selection_policy: lets several models be linked and chooses
                among them: ``first``, ``split``, ``epsilon_greedy``,
                ``ucb``, ``thompson``, ``exp3``, ``exp4``, ``majority`` or
                ``mean``, with optional parameters: ``"exp4 eta=0.1"``. It
                takes effect with the second model.
            loss: compares an output with the label of its feedback:
                ``zero_one``, ``"absolute range=0:10"`` or
                ``"squared range=0:10"``.
            confidence: lowest confidence of an ensemble, 0 to 1; below it
                the default is the output.
            uid: nginx variables that name the user whose learned state is
                used, such as ``$cookie_user``; by default `uid` in the body
                of the query.
            cache: False asks the models for each query, also for inputs
                that were asked before; a number is the age in seconds up to
                which a cached answer is sent. None and True send it as long
                as the cache has it.
            limits: sizes of the application's requests and outputs, instead
                of those of the cluster: ``batch`` inputs of a query,
                ``elements`` (numbers or bytes) of an input, ``depth`` of the
                document, bytes of an ``output`` and of a ``body``. A value
                is a number or a text such as ``"64m"``.
            nulls: whether doubles and floats may have missing values: null
                (or NaN) in a query is NaN for the model. None allows it.
            binary: whether bodies without JSON are taken:
                ``application/octet-stream`` with the bytes of an input, and
                ``application/x-npy``.
            decompress: whether bodies with a Content-Encoding of gzip or
                deflate are taken: True, False, or the most that one may
                unpack to (``"64m"``); True is 16 MB.
            explain: whether an answer with `model_error` says what the model
                failed with.

        Raises:
            ClipperException: an argument is not valid, or the name is in
                use.
        """
        self._check_connected()
        selection = make_selection(selection_policy, loss, confidence, uid)
        self._change(
            lambda catalog: catalog.add_application(
                name, input_type, default_output, slo_micros, selection,
                nulls=nulls, cache=cache, limits=limits, binary=binary,
                decompress=decompress, explain=explain,
            )
        )
        logger.info("Application %s was successfully registered", name)

    def unregister_application(self, name: str) -> None:
        """Remove an application and its links.

        Raises:
            ClipperException: the application does not exist.
        """
        self._check_connected()
        self._change(lambda catalog: catalog.delete_application(name))
        logger.info("Application %s was successfully unregistered", name)

    def delete_application(self, name: str) -> None:
        """Deprecated name of `unregister_application`."""
        logger.warning(
            "delete_application is deprecated, use unregister_application"
        )
        self.unregister_application(name)

    def link_model_to_app(
        self,
        app_name: str,
        model_name: str,
        version: Any = None,
        weight: Optional[int] = None,
    ) -> None:
        """Let a model answer an application's queries.

        An application with a selection policy takes several models, or
        several versions of one; one without has a single model. A link that
        exists gets another weight.

        Args:
            version: version that answers; None for the current one, which
                `set_model_version` changes.
            weight: weight in the policies split, majority and mean; a
                positive integer, None for 1.

        Raises:
            ClipperException: the application, the model or the version does
                not exist, the input types differ, the link exists with this
                weight, or the application has a model and no selection
                policy.
        """
        self._check_connected()
        self._change(
            lambda catalog: catalog.link(
                app_name, [model_name], version, weight
            )
        )
        logger.info(
            "Model %s is now linked to application %s", model_name, app_name
        )

    def unlink_model_from_app(
        self, app_name: str, model_name: str, version: Any = None
    ) -> None:
        """Remove a model's links.

        Args:
            version: remove only the link to this version; None for all.

        Raises:
            ClipperException: the application or the link does not exist.
        """
        self._check_connected()
        self._change(
            lambda catalog: catalog.unlink(app_name, [model_name], version)
        )
        logger.info(
            "Model %s is no longer linked to application %s",
            model_name,
            app_name,
        )

    def feedback(
        self,
        app_name: str,
        label: Any,
        query_id: Optional[int] = None,
        input: Any = None,
        uid: Any = None,
    ) -> bool:
        """Send the right answer to a query, see `Client.feedback`."""
        self._check_connected()
        with Client(self.cm.get_query_addr()) as client:
            return client.feedback(app_name, label, query_id, input, uid)

    def get_all_apps(self, verbose: bool = False) -> List[Any]:
        """Names of all applications.

        Args:
            verbose: return dicts as `get_app_info` does.
        """
        applications = self._read().applications.values()
        if verbose:
            return [app.describe() for app in applications]
        return [app.name for app in applications]

    def get_app_info(self, name: str) -> Optional[Dict[str, Any]]:
        """Description of an application; None when it does not exist.

        Members: name, input_type, default_output, latency_slo_micros,
        linked_models; with a selection policy also selection_policy and
        links; with settings also cache, limits, binary, decompress and explain.
        """
        app = self._read().applications.get(name)
        return None if app is None else app.describe()

    def get_linked_models(self, app_name: str) -> List[str]:
        """Names of the models linked to an application.

        Raises:
            ClipperException: the application does not exist.
        """
        return self._read().application(app_name).linked_models()
