"""ClipperConnection: all that a program can do with a cluster."""

from typing import List

from .applications import Applications
from .connection import DEFAULT_PREDICTION_CACHE_SIZE_BYTES
from .models import Models
from .trial import Trials

CLIPPER_TEMP_DIR = "/tmp/clipper"
DEFAULT_LABEL: List[str] = []

__all__ = [
    "CLIPPER_TEMP_DIR",
    "DEFAULT_LABEL",
    "DEFAULT_PREDICTION_CACHE_SIZE_BYTES",
    "ClipperConnection",
]


class ClipperConnection(Trials, Models, Applications):
    """A connection to a Clipper cluster.

    Args:
        container_manager: runs the cluster.

    Attributes:
        cm: the container manager.
        connected: whether `start_clipper` or `connect` has succeeded.
    """
