"""The frontend container: nginx and its configuration.

The files are in /var/lib/clipper in the container. Every program that can
reach the engine can read and write them:

    cluster.json        settings of the cluster
    nginx.conf          includes current/
    current -> generations/N
    generations/N/      fragments: generation.conf models/ apps/
    options/            container options of each version, as JSON
    logs/               nginx's [emerg] lines, for the services
    services            starts the management API and the joined metrics, if
                        the image has them
    management.token    for calls from other hosts; none on loopback
    locks/              held by a process in the container while its standard
                        input is open, so a program that dies lets go
"""

import contextlib
import io
import json
import shlex
import socket
import tarfile
import time
from types import MappingProxyType
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from .. import nginxconf, server_conf
from ..exceptions import ClipperException
from ..local.directory import MANAGEMENT_SOCKET, MANAGEMENT_TOKEN
from ..nginxconf import directive
from ..store import Store
from . import curve, engine

HOME = "/var/lib/clipper"

#: Where the server's keys are.
KEYS = "%s/%s" % (HOME, curve.DIRECTORY)

#: User and group of nginx: nobody and nogroup.
UID = 65534

_CLUSTER = "cluster.json"

#: Starts the services, each of them again when it has ended. The socket is
#: there before the service is, so that the first calls wait for it.
_SERVICES = """
command -v python3 > /dev/null || exit 0
for service in %s; do
    while :; do python3 -c '
import os, socket, sys
name = sys.argv[1]
if os.path.exists(name + ".sock"):
    os.unlink(name + ".sock")
before = os.umask(0o177)
made = socket.socket(socket.AF_UNIX)
made.bind(name + ".sock")
os.umask(before)
made.listen(128)
made.set_inheritable(True)
os.environ["CLIPPER_LISTENER"] = str(made.fileno())
os.execlp("python3", "python3", "-m", "clipper_admin", name, ".")
' $service; sleep 1; done &
done
wait
"""

#: Marks the end of a script's output.
_END = "=== end of output:"

_EXEC_TRIES = 5

_NGINX = "nginx -p %s/ -e stderr" % HOME

#: Seconds to wait for another program that changes the configuration.
_LOCK_TIMEOUT = 600.0


def command() -> List[str]:
    """Command of the container.

    nginx gets as many descriptors as the engine allows, up to what a cluster
    needs.
    """
    return [
        "sh",
        "-c",
        "n=$(ulimit -Hn); "
        '{ test "$n" = unlimited || test "$n" -gt %d; } && n=%d; '
        'ulimit -Sn "$n"; cd %s && { sh services & exec %s -c nginx.conf; }'
        % (server_conf.DESCRIPTORS, server_conf.DESCRIPTORS, HOME, _NGINX),
    ]


def initial_archive(
    cluster: Mapping[str, Any],
    token: str,
    keys: Mapping[str, bytes] = MappingProxyType({}),
) -> bytes:
    """Archive for HOME's parent, before the container starts.

    Args:
        cluster: settings of the cluster.
        token: that calls of the management API need; empty for none.
        keys: what `curve.make` returned; empty for none.
    """
    base = "clipper/"
    number = base + "generations/0/"
    names = [base, base + "locks", base + "options", base + "tmp",
             base + "logs", base + "generations", number]
    names += [number + place for place in server_conf.PLACES]
    files = {
        base + _CLUSTER: json.dumps(cluster).encode(),
        base + "nginx.conf": _conf(cluster, "current"),
        base + "services": _services(cluster).encode(),
        number + "generation.conf": _generation(0),
    }
    if token:
        files[base + MANAGEMENT_TOKEN] = (token + "\n").encode()
    directories = dict.fromkeys(names, 0o755)
    modes = {}
    if keys:
        for name, mode in curve.DIRECTORIES.items():
            directories[base + name] = mode
        for name, key in keys.items():
            path = "%s%s/%s" % (base, curve.DIRECTORY, name)
            files[path] = key
            modes[path] = curve.mode_of(name)
    data = io.BytesIO(engine.archive(files, directories, UID, modes))
    with tarfile.open(fileobj=data, mode="a") as tar:
        link = tarfile.TarInfo(base + "current")
        link.type = tarfile.SYMTYPE
        link.linkname = "generations/0"
        link.uid = link.gid = UID
        tar.addfile(link)
    return data.getvalue()


