"""A name that programs import; no manager for Kubernetes exists."""

from typing import Any

from .exceptions import ClipperException


class KubernetesContainerManager:
    """Raises a ClipperException that says what to use instead."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise ClipperException(
            "This package cannot run a cluster on Kubernetes. Use "
            "DockerContainerManager or LocalContainerManager, or run the "
            "server's image and containers of your own there"
        )
