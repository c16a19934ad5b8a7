"""DockerContainerManager: a cluster on a container engine."""

import contextlib
import logging
import os
import random
import secrets
import time
from typing import Any, Dict, List, Mapping, Optional

from ..address import bare, is_ipv6, is_loopback, join
from ..again import ADVICE
from ..container_manager import (
    CLIPPER_DOCKER_LABEL,
    CLIPPER_DOCKER_PORT_LABELS,
    CLIPPER_INTERNAL_FLUENTD_PORT,
    CLIPPER_INTERNAL_MANAGEMENT_PORT,
    CLIPPER_INTERNAL_QUERY_PORT,
    CLIPPER_INTERNAL_REDIS_PORT,
    CLIPPER_INTERNAL_RPC_PORT,
    CLIPPER_QUERY_FRONTEND_CONTAINER_LABEL,
)
from ..containers import ImageSource
from ..exceptions import ClipperException
from ..limits import make_limits
from ..local.directory import ERROR_LOG, MANAGEMENT_SOCKET, METRICS_SOCKET
from ..nginx_cluster import NginxCluster
from ..server_conf import records_arguments
from . import again, curve, engine, frontend, network, prometheus
from .containers import Containers
from .frontend import Frontend
from .images import Images
from .replicas import Replicas

logger = logging.getLogger(__name__)

#: Seconds for nginx to answer after its start, and to take a configuration.
START_TIMEOUT = RELOAD_TIMEOUT = 60.0

#: Seconds for a container to end before it is killed.
_PATIENCE = 30

#: Tries to start when another program takes a name or port meanwhile.
_TRIES = 5

#: Ports in the frontend container, and the labels with the host's ports.
_PORTS = {
    "query": CLIPPER_INTERNAL_QUERY_PORT,
    "management": CLIPPER_INTERNAL_MANAGEMENT_PORT,
    "rpc": CLIPPER_INTERNAL_RPC_PORT,
}
_PORT_LABELS = {
    "query": CLIPPER_DOCKER_PORT_LABELS["query_rest"],
    "management": CLIPPER_DOCKER_PORT_LABELS["management"],
    "rpc": CLIPPER_DOCKER_PORT_LABELS["query_rpc"],
}


