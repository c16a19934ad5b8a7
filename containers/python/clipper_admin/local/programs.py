"""Find nginx and the module; stop the processes of a cluster."""

import os
import re
import shutil
import signal
import subprocess
import time
from typing import Dict, List, Optional

from ..exceptions import ClipperException
from ..server_conf import nginx_line
from .control import ClusterGone, ask
from .directory import ERROR_LOG, ClusterDirectory
from .supervisor import LOCK, hold_lock

MODULE = "ngx_http_clipper_module.so"

_CLUSTER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")

#: Seconds for a cluster to stop.
_STOP_TIMEOUT = 90.0


class PortTaken(ClipperException):
    """Another program took a port before nginx could bind it."""


def check_cluster_name(name: str) -> None:
    """Check that a cluster's name can be the name of a directory.

    Raises:
        ClipperException: it cannot.
    """
    if not _CLUSTER_NAME.match(name):
        raise ClipperException(
            "Invalid cluster name %r. It must begin with a letter or a digit "
            "and consist of letters, digits, '.', '_' and '-'" % (name,)
        )


def find_nginx(given: Optional[str]) -> str:
    """Path of nginx.

    Args:
        given: path or name; None for CLIPPER_NGINX or ``nginx``.

    Raises:
        ClipperException: it is not installed.
    """
    wanted = given or os.environ.get("CLIPPER_NGINX") or "nginx"
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    found = shutil.which(wanted, path=path)
    if found is None:
        raise ClipperException(
            "nginx is not installed (%s not found). Install it, or set "
            "CLIPPER_NGINX to its path" % wanted
        )
    return os.path.abspath(found)


def find_module(given: Optional[str]) -> str:
    """Path of Clipper's module for nginx.

    Args:
        given: path; None for CLIPPER_NGINX_MODULE or the usual places.

    Raises:
        ClipperException: it does not exist.
    """
    wanted = given or os.environ.get("CLIPPER_NGINX_MODULE")
    candidates = [wanted] if wanted else _usual_modules()
    for path in candidates:
        if path and os.path.exists(path):
            return os.path.abspath(path)
    raise ClipperException(
        "No %s found (looked for %s). Build it, or set CLIPPER_NGINX_MODULE "
        "to its path" % (MODULE, ", ".join(str(one) for one in candidates))
    )


def _usual_modules() -> List[str]:
    here = os.path.dirname(os.path.abspath(__file__))
    checkout = os.path.normpath(os.path.join(here, *[".."] * 4))
    return [
        os.path.join(checkout, "build", MODULE),
        os.path.join("/usr/lib/nginx/modules", MODULE),
        os.path.join("/usr/lib64/nginx/modules", MODULE),
    ]


def environment() -> Dict[str, str]:
    """Environment of a supervisor, which imports this package."""
    here = os.path.dirname(os.path.abspath(__file__))
    package_root = os.path.normpath(os.path.join(here, "..", ".."))
    paths = [package_root]
    if os.environ.get("PYTHONPATH"):
        paths.append(os.environ["PYTHONPATH"])
    return dict(os.environ, PYTHONPATH=os.pathsep.join(paths))


def container_path() -> str:
    """PYTHONPATH of a container: also the module `rpc` of the original."""
    path = environment()["PYTHONPATH"].split(os.pathsep)
    own = os.path.join(path[0], "clipper_container", "original")
    return os.pathsep.join([path[0], own] + path[1:])


def tail(path: str, lines: int = 20) -> str:
    """Last lines of a log; empty when it does not exist."""
    try:
        with open(path, "rb") as f:
            f.seek(0, os.SEEK_END)
            f.seek(max(0, f.tell() - 200 * lines))
            text = f.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-lines:])


def nginx_failed(directory: ClusterDirectory) -> ClipperException:
    """Why nginx did not start, from its log."""
    text = tail(directory.file(ERROR_LOG))
    lines = [line for line in text.splitlines() if "[emerg]" in line]
    reason = nginx_line(lines[-1] if lines else text)
    if "Address already in use" in reason:
        return PortTaken("nginx does not start: %s" % reason)
    return ClipperException("nginx does not start: %s" % reason)


def end(directory: str, supervisor: "subprocess.Popen[bytes]") -> None:
    """Stop a supervisor that this program started."""
    stop(directory, graceful=False)
    if supervisor.poll() is None:
        supervisor.terminate()
        try:
            supervisor.wait(5.0)
        except subprocess.TimeoutExpired:
            supervisor.kill()
            supervisor.wait()


def stop(directory: str, graceful: bool) -> None:
    """Stop the cluster in a directory; returns when none of it runs.

    Raises:
        ClipperException: the supervisor does not end.
    """
    try:
        ask(directory, "stop", timeout=_STOP_TIMEOUT, graceful=graceful)
    except ClusterGone:
        # A supervisor that hangs holds its lock. Killing it ends its
        # children.
        _kill(directory)
    deadline = time.monotonic() + 10.0
    while True:
        lock = hold_lock(directory)
        if lock is not None:
            os.close(lock)
            return
        if time.monotonic() > deadline:
            raise ClipperException(
                "The supervisor of the cluster in %s does not end. See "
                "logs/supervisor.log there" % directory
            )
        time.sleep(0.02)


def _kill(directory: str) -> None:
    lock = hold_lock(directory)
    if lock is not None:
        os.close(lock)
        return
    try:
        with open(os.path.join(directory, LOCK), encoding="ascii") as f:
            pid = int(f.read())
    except (OSError, ValueError):
        return
    os.kill(pid, signal.SIGKILL)
