"""ContainerManager: the interface between a connection and what runs a cluster.

The managers of this package are `nginx_cluster.NginxCluster`. A subclass of
one's own has the methods of the original's interface, and runs a frontend
that answers the management API.
"""

import abc
import contextlib
import logging
import os
from typing import (
    Any,
    Callable,
    ContextManager,
    Dict,
    List,
    Mapping,
    Optional,
    TYPE_CHECKING,
    TypeVar,
)

from . import remote
from . import status as server_status
from .catalog import Catalog
from .containers import (
    ContainerOptions,
    Deployed,
    ImageSource,
    create_model_container_label,
    parse_model_container_label,
)
from .exceptions import ClipperException

__all__ = [
    "CLIPPER_DOCKER_LABEL",
    "CLIPPER_DOCKER_PORT_LABELS",
    "CLIPPER_FLUENTD_CONFIG_LABEL",
    "CLIPPER_INTERNAL_FLUENTD_PORT",
    "CLIPPER_INTERNAL_MANAGEMENT_PORT",
    "CLIPPER_INTERNAL_METRIC_PORT",
    "CLIPPER_INTERNAL_QUERY_PORT",
    "CLIPPER_INTERNAL_REDIS_PORT",
    "CLIPPER_INTERNAL_RPC_PORT",
    "CLIPPER_METRIC_CONFIG_LABEL",
    "CLIPPER_MGMT_FRONTEND_CONTAINER_LABEL",
    "CLIPPER_MODEL_CONTAINER_LABEL",
    "CLIPPER_NAME_LABEL",
    "CLIPPER_QUERY_FRONTEND_CONTAINER_LABEL",
    "CONTAINERLESS_MODEL_IMAGE",
    "ClusterAdapter",
    "ContainerManager",
    "ContainerOptions",
    "create_model_container_label",
    "parse_model_container_label",
]

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

CLIPPER_INTERNAL_QUERY_PORT = 1337
CLIPPER_INTERNAL_MANAGEMENT_PORT = 1338
CLIPPER_INTERNAL_RPC_PORT = 7000
CLIPPER_INTERNAL_METRIC_PORT = 1390
CLIPPER_INTERNAL_REDIS_PORT = 6379
CLIPPER_INTERNAL_FLUENTD_PORT = 24224

CLIPPER_DOCKER_LABEL = "ai.clipper.container.label"
CLIPPER_NAME_LABEL = "ai.clipper.name"
CLIPPER_MODEL_CONTAINER_LABEL = "ai.clipper.model_container.label"
CLIPPER_QUERY_FRONTEND_CONTAINER_LABEL = "ai.clipper.query_frontend.label"
CLIPPER_MGMT_FRONTEND_CONTAINER_LABEL = "ai.clipper.management_frontend.label"
CLIPPER_METRIC_CONFIG_LABEL = "ai.clipper.metric.config"
CLIPPER_FLUENTD_CONFIG_LABEL = "ai.clipper.fluentd.config"
CLIPPER_DOCKER_PORT_LABELS = {
    "redis": "ai.clipper.redis.port",
    "query_rest": "ai.clipper.query_frontend.query.port",
    "query_rpc": "ai.clipper.query_frontend.rpc.port",
    "management": "ai.clipper.management.port",
    "metric": "ai.clipper.metric.port",
    "fluentd": "ai.clipper.fluentd.port",
}

CONTAINERLESS_MODEL_IMAGE = "NO_CONTAINER"


if TYPE_CHECKING:
    # Generic at runtime from Python 3.11 on.
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter


class ClusterAdapter(_Adapter):
    """Puts the cluster's name before each log line."""

    def process(self, msg: Any, kwargs: Any) -> Any:
        name = (self.extra or {}).get("cluster_name", "")
        return "[%s] %s" % (name, msg), kwargs


