"""The original's place of `DockerContainerManager`."""

from .engine import find_unbound_port
from .manager import DockerContainerManager

__all__ = ["DockerContainerManager", "find_unbound_port"]
