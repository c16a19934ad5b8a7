"""LocalContainerManager: a whole cluster without a container engine."""

import contextlib
import logging
import os
import pwd
import resource
import secrets
import shutil
import subprocess
import sys
from typing import Any, Dict, List, Mapping, Optional

from .. import status as server_status
from ..again import ADVICE
from ..address import is_loopback, join, reachable
from ..container_manager import (
    CLIPPER_INTERNAL_MANAGEMENT_PORT,
    CLIPPER_INTERNAL_QUERY_PORT,
    CLIPPER_INTERNAL_RPC_PORT,
)
from ..containers import ImageSource
from ..exceptions import ClipperException
from ..limits import make_limits, memory_bytes
from ..nginx_cluster import NginxCluster
from ..server_conf import DESCRIPTORS, records_arguments
from . import again, images, programs
from .control import ClusterGone, ask, is_running
from .directory import (
    CLUSTER,
    ERROR_LOG,
    KEYS,
    LOGS,
    MANAGEMENT_SOCKET,
    MANAGEMENT_TOKEN,
    METRICS_SOCKET,
    ClusterDirectory,
    state_root,
)
from .replicas import Replicas

logger = logging.getLogger(__name__)

#: Seconds for nginx to answer after its start, and to take a configuration.
START_TIMEOUT = 30.0
RELOAD_TIMEOUT = 60.0

#: Tries to start when another program takes a port meanwhile.
_PORT_TRIES = 5


