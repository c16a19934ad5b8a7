"""A cluster in containers of an engine with the Docker API."""

from .engine import find_unbound_port
from .manager import DockerContainerManager

__all__ = ["DockerContainerManager", "find_unbound_port"]
