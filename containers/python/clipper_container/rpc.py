"""The classes that containers of the original Clipper are made of.

    from clipper_container.rpc import ModelContainerBase, RPCService

    class Sum(ModelContainerBase):
        def predict_doubles(self, inputs):
            return [str(sum(one)) for one in inputs]

    RPCService().start(Sum())

Images on the base `py-rpc`, and directories with a `main.py` of a local
cluster, can also `import rpc`.
"""

import os
from typing import Any, List, Optional

from . import metrics
from .__main__ import read_environment
from .errors import PredictionError
from .input_types import NAMES
from .log import identify
from .model import Model
from .session import Container
from .watchdog import Watchdog

__all__ = ["ModelContainerBase", "PredictionError", "RPCService"]

#: Written just before the container connects, as in the original's images.
_READY = "/model_is_ready.check"


class ModelContainerBase:
    """A model: a subclass has the method of its input type.

    Each gets a batch, see `docs/models.md`; strings are `bytes`. It returns
    one output for each input.
    """

    def predict_ints(self, inputs: Any) -> List[Any]:
        """Answer inputs of the type integers."""
        raise _lacks(self, "predict_ints")

    def predict_floats(self, inputs: Any) -> List[Any]:
        """Answer inputs of the type floats."""
        raise _lacks(self, "predict_floats")

    def predict_doubles(self, inputs: Any) -> List[Any]:
        """Answer inputs of the type doubles."""
        raise _lacks(self, "predict_doubles")

    def predict_bytes(self, inputs: Any) -> List[Any]:
        """Answer inputs of the type bytes."""
        raise _lacks(self, "predict_bytes")

    def predict_strings(self, inputs: Any) -> List[Any]:
        """Answer inputs of the type strings."""
        raise _lacks(self, "predict_strings")


def _lacks(model: object, method: str) -> PredictionError:
    return PredictionError(
        "%s has no method %s" % (type(model).__name__, method)
    )


class RPCService:
    """Serves a model to Clipper, by the environment of its container.

    Args:
        collect_metrics: whether the port CLIPPER_METRICS_PORT is served.
        read_config: whether the environment is read; False reads it in
            `start`.

    Raises:
        ValueError: a variable is missing or not valid; the message names it.
    """

    def __init__(
        self, collect_metrics: bool = True, read_config: bool = True
    ) -> None:
        self._settings = read_environment(os.environ) if read_config else None
        self._collect = collect_metrics

    def get_model_path(self) -> str:
        """The directory of the model."""
        return str(self._read().path)

    def get_input_type(self) -> str:
        """The input type: bytes, integers, floats, doubles or strings."""
        return NAMES[self._read().input_type]

    def _read(self) -> Any:
        if self._settings is None:
            self._settings = read_environment(os.environ)
        return self._settings

    def start(self, model: Any, ready_file: Optional[str] = None) -> None:
        """Serve a model until SIGTERM or SIGINT.

        Args:
            model: has the method of the input type, see
                `ModelContainerBase`.
            ready_file: written just before the container connects; by
                default the original's, where it can be written.
        """
        settings = self._read()
        identify(
            "%s:%s" % (settings.name, settings.version), settings.token
        )
        if self._collect and settings.metrics_port is not None:
            metrics.serve(settings.metrics_port, settings.metrics_address)
        kind = NAMES[settings.input_type].replace("integers", "ints")
        container = Container(
            Model(
                getattr(model, "predict_" + kind), settings.input_type,
                settings.strings or "bytes",
            ),
            settings.name,
            settings.version,
            settings.endpoint,
            settings.rpc_version,
            token=settings.token,
            watchdog=Watchdog(settings.limit) if settings.watched else None,
            keys=settings.keys,
        )
        try:
            with open(ready_file or settings.ready_file or _READY, "w",
                      encoding="utf-8") as f:
                f.write("READY")
        except OSError:
            if ready_file or settings.ready_file:
                raise
        container.run()
