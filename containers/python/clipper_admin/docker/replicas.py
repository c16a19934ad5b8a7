"""Model containers of a cluster on an engine: start, wait, scale, stop."""

import contextlib
import random
import secrets
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence

from ..container_manager import (
    CLIPPER_DOCKER_LABEL,
    CLIPPER_INTERNAL_RPC_PORT,
    CLIPPER_MODEL_CONTAINER_LABEL,
    ContainerOptions,
)
from ..exceptions import ClipperException
from ..limits import memory_bytes, thread_environment
from ..replica_set import Deployed, ReplicaSet
from . import engine, network

if TYPE_CHECKING:
    from .manager import DockerContainerManager

#: Seconds for a container to answer what it has and end.
_PATIENCE = 30

_TOKEN = "CLIPPER_REPLICA_TOKEN"


class Replicas(ReplicaSet):
    """The containers of one cluster; the engine knows which there are."""

    def __init__(self, manager: "DockerContainerManager") -> None:
        super().__init__(manager)
        self._manager = manager

    def find(self, label: Optional[str], stopped: bool) -> List[Any]:
        """See `ReplicaSet.find`."""
        labels = {CLIPPER_DOCKER_LABEL: self._manager.cluster_name}
        wanted = engine.labels_of(labels)
        if label is None:
            wanted["label"].append(CLIPPER_MODEL_CONTAINER_LABEL)
        else:
            wanted["label"].append(
                "%s=%s" % (CLIPPER_MODEL_CONTAINER_LABEL, label)
            )
        with engine.failures("The engine does not list containers"):
            found = self._manager.client.containers.list(
                all=stopped, filters=wanted, ignore_removed=True
            )
        return sorted(found, key=engine.created)

    def name_of(self, container: Any) -> str:
        """See `ReplicaSet.name_of`."""
        return container.name

    def end_of(self, container: Any) -> Optional[str]:
        """See `ReplicaSet.end_of`."""
        with engine.failures(
            "Container %s was stopped before it was ready" % container.name
        ):
            container.reload()
        if not engine.has_ended(container):
            return None
        if container.attrs.get("RestartCount"):
            # The engine has forgotten the exit code.
            return ""
        return " with exit code %s" % container.attrs["State"]["ExitCode"]

    def last_lines(self, container: Any) -> str:
        """See `ReplicaSet.last_lines`."""
        # The last lines of one that has ended may come a little later.
        patience = 2.0 if engine.has_ended(container) else 0.0
        return engine.tail(container, patience=patience)

    def keep_options(self, what: Deployed, options: ContainerOptions) -> None:
        """See `ReplicaSet.keep_options`."""
        self._manager.need_image(what.image)
        self._manager.frontend.write_options(what.label, options._asdict())

    # Starting.

    def add(self, what: Deployed, missing: int, total: int) -> None:
        """See `ReplicaSet.add`."""
        options = ContainerOptions(
            **self._manager.frontend.read_options(what.label)
        )
        env = {
            "CLIPPER_MODEL_NAME": what.name,
            "CLIPPER_MODEL_VERSION": what.version,
            "CLIPPER_INPUT_TYPE": what.input_type,
            "CLIPPER_PORT": str(CLIPPER_INTERNAL_RPC_PORT),
            **thread_environment(options, total),
            **(options.env or {}),
        }
        tokens: Dict[str, Any] = {}
        try:
            for _ in range(missing):
                token = secrets.token_hex(16)
                tokens[token] = self._run(
                    what, dict(env, **{_TOKEN: token}), options
                )
            self.wait_until_ready(what, lambda: tokens)
        except BaseException:
            for one in tokens.values():
                with contextlib.suppress(ClipperException):
                    self._manager.discard(one)
            raise

    def _run(
        self, what: Deployed, env: Mapping[str, str], options: ContainerOptions
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
            what.image,
            "%s-%d" % (what.label, random.randint(0, 100000)),
            {CLIPPER_MODEL_CONTAINER_LABEL: what.label},
            environment={**env, "CLIPPER_IP": front.name},
            # Not every engine resolves the names of containers.
            extra_hosts={front.name: address},
            restart_policy={"Name": "on-failure"},
            **limits
        )

    # Stopping.

    def remove(self, containers: Sequence[Any]) -> None:
        """See `ReplicaSet.remove`."""
        gone = set()
        for one in containers:
            for entry in one.attrs.get("Config", {}).get("Env") or []:
                key, _, value = entry.partition("=")
                if key == _TOKEN:
                    gone.add(value)
        self._manager.stop_together(containers, _PATIENCE, graceful=True)
        self.wait_until_forgotten(gone)


def _gpus(gpus: Any) -> Any:
    from docker.types import DeviceRequest  # type: ignore[import-untyped]

    if gpus == "all":
        return DeviceRequest(count=-1, capabilities=[["gpu"]])
    if isinstance(gpus, int):
        return DeviceRequest(count=gpus, capabilities=[["gpu"]])
    return DeviceRequest(
        device_ids=[str(one) for one in gpus], capabilities=[["gpu"]]
    )
