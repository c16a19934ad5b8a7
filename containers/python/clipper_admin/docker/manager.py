"""DockerContainerManager: a cluster in containers of an engine."""

import concurrent.futures
import contextlib
import logging
import os
import random
import time
from typing import Any, ContextManager, Dict, List, Mapping, Optional, Sequence

from ..cluster_manager import ClusterManager
from ..container_manager import (
    CLIPPER_DOCKER_LABEL,
    CLIPPER_DOCKER_PORT_LABELS,
    CLIPPER_INTERNAL_FLUENTD_PORT,
    CLIPPER_INTERNAL_MANAGEMENT_PORT,
    CLIPPER_INTERNAL_QUERY_PORT,
    CLIPPER_INTERNAL_REDIS_PORT,
    CLIPPER_INTERNAL_RPC_PORT,
    CLIPPER_NAME_LABEL,
    CLIPPER_QUERY_FRONTEND_CONTAINER_LABEL,
)
from ..exceptions import ClipperException
from . import engine, frontend, network
from .images import ImageBuilder
from .replicas import Replicas

logger = logging.getLogger(__name__)

#: Seconds for nginx to answer after its start, and to take a configuration.
START_TIMEOUT = RELOAD_TIMEOUT = 60.0

#: Seconds for nginx to end its connections.
_FRONTEND_PATIENCE = 30

#: How often a start is tried when somebody takes a name or port meanwhile.
_TRIES = 5

_PORTS = {
    "query_rest": CLIPPER_INTERNAL_QUERY_PORT,
    "management": CLIPPER_INTERNAL_MANAGEMENT_PORT,
    "query_rpc": CLIPPER_INTERNAL_RPC_PORT,
}