def _services(cluster: Mapping[str, Any]) -> str:
    return _SERVICES % " ".join(
        ["management"] + ["metrics"] * bool(
            cluster.get("model_metrics") or cluster.get("targets")
        )
    )


def _conf(cluster: Mapping[str, Any], place: str) -> bytes:
    return nginxconf.write(server_conf.nginx_conf(cluster, place)).encode()


def _generation(number: int) -> bytes:
    return nginxconf.write(
        [directive("clipper_generation", number)]
    ).encode()


class Frontend(Store):
    """The files and the nginx of a frontend container.

    Args:
        container: of the `docker` package.
    """

    def __init__(self, container: Any) -> None:
        self.container = container
        self._cluster: Optional[Dict[str, Any]] = None

    @property
    def cluster(self) -> Mapping[str, Any]:
        """Settings that the cluster was started with."""
        if self._cluster is None:
            self._cluster = json.loads(self._run("cat " + _CLUSTER))
        return self._cluster or {}

    def write_settings(self, cluster: Mapping[str, Any]) -> None:
        """Store other settings, while the container does not run."""
        self._put(
            {_CLUSTER: json.dumps(cluster).encode(),
             "nginx.conf": _conf(cluster, "current")}, []
        )

    def keys(self) -> Dict[str, bytes]:
        """The keys that a model container needs; empty without CURVE."""
        if not self.cluster.get("curve"):
            return {}
        return {
            name: self._run("cat %s/%s" % (curve.DIRECTORY, name))
            for name in curve.WANTED
        }

    # Files.

    def _run(self, script: str) -> bytes:
        """Standard output of a shell script in HOME.

        Raises:
            ClipperException: it failed (with its output).
        """
        code, out = self._try(script)
        if code != 0:
            raise ClipperException(
                "The frontend container failed (%s): %s"
                % (script.split("\n", 1)[0],
                   out.decode("utf-8", "replace").strip())
            )
        return out

    def _try(self, script: str) -> Tuple[int, bytes]:
        """Exit code and output of a script that may be run twice.

        An engine can lose the output of a process that ends quickly
        (podman 4 does), so the script marks the end of its output.
        """
        wrapped = "cd %s && { %s; }; echo '%s' $?" % (HOME, script, _END)
        for _ in range(_EXEC_TRIES):
            with engine.failures("The frontend container is not running"):
                _, (out, error) = self.container.exec_run(
                    ["sh", "-c", wrapped], demux=True
                )
            text, end, code = (out or b"").rpartition(_END.encode())
            if end and code.strip().isdigit():
                return int(code), text
        raise ClipperException(
            "The frontend container does not answer: %r" % (error or out)
        )

    def _put(self, files: Mapping[str, bytes], dirs: List[str]) -> None:
        with engine.failures(
            "Could not copy files into the frontend container"
        ):
            self.container.put_archive(
                HOME,
                engine.archive(files, dict.fromkeys(dirs, 0o755), UID),
            )

    def read_options(self, label: str) -> Dict[str, Any]:
        """Options that a version was deployed with; empty when unknown."""
        name = shlex.quote("options/%s.json" % label)
        text = self._run("if test -e %s; then cat %s; fi" % (name, name))
        return engine.parse_json(text) or {}

    def write_options(self, label: str, options: Mapping[str, Any]) -> None:
        """Store the options of a version for later containers."""
        self._put({"options/%s.json" % label: json.dumps(options).encode()},
                  [])

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        # The lock ends with the input, and says on each line that it is held.
        script = (
            "cd %s && exec flock locks/%s "
            "sh -c 'while read -r line; do echo held; done'"
            % (HOME, shlex.quote(name))
        )
        api = self.container.client.api
        with engine.failures("The frontend container is not running"):
            made = api.exec_create(
                self.container.id, ["sh", "-c", script], stdin=True
            )
            stream = api.exec_start(made["Id"], socket=True)
        raw = getattr(stream, "_sock", stream)
        try:
            _wait_for_word(raw, b"held")
            yield
        finally:
            with contextlib.suppress(OSError):
                raw.shutdown(socket.SHUT_WR)
            stream.close()
            self._wait_for_end(api, made["Id"])

    def _wait_for_end(self, api: Any, exec_id: str) -> None:
        # Until the process ends the lock is not free for the next program.
        deadline = time.monotonic() + 5.0
        with contextlib.suppress(ClipperException):
            with engine.failures("gone"):
                while api.exec_inspect(exec_id).get("Running"):
                    if time.monotonic() > deadline:
                        return
                    time.sleep(0.02)

    # Generations.

    def generation(self) -> int:
        """Number of the current configuration."""
        return int(self._run("basename $(readlink current)"))

    def read_fragments(self) -> Dict[str, str]:
        # The link is read only once: another program may switch it.
        data = self._run("tar -C $(readlink current) -cf - .")
        found = {}
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for entry in tar:
                name = entry.name[2:] if entry.name.startswith("./") \
                    else entry.name
                if entry.isfile() and name.endswith(".conf") and "/" in name:
                    text = tar.extractfile(entry)
                    if text is not None:
                        found[name] = text.read().decode("utf-8")
        return dict(sorted(found.items()))

    def write_generation(
        self, fragments: Mapping[str, str]
    ) -> Tuple[int, int]:
        """Write the next generation.

        Removes all but the current one. The caller holds the lock of the
        configuration.

        Returns:
            numbers of the current and of the next generation. A number is
            used only once: nginx may have taken a generation that was given
            up.
        """
        before, last = (int(one) for one in self._run(
            "n=$(basename $(readlink current)) && cd generations"
            " && last=$(printf '%s\\n' * | sort -n | tail -n 1)"
            " && for one in *; do test $one = $n || rm -rf $one; done"
            " && echo $n $last"
        ).split())
        number = last + 1
        base = "generations/%d" % number
        files = {
            "%s/%s" % (base, name): text.encode("utf-8")
            for name, text in fragments.items()
        }
        files[base + "/generation.conf"] = _generation(number)
        files["candidate.conf"] = _conf(self.cluster, base)
        self._put(
            files, [base] + ["%s/%s" % (base, one)
                             for one in server_conf.PLACES]
        )
        return before, number

    def test_and_switch(self, number: int) -> None:
        """Test the last generation with ``nginx -t`` and make it current.

        Raises:
            ClipperException: nginx refuses it (with its error line); nothing
                has changed.
        """
        code, out = self._try(
            "%s -t -q -c %s/candidate.conf 2>&1 && %s"
            % (_NGINX, HOME, _switch(number))
        )
        if code != 0:
            text = out.decode("utf-8", "replace")
            raise ClipperException(
                "nginx refuses the configuration: %s"
                % server_conf.nginx_line(text)
            )

    def make_current(self, number: int) -> None:
        self._run(_switch(number))

    # Services and nginx.

    def wait_for_services(self) -> None:
        """Wait a moment until calls of the services can wait for them."""
        self._run(
            "n=0; while command -v python3 > /dev/null"
            " && ! test -S %s && test $n -lt 50; do n=$((n + 1)); sleep 0.1;"
            " done" % MANAGEMENT_SOCKET
        )

    def reload(self) -> None:
        """Let nginx read its configuration again."""
        with engine.failures("nginx is not running"):
            self.container.kill(signal="HUP")

    def emergency_since(self, seconds: int) -> Optional[str]:
        """nginx's first [emerg] line since a time in seconds since the epoch.
        """
        with engine.failures("The frontend container is not running"):
            text = self.container.logs(since=seconds)
        for line in text.decode("utf-8", "replace").splitlines():
            if "[emerg]" in line:
                return server_conf.nginx_line(line)
        return None


def _switch(number: int) -> str:
    return "ln -sfn generations/%d new && mv -T new current" % number


def _wait_for_word(raw: Any, word: bytes) -> None:
    """Ask the process of an exec, a line a second, until it answers.

    An engine can lose what is written before the streams of an exec are
    connected (podman 4 does), so the question is repeated.
    """
    seen = b""
    deadline = time.monotonic() + _LOCK_TIMEOUT
    raw.settimeout(1.0)
    while word not in seen:
        try:
            raw.sendall(b"?\n")
            data = raw.recv(4096)
        except socket.timeout:
            if time.monotonic() < deadline:
                continue
            raise ClipperException(
                "Another program has held the lock of the cluster for more "
                "than %d seconds" % _LOCK_TIMEOUT
            ) from None
        except OSError:
            data = b""
        if not data:
            raise ClipperException(
                "The frontend container could not take the lock: %r" % seen
            )
        seen += data
