"""A container engine with the Docker API, and its errors."""

import contextlib
import errno
import io
import json
import logging
import random
import socket
import tarfile
import time
from types import MappingProxyType
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from ..exceptions import ClipperException

logger = logging.getLogger(__name__)

#: Seconds for one call of the engine.
_TIMEOUT = 120

_PUSH_TRIES = 5


def connect() -> Any:
    """A client of the engine of DOCKER_HOST, or of the default engine.

    Raises:
        ClipperException: the `docker` package is missing, or no engine
            answers.
    """
    try:
        import docker
    except ImportError:
        raise ClipperException(
            "DockerContainerManager needs the package docker: "
            "pip install 'clipper-nginx[docker]'"
        ) from None
    with failures("No container engine answers"):
        client = docker.from_env(timeout=_TIMEOUT)
        client.ping()
    return client


@contextlib.contextmanager
def failures(what: str) -> Iterator[None]:
    """Turn the engine's errors into a ClipperException.

    Args:
        what: begins the message.
    """
    import docker.errors
    import requests.exceptions

    try:
        yield
    except (
        docker.errors.DockerException, requests.exceptions.RequestException
    ) as error:
        explanation = getattr(error, "explanation", None) or error
        raise ClipperException("%s: %s" % (what, explanation)) from error


def find_unbound_port(
    start: Optional[int] = None,
    increment: bool = False,
    port_range: Tuple[int, int] = (10000, 50000),
    verbose: bool = False,
    logger: Optional[Any] = None,
) -> int:
    """A free port of this host.

    Args:
        start: first choice; None for a random port.
        increment: try the ports that follow instead of random ones.
        port_range: lowest and highest random port.
        verbose: log the port when it is not the first choice.
        logger: logger for that.

    Raises:
        ClipperException: no free port is found.
    """
    port = random.randint(*port_range) if start is None else start
    for _ in range(1000):
        if _is_free(port):
            if verbose and logger is not None and port != start:
                logger.info("Port %s is in use, taking %d", start, port)
            return port
        port = port + 1 if increment else random.randint(*port_range)
    raise ClipperException("No free port found (first choice %s)" % start)


def _is_free(port: int) -> bool:
    if not 0 < port < 65536:
        return False
    # An engine may forward a port without listening on it, so connecting is
    # tried, too.
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def archive(
    files: Mapping[str, bytes],
    directories: Mapping[str, int],
    uid: int = 0,
    modes: Mapping[str, int] = MappingProxyType({}),
) -> bytes:
    """A tar archive.

    Args:
        files: contents by name.
        directories: modes by name; they come first.
        uid: owner and group of all entries.
        modes: of files, by name; those of the others are 0644.
    """
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, mode in directories.items():
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.DIRTYPE
            entry.mode = mode
            entry.uid = entry.gid = uid
            tar.addfile(entry)
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = modes.get(name, 0o644)
            entry.uid = entry.gid = uid
            entry.mtime = int(time.time())
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def build_context(recipe: str, model_data_path: str = "") -> io.BytesIO:
    """Context of a build: the recipe, and the model, if any, in `model/`."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        data = recipe.encode()
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
        if model_data_path:
            # The user of the container must be able to read it.
            tar.add(model_data_path, "model", filter=_readable)
    out.seek(0)
    return out


def _readable(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode |= 0o555 if entry.isdir() else 0o444
    return entry


def build(client: Any, image: str, context: io.BytesIO) -> None:
    """Build an image and log the steps.

    Raises:
        ClipperException: the build failed (with its last lines).
    """
    last: List[str] = []
    with failures("Could not build %s" % image):
        for step in client.api.build(
            fileobj=context, custom_context=True, tag=image, rm=True,
            forcerm=True, decode=True,
        ):
            text = str(step.get("stream") or "").strip()
            if text:
                is_step = text.upper().startswith("STEP ")
                logger.log(
                    logging.INFO if is_step else logging.DEBUG, "%s", text
                )
                last = (last + text.splitlines())[-20:]
            if step.get("error"):
                raise ClipperException(
                    "Could not build %s: %s\n%s"
                    % (image, str(step["error"]).strip(), "\n".join(last))
                )


def push(client: Any, image: str) -> None:
    """Push an image to its registry; a failure is tried again.

    Raises:
        ClipperException: all tries failed (with the registry's answer).
    """
    wait = 3.0
    for attempt in range(1, _PUSH_TRIES + 1):
        try:
            _push_once(client, image)
            return
        except ClipperException as error:
            if attempt == _PUSH_TRIES:
                raise
            logger.warning("%s; trying again in %d s", error, wait)
            time.sleep(wait)
            wait *= 2


def _push_once(client: Any, image: str) -> None:
    with failures("Could not push %s" % image):
        for line in client.images.push(image, stream=True, decode=True):
            if line.get("error"):
                raise ClipperException(
                    "Could not push %s: %s" % (image, line["error"])
                )


def restarts(container: Any) -> int:
    """How often the engine has restarted a container."""
    return int(container.attrs.get("RestartCount") or 0)


def has_ended(container: Any, before: int = 0) -> bool:
    """Whether a container does not run, or the engine restarted it.

    Call its `reload` first.

    Args:
        before: restarts that do not count.
    """
    again = restarts(container) > before
    return again or container.status in ("exited", "dead", "stopped")


def tail(container: Any, lines: int = 30, patience: float = 0.0) -> str:
    """Last lines of a container's log.

    Args:
        patience: seconds to wait for the first line: an engine may report
            the end of a container before it has read all its output.
    """
    deadline = time.monotonic() + patience
    while True:
        text = b""
        with contextlib.suppress(ClipperException):
            with failures("no log"):
                text = container.logs(tail=lines)
        if text.strip() or time.monotonic() > deadline:
            return text.decode("utf-8", "replace").rstrip()
        time.sleep(0.05)


def read_file(container: Any, path: str) -> str:
    """Text of a file in a container, running or not."""
    data = io.BytesIO(b"".join(container.get_archive(path)[0]))
    with tarfile.open(fileobj=data) as tar:
        file = tar.extractfile(tar.getmembers()[0])
        return "" if file is None else file.read().decode("utf-8", "replace")


def user_of(container: Any) -> int:
    """Number of the user whom a container runs as.

    Args:
        container: made; it may not run yet.

    Raises:
        ClipperException: its image does not have the user.
    """
    user = container.attrs["Config"].get("User", "").partition(":")[0]
    if not user or user.isdigit():
        return int(user or 0)
    with failures("No users in %s" % container.name):
        lines = read_file(container, "/etc/passwd").splitlines()
    for line in lines:
        fields = line.split(":")
        if fields[0] == user and len(fields) > 2 and fields[2].isdigit():
            return int(fields[2])
    raise ClipperException(
        "The image of %s has no user %s" % (container.name, user)
    )


def created(container: Any) -> str:
    """Creation time of a container, for sorting."""
    return str(container.attrs.get("Created", ""))


def started(container: Any) -> str:
    """Time of a container's last start, for comparison."""
    state = container.attrs.get("State") or {}
    return str(state.get("StartedAt", "")).rstrip("Z")


def labels_of(labels: Mapping[str, Optional[str]]) -> Dict[str, List[str]]:
    """A filter for containers that have some labels.

    Args:
        labels: values by name; None for any value.
    """
    return {"label": [
        name if value is None else "%s=%s" % (name, value)
        for name, value in labels.items()
    ]}


def parse_json(text: bytes) -> Any:
    """Value of a JSON text; None when the text is empty."""
    return json.loads(text) if text.strip() else None
