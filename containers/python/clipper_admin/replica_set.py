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
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
)

from . import arrivals
from . import status as server_status
from .arrivals import Expected
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
        get_status: see `ContainerManager.get_status`.
        deploy_timeout: seconds that a container may take to load its model.
        logger: logger of the cluster.
    """

    get_status: Callable[[], Dict[str, Any]]
    deploy_timeout: float
    logger: Any


class Started(NamedTuple):
    """A new container, and how the server knows it."""

    container: Any
    expected: Expected


class ReplicaSet(abc.ABC):
    """The model containers of one cluster.

    Args:
        server: the cluster's server.

    Attributes:
        server: the same.
    """

    def __init__(self, server: Server) -> None:
        self.server = server

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
    def expected(self, container: Any) -> Expected:
        """How the server knows a container that was started."""

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
            self.server.logger.info("%sAdding %d", found, missing)
            self.add(what, missing, count)
        elif len(running) > count:
            surplus = running[count:]
            self.server.logger.info("%sRemoving %d", found, len(surplus))
            self.remove(surplus)

    def nameless(self, what: Deployed) -> int:
        """How many replicas of a version have no token; 0 if unknown.

        One that a reload has just disconnected is about to be back, so the
        containers that run are counted as well.
        """
        with contextlib.suppress(OSError):
            status = self.server.get_status()
            running = [
                self.expected(one) for one in self.find(what.label, False)
            ]
            return max(
                arrivals.count_nameless(status, what.key),
                len(arrivals.without_token(running, status)),
            )
        return 0

    def wait_until_ready(
        self, what: Deployed, started: Callable[[], List[Started]], before: int
    ) -> None:
        """Wait until new containers are ready.

        Args:
            started: returns them in the order of their start; raises when
                one of them was removed.
            before: what `nameless` returned before they were started.

        Raises:
            ClipperException: a container ended, was refused, or took longer
                than the cluster's `deploy_timeout`.
        """
        began = time.monotonic()
        next_log = began + _LOG_INTERVAL
        while True:
            replicas = started()
            expected = [one.expected for one in replicas]
            late = list(range(len(replicas)))
            with contextlib.suppress(OSError):
                late = arrivals.missing(
                    expected, self.server.get_status(), {what.key: before}
                )
            if not late:
                return
            waiting = [replicas[i].container for i in late]
            for one in waiting:
                self._check(one)
            passed = time.monotonic() - began
            if passed > self.server.deploy_timeout:
                raise ClipperException(
                    "Container %s is not ready within %d seconds: no replica "
                    "of %s with inputs of type %s has registered for it. Its "
                    "last lines:\n%s"
                    % (self.name_of(waiting[0]),
                       self.server.deploy_timeout, what, what.input_type,
                       self.last_lines(waiting[0]))
                )
            if time.monotonic() > next_log:
                next_log += _LOG_INTERVAL
                self.server.logger.info(
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

    @contextlib.contextmanager
    def until_forgotten(self, containers: Sequence[Any]) -> Iterator[None]:
        """Stop containers in the context; wait for the server at its end.

        It ends when the server no longer lists them, or after a limit.

        Args:
            containers: those that are stopped.
        """
        gone = [self.expected(one) for one in containers]
        hashes = {server_status.token_hash(one.token) for one in gone}
        status: Dict[str, Any] = {}
        with contextlib.suppress(OSError):
            status = self.server.get_status()
        most: Dict[arrivals.Key, int] = {}
        for one in arrivals.without_token(gone, status):
            most.setdefault(
                one.key, arrivals.count_nameless(status, one.key)
            )
            most[one.key] = max(0, most[one.key] - 1)
        yield
        deadline = time.monotonic() + _LEAVE_TIMEOUT
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if not arrivals.remaining(
                    self.server.get_status(), hashes, most
                ):
                    return
            time.sleep(0.02)
