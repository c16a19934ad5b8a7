"""Applications and what they are linked to."""

import logging
from typing import Any, Dict, List, Optional

from .client import Client
from .connection import Connection
from .selection import make_selection

logger = logging.getLogger(__name__)


class Applications(Connection):
    """The part of `ClipperConnection` that applications are changed with."""

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
    ) -> None:
        """Register an application; it answers at ``/<name>/predict``.

        Args:
            name: letters, digits, `.`, `_` and `-`.
            input_type: bytes, integers, floats, doubles or strings.
            default_output: answered when there is no better answer in time.
            slo_micros: microseconds to answer, rounded up to milliseconds.
            selection_policy: lets several models be linked, and chooses
                among them: ``first``, ``split``, ``epsilon_greedy``,
                ``ucb``, ``thompson``, ``exp3``, ``exp4``, ``majority`` or
                ``mean``, perhaps with parameters: ``"exp4 eta=0.1"``. It
                takes effect with the second model.
            loss: how an answer is judged against a label: ``zero_one``,
                or ``"absolute range=0:10"``, ``"squared range=0:10"``.
            confidence: of ensembles, 0 to 1; below it the default is
                answered.
            uid: variables of nginx that name the user whose learned state
                is used, such as ``$cookie_user``; the `uid` of the query's
                body unless given.

        Raises:
            ClipperException: something of it is not valid, or the name is
                in use.
        """
        self._check_connected()
        selection = make_selection(selection_policy, loss, confidence, uid)
        self._change(
            lambda catalog: catalog.add_application(
                name, input_type, default_output, slo_micros, selection
            )
        )
        logger.info("Application %s was successfully registered", name)

    def unregister_application(self, name: str) -> None:
        """Remove an application with its links.

        Raises:
            ClipperException: there is none.
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
        several versions of one; one without has a single model.

        Args:
            version: the one that answers; None for the current one, which
                changes with `set_model_version`.
            weight: share of the policies split, majority and mean; a
                positive integer, None for 1.

        Raises:
            ClipperException: unknown application, model or version, other
                input type, linked already, or the application has a model
                and no selection policy.
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
            version: only the link to this version; None for all of them.

        Raises:
            ClipperException: there is no such link or application.
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
        """Say what the right answer to a query was, as `Client.feedback`."""
        self._check_connected()
        with Client(self.cm.get_query_addr()) as client:
            return client.feedback(app_name, label, query_id, input, uid)

    def get_all_apps(self, verbose: bool = False) -> List[Any]:
        """Names of all applications, or their descriptions.

        Args:
            verbose: dicts as of `get_app_info` instead of names.
        """
        applications = self._read().applications.values()
        if verbose:
            return [app.describe() for app in applications]
        return [app.name for app in applications]

    def get_app_info(self, name: str) -> Optional[Dict[str, Any]]:
        """Description of an application; None when there is none.

        Members: name, input_type, default_output, latency_slo_micros,
        linked_models; with a selection policy also selection_policy and
        links.
        """
        app = self._read().applications.get(name)
        return None if app is None else app.describe()

    def get_linked_models(self, app_name: str) -> List[str]:
        """Names of the models linked to an application.

        Raises:
            ClipperException: there is no such application.
        """
        return self._read().linked_models(app_name)