class ContainerManager(abc.ABC):
    """Runs one cluster.

    The abstract methods are those of the original. What is not abstract asks
    the management API and the status at `get_admin_addr`.

    Attributes:
        cluster_identifier: name of the cluster.
        management_token: for a management API that needs one.
        takes_options: whether `deploy_model` has an argument `options`, a
            `ContainerOptions`.
    """

    cluster_identifier: str = ""
    management_token: str = ""
    takes_options: bool = False

    # The cluster.

    @abc.abstractmethod
    def start_clipper(
        self,
        query_frontend_image: str,
        mgmt_frontend_image: str,
        frontend_exporter_image: str,
        cache_size: int,
        qf_http_thread_pool_size: int,
        qf_http_timeout_request: int,
        qf_http_timeout_content: int,
        num_frontend_replicas: int,
    ) -> None:
        """Start the cluster and connect to it.

        Args: see `ClipperConnection.start_clipper`.

        Raises:
            ClipperException: the cluster exists, a program or an image is
                missing, or the server does not start (with its error line).
        """

    def wait_until_up(self) -> None:
        """Wait until a cluster that has been started answers.

        Raises:
            ClipperException: it does not within 300 seconds.
        """
        remote.wait_for_ping(self.get_admin_addr(), self.management_token)

    @abc.abstractmethod
    def connect(self) -> None:
        """Find the running cluster and its ports.

        Raises:
            ClipperException: no cluster of this name runs.
        """

    @abc.abstractmethod
    def stop_all(self, graceful: bool = True) -> None:
        """Stop everything that belongs to the cluster.

        Args:
            graceful: False kills the processes at once.
        """

    @abc.abstractmethod
    def get_logs(self, logging_dir: str) -> List[str]:
        """Copy the logs of the server and of each container to a directory.

        Args:
            logging_dir: made when it does not exist.

        Returns:
            absolute paths of the files.
        """

    @abc.abstractmethod
    def get_admin_addr(self) -> str:
        """``host:port`` of the management API, status, metrics and health."""

    @abc.abstractmethod
    def get_query_addr(self) -> str:
        """``host:port`` of the applications."""

    @abc.abstractmethod
    def get_metric_addr(self) -> str:
        """``host:port`` that Prometheus asks for the metrics."""

    # Configuration and status.

    def read_catalog(self) -> Catalog:
        """The applications and models of the cluster."""
        return remote.RemoteCatalog(
            self.get_admin_addr(), self.management_token
        )

    def change_catalog(self, change: Callable[[Catalog], Result]) -> Result:
        """Apply a change to the catalog; on an error nothing changes.

        Raises:
            ClipperException: the change or the server refuses it.
        """
        catalog = remote.RemoteCatalog(
            self.get_admin_addr(), self.management_token
        )
        result = change(catalog)
        catalog.send()
        return result

    def model_lock(self, name: str) -> ContextManager[None]:
        """Keep other programs from starting or stopping a model's containers.

        There is no lock here: the original has none.
        """
        return contextlib.nullcontext()

    def get_status(self) -> Dict[str, Any]:
        """The server's status JSON.

        Raises:
            OSError: the server does not answer.
        """
        return server_status.fetch(self.get_admin_addr())

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
        """Build the image of a model directory.

        Args, result and errors: see `ClipperConnection.build_model`.
        """
        if not os.path.isdir(model_data_path):
            raise ClipperException("No model directory %s" % model_data_path)
        return self._build(ImageSource(
            name, version, model_data_path, base_image, container_registry,
            pkgs_to_install or [],
        ))

    def _build(self, source: ImageSource) -> str:
        """Build an image and return its name, see `build_model`.

        Here it is an image of the default container engine.
        """
        from .docker import engine, images

        return images.Images(
            engine.connect(), self.cluster_identifier, logger
        ).build(source)

    def start_models(
        self, what: Deployed, num_replicas: int, options: ContainerOptions
    ) -> None:
        """Start containers of a version, see `deploy_model`.

        Raises:
            ClipperException: there are options, and the manager's
                `takes_options` is False.
        """
        more: Dict[str, Any] = {}
        if options != ContainerOptions():
            if not self.takes_options:
                raise ClipperException(
                    "%s takes no container options" % type(self).__name__
                )
            more["options"] = options
        self.deploy_model(
            what.name, what.version, what.input_type, what.image,
            num_replicas, **more
        )

    @abc.abstractmethod
    def deploy_model(
        self,
        name: str,
        version: str,
        input_type: str,
        image: str,
        num_replicas: int = 1,
    ) -> None:
        """Start containers of a version; returns when they are ready.

        Raises:
            ClipperException: a container failed (with its last lines); all
                of them are removed.
        """

    @abc.abstractmethod
    def get_num_replicas(self, name: str, version: str) -> int:
        """How many containers of a version run."""

    @abc.abstractmethod
    def set_num_replicas(
        self,
        name: str,
        version: str,
        input_type: str,
        image: str,
        num_replicas: int,
    ) -> None:
        """Start or stop containers of a version; the newest stop first.

        Raises:
            ClipperException: a container failed (with its last lines); all
                new ones are removed.
        """

    @abc.abstractmethod
    def stop_models(self, models: Mapping[str, List[str]]) -> None:
        """Stop the containers of versions.

        Args:
            models: versions by model name.
        """

    @abc.abstractmethod
    def stop_all_model_containers(self) -> None:
        """Stop all model containers of the cluster."""
