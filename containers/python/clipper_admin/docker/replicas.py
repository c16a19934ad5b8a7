"""Model containers of a cluster on an engine: start, wait, scale, stop."""

import contextlib
import random
import secrets
import time
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence

from .. import status as server_status
from ..container_manager import (
    CLIPPER_DOCKER_LABEL,
    CLIPPER_INTERNAL_RPC_PORT,
    CLIPPER_MODEL_CONTAINER_LABEL,
    ContainerOptions,
    create_model_container_label,
)
from ..exceptions import ClipperException
from ..limits import check_count, memory_bytes, thread_environment
from . import engine, network

if TYPE_CHECKING:
    from .manager import DockerContainerManager

#: What a container logs when the server does not want it.
_REFUSED = "The frontend refused"

#: Seconds for a container to answer what it has and end.
_PATIENCE = 30

#: Seconds for the server to forget a container that has ended.
_LEAVE_TIMEOUT = 10.0

_TOKEN = "CLIPPER_REPLICA_TOKEN"


class Replicas:
    """The model containers of one cluster; the engine knows which there are."""

    def __init__(self, manager: "DockerContainerManager") -> None:
        self._manager = manager

    def of(
        self, name: Optional[str] = None, version: str = "",
        stopped: bool = False,
    ) -> List[Any]:
        """Containers of a version or of all (None), oldest first.

        Args:
            stopped: those that do not run, too.
        """
        labels = {CLIPPER_DOCKER_LABEL: self._manager.cluster_name}
        wanted = engine.labels_of(labels)
        if name is None:
            wanted["label"].append(CLIPPER_MODEL_CONTAINER_LABEL)
        else:
            wanted["label"].append(
                "%s=%s" % (CLIPPER_MODEL_CONTAINER_LABEL,
                           create_model_container_label(name, version))
            )
        with engine.failures("The engine does not list containers"):
            found = self._manager.client.containers.list(
                all=stopped, filters=wanted, ignore_removed=True
            )
        return sorted(found, key=engine.created)

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
        label = create_model_container_label(name, version)
        self._manager.frontend.write_options(label, options._asdict())
        self.scale(name, version, input_type, image, count)

    def scale(
        self, name: str, version: str, input_type: str, image: str, count: int
    ) -> None:
        """Run as many containers of a version, the newest stop first."""
        check_count(count)
        running = self.of(name, version)
        log = self._manager.logger
        if len(running) < count:
            missing = count - len(running)
            log.info("Found %d replicas for %s:%s. Adding %d",
                     len(running), name, version, missing)
            self._add(name, version, input_type, image, missing, count)
        elif len(running) > count:
            log.info("Found %d replicas for %s:%s. Removing %d",
                     len(running), name, version, len(running) - count)
            self.remove(running[count:])

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
        label = create_model_container_label(name, version)
        options = ContainerOptions(
            **self._manager.frontend.read_options(label)
        )
        env = {
            "CLIPPER_MODEL_NAME": name,
            "CLIPPER_MODEL_VERSION": version,
            "CLIPPER_INPUT_TYPE": input_type,
            "CLIPPER_PORT": str(CLIPPER_INTERNAL_RPC_PORT),
            **thread_environment(options, total),
            **(options.env or {}),
        }
        tokens: Dict[str, Any] = {}
        try:
            for _ in range(missing):
                token = secrets.token_hex(16)
                tokens[token] = self._run(
                    label, image, dict(env, **{_TOKEN: token}), options
                )
            self._wait_until_ready(name, version, tokens)
        except BaseException:
            for one in tokens.values():
                with contextlib.suppress(ClipperException):
                    self._manager.discard(one)
            raise

    def _run(
        self,
        label: str,
        image: str,
        env: Mapping[str, str],
        options: ContainerOptions,
    ) -> Any:
        limits: Dict[str, Any] = {}
        if options.cpus is not None:
            limits["nano_cpus"] = int(options.cpus * 1e9)
        if options.memory is not None:
            limits["mem_limit"] = memory_bytes(options.memory)
        if options.gpus is not None:
            limits["device_requests"] = [_gpus(options.gpus)]
        front = self._manager.frontend.container
        address = network.address_of(front, self._manager.docker_network)
        return self._manager.run(
            image,
            "%s-%d" % (label, random.randint(0, 100000)),
            {CLIPPER_MODEL_CONTAINER_LABEL: label},
            environment={**env, "CLIPPER_IP": front.name},
            # Not every engine resolves the names of containers.
            extra_hosts={front.name: address},
            restart_policy={"Name": "on-failure"},
            **limits
        )

    def _wait_until_ready(
        self, name: str, version: str, tokens: Mapping[str, Any]
    ) -> None:
        manager = self._manager
        began = time.monotonic()
        next_word = began + 5.0
        while True:
            known: List[str] = []
            with contextlib.suppress(OSError):
                known = server_status.tokens(manager.get_status())
            waiting = [
                one for token, one in tokens.items() if token not in known
            ]
            if not waiting:
                return
            for one in waiting:
                _check_alive(one)
            passed = time.monotonic() - began
            if passed > manager.deploy_timeout:
                raise ClipperException(
                    "Container %s is not ready within %d seconds. Its last "
                    "lines:\n%s"
                    % (waiting[0].name, manager.deploy_timeout,
                       engine.tail(waiting[0]))
                )
            if time.monotonic() > next_word:
                next_word += 5.0
                manager.logger.info(
                    "Waiting for %d of %d replicas of %s:%s (%d s)",
                    len(waiting), len(tokens), name, version, passed,
                )
            time.sleep(0.1)

    # Stopping.

    def remove(self, containers: Sequence[Any], graceful: bool = True) -> None:
        """Stop and remove containers; the server has forgotten them then."""
        gone = set()
        for one in containers:
            for entry in one.attrs.get("Config", {}).get("Env") or []:
                key, _, value = entry.partition("=")
                if key == _TOKEN:
                    gone.add(value)
        self._manager.stop_together(containers, _PATIENCE, graceful)
        deadline = time.monotonic() + _LEAVE_TIMEOUT
        while gone and time.monotonic() < deadline:
            try:
                status = self._manager.get_status()
            except (OSError, ClipperException):
                return
            gone &= {
                one.get("token") for one in server_status.replicas(status)
            }
            if gone:
                time.sleep(0.02)


def _check_alive(container: Any) -> None:
    """Raise when a container has ended, begins anew, or is refused."""
    with engine.failures(
        "Container %s was stopped before it was ready" % container.name
    ):
        container.reload()
    code = container.attrs.get("State", {}).get("ExitCode")
    # The engine has started it again, and forgotten its exit code.
    again = int(container.attrs.get("RestartCount") or 0) > 0
    if again or container.status in ("exited", "dead", "stopped"):
        raise ClipperException(
            "Container %s ended%s. Its last lines:\n%s"
            % (container.name,
               "" if again else " with exit code %s" % code,
               engine.tail(container, patience=2.0))
        )
    lines = engine.tail(container)
    if _REFUSED in lines:
        raise ClipperException(
            "Container %s was refused. Its last lines:\n%s"
            % (container.name, lines)
        )


def _gpus(gpus: Any) -> Any:
    from docker.types import DeviceRequest  # type: ignore[import-untyped]

    if gpus == "all":
        return DeviceRequest(count=-1, capabilities=[["gpu"]])
    if isinstance(gpus, int):
        return DeviceRequest(count=gpus, capabilities=[["gpu"]])
    return DeviceRequest(
        device_ids=[str(one) for one in gpus], capabilities=[["gpu"]]
    )
