"""Model containers of a local cluster: processes of its supervisor."""

import contextlib
import os
import sys
from typing import (
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

from clipper_container.loader import seal_of

from ..address import reachable
from ..arrivals import Expected
from ..containers import (
    ContainerOptions,
    Deployed,
    parse_model_container_label,
)
from ..exceptions import ClipperException
from ..limits import memory_bytes, thread_environment
from ..replica_set import ReplicaSet, Server, Started
from ..status import free_port
from . import images, programs
from .control import ask
from .directory import CONTAINERS, KEYS, LOGS, ClusterDirectory

_LOG_LINES = 30


class Replicas(ReplicaSet):
    """The containers of one cluster.

    `containers.json` has the options of each ``model:version``, the digest of
    its model directory, a counter for the names of its containers, and how
    many there should be. The supervisor knows which ones run.

    Args:
        server: the cluster's server.
        directory: the cluster's directory.
        cluster: returns ports and programs of the running cluster.
    """

    def __init__(
        self,
        server: Server,
        directory: ClusterDirectory,
        cluster: Callable[[], Mapping[str, Any]],
    ) -> None:
        super().__init__(server)
        self._directory = directory
        self._cluster = cluster

    @property
    def _path(self) -> str:
        return self._directory.path

    def find(self, label: Optional[str], stopped: bool) -> List[Any]:
        # Those that ended count: the supervisor starts them again.
        found: List[Any] = ask(self._path, "state")["replicas"]
        if label is None:
            return found
        prefix = label + "-"
        return [
            one
            for one in found
            if one["id"].startswith(prefix)
            and one["id"][len(prefix):].isdigit()
        ]

    def expected(self, container: Mapping[str, Any]) -> Expected:
        # Every container connects from this host.
        name, version = parse_model_container_label(
            container["id"].rpartition("-")[0]
        )
        return Expected((name, version), container["token"])

    def name_of(self, container: Mapping[str, Any]) -> str:
        return str(container["id"])

    def end_of(self, container: Mapping[str, Any]) -> Optional[str]:
        code = container["exit_code"]
        return None if code is None else " with exit code %d" % code

    def last_lines(self, container: Mapping[str, Any]) -> str:
        return programs.tail(container["log"], _LOG_LINES)

    # Options and names.

    def keep_options(self, what: Deployed, options: ContainerOptions) -> None:
        directory = self._directory
        path = images.find(directory, what.image)
        seal = "" if images.program(path) else seal_of(path)
        with directory.lock("containers"):
            known = directory.read_json(CONTAINERS) or {}
            entry = known.setdefault(str(what), {"next": 0})
            entry["options"] = dict(options._asdict())
            entry["seal"] = seal
            directory.write_json(CONTAINERS, known)

    def _take_numbers(
        self, what: Deployed, count: int
    ) -> Tuple[List[int], ContainerOptions, str]:
        directory = self._directory
        with directory.lock("containers"):
            known = directory.read_json(CONTAINERS) or {}
            entry = known.setdefault(str(what), {"next": 0})
            first = entry["next"]
            entry["next"] = first + count
            directory.write_json(CONTAINERS, known)
        options = ContainerOptions(**entry.get("options", {}))
        numbers = list(range(first, first + count))
        return numbers, options, entry.get("seal", "")

    def counts(self) -> Dict[str, int]:
        """How many containers each ``model:version`` should have."""
        known = self._directory.read_json(CONTAINERS) or {}
        return {key: one.get("count", 0) for key, one in known.items()}

    def _set_count(self, name: str, version: str, count: int) -> None:
        with self._directory.lock("containers"):
            known = self._directory.read_json(CONTAINERS) or {}
            entry = known.setdefault("%s:%s" % (name, version), {"next": 0})
            entry["count"] = count
            self._directory.write_json(CONTAINERS, known)

    # Starting.

    def add(self, what: Deployed, missing: int, total: int) -> None:
        specs = self._specs(what, missing, total)
        ids = [one["id"] for one in specs]
        before = self.nameless(what)
        ask(self._path, "add", replicas=specs)
        try:
            self.wait_until_ready(
                what, lambda: self._started(what, ids), before
            )
            ask(self._path, "keep", ids=ids)
            self._set_count(what.name, what.version, total)
        except BaseException:
            with contextlib.suppress(ClipperException):
                ask(self._path, "remove", ids=ids, graceful=False)
            raise

    def _specs(
        self, what: Deployed, count: int, sharing: int
    ) -> List[Dict[str, Any]]:
        """New containers of a version, as the supervisor takes them.

        Args:
            sharing: how many containers share the cores of the host.
        """
        numbers, options, seal = self._take_numbers(what, count)
        env = self._environment(what)
        if seal:
            env["CLIPPER_MODEL_DIGEST"] = seal
        env.update(_limits(options, sharing))
        env.update(options.env or {})
        ids = ["%s-%d" % (what.label, number) for number in numbers]
        ports: List[int] = []
        for _ in ids:
            if self._cluster().get("model_metrics"):
                ports.append(free_port("127.0.0.1", 0, ports))
        return [
            {
                "id": one,
                "command": _command(
                    images.find(self._directory, what.image), options,
                    str(what),
                ),
                "env": {**_metrics(ports[i:i + 1]), **env},
                "log": self._directory.file(LOGS, one + ".log"),
            }
            for i, one in enumerate(ids)
        ]

    def start_again(self, what: Deployed, count: int) -> List[str]:
        """Start containers that the supervisor keeps from the beginning.

        Returns:
            their ids.

        Raises:
            ClipperException: the image does not exist.
        """
        specs = self._specs(what, count, count)
        ids = [one["id"] for one in specs]
        ask(self._path, "add", replicas=specs)
        ask(self._path, "keep", ids=ids)
        return ids

    def _environment(self, what: Deployed) -> Dict[str, str]:
        cluster = self._cluster()
        return {
            "CLIPPER_MODEL_NAME": what.name,
            "CLIPPER_MODEL_VERSION": what.version,
            "CLIPPER_INPUT_TYPE": what.input_type,
            "CLIPPER_MODEL_PATH": images.find(self._directory, what.image),
            "CLIPPER_IP": reachable(cluster["address"]),
            "CLIPPER_PORT": str(cluster["rpc_port"]),
            "PYTHONPATH": programs.container_path(),
            **self._keys(),
        }

    def _keys(self) -> Dict[str, str]:
        if not self._cluster().get("curve"):
            return {}
        keys = self._directory.file
        return {
            "CLIPPER_CURVE_KEY": keys(KEYS, "clients", "container.key_secret"),
            "CLIPPER_CURVE_SERVER": keys(KEYS, "server"),
        }

    def _started(self, what: Deployed, ids: List[str]) -> List[Started]:
        found = [
            Started(one, self.expected(one)) for one in self.of()
            if one["id"] in ids
        ]
        if len(found) < len(ids):
            raise ClipperException(
                "A container of %s was stopped before it was ready" % what
            )
        return found

    # Stopping.

    def remove(self, containers: Sequence[Mapping[str, Any]]) -> None:
        if not containers:
            return
        with self.until_forgotten(containers):
            ask(self._path, "remove", ids=[one["id"] for one in containers])
            for label in {one["id"].rpartition("-")[0] for one in containers}:
                name, version = parse_model_container_label(label)
                self._set_count(name, version, len(self.find(label, True)))


def _metrics(port: Sequence[int]) -> Dict[str, str]:
    if not port:
        return {}
    return {
        "CLIPPER_METRICS_PORT": str(port[0]),
        "CLIPPER_METRICS_ADDRESS": "127.0.0.1",
    }


def _limits(options: ContainerOptions, total: int) -> Dict[str, str]:
    env = thread_environment(options, total, os.environ)
    if options.gpus is not None and options.gpus != "all":
        gpus = options.gpus
        if isinstance(gpus, int):
            gpus = range(gpus)
        env["CUDA_VISIBLE_DEVICES"] = ",".join(str(one) for one in gpus)
    return env


def _command(
    path: str, options: ContainerOptions, model: str
) -> List[str]:
    # The model is in the environment, too; here `ps` shows it.
    command = images.program(path) or [
        sys.executable, "-u", "-m", "clipper_container", model
    ]
    if options.memory is not None:
        # The shell replaces itself, so the process is the container.
        kilobytes = memory_bytes(options.memory) // 1024
        return [
            "/bin/sh", "-c", 'ulimit -v %d && exec "$@"' % kilobytes, "sh",
        ] + command
    return command
