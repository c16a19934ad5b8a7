"""The directory of a local cluster: configuration, state, locks.

    cluster.json        ports and programs, while the cluster exists
    containers.json     options and number of each version's containers
    nginx.conf          includes current/
    current -> generations/N
    generations/N/      fragments: generation.conf models/ apps/
    images/             model directories
    keys/               of CURVE, where the cluster uses it
    logs.old/           logs of the run before
    logs/  locks/  tmp/
    management.sock  management.token  metrics.sock
    control.sock  supervisor.json  supervisor.lock
"""

import contextlib
import fcntl
import json
import os
import shutil
import stat
import subprocess
import tempfile
from typing import Any, Dict, Iterator, List, Mapping, Optional

from .. import keys, nginxconf
from ..exceptions import ClipperException
from ..nginxconf import directive
from ..server_conf import PLACES, nginx_conf, nginx_line
from ..store import Store

CLUSTER = "cluster.json"
CONTAINERS = "containers.json"
NGINX_CONF = "nginx.conf"
CANDIDATE_CONF = "nginx.candidate.conf"
CURRENT = "current"
GENERATIONS = "generations"
IMAGES = "images"
KEYS = "keys"
LOGS = "logs"
OLD_LOGS = "logs.old"
ERROR_LOG = "logs/error.log"
MANAGEMENT_SOCKET = "management.sock"
MANAGEMENT_TOKEN = "management.token"
METRICS_SOCKET = "metrics.sock"


