"""The network of a cluster's containers."""

import contextlib
from typing import Any, List

from ..container_manager import CLIPPER_DOCKER_LABEL
from ..exceptions import ClipperException
from . import engine


def make(client: Any, name: str) -> None:
    """Make a network unless it exists.

    Raises:
        ClipperException: the engine refuses.
    """
    with engine.failures("No network %s" % name):
        if not client.networks.list(names=[name]):
            client.networks.create(
                name, check_duplicate=True, labels={CLIPPER_DOCKER_LABEL: ""}
            )


def subnets(client: Any, name: str) -> List[str]:
    """IPv4 subnets of a network, such as ``10.89.0.0/24``.

    Raises:
        ClipperException: the network does not exist.
    """
    return _config(client, name, "Subnet")


def gateways(client: Any, name: str) -> List[str]:
    """IPv4 addresses that connections of this host come from."""
    return _config(client, name, "Gateway")


def _config(client: Any, name: str, what: str) -> List[str]:
    with engine.failures("No network %s" % name):
        network = client.networks.get(name)
    config = (network.attrs.get("IPAM") or {}).get("Config") or []
    return [one[what] for one in config if ":" not in one.get(what, ":")]


def drop(client: Any, name: str) -> None:
    """Remove a network that `make` made, unless a container uses it."""
    with contextlib.suppress(ClipperException):
        with engine.failures("It is in use"):
            for one in client.networks.list(names=[name]):
                users = client.containers.list(
                    all=True, filters={"network": name}, ignore_removed=True
                )
                ours = one.attrs.get("Labels") or {}
                if not users and CLIPPER_DOCKER_LABEL in ours:
                    one.remove()


def address_of(container: Any, name: str) -> str:
    """Address of a container in a network.

    Raises:
        ClipperException: the container is not in the network.
    """
    with engine.failures("Container %s is gone" % container.name):
        container.reload()
    networks = container.attrs["NetworkSettings"]["Networks"]
    address = networks.get(name, {}).get("IPAddress")
    if not address:
        raise ClipperException(
            "Container %s is not in the network %s" % (container.name, name)
        )
    return str(address)