class DockerContainerManager(NginxCluster):
    """Runs nginx and the model containers in an engine with the Docker API.

    The engine is that of DOCKER_HOST or the default one; podman's socket
    works, too. The cluster outlives the program; another program finds it
    with `connect`, and `stop_all` ends it.

    When the host was rebooted or the containers were stopped, `start_clipper`
    starts the cluster again with its applications and models. Where the
    engine started nginx by itself, `connect` starts the rest.

    Args:
        cluster_name: name of the cluster. Several clusters can run on one
            host.
        docker_ip_address: address of the host. With ``localhost`` the ports
            are open on the loopback interface only. With any other address
            they are open on all interfaces of the host: whoever reaches it
            can query, read the status, and by the port for containers
            answer as a model, so keep a firewall before it.
        use_centralized_log: must be False.
        fluentd_port: not used.
        clipper_query_port: port of the applications. When a port is in use
            a random free one is taken; `connect` finds it.
        clipper_management_port: port of status, metrics and health.
        clipper_rpc_port: port that containers outside of the engine connect
            to.
        redis_ip: address of a Redis that stores the selection state; None
            for none.
        redis_port: port of that Redis.
        prometheus_port: port of Prometheus, with `prometheus_image`.
        docker_network: network of the cluster's containers; made when it
            does not exist.
        extra_container_kwargs: arguments of the `docker` package for all
            containers.
        workers: number of nginx's worker processes.
        zone_size: size of the server's shared memory, such as ``"64m"``.
        deploy_timeout: seconds that a container may take to load its model.
        redis_image: image of a Redis container that stores the selection
            state when there is no `redis_ip`, such as ``redis:alpine``.
            `stop_all` removes its data.
        records_size: size of the memory of queries that wait for feedback, a
            directive's argument such as ``"16m"``; by default a sixteenth of
            `zone_size`.
        records_time: how long Redis keeps such queries as well, such as
            ``"1d"``, so that a label may come after a restart or at another
            server; by default it does not. It needs a Redis.
        limits: sizes of requests and outputs of all applications, see
            `ClipperConnection.register_application`. What is left out is
            generous: 20 000 inputs, 64 MB for each input and output, 256 MB
            for a body.
        prometheus_image: image of a Prometheus (2.28 or newer) beside the
            cluster, such as ``prom/prometheus:v2.53.0``. It scrapes the
            server and each replica, and `get_metric_addr` is its address.
        model_metrics: whether `/metrics` also has what the models report.
        query_id_bits: 31 for clients that read a `query_id` as a 32-bit
            integer.
        curve: encrypt the connections of containers and admit only those
            with the cluster's keys, which are made at its start. A container
            that you start yourself needs them too; those of version 3 cannot
            connect.

    Attributes:
        docker_client: client of the engine.
        clipper_query_port, clipper_management_port, clipper_rpc_port: ports
            of the running cluster, or those that are wanted.
        redis_ip, redis_port, prometheus_port, extra_container_kwargs,
            docker_network, public_hostname: as given.
        common_labels: labels of all containers of the cluster.
        centralize_log: False.

    Raises:
        ClipperException: an argument is not supported, or no engine answers.
    """

    replicas: Replicas

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
        records_size: Optional[str] = None,
        records_time: Optional[str] = None,
        limits: Optional[Mapping[str, Any]] = None,
        query_id_bits: Optional[int] = None,
        model_metrics: bool = False,
        prometheus_image: Optional[str] = None,
        curve: bool = False,
    ) -> None:
        if docker_network == "host":
            raise ClipperException(
                "DockerContainerManager does not support running Clipper on "
                'the "host" docker network. Please pick a different network '
                "name"
            )
        if use_centralized_log:
            raise ClipperException(
                "Central logging is no longer supported. nginx and the "
                "containers log to the engine: set its log driver to send "
                "the lines elsewhere, or copy them with get_clipper_logs"
            )
        super().__init__(cluster_name, deploy_timeout, logger)
        self.public_hostname = docker_ip_address
        self.docker_network = docker_network
        self.client = self.docker_client = engine.connect()
        self.centralize_log = False
        self.redis_ip = redis_ip
        self.redis_port = redis_port
        self.prometheus_port = prometheus_port
        self.common_labels = {CLIPPER_DOCKER_LABEL: cluster_name}
        self.extra_container_kwargs = dict(extra_container_kwargs or {})
        self._wanted_ports = {
            "query": clipper_query_port,
            "management": clipper_management_port,
            "rpc": clipper_rpc_port,
        }
        self._redis = join(redis_ip, redis_port) if redis_ip else None
        self._redis_image = None if redis_ip else redis_image
        self._records = records_arguments(
            records_size, records_time, redis_ip or redis_image, zone_size
        )
        make_limits(limits)
        self._limits = dict(limits or {})
        self._query_id_bits = query_id_bits
        self._model_metrics = model_metrics
        self._prometheus_image = prometheus_image
        self._curve = curve
        self._workers = workers
        self._zone_size = zone_size
        self._ports: Dict[str, int] = {}
        self._frontend: Optional[Frontend] = None
        self._images = Images(self.client, cluster_name, self.logger)
        self.containers = Containers(
            self.client, cluster_name, docker_network, self._images,
            extra_container_kwargs or {},
        )
        self.replicas = Replicas(
            self._server(), self.containers, lambda: self.frontend
        )

    def _port(self, what: str) -> int:
        return self._ports.get(what, self._wanted_ports[what])

    @property
    def frontend(self) -> Frontend:
        """The frontend container that this is connected to."""
        if self._frontend is None:
            raise self._not_connected()
        return self._frontend

    # The cluster.

    def _start(self, image: str, settings: Mapping[str, Any]) -> None:
        front = self._find_frontend()
        if front is not None and not again.runs(front):
            self._start_again(front)
            return
        if self.containers.find({}, stopped=True):
            raise self._exists()
        network.make(self.client, self.docker_network)
        started: List[Any] = []
        try:
            if self._redis_image is not None:
                started.append(self._start_redis(self._redis_image))
                self._redis = self._redis_address(started[0])
            self.logger.info("Starting nginx of %s", image)
            started.append(
                self._start_frontend(image, {**settings, **self._settings()})
            )
            self._connect_to(started[-1])
            self._wait_in_force(
                0, START_TIMEOUT, self._check_start, "nginx does not answer"
            )
            self.frontend.wait_for_services()
            if self._prometheus_image is not None:
                started.append(self._start_prometheus(
                    self._prometheus_image, self.prometheus_port
                ))
        except BaseException:
            for one in started:
                self.containers.discard(one)
            self._frontend = None
            network.drop(self.client, self.docker_network)
            raise

    def _start_again(self, front: Any) -> None:
        self.logger.info(
            "The cluster %s was not stopped: starting it again with its "
            "applications and models", self.cluster_name
        )
        settings = self._settings()
        changed: Dict[str, Any] = {
            name: settings[name] for name in ("rpc_allow", "management_allow")
        }
        label = CLIPPER_DOCKER_PORT_LABELS["redis"]
        for one in self.containers.find({label: None}, stopped=True):
            again.start(one)
            changed["redis"] = self._redis_address(one)
        again.start_frontend(front, changed)
        self._connect_to(front)
        restarts = engine.restarts(front)
        self._wait_in_force(
            self.frontend.generation(), START_TIMEOUT,
            lambda: self._check_start(restarts), "nginx does not answer",
        )
        label = CLIPPER_DOCKER_PORT_LABELS["metric"]
        for one in self.containers.find({label: None}, stopped=True):
            # It knows the frontend by its address.
            self.containers.discard(one)
            self._start_prometheus(
                str(one.attrs["Config"]["Image"]), int(one.labels[label])
            )
        self._bring_back()

    def _bring_back(self) -> None:
        again.bring_back(
            self.replicas, self.frontend,
            self.containers.address_of(self.frontend.container),
            self.model_lock, self.logger,
        )

    def _redis_address(self, container: Any) -> str:
        return join(
            network.address_of(container, self.docker_network),
            CLIPPER_INTERNAL_REDIS_PORT,
        )

    def _settings(self) -> Dict[str, Any]:
        """Members for `server_conf.nginx_conf`."""
        return {
            "address": "0.0.0.0",
            "workers": self._workers,
            "zone_size": self._zone_size,
            "error_log": "stderr",
            "descriptors": None,
            "module": "/usr/lib/nginx/modules/ngx_http_clipper_module.so",
            "query_port": CLIPPER_INTERNAL_QUERY_PORT,
            "management_port": CLIPPER_INTERNAL_MANAGEMENT_PORT,
            "rpc_port": CLIPPER_INTERNAL_RPC_PORT,
            "rpc_allow": ["127.0.0.1"]
            + network.subnets(self.client, self.docker_network),
            "redis": self._redis,
            "records": self._records,
            "limits": self._limits,
            "query_id_bits": self._query_id_bits,
            "curve": frontend.KEYS if self._curve else None,
            # For the services in the frontend container.
            "nginx": "nginx",
            "emergencies": ERROR_LOG,
            "management": MANAGEMENT_SOCKET,
            "management_allow": ["127.0.0.1"]
            + network.gateways(self.client, self.docker_network)
            if self._is_private()
            else None,
            "model_metrics": METRICS_SOCKET if self._model_metrics else None,
            "targets": METRICS_SOCKET if self._prometheus_image else None,
        }

    def _start_redis(self, image: str) -> Any:
        self.logger.info("Starting Redis of %s", image)
        return self.containers.run(
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

    def _start_prometheus(self, image: str, wanted: int) -> Any:
        self.logger.info("Starting Prometheus of %s", image)
        front = self.frontend.container
        port = engine.find_unbound_port(
            wanted, verbose=True, logger=self.logger
        )
        self._ports["metric"] = port
        return prometheus.start(
            self.containers,
            image,
            "metric_frontend-%d" % random.randint(0, 100000),
            (front.name, self.containers.address_of(front)),
            (self._interface(), port),
        )

    def _start_frontend(
        self, image: str, settings: Mapping[str, Any]
    ) -> Any:
        archive = frontend.initial_archive(
            settings, "" if self._is_private() else secrets.token_hex(16),
            curve.make() if self._curve else {},
        )
        for attempt in range(_TRIES):
            ports = self._choose_ports()
            labels = {
                CLIPPER_QUERY_FRONTEND_CONTAINER_LABEL: "",
                **{
                    _PORT_LABELS[name]: str(port)
                    for name, port in ports.items()
                },
            }
            try:
                return self.containers.run(
                    image,
                    "query_frontend-%d" % random.randint(0, 100000),
                    labels,
                    archive=lambda _: archive,
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
                # Another program took a port before the engine bound it.
                if attempt + 1 == _TRIES or "in use" not in str(error):
                    raise
        raise ClipperException("No free port")

    def _interface(self) -> str:
        host = bare(self.public_hostname)
        if is_ipv6(host):
            return "::1" if host == "::1" else "::"
        return "127.0.0.1" if host in ("localhost", "127.0.0.1") else "0.0.0.0"

    def _is_private(self) -> bool:
        """Whether only this host reaches the ports."""
        return is_loopback(self._interface())

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

    def _check_start(self, restarts: int = 0) -> None:
        container = self.frontend.container
        with engine.failures("The frontend container is gone"):
            container.reload()
        if engine.has_ended(container, restarts):
            raise ClipperException(
                "nginx does not start:\n%s"
                % engine.tail(container, patience=2.0)
            )

    def connect(self) -> None:
        """Find the running cluster and its ports.

        When the engine has started the frontend again, the containers of
        models that did not come back with it are started.

        Raises:
            ClipperException: no cluster of this name runs.
        """
        front = self._find_frontend()
        if front is None or not again.runs(front):
            raise ClipperException(
                "No running cluster %s. %s"
                % (self.cluster_name,
                   "Did you start it?" if front is None else ADVICE)
            )
        self._connect_to(front)
        self._bring_back()

    def _find_frontend(self) -> Optional[Any]:
        found = self.containers.find(
            {CLIPPER_QUERY_FRONTEND_CONTAINER_LABEL: ""}, stopped=True
        )
        return found[0] if found else None

    def _connect_to(self, container: Any) -> None:
        with engine.failures("The frontend container is gone"):
            container.reload()
        self._frontend = Frontend(container)
        self._ports = {
            name: int(container.labels[_PORT_LABELS[name]])
            for name in _PORTS
        }
        label = CLIPPER_DOCKER_PORT_LABELS["metric"]
        for one in self.containers.find({label: None}):
            self._ports["metric"] = int(one.labels[label])

    def stop_all(self, graceful: bool = True) -> None:
        """Remove all containers of the cluster, and its network if unused.

        Args:
            graceful: False kills the containers at once.
        """
        # Models first: nginx still takes the answers that they owe.
        models = self.replicas.of(stopped=True)
        self.containers.stop_together(models, _PATIENCE, graceful)
        rest = self.containers.find({}, stopped=True)
        self.containers.stop_together(rest, _PATIENCE, graceful)
        network.drop(self.client, self.docker_network)
        self._frontend = None
        self._stopped()

    def get_logs(self, logging_dir: str) -> List[str]:
        os.makedirs(logging_dir, exist_ok=True)
        written = []
        for one in self.containers.find({}, stopped=True):
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

    def get_metric_addr(self) -> str:
        """``host:port`` of Prometheus, if it runs, else of the metrics."""
        if "metric" in self._ports:
            return self._address("metric")
        return self.get_admin_addr()

    def _address(self, what: str) -> str:
        if self._frontend is None:
            raise self._not_connected()
        return join(self.public_hostname, self._ports[what])

    # Configuration and status.

    @property
    def _store(self) -> Frontend:
        return self.frontend

    def apply_fragments(self, fragments: Mapping[str, str]) -> None:
        front = self.frontend
        before, number = front.write_generation(fragments)
        front.test_and_switch(number)
        began = int(time.time())
        try:
            front.reload()
            self._wait_for_reload(
                number, RELOAD_TIMEOUT,
                lambda: front.emergency_since(began),
            )
        except BaseException:
            front.make_current(before)
            # nginx may have taken it, or take it later.
            with contextlib.suppress(ClipperException):
                front.reload()
            raise

    # Models.

    def _build(self, source: ImageSource) -> str:
        return self._images.build(source)


def _short_image(container: Any) -> str:
    image = str(container.attrs.get("Config", {}).get("Image", ""))
    return image.replace("/", "_").replace(":", "_")