def state_root() -> str:
    """The default parent of clusters' directories."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser(
        "~/.local/state"
    )
    return os.path.join(base, "clipper")


def _make_parents(path: str) -> None:
    """Make what is missing above a path, writable by the owner alone."""
    above = os.path.dirname(path)
    if not os.path.isdir(above):
        _make_parents(above)
        with contextlib.suppress(FileExistsError):
            os.mkdir(above, 0o755)


class ClusterDirectory(Store):
    """The files of one cluster.

    Args:
        path: absolute path; the directory need not exist.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def file(self, *parts: str) -> str:
        """Path of a file in the directory."""
        return os.path.join(self.path, *parts)

    # Its life.

    def is_left(self) -> bool:
        """Whether a cluster was started here that `remove` has not removed.

        It runs, or its host was rebooted, or its supervisor was killed.
        """
        return os.path.exists(self.file(CLUSTER)) and os.path.exists(
            self.file(CURRENT, "generation.conf")
        )

    def make(self, *names: str) -> None:
        """Make the directory, and some in it; only its owner may enter.

        The logs, the configuration and the control socket are in it.

        Raises:
            ClipperException: the directory belongs to another user.
        """
        _make_parents(self.path)
        with contextlib.suppress(FileExistsError):
            os.mkdir(self.path, 0o700)
        found = os.stat(self.path)
        if found.st_uid != os.geteuid():
            raise ClipperException(
                "%s belongs to another user" % self.path
            )
        if stat.S_IMODE(found.st_mode) & 0o077:
            os.chmod(self.path, 0o700)
        for name in names:
            os.makedirs(self.file(name), exist_ok=True)

    def prepare(self) -> None:
        """Prepare the directory for a start.

        Images stay, and all of a cluster that is left; its logs and those of
        an earlier run become `logs.old`.
        """
        self.make()
        shutil.rmtree(self.file("tmp"), ignore_errors=True)
        if os.path.isdir(self.file(LOGS)) and os.listdir(self.file(LOGS)):
            shutil.rmtree(self.file(OLD_LOGS), ignore_errors=True)
            os.rename(self.file(LOGS), self.file(OLD_LOGS))
        if not self.is_left():
            shutil.rmtree(self.file(GENERATIONS), ignore_errors=True)
            for name in (CURRENT, CLUSTER, CONTAINERS):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.file(name))
        self.make(GENERATIONS, LOGS, IMAGES, "tmp", "locks")

    def make_keys(self) -> None:
        """Make the keys of the server and of the containers, once."""
        for name, place in (("server", "server"), ("container", "clients")):
            if not os.path.exists(self.file(KEYS, place, name + ".key")):
                keys.make(name, self.file(KEYS, place))

    def remove(self) -> None:
        """Remove everything but the logs."""
        for name in (GENERATIONS, IMAGES, KEYS, "tmp"):
            shutil.rmtree(self.file(name), ignore_errors=True)
        for name in (
            CLUSTER,
            CONTAINERS,
            CURRENT,
            NGINX_CONF,
            CANDIDATE_CONF,
            "supervisor.json",
            "control.sock",
            MANAGEMENT_SOCKET,
            MANAGEMENT_TOKEN,
            METRICS_SOCKET,
        ):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.file(name))

    def read_json(self, name: str) -> Optional[Any]:
        """Contents of a JSON file; None when it does not exist."""
        try:
            with open(self.file(name), encoding="utf-8") as f:
                return json.load(f)
        except FileNotFoundError:
            return None

    def write_json(self, name: str, value: Any) -> None:
        """Replace a JSON file atomically."""
        self._replace(name, json.dumps(value, indent=1) + "\n")

    def _replace(self, name: str, text: str) -> None:
        handle, temporary = tempfile.mkstemp(dir=self.path, prefix=".new-")
        with os.fdopen(handle, "w", encoding="utf-8") as f:
            f.write(text)
            f.flush()
            # It must be there after a power failure, too.
            os.fsync(f.fileno())
        os.replace(temporary, self.file(name))

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold a lock of the cluster; it is free when its holder dies.

        Raises:
            ClipperException: the cluster does not exist any more.
        """
        try:
            handle = os.open(
                self.file("locks", name), os.O_CREAT | os.O_RDWR, 0o600
            )
        except FileNotFoundError:
            raise ClipperException(
                "The cluster in %s does not exist any more" % self.path
            ) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    # Generations.

    def generation(self) -> int:
        """Number of the current configuration; 0 before the first."""
        try:
            return int(os.path.basename(os.readlink(self.file(CURRENT))))
        except FileNotFoundError:
            return 0

    def read_fragments(self) -> Dict[str, str]:
        while True:
            try:
                return self._read_generation(self.generation())
            except FileNotFoundError:
                # Other programs have replaced it twice since.
                if not os.path.lexists(self.file(CURRENT)):
                    raise ClipperException(
                        "The cluster in %s does not exist any more"
                        % self.path
                    ) from None

    def _read_generation(self, number: int) -> Dict[str, str]:
        fragments = {}
        for place in PLACES:
            directory = self.file(GENERATIONS, str(number), place)
            for name in sorted(os.listdir(directory)):
                if name.endswith(".conf"):
                    path = os.path.join(directory, name)
                    with open(path, encoding="utf-8") as f:
                        fragments["%s/%s" % (place, name)] = f.read()
        return fragments

    def write_generation(self, fragments: Mapping[str, str]) -> int:
        """Write the next generation and return its number.

        A number is used only once: nginx may have taken a generation that
        was given up.
        """
        number = 1 + max(
            [self.generation()]
            + [int(name) for name in self._names() if name.isdigit()]
        )
        base = self.file(GENERATIONS, str(number))
        shutil.rmtree(base, ignore_errors=True)
        for place in PLACES:
            os.makedirs(os.path.join(base, place))
        own = {
            "generation.conf": nginxconf.write(
                [directive("clipper_generation", number)]
            )
        }
        for name, text in {**own, **fragments}.items():
            with open(os.path.join(base, name), "w", encoding="utf-8") as f:
                f.write(text)
                f.flush()
                os.fsync(f.fileno())
        return number

    def _names(self) -> List[str]:
        try:
            return os.listdir(self.file(GENERATIONS))
        except FileNotFoundError:
            return []

    def make_current(self, number: int) -> None:
        temporary = self.file(".new-current")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        os.symlink("%s/%d" % (GENERATIONS, number), temporary)
        os.replace(temporary, self.file(CURRENT))

    def drop_generations(self, keep: List[int]) -> None:
        """Remove all generations except some."""
        for name in self._names():
            if name.isdigit() and int(name) not in keep:
                shutil.rmtree(self.file(GENERATIONS, name))

    # nginx.

    def write_nginx_conf(
        self, cluster: Mapping[str, Any], candidate: Optional[int] = None
    ) -> str:
        """Write nginx.conf, or a file that tests another generation.

        Args:
            cluster: members of `cluster.json`.
            candidate: number of the generation to test.

        Returns:
            path of the file.
        """
        place = CURRENT
        name = NGINX_CONF
        if candidate is not None:
            place = "%s/%d" % (GENERATIONS, candidate)
            name = CANDIDATE_CONF
        self._replace(
            name, nginxconf.write(nginx_conf(cluster, place))
        )
        return self.file(name)

    def nginx_command(self, cluster: Mapping[str, Any]) -> List[str]:
        """Command that runs the cluster's nginx in the foreground."""
        return self._nginx(
            cluster, self.file(NGINX_CONF), self.file(ERROR_LOG)
        )

    def _nginx(
        self, cluster: Mapping[str, Any], conf: str, log: str
    ) -> List[str]:
        prefix = self.path + "/"
        return [cluster["nginx"], "-p", prefix, "-e", log, "-c", conf]

    def test(self, cluster: Mapping[str, Any], number: int) -> None:
        """Test a generation with ``nginx -t``.

        Raises:
            ClipperException: nginx refuses it (with its error line).
        """
        conf = self.write_nginx_conf(cluster, number)
        # The test must not write to the log of the server.
        command = self._nginx(cluster, conf, "stderr") + ["-t", "-q"]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode != 0:
            text = done.stdout.decode("utf-8", "replace")
            raise ClipperException(
                "nginx refuses the configuration: %s" % nginx_line(text)
            )

    def error_log_size(self) -> int:
        """Size of nginx's log in bytes, for `emergency_after`."""
        try:
            return os.path.getsize(self.file(ERROR_LOG))
        except FileNotFoundError:
            return 0

    def emergency_after(self, offset: int) -> Optional[str]:
        """nginx's first [emerg] line after an offset in its log."""
        try:
            with open(self.file(ERROR_LOG), "rb") as f:
                # The log was rotated when it is shorter.
                f.seek(offset if offset <= self.error_log_size() else 0)
                text = f.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        for line in text.splitlines():
            if "[emerg]" in line:
                return nginx_line(line)
        return None
