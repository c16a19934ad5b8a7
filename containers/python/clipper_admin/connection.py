"""A connection to a cluster: start, stop, addresses, status, changes."""

import logging
from typing import Any, Callable, Dict, List

from .catalog import Catalog
from .container_manager import ContainerManager, Result
from .exceptions import ClipperException, UnconnectedException
from .version import __registry__, __version__

DEFAULT_PREDICTION_CACHE_SIZE_BYTES = 33554432

logger = logging.getLogger(__name__)


def _image(name: str) -> str:
    return "%s/%s:%s" % (__registry__, name, __version__)


def _show_log() -> None:
    """Print the package's log lines unless the program set up logging."""
    package = logging.getLogger("clipper_admin")
    if package.handlers or logging.getLogger().handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(
        logging.Formatter(
            "%(asctime)s %(levelname)-8s [%(filename)s:%(lineno)d] "
            "%(message)s",
            datefmt="%y-%m-%d:%H:%M:%S",
        )
    )
    package.addHandler(handler)
    package.setLevel(logging.INFO)
    package.propagate = False


class Connection:
    """The base of all parts of `ClipperConnection`.

    Args:
        container_manager: runs the cluster.

    Attributes:
        cm: the container manager.
        connected: whether `start_clipper` or `connect` has succeeded.
    """

    def __init__(self, container_manager: ContainerManager) -> None:
        self.connected = False
        self.cm = container_manager

    # The cluster.

    def start_clipper(
        self,
        query_frontend_image: str = _image("query_frontend"),
        mgmt_frontend_image: str = _image("management_frontend"),
        frontend_exporter_image: str = _image("frontend-exporter"),
        cache_size: int = DEFAULT_PREDICTION_CACHE_SIZE_BYTES,
        qf_http_thread_pool_size: int = 1,
        qf_http_timeout_request: int = 5,
        qf_http_timeout_content: int = 300,
        num_frontend_replicas: int = 1,
    ) -> None:
        """Start a new cluster and connect to it.

        Args:
            query_frontend_image: image of the server, for container engines.
            mgmt_frontend_image: not used: there is no management service.
            frontend_exporter_image: not used: the server exports metrics.
            cache_size: bytes of the prediction cache; 0 turns it off.
            qf_http_thread_pool_size: not used: nginx has worker processes.
            qf_http_timeout_request: seconds to receive the request header.
            qf_http_timeout_content: seconds between two reads of the
                request body.
            num_frontend_replicas: number of query frontends; both managers
                run 1.

        Raises:
            ClipperException: the cluster exists or does not start.
        """
        _show_log()
        for given, usual, instead in (
            (mgmt_frontend_image, _image("management_frontend"),
             "nginx's configuration holds what it stored"),
            (frontend_exporter_image, _image("frontend-exporter"),
             "nginx exports metrics"),
            ("qf_http_thread_pool_size=%d" % qf_http_thread_pool_size,
             "qf_http_thread_pool_size=1",
             "set the manager's workers= instead"),
        ):
            if given != usual:
                logger.warning("%s is not used: %s", given, instead)
        self.cm.start_clipper(
            query_frontend_image,
            mgmt_frontend_image,
            frontend_exporter_image,
            cache_size,
            qf_http_thread_pool_size,
            qf_http_timeout_request,
            qf_http_timeout_content,
            num_frontend_replicas,
        )
        self.cm.wait_until_up()
        self.connected = True

    def connect(self) -> None:
        """Connect to a running cluster.

        Raises:
            ClipperException: no cluster of the manager's name runs.
        """
        _show_log()
        self.cm.connect()
        self.connected = True
        logger.info(
            "Successfully connected to Clipper cluster at %s",
            self.cm.get_query_addr(),
        )

    def stop_all(self, graceful: bool = True) -> None:
        """Stop the cluster with all its models.

        Args:
            graceful: False kills the processes at once.
        """
        self.cm.stop_all(graceful=graceful)
        self.connected = False

    def get_query_addr(self) -> str:
        """``host:port`` that clients send queries to."""
        self._check_connected()
        return self.cm.get_query_addr()

    def get_metric_addr(self) -> str:
        """``host:port`` of the metrics."""
        self._check_connected()
        return self.cm.get_metric_addr()

    def get_clipper_logs(self, logging_dir: str = "clipper_logs/") -> List[str]:
        """Copy the logs of the server and of all containers.

        Args:
            logging_dir: made when it does not exist.

        Returns:
            absolute paths of the files.
        """
        self._check_connected()
        return self.cm.get_logs(logging_dir)

    def inspect_instance(self) -> Dict[str, Any]:
        """The server's status JSON.

        Raises:
            ClipperException: the server does not answer.
        """
        self._check_connected()
        try:
            return self.cm.get_status()
        except OSError as error:
            raise ClipperException(
                "Clipper does not answer at %s: %s"
                % (self.cm.get_admin_addr(), error)
            ) from error

    # Inside.

    def _check_connected(self) -> None:
        if not self.connected:
            raise UnconnectedException()

    def _read(self) -> Catalog:
        self._check_connected()
        return self.cm.read_catalog()

    def _change(self, change: Callable[[Catalog], Result]) -> Result:
        """Apply a change to the catalog; on an error nothing changes."""
        return self.cm.change_catalog(change)
