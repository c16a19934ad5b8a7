"""Model containers of a local cluster: start, wait, scale, stop."""

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .. import status as server_status
from ..container_manager import ContainerOptions, create_model_container_label
from ..exceptions import ClipperException
from ..limits import check_count, memory_bytes, thread_environment
from . import images, programs
from .control import ask
from .directory import CONTAINERS, LOGS, wait_for_change

if TYPE_CHECKING:
    from .manager import LocalContainerManager

#: What a container logs when the server does not want it.
_REFUSED = "The frontend refused"

_LOG_LINES = 30

#: Seconds for the server to forget a container that has ended.
_LEAVE_TIMEOUT = 10.0


class Replicas:
    """The containers of one cluster.

    `containers.json` keeps what they are made of, by ``model:version``:
    image, input type, options and a counter for their names. Which ones run
    the supervisor knows.
    """

    def __init__(self, manager: "LocalContainerManager") -> None:
        self._manager = manager

    @property
    def _path(self) -> str:
        return self._manager.directory.path

    def of(self, name: str, version: str) -> List[Dict[str, Any]]:
        """Containers of a version, oldest first."""
        prefix = create_model_container_label(name, version) + "-"
        return [
            one
            for one in ask(self._path, "state")["replicas"]
            if one["id"].startswith(prefix)
            and one["id"][len(prefix):].isdigit()
        ]

    def deploy(
        self,
        name: str,
        version: str,
        input_type: str,
        image: str,
        count: int,
        options: ContainerOptions,
    ) -> None:
        """Run containers of a version that has none yet.

        Raises:
            ClipperException: with the container's last lines; none is left.
        """
        images.find(self._manager.directory, image)
        self._remember(name, version, dict(options._asdict()))
        self.scale(name, version, input_type, image, count)

    def scale(
        self, name: str, version: str, input_type: str, image: str, count: int
    ) -> None:
        """Run as many containers of a version, the newest stop first."""
        check_count(count)
        running = self.of(name, version)
        if len(running) < count:
            missing = count - len(running)
            self._manager.logger.info(
                "Found %d replicas for %s:%s. Adding %d",
                len(running), name, version, missing,
            )
            self._add(name, version, input_type, image, missing, count)
        elif len(running) > count:
            surplus = running[count:]
            self._manager.logger.info(
                "Found %d replicas for %s:%s. Removing %d",
                len(running), name, version, len(surplus),
            )
            self._remove(surplus)

    def stop(self, versions: Optional[List[Tuple[str, str]]]) -> None:
        """Stop the containers of some versions, or of all (None)."""
        if versions is None:
            self._remove(ask(self._path, "state")["replicas"])
            return
        found: List[Dict[str, Any]] = []
        for name, version in versions:
            found += self.of(name, version)
        self._remove(found)

    # What they are made of.

    def _remember(
        self, name: str, version: str, options: Mapping[str, Any]
    ) -> None:
        directory = self._manager.directory
        with directory.lock("containers"):
            known = directory.read_json(CONTAINERS) or {}
            entry = known.setdefault("%s:%s" % (name, version), {"next": 0})
            entry["options"] = options
            directory.write_json(CONTAINERS, known)

    def _take_numbers(
        self, name: str, version: str, count: int
    ) -> Tuple[List[int], ContainerOptions]:
        directory = self._manager.directory
        with directory.lock("containers"):
            known = directory.read_json(CONTAINERS) or {}
            entry = known.setdefault("%s:%s" % (name, version), {"next": 0})
            first = entry["next"]
            entry["next"] = first + count
            directory.write_json(CONTAINERS, known)
        options = ContainerOptions(**entry.get("options", {}))
        return list(range(first, first + count)), options

    # Starting.

    def _add(
        self,
        name: str,
        version: str,
        input_type: str,
        image: str,
        missing: int,
        total: int,
    ) -> None:
        numbers, options = self._take_numbers(name, version, missing)
        label = create_model_container_label(name, version)
        env = self._environment(name, version, input_type, image)
        env.update(_limits(options, total))
        env.update(options.env or {})
        ids = ["%s-%d" % (label, number) for number in numbers]
        specs = [
            {
                "id": one,
                "command": _command(options),
                "env": env,
                "log": self._manager.directory.file(
                    LOGS, one + ".log"
                ),
            }
            for one in ids
        ]
        ask(self._path, "add", replicas=specs)
        try:
            self._wait_until_ready(name, version, ids)
            ask(self._path, "keep", ids=ids)
        except BaseException:
            with contextlib.suppress(ClipperException):
                ask(self._path, "remove", ids=ids, graceful=False)
            raise

    def _environment(
        self, name: str, version: str, input_type: str, image: str
    ) -> Dict[str, str]:
        cluster = self._manager.cluster
        address = cluster["address"]
        return {
            "CLIPPER_MODEL_NAME": name,
            "CLIPPER_MODEL_VERSION": version,
            "CLIPPER_INPUT_TYPE": input_type,
            "CLIPPER_MODEL_PATH": images.find(self._manager.directory, image),
            "CLIPPER_IP": "127.0.0.1" if address == "0.0.0.0" else address,
            "CLIPPER_PORT": str(cluster["rpc_port"]),
            "PYTHONPATH": programs.environment()["PYTHONPATH"],
        }

    def _wait_until_ready(
        self, name: str, version: str, ids: List[str]
    ) -> None:
        began = time.monotonic()
        deadline = began + self._manager.deploy_timeout
        next_word = began + 5.0
        while True:
            mine = [
                one
                for one in ask(self._path, "state")["replicas"]
                if one["id"] in ids
            ]
            for one in mine:
                _check_alive(one)
            if len(mine) < len(ids):
                raise ClipperException(
                    "A container of %s:%s was stopped before it was ready"
                    % (name, version)
                )
            known: List[str] = []
            with contextlib.suppress(OSError):
                known = server_status.tokens(self._manager.get_status())
            waiting = [one for one in mine if one["token"] not in known]
            if not waiting:
                return
            if time.monotonic() > next_word:
                next_word += 5.0
                self._manager.logger.info(
                    "Waiting for %d of %d replicas of %s:%s (%d s)",
                    len(waiting), len(ids), name, version,
                    time.monotonic() - began,
                )
            if not wait_for_change(deadline, 0.05):
                raise ClipperException(
                    "Container %s is not ready within %d seconds. Its last "
                    "lines:\n%s"
                    % (waiting[0]["id"], self._manager.deploy_timeout,
                       programs.tail(waiting[0]["log"], _LOG_LINES))
                )

    # Stopping.

    def _remove(self, replicas: Sequence[Mapping[str, Any]]) -> None:
        if not replicas:
            return
        ids = [one["id"] for one in replicas]
        gone = {one["token"] for one in replicas}
        ask(self._path, "remove", ids=ids)
        deadline = time.monotonic() + _LEAVE_TIMEOUT
        while True:
            with contextlib.suppress(OSError):
                status = self._manager.get_status()
                known = {
                    one.get("token")
                    for one in server_status.replicas(status)
                }
                if not known & gone:
                    return
            if not wait_for_change(deadline):
                return