class DockerContainerManager(ClusterManager):
    """Runs nginx and the model containers in an engine with the Docker API.

    The engine is the one of DOCKER_HOST or its default; podman's socket
    works, too. The cluster outlives the program; another one finds it with
    `connect`, and `stop_all` ends it.

    Args:
        cluster_name: several clusters can run on one host.
        docker_ip_address: where the host is reached. With ``localhost`` the
            ports are open on the loopback interface only.
        use_centralized_log: must be False.
        fluentd_port: not used.
        clipper_query_port: of the applications. A port in use is replaced
            by a random free one; `connect` finds it.
        clipper_management_port: of status, metrics and health.
        clipper_rpc_port: where containers from outside connect.
        redis_ip: Redis that keeps the selection state; None for none.
        redis_port: its port.
        prometheus_port: not used: the server has metrics itself.
        docker_network: of the cluster's containers; made when it is not
            there.
        extra_container_kwargs: of the `docker` package, for all containers.
        workers: nginx's worker processes.
        zone_size: shared memory of the server, in nginx's units.
        deploy_timeout: seconds that a container may take to load its model.
        redis_image: of a Redis container that keeps the selection state,
            unless there is a `redis_ip`; such as ``redis:alpine``. Its data
            go with `stop_all`.

    Raises:
        ClipperException: central logging, the network ``host``, or no
            engine.
    """

    def __init__(
        self,
        cluster_name: str = "default-cluster",
        docker_ip_address: str = "localhost",
        use_centralized_log: bool = False,
        fluentd_port: int = CLIPPER_INTERNAL_FLUENTD_PORT,
        clipper_query_port: int = CLIPPER_INTERNAL_QUERY_PORT,
        clipper_management_port: int = CLIPPER_INTERNAL_MANAGEMENT_PORT,
        clipper_rpc_port: int = CLIPPER_INTERNAL_RPC_PORT,
        redis_ip: Optional[str] = None,
        redis_port: int = CLIPPER_INTERNAL_REDIS_PORT,
        prometheus_port: int = 9090,
        docker_network: str = "clipper_network",
        extra_container_kwargs: Optional[Mapping[str, Any]] = None,
        workers: int = 1,
        zone_size: str = "64m",
        deploy_timeout: float = 300.0,
        redis_image: Optional[str] = None,
    ) -> None:
        if docker_network == "host":
            raise ClipperException(
                "DockerContainerManager does not support running Clipper on "
                'the "host" docker network. Please pick a different network '
                "name"
            )
        if use_centralized_log:
            raise ClipperException(
                "Central logging does not exist any more: nginx and the "
                "containers log to the engine, whose log driver can send "
                "their lines anywhere; get_clipper_logs copies them"
            )
        super().__init__(cluster_name, deploy_timeout, logger)
        self.public_hostname = docker_ip_address
        self.docker_network = docker_network
        self.client = engine.connect()
        self._wanted_ports = {
            "query_rest": clipper_query_port,
            "management": clipper_management_port,
            "query_rpc": clipper_rpc_port,
        }
        self._redis = "%s:%d" % (redis_ip, redis_port) if redis_ip else None
        self._redis_image = None if redis_ip else redis_image
        self._extra = dict(extra_container_kwargs or {})
        self._workers = workers
        self._zone_size = zone_size
        self._ports: Dict[str, int] = {}
        self._frontend: Optional[frontend.Frontend] = None
        self.replicas = Replicas(self)
        self._images = ImageBuilder(self)

    @property
    def frontend(self) -> frontend.Frontend:
        """The frontend container that this is connected to."""
        if self._frontend is None:
            raise self._not_connected()
        return self._frontend

    # The cluster.

    def _start(self, image: str, settings: Mapping[str, Any]) -> None:
        if self._list({}, stopped=True):
            raise self._exists()
        network.make(self.client, self.docker_network)
        started: List[Any] = []
        try:
            if self._redis_image is not None:
                started.append(self._start_redis(self._redis_image))
                self._redis = "%s:%d" % (
                    network.address_of(started[0], self.docker_network),
                    CLIPPER_INTERNAL_REDIS_PORT,
                )
            self.logger.info("Starting nginx of %s", image)
            started.append(
                self._start_frontend(image, {**settings, **self._settings()})
            )
            self._connect_to(started[-1])
            self.wait_in_force(
                0, START_TIMEOUT, self._check_start, "nginx does not answer"
            )
        except BaseException:
            for one in started:
                self.discard(one)
            self._frontend = None
            network.drop(self.client, self.docker_network)
            raise

    def _settings(self) -> Dict[str, Any]:
        """What nginx.conf is made of."""
        return {
            "address": "0.0.0.0",
            "workers": self._workers,
            "zone_size": self._zone_size,
            "error_log": "stderr",
            "module": "/usr/lib/nginx/modules/ngx_http_clipper_module.so",
            "query_port": CLIPPER_INTERNAL_QUERY_PORT,
            "management_port": CLIPPER_INTERNAL_MANAGEMENT_PORT,
            "rpc_port": CLIPPER_INTERNAL_RPC_PORT,
            "rpc_allow": ["127.0.0.1"]
            + network.subnets(self.client, self.docker_network),
            "redis": self._redis,
        }

    def _start_redis(self, image: str) -> Any:
        self.logger.info("Starting Redis of %s", image)
        return self.run(
            image,
            "redis-%d" % random.randint(0, 100000),
            {
                CLIPPER_DOCKER_PORT_LABELS["redis"]:
                    str(CLIPPER_INTERNAL_REDIS_PORT)
            },
            # Only the cluster's network reaches it.
            command=["redis-server", "--bind", "0.0.0.0", "--protected-mode",
                     "no", "--appendonly", "yes"],
            restart_policy={"Name": "always"},
        )

    def _start_frontend(
        self, image: str, settings: Mapping[str, Any]
    ) -> Any:
        archive = frontend.initial_archive(settings)
        for attempt in range(_TRIES):
            ports = self._choose_ports()
            labels = {
                CLIPPER_QUERY_FRONTEND_CONTAINER_LABEL: "",
                **{
                    CLIPPER_DOCKER_PORT_LABELS[name]: str(port)
                    for name, port in ports.items()
                },
            }
            try:
                return self.run(
                    image,
                    "query_frontend-%d" % random.randint(0, 100000),
                    labels,
                    archive=archive,
                    entrypoint=frontend.command()[:1],
                    command=frontend.command()[1:],
                    user="%d:%d" % (frontend.UID, frontend.UID),
                    ports={
                        "%d/tcp" % _PORTS[name]: (self._interface(), port)
                        for name, port in ports.items()
                    },
                    stop_signal="SIGQUIT",
                    restart_policy={"Name": "always"},
                )
            except ClipperException as error:
                # Somebody took a port between the choice and the bind.
                if attempt + 1 == _TRIES or "in use" not in str(error):
                    raise
        raise ClipperException("No free port")

    def _interface(self) -> str:
        local = self.public_hostname in ("localhost", "127.0.0.1")
        return "127.0.0.1" if local else "0.0.0.0"

    def _choose_ports(self) -> Dict[str, int]:
        chosen: Dict[str, int] = {}
        for name, wanted in self._wanted_ports.items():
            while True:
                port = engine.find_unbound_port(
                    wanted, verbose=True, logger=self.logger
                )
                if port not in chosen.values():
                    break
                wanted = random.randint(10000, 50000)
            chosen[name] = port
        return chosen

    def _check_start(self) -> None:
        container = self.frontend.container
        with engine.failures("The frontend container has gone"):
            container.reload()
        if engine.has_ended(container):
            raise ClipperException(
                "nginx does not start:\n%s"
                % engine.tail(container, patience=2.0)
            )

    def connect(self) -> None:
        """Find the running cluster and its ports.

        Raises:
            ClipperException: there is none of this name.
        """
        found = self._list({CLIPPER_QUERY_FRONTEND_CONTAINER_LABEL: ""})
        if not found:
            raise ClipperException(
                "No running cluster %s. Did you start it?" % self.cluster_name
            )
        self._connect_to(found[0])

    def _connect_to(self, container: Any) -> None:
        with engine.failures("The frontend container has gone"):
            container.reload()
        self._frontend = frontend.Frontend(container)
        self._ports = {
            name: int(container.labels[CLIPPER_DOCKER_PORT_LABELS[name]])
            for name in _PORTS
        }

    def stop_all(self, graceful: bool = True) -> None:
        """End all containers of the cluster, and its network if it is empty.

        Args:
            graceful: False kills instead of asking.
        """
        models = self.replicas.of(stopped=True)
        self.stop_together(models, _FRONTEND_PATIENCE, graceful)
        self.stop_together(
            self._list({}, stopped=True), _FRONTEND_PATIENCE, graceful
        )
        network.drop(self.client, self.docker_network)
        self._frontend = None
        self._stopped()

    def get_logs(self, logging_dir: str) -> List[str]:
        """Write the logs of each container to a file."""
        os.makedirs(logging_dir, exist_ok=True)
        written = []
        for one in self._list({}, stopped=True):
            path = os.path.abspath(
                os.path.join(logging_dir, "image_%s:container_%s.log"
                             % (_short_image(one), one.short_id))
            )
            with engine.failures("No log of %s" % one.name):
                text = one.logs(timestamps=True)
            with open(path, "wb") as f:
                f.write(text)
            written.append(path)
        return written

    def get_admin_addr(self) -> str:
        """``host:port`` of status, metrics and health."""
        return self._address("management")

    def get_query_addr(self) -> str:
        """``host:port`` of the applications."""
        return self._address("query_rest")

    def _address(self, name: str) -> str:
        if self._frontend is None:
            raise self._not_connected()
        return "%s:%d" % (self.public_hostname, self._ports[name])

    # Configuration and status.

    def lock(self, name: str) -> ContextManager[None]:
        """See `ClusterManager.lock`."""
        return self.frontend.lock(name)

    def read_fragments(self) -> Dict[str, str]:
        """See `ContainerManager.read_fragments`."""
        return self.frontend.read_fragments()

    def apply_fragments(self, fragments: Mapping[str, str]) -> None:
        """See `ContainerManager.apply_fragments`."""
        front = self.frontend
        number = front.write_generation(fragments)
        front.test_and_switch(number)
        began = int(time.time())
        try:
            front.reload()
            self.wait_for_reload(
                number, RELOAD_TIMEOUT,
                lambda: front.emergency_since(began),
            )
        except BaseException:
            front.make_current(number - 1)
            raise

    # Models.

    def build_model(
        self,
        name: str,
        version: str,
        model_data_path: str,
        base_image: str,
        container_registry: Optional[str] = None,
        pkgs_to_install: Optional[List[str]] = None,
    ) -> str:
        """Build an image of a model directory on a base image.

        Raises:
            ClipperException: no such directory or image, packages that
                cannot be installed, or a model that was saved with other
                versions of Python or of a package than the image has.
        """
        return self._images.build(
            name, version, model_data_path, base_image, container_registry,
            pkgs_to_install or [],
        )

    # Containers.

    def need_image(self, image: str) -> None:
        """Make sure that an image is there, from its registry if need be.

        Raises:
            ClipperException: it is nowhere.
        """
        self._images.need(image)

    def _list(
        self, labels: Mapping[str, str], stopped: bool = False
    ) -> List[Any]:
        wanted = {CLIPPER_DOCKER_LABEL: self.cluster_name, **labels}
        with engine.failures("The engine does not list containers"):
            found = self.client.containers.list(
                all=stopped, filters=engine.labels_of(wanted),
                ignore_removed=True,
            )
        return sorted(found, key=engine.created)

    def run(
        self,
        image: str,
        name: str,
        labels: Mapping[str, str],
        archive: Optional[bytes] = None,
        **options: Any
    ) -> Any:
        """Start a container of the cluster.

        Args:
            name: of the container.
            labels: beside those that all have.
            archive: unpacked in the parent of the frontend's directory
                before it starts.
            options: of the `docker` package.

        Raises:
            ClipperException: no such image, or the engine refuses.
        """
        extra = dict(self._extra)
        labels = {
            **(extra.pop("labels", None) or {}),
            CLIPPER_DOCKER_LABEL: self.cluster_name,
            CLIPPER_NAME_LABEL: name,
            **labels,
        }
        self.need_image(image)
        with engine.failures("Could not start a container of %s" % image):
            container = self.client.containers.create(
                image, name=name, labels=labels, detach=True,
                network=self.docker_network, **{**options, **extra}
            )
            try:
                if archive is not None:
                    container.put_archive(
                        os.path.dirname(frontend.HOME), archive
                    )
                container.start()
            except BaseException:
                container.remove(force=True)
                raise
        return container

    def stop_together(
        self, containers: Sequence[Any], patience: int, graceful: bool
    ) -> None:
        """Stop and remove containers, all at the same time.

        Args:
            patience: seconds before one is killed.
        """
        if not containers:
            return

        def end(container: Any) -> None:
            if graceful:
                with contextlib.suppress(ClipperException):
                    with engine.failures("It has stopped already"):
                        container.stop(timeout=patience)
            self.discard(container)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(end, containers))

    def discard(self, container: Any) -> None:
        """Remove a container at once, if it is there."""
        import docker.errors

        with engine.failures("Could not remove %s" % container.name):
            with contextlib.suppress(docker.errors.NotFound):
                container.remove(force=True)


def _short_image(container: Any) -> str:
    image = str(container.attrs.get("Config", {}).get("Image", ""))
    return image.replace("/", "_").replace(":", "_")
