"""Talking to a cluster's supervisor."""

import json
import os
import socket
from typing import Any, Dict

from ..exceptions import ClipperException
from .supervisor import CONTROL


class ClusterGone(ClipperException):
    """The cluster has no supervisor that answers."""


def ask(directory: str, do: str, timeout: float = 120.0, **more: Any) -> Dict:
    """Give the supervisor of a cluster a command and return its answer.

    Args:
        directory: the cluster's.
        do: name of the command.
        timeout: seconds.
        more: members of the command.

    Raises:
        ClusterGone: there is no supervisor, or it does not answer.
        ClipperException: it could not do it.
    """
    try:
        line = _exchange(
            directory, json.dumps(dict(more, do=do)).encode(), timeout
        )
    except OSError as error:
        raise ClusterGone(
            "The cluster in %s does not run (%s)" % (directory, error)
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
            # A socket's name is at most 107 bytes, whatever the directory's.
            control.connect("/proc/self/fd/%d/%s" % (handle, CONTROL))
            control.sendall(command + b"\n")
            with control.makefile("rb") as answers:
                line = answers.readline()
    finally:
        os.close(handle)
    if not line:
        raise ConnectionError("the supervisor has gone")
    return line


def is_running(directory: str) -> bool:
    """Whether the cluster in a directory has a supervisor that answers."""
    try:
        ask(directory, "state", timeout=10.0)
    except ClusterGone:
        return False
    return True
