"""The server's status JSON.

Newer servers add members; a member that is missing counts as absent.
"""

import errno
import hashlib
import http.client
import json
import socket
from typing import Any, Dict, Iterator, List, Mapping, Optional, Set

from clipper_container.input_types import canonical

from .address import bare, family, split
from .exceptions import ClipperException


#: A JSON object.
Status = Dict[str, Any]


def fetch(
    address: str, path: str = "/status", timeout: float = 5.0
) -> Status:
    """Fetch a JSON object from the operator's server.

    Each call opens a connection, so any worker may answer.

    Args:
        address: ``host:port``.
        path: path of the location.
        timeout: seconds.

    Raises:
        OSError: the server does not answer.
        ClipperException: the answer is an error or not a JSON object.
    """
    host, port = split(address)
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        body = response.read()
    except http.client.HTTPException as error:
        raise OSError("%s: %r" % (address, error)) from error
    finally:
        connection.close()
    if response.status != 200:
        raise ClipperException(
            "Received error status code: %d and message: %s"
            % (response.status, body.decode("utf-8", "replace"))
        )
    result: Any = json.loads(body)
    if not isinstance(result, dict):
        raise ClipperException(
            "The answer of %s%s is not a JSON object" % (address, path)
        )
    return result


def is_in_force(status: Mapping[str, Any], generation: str) -> bool:
    """Whether a configuration answers all queries that begin now.

    Every worker that accepts connections uses it, and no retiring worker
    holds a connection without a request yet, which it would still answer
    with the old configuration.
    """
    workers = [
        worker
        for worker in status.get("workers", [])
        if worker.get("state", "accepting") == "accepting"
        or worker.get("waiting_connections", 0) > 0
    ]
    return bool(workers) and all(
        str(worker.get("generation")) == generation for worker in workers
    )


def generations(status: Mapping[str, Any]) -> str:
    """What the workers use, for a message."""
    return "its workers have the generations %s" % (", ".join(
        "%s (%s)" % (worker.get("generation"), worker.get("state"))
        for worker in status.get("workers", [])
    ) or "(none)")


def replicas(
    status: Mapping[str, Any],
    model: Optional[str] = None,
    version: Optional[str] = None,
) -> Iterator[Mapping[str, Any]]:
    """Registered replicas of a model or version; of all when None."""
    for replica in status.get("replicas", []):
        if model is not None and replica.get("model") != model:
            continue
        if version is not None and str(replica.get("version")) != version:
            continue
        yield replica


def containers(status: Mapping[str, Any]) -> List[Mapping[str, Any]]:
    """Replicas in the order of their ids, each container once.

    A container that moves from a retiring worker to another is registered
    with both for a moment. Containers without a token cannot move.
    """
    found: Dict[Any, Mapping[str, Any]] = {}
    for replica in sorted(
        replicas(status), key=lambda one: one.get("replica_id", 0)
    ):
        key = replica.get("token_hash") or ("", replica.get("replica_id"))
        if key not in found or is_ready(replica):
            found[key] = replica
    return sorted(found.values(), key=lambda one: one.get("replica_id", 0))


def is_ready(replica: Mapping[str, Any]) -> bool:
    """Whether a replica is ready for batches."""
    return bool(replica.get("state", "ready") == "ready")


def describe_replica(replica: Mapping[str, Any]) -> Dict[str, Any]:
    """A replica in the form of Clipper's API."""
    name = replica.get("model", "")
    version = str(replica.get("version", ""))
    try:
        input_type = canonical(replica.get("input_type", ""))
    except ValueError:
        input_type = str(replica.get("input_type", ""))
    return {
        "model_id": "%s:%s" % (name, version),
        "model_name": name,
        "model_version": version,
        "model_replica_id": replica.get("replica_id", 0),
        "input_type": input_type,
    }


def token_hash(token: str) -> str:
    """What the status shows for a replica's token of 32 hexadecimal digits.

    Whoever knows a token can take the replica's place, so only who started
    the container knows it.
    """
    data = b"clipper replica " + bytes.fromhex(token)
    return hashlib.sha1(data).hexdigest()


def ready(status: Mapping[str, Any]) -> Set[str]:
    """Hashes of the tokens of the replicas that are ready."""
    return {
        str(replica.get("token_hash"))
        for replica in replicas(status)
        if is_ready(replica) and replica.get("token_hash")
    }


def free_port(address: str, wanted: int, taken: List[int]) -> int:
    """The wanted port of an address, or the next free one.

    Args:
        address: address that the port is for.
        wanted: first choice; 0 lets the system choose.
        taken: ports that are reserved already.

    Raises:
        ClipperException: the address is not one of this host, or all ports
            up to 65535 are in use.
    """
    host = "" if address == "*" else bare(address)
    kind = family(address)
    for port in range(wanted, 65536):
        if port in taken:
            continue
        with socket.socket(kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if kind == socket.AF_INET6:
                # nginx listens for IPv6 alone.
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    continue
                raise ClipperException(
                    "The address %s cannot be used: %s" % (address, error)
                ) from error
            return int(probe.getsockname()[1])
    raise ClipperException(
        "No free port on %s from %d on" % (address, wanted)
    )