class LocalContainerManager(NginxCluster):
    """Runs nginx and the model containers as processes of this host.

    A small supervisor starts them in a session of their own and restarts
    those that end. They outlive the program that started them; `stop_all`
    ends them. All files and processes belong to the user who started them.

    When the host was rebooted or the supervisor was killed, `start_clipper`
    starts the cluster again with its applications, models, links and
    replicas. `stop_all` removes them.

    Args:
        cluster_name: name of the cluster. Several clusters can run side by
            side.
        clipper_query_port: port of the applications. When a port is in use
            the next free one is taken; `connect` finds it.
        clipper_management_port: port of status, metrics and health.
        clipper_rpc_port: port that containers connect to.
        address: address that all three ports listen on, IPv4 or IPv6.
            Containers on other hosts must be able to reach it.
        state_dir: the cluster's directory; by default a directory in
            ``~/.local/state/clipper``.
        workers: number of nginx's worker processes.
        zone_size: size of the server's shared memory, such as ``"64m"``.
        nginx: path of nginx; by default `CLIPPER_NGINX` or the one in
            `PATH`.
        module: path of ngx_http_clipper_module.so; by default
            `CLIPPER_NGINX_MODULE`, the checkout's build, or nginx's module
            directory.
        deploy_timeout: seconds that a container may take to load its model.
        redis: ``host:port`` of a Redis that stores the selection state.
        records_size: size of the memory of queries that wait for feedback, a
            directive's argument such as ``"16m"``; by default a sixteenth of
            `zone_size`.
        records_time: how long Redis keeps such queries as well, such as
            ``"1d"``, so that a label may come after a restart or at another
            server; by default it does not. It needs a Redis.
        access_log: write logs/access.log for `clipper_admin.replay`. It
            grows without limit.
        log_size: size of any other log, such as ``"16m"``; a longer one
            becomes ``NAME.log.1``, which replaces the one before. 0 for no
            limit.
        limits: sizes of requests and outputs of all applications, see
            `ClipperConnection.register_application`. What is left out is
            generous: 20 000 inputs, 64 MB for each input and output, 256 MB
            for a body.
        query_id_bits: 31 for clients that read a `query_id` as a 32-bit
            integer.
        model_metrics: serve what models report with `clipper_admin.metrics`,
            on a port of its own for each replica, and join it in
            ``/metrics``.
        curve: encrypt the connections of containers and admit only those
            with the cluster's keys, which are made in the directory
            ``keys``. A container that you start yourself needs them too;
            those of version 3 cannot connect.
    """

    replicas: Replicas

    def __init__(
        self,
        cluster_name: str = "default-cluster",
        clipper_query_port: int = CLIPPER_INTERNAL_QUERY_PORT,
        clipper_management_port: int = CLIPPER_INTERNAL_MANAGEMENT_PORT,
        clipper_rpc_port: int = CLIPPER_INTERNAL_RPC_PORT,
        address: str = "127.0.0.1",
        state_dir: Optional[str] = None,
        workers: int = 1,
        zone_size: str = "64m",
        nginx: Optional[str] = None,
        module: Optional[str] = None,
        deploy_timeout: float = 300.0,
        redis: Optional[str] = None,
        access_log: bool = False,
        records_size: Optional[str] = None,
        records_time: Optional[str] = None,
        log_size: Any = "16m",
        limits: Optional[Mapping[str, Any]] = None,
        model_metrics: bool = False,
        query_id_bits: Optional[int] = None,
        curve: bool = False,
    ) -> None:
        programs.check_cluster_name(cluster_name)
        super().__init__(cluster_name, deploy_timeout, logger)
        self._wanted_ports = {
            "query_port": clipper_query_port,
            "management_port": clipper_management_port,
            "rpc_port": clipper_rpc_port,
        }
        self._bind_address = address
        self._workers = workers
        self._zone_size = zone_size
        self._redis = redis
        self._records = records_arguments(
            records_size, records_time, redis, zone_size
        )
        self._access_log = access_log
        self._log_size = memory_bytes(log_size)
        make_limits(limits)
        self._limits = dict(limits or {})
        self._query_id_bits = query_id_bits
        self._model_metrics = model_metrics
        self._curve = curve
        self._nginx = nginx
        self._module = module
        self._directory = ClusterDirectory(
            os.path.abspath(state_dir)
            if state_dir
            else os.path.join(state_root(), cluster_name)
        )
        self._cluster: Dict[str, Any] = {}
        self._supervisor: Optional["subprocess.Popen[bytes]"] = None
        self.replicas = Replicas(
            self._server(), self._directory, lambda: self.cluster
        )

    def _port(self, what: str) -> int:
        name = what + "_port"
        return int(self._cluster.get(name, self._wanted_ports[name]))

    @property
    def directory(self) -> ClusterDirectory:
        """The cluster's files."""
        return self._directory

    @property
    def cluster(self) -> Mapping[str, Any]:
        """Ports and programs of the cluster that this is connected to."""
        if not self._cluster:
            raise self._not_connected()
        return self._cluster

    # The cluster.

    def _start(self, image: str, settings: Mapping[str, Any]) -> None:
        own = {
            "cluster_name": self.cluster_name,
            "address": self._bind_address,
            "workers": self._workers,
            "zone_size": self._zone_size,
            "error_log": ERROR_LOG,
            "descriptors": _descriptors(),
            "redis": self._redis,
            "records": self._records,
            "limits": self._limits,
            "query_id_bits": self._query_id_bits,
            "access_log": ["logs/access.log", "clipper"]
            if self._access_log
            else None,
            "user": _user(),
            "management": MANAGEMENT_SOCKET,
            "model_metrics": METRICS_SOCKET if self._model_metrics else None,
            "curve": KEYS if self._curve else None,
            "nginx": programs.find_nginx(self._nginx),
            "module": programs.find_module(self._module),
        }
        self._directory.make("locks")
        with self._directory.lock("start"):
            self._start_alone({**settings, **own})

    def _start_alone(self, settings: Mapping[str, Any]) -> None:
        if is_running(self._directory.path):
            raise self._exists()
        self.logger.info("Starting nginx for the cluster")
        # A supervisor that was killed may have left processes.
        programs.stop(self._directory.path, graceful=False)
        directory = self._directory
        left = directory.is_left()
        directory.prepare()
        if settings["curve"]:
            directory.make_keys()
        if left:
            self.logger.info(
                "The cluster in %s was not stopped: starting it again with "
                "its applications and models", directory.path
            )
        taken: Optional[ClipperException] = None
        for _ in range(_PORT_TRIES):
            cluster = dict(settings, **self._choose_ports())
            try:
                self._start_on_ports(cluster, left)
                break
            except programs.PortTaken as error:
                taken = error
        else:
            raise taken or ClipperException("No free port")
        directory.write_json(CLUSTER, cluster)
        if left:
            again.bring_back(self.replicas, directory, self.logger)

    def _choose_ports(self) -> Dict[str, int]:
        chosen: Dict[str, int] = {}
        for name, wanted in self._wanted_ports.items():
            port = server_status.free_port(
                self._bind_address, wanted, list(chosen.values())
            )
            if port != wanted and wanted:
                self.logger.info(
                    "Port %d (%s) is in use, taking %d",
                    wanted,
                    name.replace("_", " "),
                    port,
                )
            chosen[name] = port
        return chosen

    def _start_on_ports(self, cluster: Dict[str, Any], left: bool) -> None:
        directory = self._directory
        if left:
            number = directory.generation()
            self._test_again(cluster, number)
        else:
            number = directory.write_generation({})
            directory.test(cluster, number)
            directory.make_current(number)
        directory.write_nginx_conf(cluster)
        self._write_token()
        directory.write_json(
            "supervisor.json",
            {
                "nginx": directory.nginx_command(cluster),
                "services": {
                    name: [sys.executable, "-m", "clipper_admin", name,
                           directory.path]
                    for name in ["management"]
                    + ["metrics"] * bool(cluster.get("model_metrics"))
                },
                "log_size": self._log_size,
            },
        )
        supervisor = self._spawn_supervisor()
        self._cluster = cluster
        try:
            self._wait_in_force(
                number, START_TIMEOUT,
                lambda: self._check_start(supervisor),
                "nginx does not answer",
            )
            ask(directory.path, "keep", ids=["nginx"])
        except BaseException:
            self._cluster = {}
            programs.end(directory.path, supervisor)
            raise

    def _write_token(self) -> None:
        """Write the token of the management API, if its calls need one."""
        path = self._directory.file(MANAGEMENT_TOKEN)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        if not is_loopback(self._bind_address):
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as f:
                f.write(secrets.token_hex(16) + "\n")

    def _test_again(self, cluster: Mapping[str, Any], number: int) -> None:
        """Test the configuration of a cluster that is started again.

        Raises:
            ClipperException: nginx refuses it; everything is kept.
        """
        try:
            self._directory.test(cluster, number)
        except ClipperException as error:
            raise ClipperException(
                "%s. The cluster in %s was not stopped and cannot be started "
                "again like this. Its files are kept; stop_all() removes "
                "them, then start_clipper() starts an empty cluster"
                % (error, self._directory.path)
            ) from error

    def _spawn_supervisor(self) -> "subprocess.Popen[bytes]":
        log_path = self._directory.file(LOGS, "supervisor.log")
        with open(log_path, "ab") as log:
            self._supervisor = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "clipper_admin.local",
                    self._directory.path,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=programs.environment(),
            )
        return self._supervisor

    def _check_start(self, supervisor: "subprocess.Popen[bytes]") -> None:
        if supervisor.poll() is not None:
            raise ClipperException(
                "The supervisor does not start:\n%s"
                % programs.tail(self._directory.file(LOGS, "supervisor.log"))
            )
        with contextlib.suppress(ClusterGone):
            state = ask(self._directory.path, "state", timeout=5.0)
            if state["nginx"]["exit_code"] is not None:
                raise programs.nginx_failed(self._directory)

    def connect(self) -> None:
        cluster = self._directory.read_json(CLUSTER)
        if cluster is None or not self._runs():
            advice = ""
            if self._directory.is_left():
                advice = ". " + ADVICE
            raise ClipperException(
                "No running cluster %s in %s%s"
                % (self.cluster_name, self._directory.path, advice)
            )
        self._cluster = cluster

    def _runs(self) -> bool:
        """Whether the cluster's nginx is kept running."""
        return is_running(self._directory.path)

    def stop_all(self, graceful: bool = True) -> None:
        """Stop nginx, the containers and the supervisor.

        Of the cluster's directory only the logs stay.

        Args:
            graceful: False kills the processes at once.
        """
        if os.path.isdir(self._directory.path):
            programs.stop(self._directory.path, graceful)
            self._directory.remove()
        if self._supervisor is not None:
            self._supervisor.wait()
            self._supervisor = None
        self._cluster = {}
        self._stopped()

    def get_logs(self, logging_dir: str) -> List[str]:
        os.makedirs(logging_dir, exist_ok=True)
        copied = []
        for name in sorted(os.listdir(self._directory.file(LOGS))):
            target = os.path.abspath(
                os.path.join(
                    logging_dir, "%s-%s" % (self.cluster_name, name)
                )
            )
            shutil.copyfile(self._directory.file(LOGS, name), target)
            copied.append(target)
        return copied

    def _address(self, what: str) -> str:
        return join(
            reachable(self.cluster["address"]), self.cluster[what + "_port"]
        )

    # Configuration and status.

    @property
    def _store(self) -> ClusterDirectory:
        return self._directory

    def apply_fragments(self, fragments: Mapping[str, str]) -> None:
        directory = self._directory
        before = directory.generation()
        number = directory.write_generation(fragments)
        try:
            directory.test(self.cluster, number)
        except ClipperException:
            directory.drop_generations([before])
            raise
        offset = directory.error_log_size()
        directory.make_current(number)
        try:
            self._reload()
            self._wait_for_reload(
                number, RELOAD_TIMEOUT,
                lambda: directory.emergency_after(offset),
            )
        except BaseException:
            directory.make_current(before)
            # nginx may have taken it, or take it later.
            with contextlib.suppress(ClipperException, OSError):
                self._reload()
            raise
        directory.drop_generations([before, number])

    def _reload(self) -> None:
        """Ask what runs nginx for a reload."""
        ask(self._directory.path, "reload")

    # Models.

    def _build(self, source: ImageSource) -> str:
        self._directory.make()
        return images.build(self._directory, self.cluster_name, source)


def _descriptors() -> int:
    """As many as may be, up to what a cluster needs."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return DESCRIPTORS if hard == resource.RLIM_INFINITY \
        else min(DESCRIPTORS, hard)


def _user() -> Optional[str]:
    """User of nginx's workers; None for the one who starts nginx.

    Started by root, workers would run as another user, who cannot read the
    cluster's directory.
    """
    return pwd.getpwuid(0).pw_name if os.geteuid() == 0 else None
