"""LocalContainerManager: a whole cluster without a container engine."""

import contextlib
import logging
import os
import pwd
import shutil
import subprocess
import sys
from typing import Any, ContextManager, Dict, List, Mapping, Optional

from .. import status as server_status
from ..cluster_manager import ClusterManager
from ..container_manager import (
    CLIPPER_INTERNAL_MANAGEMENT_PORT,
    CLIPPER_INTERNAL_QUERY_PORT,
    CLIPPER_INTERNAL_RPC_PORT,
)
from ..exceptions import ClipperException
from . import images, programs
from .control import ClusterGone, ask, is_running
from .directory import (
    CLUSTER,
    ERROR_LOG,
    LOGS,
    ClusterDirectory,
    state_root,
)
from .replicas import Replicas

logger = logging.getLogger(__name__)

#: Seconds for nginx to answer after its start, and to take a configuration.
START_TIMEOUT = 30.0
RELOAD_TIMEOUT = 60.0

#: How often a start is tried when somebody takes a port meanwhile.
_PORT_TRIES = 5


class LocalContainerManager(ClusterManager):
    """Runs nginx and the model containers as processes of this host.

    They live in a session of their own under a small supervisor, which
    starts again what dies. They outlive the program that started them;
    `stop_all` ends them. Everything belongs to the user who started it.

    Args:
        cluster_name: several clusters can run side by side.
        clipper_query_port: of the applications. A port that is taken is
            replaced by the next free one; `connect` finds it.
        clipper_management_port: of status and health.
        clipper_rpc_port: where containers connect.
        address: where all of them listen. Containers of other hosts need an
            address that they can reach.
        state_dir: the cluster's directory; below
            ``~/.local/state/clipper`` unless given.
        workers: nginx's worker processes.
        zone_size: shared memory of the server, in nginx's units.
        nginx: path of nginx; `CLIPPER_NGINX` or the one in `PATH` unless
            given.
        module: path of ngx_http_clipper_module.so; `CLIPPER_NGINX_MODULE`,
            the checkout's build or nginx's own directory unless given.
        deploy_timeout: seconds that a container may take to load its model.
        redis: ``host:port`` of a Redis that keeps the selection state.
        access_log: write logs/access.log, for `clipper_admin.replay`.
    """

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
    ) -> None:
        programs.check_cluster_name(cluster_name)
        super().__init__(cluster_name, deploy_timeout, logger)
        self._wanted_ports = {
            "query_port": clipper_query_port,
            "management_port": clipper_management_port,
            "rpc_port": clipper_rpc_port,
        }
        self._address = address
        self._workers = workers
        self._zone_size = zone_size
        self._redis = redis
        self._access_log = access_log
        self._nginx = nginx
        self._module = module
        self._directory = ClusterDirectory(
            os.path.abspath(state_dir)
            if state_dir
            else os.path.join(state_root(), cluster_name)
        )
        self._cluster: Dict[str, Any] = {}
        self._supervisor: Optional["subprocess.Popen[bytes]"] = None
        self.replicas = Replicas(self)

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
            "address": self._address,
            "workers": self._workers,
            "zone_size": self._zone_size,
            "error_log": ERROR_LOG,
            "redis": self._redis,
            "access_log": ["logs/access.log", "clipper"]
            if self._access_log
            else None,
            "user": _user(),
            "nginx": programs.find_nginx(self._nginx),
            "module": programs.find_module(self._module),
        }
        os.makedirs(self._directory.file("locks"), mode=0o700, exist_ok=True)
        with self._directory.lock("start"):
            self._start_alone({**settings, **own})

    def _start_alone(self, settings: Mapping[str, Any]) -> None:
        if is_running(self._directory.path):
            raise self._exists()
        self.logger.info("Starting nginx for the cluster")
        # What a supervisor that was killed has left would be in the way.
        programs.stop(self._directory.path, graceful=False)
        self._directory.prepare()
        taken: Optional[ClipperException] = None
        for _ in range(_PORT_TRIES):
            cluster = dict(settings, **self._choose_ports())
            try:
                self._start_on_ports(cluster)
                break
            except programs.PortTaken as error:
                taken = error
        else:
            raise taken or ClipperException("no free port")
        self._directory.write_json(CLUSTER, cluster)

    def _choose_ports(self) -> Dict[str, int]:
        chosen: Dict[str, int] = {}
        for name, wanted in self._wanted_ports.items():
            port = server_status.free_port(
                self._address, wanted, list(chosen.values())
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

    def _start_on_ports(self, cluster: Dict[str, Any]) -> None:
        directory = self._directory
        number = directory.write_generation({})
        directory.test(cluster, number)
        directory.make_current(number)
        directory.write_nginx_conf(cluster)
        directory.write_json(
            "supervisor.json", {"nginx": directory.nginx_command(cluster)}
        )
        supervisor = self._spawn_supervisor()
        self._cluster = cluster
        try:
            self.wait_in_force(
                number, START_TIMEOUT,
                lambda: self._check_start(supervisor),
                "nginx does not answer",
            )
            ask(directory.path, "keep", ids=["nginx"])
        except BaseException:
            self._cluster = {}
            programs.end(directory.path, supervisor)
            raise

    def _spawn_supervisor(self) -> "subprocess.Popen[bytes]":
        log_path = self._directory.file(LOGS, "supervisor.log")
        with open(log_path, "ab") as log:
            self._supervisor = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "clipper_admin.local.supervisor",
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
        """Find the running cluster and its ports.

        Raises:
            ClipperException: there is none of this name.
        """
        cluster = self._directory.read_json(CLUSTER)
        if cluster is None or not is_running(self._directory.path):
            raise ClipperException(
                "No running cluster %s in %s"
                % (self.cluster_name, self._directory.path)
            )
        self._cluster = cluster

    def stop_all(self, graceful: bool = True) -> None:
        """End nginx, the containers and the supervisor.

        The directory's logs stay, everything else is removed.

        Args:
            graceful: False kills instead of asking.
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
        """Copy the logs of nginx and of each container."""
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

    def get_admin_addr(self) -> str:
        """``host:port`` of status, metrics and health."""
        return self._reachable("management_port")

    def get_query_addr(self) -> str:
        """``host:port`` of the applications."""
        return self._reachable("query_port")

    def _reachable(self, port: str) -> str:
        address = self.cluster["address"]
        if address in ("0.0.0.0", "*"):
            address = "127.0.0.1"
        return "%s:%d" % (address, self.cluster[port])

    # Configuration and status.

    def lock(self, name: str) -> ContextManager[None]:
        """See `ClusterManager.lock`."""
        return self._directory.lock(name)

    def read_fragments(self) -> Dict[str, str]:
        """See `ContainerManager.read_fragments`."""
        return self._directory.read_fragments()

    def apply_fragments(self, fragments: Mapping[str, str]) -> None:
        """See `ContainerManager.apply_fragments`."""
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
            ask(directory.path, "reload")
            self.wait_for_reload(
                number, RELOAD_TIMEOUT,
                lambda: directory.emergency_after(offset),
            )
        except BaseException:
            directory.make_current(before)
            raise
        directory.drop_generations([before, number])

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
        """Copy a model directory into the cluster.

        Args:
            base_image: only Clipper's bench images make a difference.
            container_registry: not used.
            pkgs_to_install: what this Python lacks of them is installed
                beside the model.
        """
        image = images.image_name(self.cluster_name, name, version)
        os.makedirs(self._directory.path, mode=0o700, exist_ok=True)
        images.build(
            self._directory, image, model_data_path, base_image,
            pkgs_to_install,
        )
        return image


def _user() -> Optional[str]:
    """nginx's workers of root are somebody else unless they are told."""
    return pwd.getpwuid(0).pw_name if os.geteuid() == 0 else None
