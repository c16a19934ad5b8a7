"""ClipperConnection: all that a program can do with a cluster."""

from typing import Any, Callable, List, Mapping, Optional

from .applications import Applications
from .connection import DEFAULT_PREDICTION_CACHE_SIZE_BYTES
from .models import Models

CLIPPER_TEMP_DIR = "/tmp/clipper"
DEFAULT_LABEL: List[str] = []

__all__ = [
    "CLIPPER_TEMP_DIR",
    "DEFAULT_LABEL",
    "DEFAULT_PREDICTION_CACHE_SIZE_BYTES",
    "ClipperConnection",
]


class ClipperConnection(Models, Applications):
    """A connection to a Clipper cluster.

    Args:
        container_manager: runs the cluster.

    Attributes:
        cm: the container manager.
        connected: whether `start_clipper` or `connect` has succeeded.
    """

    def test_predict_function(
        self, query: Mapping[str, Any], func: Callable[[Any], Any],
        input_type: str, strings: Optional[str] = None,
    ) -> Any:
        """Call a function with the batch that a container would give it.

        Nothing is sent to the cluster.

        Args:
            query: members of a query's body: ``{"input": ...}`` or
                ``{"input_batch": [...]}``.
            func: the function to deploy. It is pickled and loaded first, as
                in a deployment.
            input_type: bytes, integers, floats, doubles or strings.
            strings: what the function gets for strings, see
                `deployers.python.deploy_python_closure`.

        Returns:
            what the function returned, or the text ``Invalid input type``
            or ``Invalid input type or JSON key`` when the query does not
            fit.
        """
        from .trial import run_trial

        return run_trial(query, func, input_type, strings)
