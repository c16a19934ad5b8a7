"""NginxCluster: what runs a cluster of one nginx and model containers.

It starts nginx and the containers and puts the configuration fragments in
force. `ClipperConnection` changes the catalog that they hold. Subclasses say
where the processes run.
"""

import abc
import time
from typing import (
    Any,
    Callable,
    ContextManager,
    Dict,
    List,
    Mapping,
    Optional,
)
from urllib.parse import quote

from . import status as server_status
from .catalog import Catalog
from .container_manager import ClusterAdapter, ContainerManager, Result
from .containers import ContainerOptions, Deployed, ImageSource
from .exceptions import ClipperException
from .replica_set import ReplicaSet, Server
from .store import Store

#: Seconds between two looks for what keeps nginx from a configuration.
_CHECK_INTERVAL = 0.25


class NginxCluster(ContainerManager):
    """Runs one cluster: one nginx and the model containers.

    Args:
        cluster_name: name of the cluster.
        deploy_timeout: seconds that a container may take to load its model.
        logger: logger of the manager's module.

    Attributes:
        cluster_identifier: name of the cluster.
        cluster_name: the same.
        logger: puts the cluster's name before each line.
        replicas: the model containers; the subclass sets it.
    """

    takes_options = True

    replicas: ReplicaSet

    def __init__(
        self, cluster_name: str, deploy_timeout: float, logger: Any
    ) -> None:
        self.cluster_name = cluster_name
        self.cluster_identifier = cluster_name
        self.deploy_timeout = deploy_timeout
        self.logger = ClusterAdapter(logger, {"cluster_name": cluster_name})

    def _server(self) -> Server:
        return Server(self.get_status, self.deploy_timeout, self.logger)

    @property
    def clipper_query_port(self) -> int:
        """Port of the applications: of the running cluster, else wanted."""
        return self._port("query")

    @property
    def clipper_management_port(self) -> int:
        """Port of the operator's server."""
        return self._port("management")

    @property
    def clipper_rpc_port(self) -> int:
        """Port of the containers."""
        return self._port("rpc")

    @abc.abstractmethod
    def _port(self, what: str) -> int:
        """A port of the running cluster, else the one that is wanted.

        Args:
            what: ``"query"``, ``"management"`` or ``"rpc"``.
        """

    # The cluster.

    def start_clipper(
        self,
        query_frontend_image: str = "",
        mgmt_frontend_image: str = "",
        frontend_exporter_image: str = "",
        cache_size: int = 33554432,
        qf_http_thread_pool_size: int = 1,
        qf_http_timeout_request: int = 5,
        qf_http_timeout_content: int = 300,
        num_frontend_replicas: int = 1,
    ) -> None:
        if num_frontend_replicas != 1:
            raise ClipperException(
                "This cluster has one query frontend. Please set "
                "num_frontend_replicas=1; workers= sets the number of "
                "nginx's worker processes"
            )
        self._start(
            query_frontend_image,
            {
                # nginx's argument for "no cache" is a word.
                "cache_size": str(int(cache_size)) if cache_size else "off",
                "header_timeout": qf_http_timeout_request,
                "body_timeout": qf_http_timeout_content,
                "operator_locations": ["status", "metrics", "health"],
            },
        )
        self.logger.info("Clipper is running")

    def wait_until_up(self) -> None:
        """`start_clipper` returns when nginx answers."""

    @abc.abstractmethod
    def _start(self, image: str, settings: Mapping[str, Any]) -> None:
        """Start nginx and connect to it.

        Args:
            settings: members for `server_conf.nginx_conf`.
        """

    def get_admin_addr(self) -> str:
        """``host:port`` of status, metrics and health."""
        return self._address("management")

    def get_query_addr(self) -> str:
        return self._address("query")

    def get_metric_addr(self) -> str:
        """``host:port`` of the metrics, the same as `get_admin_addr`."""
        return self.get_admin_addr()

    @abc.abstractmethod
    def _address(self, what: str) -> str:
        """``host:port`` that programs of this host reach.

        Args:
            what: ``"query"`` or ``"management"``.

        Raises:
            ClipperException: not connected.
        """

    def _exists(self) -> ClipperException:
        return ClipperException(
            "Cluster {} cannot be started because it already exists. "
            "Please use ClipperConnection.connect() to connect to "
            "it.".format(self.cluster_name)
        )

    def _not_connected(self) -> ClipperException:
        return ClipperException(
            "Not connected to the cluster %s" % self.cluster_name
        )

    def _stopped(self) -> None:
        self.logger.info("Stopped the cluster and all its model containers")

    # Configuration and status.

    @property
    @abc.abstractmethod
    def _store(self) -> Store:
        """Fragments and locks of the cluster.

        Raises:
            ClipperException: not connected.
        """

    def read_catalog(self) -> Catalog:
        return Catalog.read(self.read_fragments())

    def change_catalog(self, change: Callable[[Catalog], Result]) -> Result:
        with self.config_lock():
            before = self.read_fragments()
            catalog = Catalog.read(before)
            result = change(catalog)
            after = catalog.write()
            if after != before:
                self.apply_fragments(after)
            return result

    def config_lock(self) -> ContextManager[None]:
        """Keep other programs from changing the configuration."""
        return self._store.lock("config")

    def model_lock(self, name: str) -> ContextManager[None]:
        """Keep other programs from starting or stopping a model's containers.
        """
        return self._store.lock("model-" + quote(name, safe=""))

    def read_fragments(self) -> Dict[str, str]:
        """The fragments in force: text by relative file name."""
        return self._store.read_fragments()

    @abc.abstractmethod
    def apply_fragments(self, fragments: Mapping[str, str]) -> None:
        """Put fragments in force; the caller holds `config_lock`.

        Returns when every worker that accepts queries uses them.

        Raises:
            ClipperException: nginx refuses them (with its error line); the
                fragments before stay in force.
        """

    def _wait_in_force(
        self,
        generation: int,
        timeout: float,
        check: Callable[[], None],
        late: str,
    ) -> None:
        """Wait until all workers that accept queries use a configuration.

        Args:
            generation: its number.
            timeout: seconds.
            check: raises when it can no longer happen.
            late: begins the message after the timeout.

        Raises:
            ClipperException: from `check`, or after the timeout.
        """
        deadline = time.monotonic() + timeout
        next_check = 0.0
        while True:
            # A check may take long, so the status has the last word.
            is_late = time.monotonic() > deadline
            try:
                status = self.get_status()
                if server_status.is_in_force(status, str(generation)):
                    return
                seen = server_status.generations(status)
            except OSError as error:
                seen = "%s does not answer: %s" % (
                    self.get_admin_addr(), error
                )
            if is_late:
                raise ClipperException(
                    "%s within %d seconds; %s" % (late, timeout, seen)
                )
            if time.monotonic() >= next_check:
                check()
                next_check = time.monotonic() + _CHECK_INTERVAL
            time.sleep(0.02)

    def _wait_for_reload(
        self,
        generation: int,
        timeout: float,
        emergency: Callable[[], Optional[str]],
    ) -> None:
        """Wait until nginx uses a configuration after a reload.

        Args:
            generation: number of the configuration.
            timeout: seconds.
            emergency: nginx's line that refuses it; None so far.

        Raises:
            ClipperException: nginx refuses it, or the timeout passes.
        """

        def check() -> None:
            line = emergency()
            if line is not None:
                raise ClipperException(
                    "nginx refuses the configuration: %s" % line
                )

        self._wait_in_force(
            generation, timeout, check,
            "nginx did not take the configuration",
        )

    # Models.

    @abc.abstractmethod
    def _build(self, source: ImageSource) -> str:
        """Build an image and return its name, see `build_model`."""

    def deploy_model(
        self,
        name: str,
        version: str,
        input_type: str,
        image: str,
        num_replicas: int = 1,
        options: Optional[ContainerOptions] = None,
    ) -> None:
        self.replicas.deploy(
            Deployed(name, version, input_type, image), num_replicas,
            options or ContainerOptions(),
        )

    def get_num_replicas(self, name: str, version: str) -> int:
        return len(self.replicas.of(name, version))

    def set_num_replicas(
        self,
        name: str,
        version: str,
        input_type: str,
        image: str,
        num_replicas: int,
    ) -> None:
        self.replicas.scale(
            Deployed(name, version, input_type, image), num_replicas
        )

    def stop_models(self, models: Mapping[str, List[str]]) -> None:
        self.replicas.remove([
            one
            for name, versions in models.items()
            for version in versions
            for one in self.replicas.of(name, str(version), stopped=True)
        ])

    def stop_all_model_containers(self) -> None:
        self.replicas.remove(self.replicas.of(stopped=True))
