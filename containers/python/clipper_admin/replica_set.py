"""The model containers of a cluster: how many, when ready, when forgotten.

What a container is, and how one starts and ends, is its manager's business;
what is said and waited for is the same for all.
"""

import abc
import contextlib
import dataclasses
import time
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
)

from . import status as server_status
from .container_manager import ContainerOptions, create_model_container_label
from .exceptions import ClipperException
from .limits import check_count

if TYPE_CHECKING:
    from .cluster_manager import ClusterManager

#: What a container logs when the server does not want it.
_REFUSED = "The frontend refused"

#: Seconds for the server to forget a container that has ended.
_LEAVE_TIMEOUT = 10.0

#: Seconds between two words of a deployment that takes long.
_WORD = 5.0


@dataclasses.dataclass(frozen=True)
class Deployed:
    """A version of a model, and what its containers are made of."""

    name: str
    version: str
    input_type: str
    image: str

    @property
    def label(self) -> str:
        """What its containers are known by."""
        return create_model_container_label(self.name, self.version)

    def __str__(self) -> str:
        return "%s:%s" % (self.name, self.version)


class ReplicaSet(abc.ABC):
    """The model containers of one cluster.

    Args:
        manager: of the cluster.
    """

    def __init__(self, manager: "ClusterManager") -> None:
        self._cluster = manager

    # How containers are kept.

    @abc.abstractmethod
    def find(self, label: Optional[str], stopped: bool) -> List[Any]:
        """Containers with a label or all (None), oldest first.

        Args:
            stopped: those that do not run, too.
        """

    @abc.abstractmethod
    def keep_options(self, what: Deployed, options: ContainerOptions) -> None:
        """Note how all containers of a version are run, also later ones.

        Raises:
            ClipperException: there is no such image.
        """

    @abc.abstractmethod
    def add(self, what: Deployed, missing: int, total: int) -> None:
        """Start containers of a version; returns when they are ready.

        Args:
            missing: how many.
            total: how many there are then.

        Raises:
            ClipperException: with a container's last lines; none of them is
                left.
        """

    @abc.abstractmethod
    def remove(self, containers: Sequence[Any]) -> None:
        """Stop containers; the server has forgotten them then."""

    @abc.abstractmethod
    def name_of(self, container: Any) -> str:
        """A container's name."""

    @abc.abstractmethod
    def end_of(self, container: Any) -> Optional[str]:
        """How a container ended, such as `` with exit code 1``.

        Returns:
            None when it runs.
        """

    @abc.abstractmethod
    def last_lines(self, container: Any) -> str:
        """The end of a container's log."""

    # What is the same for all.

    def of(
        self, name: Optional[str] = None, version: str = "",
        stopped: bool = False,
    ) -> List[Any]:
        """Containers of a version or of all (None), oldest first.

        Args:
            stopped: those that do not run, too.
        """
        if name is None:
            return self.find(None, stopped)
        return self.find(create_model_container_label(name, version), stopped)

    def deploy(
        self, what: Deployed, count: int, options: ContainerOptions
    ) -> None:
        """Run containers of a version that has none yet.

        Raises:
            ClipperException: with the container's last lines; none is left.
        """
        self.keep_options(what, options)
        self.scale(what, count)

    def scale(self, what: Deployed, count: int) -> None:
        """Run as many containers of a version, the newest stop first."""
        check_count(count)
        running = self.find(what.label, False)
        found = "Found %d replicas for %s. " % (len(running), what)
        if len(running) < count:
            missing = count - len(running)
            self._cluster.logger.info("%sAdding %d", found, missing)
            self.add(what, missing, count)
        elif len(running) > count:
            surplus = running[count:]
            self._cluster.logger.info("%sRemoving %d", found, len(surplus))
            self.remove(surplus)

    def wait_until_ready(
        self, what: Deployed, by_token: Callable[[], Mapping[str, Any]]
    ) -> None:
        """Wait until containers that were started take work.

        Args:
            by_token: the containers by their replica tokens; raises when one
                of them is not there any more.

        Raises:
            ClipperException: one of them has ended, is refused, or takes
                longer than the cluster's `deploy_timeout`.
        """
        began = time.monotonic()
        next_word = began + _WORD
        while True:
            replicas = by_token()
            known: List[str] = []
            with contextlib.suppress(OSError):
                known = server_status.tokens(self._cluster.get_status())
            waiting = [
                one for token, one in replicas.items() if token not in known
            ]
            if not waiting:
                return
            for one in waiting:
                self._check(one)
            passed = time.monotonic() - began
            if passed > self._cluster.deploy_timeout:
                raise ClipperException(
                    "Container %s is not ready within %d seconds. Its last "
                    "lines:\n%s"
                    % (self.name_of(waiting[0]),
                       self._cluster.deploy_timeout,
                       self.last_lines(waiting[0]))
                )
            if time.monotonic() > next_word:
                next_word += _WORD
                self._cluster.logger.info(
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
        """Wait until the server does not list replicas any more."""
        deadline = time.monotonic() + _LEAVE_TIMEOUT
        while tokens and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                status = self._cluster.get_status()
                tokens = tokens & {
                    str(one.get("token"))
                    for one in server_status.replicas(status)
                }
            if tokens:
                time.sleep(0.02)
