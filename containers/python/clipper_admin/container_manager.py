"""What runs a cluster: the interface of the container managers.

A manager starts the server and the model containers, and keeps the
configuration fragments. `ClipperConnection` decides what they say.
"""

import abc
import logging
from typing import Any, ContextManager, Dict, List, Mapping, NamedTuple, Optional

from .exceptions import ClipperException

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


def create_model_container_label(name: str, version: str) -> str:
    """The label of a version's containers: ``name_version``."""
    return "%s_%s" % (name, version)


def parse_model_container_label(label: str) -> List[str]:
    """Name and version of a label.

    Raises:
        ClipperException: when it has not the form ``name_version``.
    """
    parts = label.split("_")
    if len(parts) != 2:
        raise ClipperException(
            "Unable to parse model container label %s" % label
        )
    return parts


class ClusterAdapter(logging.LoggerAdapter):
    """Puts the cluster's name before each line of a log."""

    def process(self, msg: Any, kwargs: Any) -> Any:
        name = (self.extra or {}).get("cluster_name", "")
        return "[%s] %s" % (name, msg), kwargs


class ContainerOptions(NamedTuple):
    """How the containers of a version are run.

    Attributes:
        env: environment variables.
        cpus: processor cores each of them may use; None for no limit.
        memory: bytes, or a text as ``"2g"``; None for no limit.
        gpus: a number of GPUs, a list of their indices, or ``"all"``; None
            leaves the choice to the engine.
    """

    env: Optional[Mapping[str, str]] = None
    cpus: Optional[float] = None
    memory: Any = None
    gpus: Any = None


class ContainerManager(abc.ABC):
    """Runs one cluster.

    Attributes:
        cluster_identifier: the cluster's name.
    """

    cluster_identifier: str = ""

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

        Raises:
            ClipperException: it exists already, or does not start.
        """

    @abc.abstractmethod
    def connect(self) -> None:
        """Find a running cluster.

        Raises:
            ClipperException: there is none.
        """

    @abc.abstractmethod
    def stop_all(self, graceful: bool = True) -> None:
        """End everything that belongs to the cluster."""

    @abc.abstractmethod
    def get_logs(self, logging_dir: str) -> List[str]:
        """Copy the logs to a directory; returns the files' names."""

    @abc.abstractmethod
    def get_admin_addr(self) -> str:
        """``host:port`` of the operator's server."""

    @abc.abstractmethod
    def get_query_addr(self) -> str:
        """``host:port`` of the applications."""

    @abc.abstractmethod
    def get_metric_addr(self) -> str:
        """``host:port`` of the metrics."""

    # Configuration and status.

    @abc.abstractmethod
    def config_lock(self) -> ContextManager[None]:
        """Hold off other programs that would change the configuration."""

    @abc.abstractmethod
    def model_lock(self, name: str) -> ContextManager[None]:
        """Hold off other programs that would run containers of a model."""

    @abc.abstractmethod
    def read_fragments(self) -> Dict[str, str]:
        """The fragments in force, see `catalog.Fragments`."""

    @abc.abstractmethod
    def apply_fragments(self, fragments: Mapping[str, str]) -> None:
        """Put fragments in force; call it under `config_lock`.

        Returns when every worker that accepts queries uses them.

        Raises:
            ClipperException: with nginx's line; everything is as it was.
        """

    @abc.abstractmethod
    def get_status(self) -> Dict[str, Any]:
        """What the server says of itself (the status JSON)."""

    # Models.

    @abc.abstractmethod
    def build_model(
        self,
        name: str,
        version: str,
        model_data_path: str,
        base_image: str,
        container_registry: Optional[str] = None,
        pkgs_to_install: Optional[List[str]] = None,
    ) -> str:
        """Make an image of a model directory; returns its name."""

    @abc.abstractmethod
    def deploy_model(
        self,
        name: str,
        version: str,
        input_type: str,
        image: str,
        num_replicas: int = 1,
        options: Optional[ContainerOptions] = None,
    ) -> None:
        """Run containers of a version; returns when they are ready.

        Raises:
            ClipperException: with a container's last lines; none is left.
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
        """Run as many containers of a version; the newest stop first."""

    @abc.abstractmethod
    def stop_models(self, models: Mapping[str, List[str]]) -> None:
        """Stop the containers of versions, by model name."""

    @abc.abstractmethod
    def stop_all_model_containers(self) -> None:
        """Stop all model containers of the cluster."""
