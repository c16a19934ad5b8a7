"""The model containers of a cluster: how many run, and when they are ready.

A subclass starts and stops containers. Counting, waiting and error messages
are the same for all.
"""

import abc
import contextlib
import time
from typing import (
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
)

from . import status as server_status
from .containers import (
    ContainerOptions,
    Deployed,
    create_model_container_label,
)
from .exceptions import ClipperException
from .limits import check_count

#: What a container logs when the server refuses it.
_REFUSED = "The frontend refused"

#: Seconds for the server to forget a container that has ended.
_LEAVE_TIMEOUT = 10.0

#: Seconds between two log lines of a deployment that takes long.
_LOG_INTERVAL = 5.0


class Server(NamedTuple):
    """The server that containers connect to.

    Attributes:
        get_status: returns its status JSON.
        deploy_timeout: seconds that a container may take to load its model.
        logger: logger of the cluster.
    """

    get_status: Callable[[], Dict[str, Any]]
    deploy_timeout: float
    logger: Any


class ReplicaSet(abc.ABC):
    """The model containers of one cluster.

    Args:
        server: the cluster's server.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    @property
    def deploy_timeout(self) -> float:
        """Seconds that a container may take to load its model."""
        return self._server.deploy_timeout

    def get_status(self) -> Dict[str, Any]:
        """The server's status JSON.

        Raises:
            OSError: the server does not answer.
        """
        return self._server.get_status()

    # How containers are kept.

    @abc.abstractmethod
    def find(self, label: Optional[str], stopped: bool) -> List[Any]:
        """Containers with a label, oldest first.

        Args:
            label: None for all containers.
            stopped: include those that do not run.
        """

    @abc.abstractmethod
    def keep_options(self, what: Deployed, options: ContainerOptions) -> None:
        """Store the options of a version for all its containers.

        Raises:
            ClipperException: the image does not exist.
        """

    @abc.abstractmethod
    def add(self, what: Deployed, missing: int, total: int) -> None:
        """Start containers of a version; returns when they are ready.

        Args:
            missing: how many to start.
            total: how many run afterwards.

        Raises:
            ClipperException: a container failed (with its last lines); all
                new ones are removed.
        """

    @abc.abstractmethod
    def remove(self, containers: Sequence[Any]) -> None:
        """Stop containers; returns when the server has dropped them."""

    @abc.abstractmethod
    def name_of(self, container: Any) -> str:
        """Name of a container."""

    @abc.abstractmethod
    def end_of(self, container: Any) -> Optional[str]:
        """How a container ended, such as `` with exit code 1``.

        Returns:
            None while it runs.
        """

    @abc.abstractmethod
    def last_lines(self, container: Any) -> str:
        """Last lines of a container's log."""

    # What is the same for all.

    def of(
        self, name: Optional[str] = None, version: str = "",
        stopped: bool = False,
    ) -> List[Any]:
        """Containers of a version, oldest first.

        Args:
            name: None for all containers of the cluster.
            stopped: include those that do not run.
        """
        if name is None:
            return self.find(None, stopped)
        return self.find(create_model_container_label(name, version), stopped)

    def deploy(
        self, what: Deployed, count: int, options: ContainerOptions
    ) -> None:
        """Start containers of a version that has none yet, see `scale`."""
        self.keep_options(what, options)
        self.scale(what, count)

    def scale(self, what: Deployed, count: int) -> None:
        """Start or stop containers of a version; the newest stop first.

        Raises:
            ClipperException: the count is not valid, or a container failed
                (with its last lines); all new ones are removed.
        """
        check_count(count)
        running = self.find(what.label, False)
        found = "Found %d replicas for %s. " % (len(running), what)
        if len(running) < count:
            missing = count - len(running)
            self._server.logger.info("%sAdding %d", found, missing)
            self.add(what, missing, count)
        elif len(running) > count:
            surplus = running[count:]
            self._server.logger.info("%sRemoving %d", found, len(surplus))
            self.remove(surplus)

    def wait_until_ready(
        self, what: Deployed, by_token: Callable[[], Mapping[str, Any]]
    ) -> None:
        """Wait until new containers are ready.

        Args:
            by_token: returns the containers by replica token; raises when
                one of them was removed.

        Raises:
            ClipperException: a container ended, was refused, or took longer
                than the cluster's `deploy_timeout`.
        """
        began = time.monotonic()
        next_log = began + _LOG_INTERVAL
        while True:
            replicas = by_token()
            known: Set[str] = set()
            with contextlib.suppress(OSError):
                known = server_status.ready(self._server.get_status())
            waiting = [
                one for token, one in replicas.items()
                if server_status.token_hash(token) not in known
            ]
            if not waiting:
                return
            for one in waiting:
                self._check(one)
            passed = time.monotonic() - began
            if passed > self._server.deploy_timeout:
                raise ClipperException(
                    "Container %s is not ready within %d seconds. Its last "
                    "lines:\n%s"
                    % (self.name_of(waiting[0]),
                       self._server.deploy_timeout,
                       self.last_lines(waiting[0]))
                )
            if time.monotonic() > next_log:
                next_log += _LOG_INTERVAL
                self._server.logger.info(
                    "Waiting for %d of %d replicas of %s (%d s)",
                    len(waiting), len(replicas), what, passed,
                )
            time.sleep(0.05)

    def _check(self, container: Any) -> None:
        """Raise when a container has ended or is refused."""
        how = self.end_of(container)
        lines = self.last_lines(container)
        if how is not None:
            what = "ended" + how
        elif _REFUSED in lines:
            what = "was refused"
        else:
            return
        raise ClipperException(
            "Container %s %s. Its last lines:\n%s"
            % (self.name_of(container), what, lines)
        )

    def wait_until_forgotten(self, tokens: Set[str]) -> None:
        """Wait until the server no longer lists replicas, up to a limit."""
        deadline = time.monotonic() + _LEAVE_TIMEOUT
        hashes = {server_status.token_hash(token) for token in tokens}
        while hashes and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                status = self._server.get_status()
                hashes = hashes & {
                    str(one.get("token_hash"))
                    for one in server_status.replicas(status)
                }
            if hashes:
                time.sleep(0.02)
