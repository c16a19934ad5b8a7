"""What the managers of a cluster with one nginx have in common."""

import abc
import contextlib
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
from .container_manager import (
    ClusterAdapter,
    ContainerManager,
    ContainerOptions,
)
from .exceptions import ClipperException
from .replica_set import Deployed, ReplicaSet


class ClusterManager(ContainerManager):
    """Runs one nginx and the containers of models.

    Args:
        cluster_name: of the cluster.
        deploy_timeout: seconds that a container may take to load its model.
        logger: of the manager's module.

    Attributes:
        cluster_name: the same as `cluster_identifier`.
        logger: puts the cluster's name before each line.
        replicas: the model containers; the manager makes it.
    """

    replicas: ReplicaSet

    def __init__(
        self, cluster_name: str, deploy_timeout: float, logger: Any
    ) -> None:
        self.cluster_name = cluster_name
        self.cluster_identifier = cluster_name
        self.deploy_timeout = deploy_timeout
        self.logger = ClusterAdapter(logger, {"cluster_name": cluster_name})

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
        """Start nginx and connect to it.

        Args:
            query_frontend_image: nginx with the module; not used without a
                container engine.
            mgmt_frontend_image: not used.
            frontend_exporter_image: not used.
            cache_size: bytes of the prediction cache; 0 switches it off.
            qf_http_thread_pool_size: not used, see `workers`.
            qf_http_timeout_request: seconds to receive a request's head.
            qf_http_timeout_content: seconds without progress of a body.
            num_frontend_replicas: must be 1.

        Raises:
            ClipperException: the cluster exists, something that it needs is
                missing, or nginx does not start (with its line).
        """
        if num_frontend_replicas != 1:
            raise ClipperException(
                "This cluster has one query frontend. Please set "
                "num_frontend_replicas=1; nginx's worker processes are set "
                "with workers="
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

    @abc.abstractmethod
    def _start(self, image: str, settings: Mapping[str, Any]) -> None:
        """Start nginx and connect to it.

        Args:
            settings: members of what `server_conf.nginx_conf` is given.
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
        self.logger.info(
            "Stopped all Clipper cluster and all model containers"
        )

    def get_metric_addr(self) -> str:
        """``host:port`` of the metrics, the operator's server."""
        return self.get_admin_addr()

    # Configuration and status.

    @abc.abstractmethod
    def lock(self, name: str) -> ContextManager[None]:
        """Hold a lock that all programs of the cluster know.

        Args:
            name: a file name.
        """

    def config_lock(self) -> ContextManager[None]:
        """See `ContainerManager.config_lock`."""
        return self.lock("config")

    def model_lock(self, name: str) -> ContextManager[None]:
        """See `ContainerManager.model_lock`."""
        return self.lock("model-" + quote(name, safe=""))

    def get_status(self) -> Dict[str, Any]:
        """See `ContainerManager.get_status`."""
        return server_status.fetch(self.get_admin_addr())

    def wait_in_force(
        self,
        generation: int,
        timeout: float,
        check: Callable[[], None],
        late: str,
    ) -> None:
        """Wait until all workers that accept queries have a configuration.

        Args:
            generation: its number.
            timeout: seconds.
            check: raises when it will never be.
            late: what is said when the time has passed.

        Raises:
            ClipperException: what `check` raises, or `late`.
        """
        deadline = time.monotonic() + timeout
        while True:
            with contextlib.suppress(OSError):
                if server_status.is_in_force(
                    self.get_status(), str(generation)
                ):
                    return
            check()
            if time.monotonic() > deadline:
                raise ClipperException(
                    "%s within %d seconds" % (late, timeout)
                )
            time.sleep(0.02)

    def wait_for_reload(
        self,
        generation: int,
        timeout: float,
        emergency: Callable[[], Optional[str]],
    ) -> None:
        """Wait until nginx has taken a configuration after a reload.

        Args:
            emergency: nginx's line that refuses it, None while there is
                none.
        """

        def check() -> None:
            line = emergency()
            if line is not None:
                raise ClipperException(
                    "nginx refuses the configuration: %s" % line
                )

        self.wait_in_force(
            generation, timeout, check,
            "nginx did not take the configuration",
        )

    # Models.

    def deploy_model(
        self,
        name: str,
        version: str,
        input_type: str,
        image: str,
        num_replicas: int = 1,
        options: Optional[ContainerOptions] = None,
    ) -> None:
        """See `ContainerManager.deploy_model`."""
        self.replicas.deploy(
            Deployed(name, version, input_type, image), num_replicas,
            options or ContainerOptions(),
        )

    def get_num_replicas(self, name: str, version: str) -> int:
        """See `ContainerManager.get_num_replicas`."""
        return len(self.replicas.of(name, version))

    def set_num_replicas(
        self,
        name: str,
        version: str,
        input_type: str,
        image: str,
        num_replicas: int,
    ) -> None:
        """See `ContainerManager.set_num_replicas`."""
        self.replicas.scale(
            Deployed(name, version, input_type, image), num_replicas
        )

    def stop_models(self, models: Mapping[str, List[str]]) -> None:
        """See `ContainerManager.stop_models`."""
        self.replicas.remove([
            one
            for name, versions in models.items()
            for version in versions
            for one in self.replicas.of(name, str(version), stopped=True)
        ])

    def stop_all_model_containers(self) -> None:
        """See `ContainerManager.stop_all_model_containers`."""
        self.replicas.remove(self.replicas.of(stopped=True))
