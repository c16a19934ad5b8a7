"""Talking to a cluster's supervisor."""

import json
import os
import socket
from typing import Any, Dict

from ..exceptions import ClipperException
from .supervisor import CONTROL


def ask(directory: str, do: str, timeout: float = 120.0, **more: Any) -> Dict:
    """Give the supervisor of a cluster a command and return its answer.

    Args:
        directory: the cluster's.
        do: name of the command.
        timeout: seconds.
        more: members of the command.

    Raises:
        OSError: there is no supervisor.
        ClipperException: it could not do it.
    """
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(timeout)
            # A socket's name is at most 107 bytes, whatever the directory's.
            control.connect("/proc/self/fd/%d/%s" % (handle, CONTROL))
            control.sendall(json.dumps(dict(more, do=do)).encode() + b"\n")
            with control.makefile("rb") as answers:
                line = answers.readline()
    finally:
        os.close(handle)
    if not line:
        raise ConnectionError("the supervisor has gone")
    answer = json.loads(line)
    if "error" in answer:
        raise ClipperException(answer["error"])
    return answer


def is_running(directory: str) -> bool:
    """Whether the cluster in a directory has a supervisor that answers."""
    try:
        ask(directory, "state", timeout=10.0)
    except OSError:
        return False
    return True
