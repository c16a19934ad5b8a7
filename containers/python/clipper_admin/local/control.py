"""Send commands to a cluster's supervisor."""

import json
import os
import socket
from typing import Any

from ..exceptions import ClipperException
from .supervisor import CONTROL


class ClusterGone(ClipperException):
    """No supervisor of the cluster answers."""


def ask(directory: str, do: str, timeout: float = 120.0, **more: Any) -> Any:
    """Send a command to the supervisor of a cluster and return its answer.

    Args:
        directory: the cluster's directory.
        do: name of the command.
        timeout: seconds.
        more: members of the command.

    Raises:
        ClusterGone: no supervisor answers.
        ClipperException: the command failed.
    """
    try:
        line = _exchange(
            directory, json.dumps(dict(more, do=do)).encode(), timeout
        )
    except OSError as error:
        raise ClusterGone(
            "The cluster in %s is not running (%s)" % (directory, error)
        ) from error
    answer = json.loads(line)
    if "error" in answer:
        raise ClipperException(answer["error"])
    return answer


def _exchange(directory: str, command: bytes, timeout: float) -> bytes:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(timeout)
            # A socket's path has at most 107 bytes; the directory's may be
            # longer.
            control.connect("/proc/self/fd/%d/%s" % (handle, CONTROL))
            control.sendall(command + b"\n")
            with control.makefile("rb") as answers:
                line = answers.readline()
    finally:
        os.close(handle)
    if not line:
        raise ConnectionError("the supervisor closed the connection")
    return line


def is_running(directory: str) -> bool:
    """Whether the supervisor of the cluster in a directory answers."""
    try:
        ask(directory, "state", timeout=10.0)
    except ClusterGone:
        return False
    return True