def _check_alive(replica: Mapping[str, Any]) -> None:
    if replica["exit_code"] is not None:
        raise ClipperException(
            "Container %s ended with exit code %d. Its last lines:\n%s"
            % (replica["id"], replica["exit_code"],
               programs.tail(replica["log"], _LOG_LINES))
        )
    lines = programs.tail(replica["log"], _LOG_LINES)
    if _REFUSED in lines:
        raise ClipperException(
            "Container %s was refused. Its last lines:\n%s"
            % (replica["id"], lines)
        )


def _limits(options: ContainerOptions, total: int) -> Dict[str, str]:
    env = thread_environment(options, total, os.environ)
    if options.gpus is not None and options.gpus != "all":
        gpus = options.gpus
        if isinstance(gpus, int):
            gpus = range(gpus)
        env["CUDA_VISIBLE_DEVICES"] = ",".join(str(one) for one in gpus)
    return env


def _command(options: ContainerOptions) -> List[str]:
    command = [sys.executable, "-u", "-m", "clipper_container"]
    if options.memory is not None:
        # The shell replaces itself, so the process is the container.
        kilobytes = memory_bytes(options.memory) // 1024
        return [
            "/bin/sh", "-c", 'ulimit -v %d && exec "$@"' % kilobytes, "sh",
        ] + command
    return command
