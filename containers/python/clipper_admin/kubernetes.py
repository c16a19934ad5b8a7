"""A name that programs import; no manager for Kubernetes exists."""

from .absent import Absent


class KubernetesContainerManager(Absent):
    """The other managers run clusters."""

    instead = (
        "This package cannot run a cluster on Kubernetes. Use "
        "DockerContainerManager or LocalContainerManager, or run the "
        "server's image and containers of your own there"
    )
