"""Clipper's administration package.

    from clipper_admin import ClipperConnection, LocalContainerManager
"""

from . import deployers
from .clipper_admin import (
    CLIPPER_TEMP_DIR,
    DEFAULT_LABEL,
    DEFAULT_PREDICTION_CACHE_SIZE_BYTES,
    ClipperConnection,
)
from .docker import DockerContainerManager
from .exceptions import ClipperException, UnconnectedException
from .kubernetes import KubernetesContainerManager
from .local import LocalContainerManager
from .version import __registry__, __version__

__all__ = [
    "CLIPPER_TEMP_DIR",
    "DEFAULT_LABEL",
    "DEFAULT_PREDICTION_CACHE_SIZE_BYTES",
    "ClipperConnection",
    "ClipperException",
    "DockerContainerManager",
    "KubernetesContainerManager",
    "LocalContainerManager",
    "UnconnectedException",
    "__registry__",
    "__version__",
    "deployers",
]
