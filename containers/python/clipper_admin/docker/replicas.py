"""Model containers of a cluster on an engine."""

import contextlib
import random
import secrets
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from ..container_manager import (
    CLIPPER_INTERNAL_METRIC_PORT,
    CLIPPER_INTERNAL_RPC_PORT,
    CLIPPER_MODEL_CONTAINER_LABEL,
)
from ..arrivals import Expected
from ..containers import ContainerOptions, Deployed
from ..exceptions import ClipperException
from ..limits import memory_bytes, thread_environment
from ..replica_set import ReplicaSet, Server, Started
from . import curve, engine
from .containers import Containers
from .frontend import Frontend

#: Seconds for a container to finish its batch and end.
_PATIENCE = 30

_TOKEN = "CLIPPER_REPLICA_TOKEN"


class Replicas(ReplicaSet):
    """The model containers of one cluster; the engine knows which exist.

    Args:
        server: the cluster's server.
        containers: all containers of the cluster.
        frontend: returns the frontend container of the running cluster.
    """

    def __init__(
        self,
        server: Server,
        containers: Containers,
        frontend: Callable[[], Frontend],
    ) -> None:
        super().__init__(server)
        self._containers = containers
        self._frontend = frontend

    def find(self, label: Optional[str], stopped: bool) -> List[Any]:
        return self._containers.find(
            {CLIPPER_MODEL_CONTAINER_LABEL: label}, stopped
        )

    def expected(self, container: Any) -> Expected:
        env = {}
        for entry in container.attrs.get("Config", {}).get("Env") or []:
            name, _, value = entry.partition("=")
            env[name] = value
        return Expected(
            (env.get("CLIPPER_MODEL_NAME", ""),
             env.get("CLIPPER_MODEL_VERSION", "")),
            env.get(_TOKEN, ""),
        )

    def name_of(self, container: Any) -> str:
        return str(container.name)

    def end_of(self, container: Any) -> Optional[str]:
        with engine.failures(
            "Container %s was stopped before it was ready" % container.name
        ):
            container.reload()
        if not engine.has_ended(container):
            return None
        if container.attrs.get("RestartCount"):
            # After a restart the engine no longer has the exit code.
            return ""
        return " with exit code %s" % container.attrs["State"]["ExitCode"]

    def last_lines(self, container: Any) -> str:
        # An engine may deliver the last lines after the end.
        patience = 2.0 if engine.has_ended(container) else 0.0
        return engine.tail(container, patience=patience)

    def keep_options(self, what: Deployed, options: ContainerOptions) -> None:
        self._containers.need_image(what.image)
        self._frontend().write_options(what.label, options._asdict())

    # Starting.

    def add(self, what: Deployed, missing: int, total: int) -> None:
        options = ContainerOptions(
            **self._frontend().read_options(what.label)
        )
        env = {
            "CLIPPER_MODEL_NAME": what.name,
            "CLIPPER_MODEL_VERSION": what.version,
            "CLIPPER_INPUT_TYPE": what.input_type,
            "CLIPPER_PORT": str(CLIPPER_INTERNAL_RPC_PORT),
            "CLIPPER_METRICS_PORT": str(CLIPPER_INTERNAL_METRIC_PORT),
            **thread_environment(options, total),
            **(options.env or {}),
        }
        keys = self._frontend().keys()
        if keys:
            env.update(curve.ENVIRONMENT)
        started: List[Started] = []
        before = self.nameless(what)
        try:
            for _ in range(missing):
                token = secrets.token_hex(16)
                container = self._run(
                    what, dict(env, **{_TOKEN: token}), options, keys
                )
                started.append(
                    Started(container, Expected(what.key, token))
                )
                address = self._address(container)
                started[-1] = Started(
                    container, Expected(what.key, token, address)
                )
            self.wait_until_ready(what, lambda: started, before)
        except BaseException:
            for one in started:
                with contextlib.suppress(ClipperException):
                    self._containers.discard(one.container)
            raise

    def _address(self, container: Any) -> str:
        """Where a container connects from; empty when it has ended."""
        with contextlib.suppress(ClipperException):
            return self._containers.address_of(container)
        return ""

    def _run(
        self,
        what: Deployed,
        env: Mapping[str, str],
        options: ContainerOptions,
        keys: Mapping[str, bytes],
    ) -> Any:
        limits: Dict[str, Any] = {}
        if options.cpus is not None:
            limits["nano_cpus"] = int(options.cpus * 1e9)
        if options.memory is not None:
            limits["mem_limit"] = memory_bytes(options.memory)
        if options.gpus is not None:
            limits["device_requests"] = [_gpus(options.gpus)]
        front = self._frontend().container
        address = self._containers.address_of(front)
        return self._containers.run(
            what.image,
            "%s-%d" % (what.label, random.randint(0, 100000)),
            {CLIPPER_MODEL_CONTAINER_LABEL: what.label},
            environment={**env, "CLIPPER_IP": front.name},
            # Not every engine resolves the names of containers.
            extra_hosts={front.name: address},
            restart_policy={"Name": "on-failure"},
            archive=(lambda made: curve.archive(made, keys)) if keys
            else None,
            place="/",
            **limits
        )

    # Stopping.

    def remove(self, containers: Sequence[Any]) -> None:
        with self.until_forgotten(containers):
            self._containers.stop_together(
                containers, _PATIENCE, graceful=True
            )


    def discard(self, containers: Sequence[Any]) -> None:
        """Remove containers that no server knows."""
        for one in containers:
            self._containers.discard(one)


def _gpus(gpus: Any) -> Any:
    from docker.types import DeviceRequest

    if gpus == "all":
        return DeviceRequest(count=-1, capabilities=[["gpu"]])
    if isinstance(gpus, int):
        return DeviceRequest(count=gpus, capabilities=[["gpu"]])
    return DeviceRequest(
        device_ids=[str(one) for one in gpus], capabilities=[["gpu"]]
    )
