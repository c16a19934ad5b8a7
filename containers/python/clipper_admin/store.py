"""Where a cluster keeps its configuration: the interface of the managers."""

import abc
from typing import ContextManager, Dict


class Store(abc.ABC):
    """Fragments and locks of a cluster, which all its programs share."""

    @abc.abstractmethod
    def lock(self, name: str) -> ContextManager[None]:
        """Hold a lock until the end of the context.

        Args:
            name: a file name.

        Raises:
            ClipperException: the cluster is gone, or another program holds
                the lock for too long.
        """

    @abc.abstractmethod
    def read_fragments(self) -> Dict[str, str]:
        """Fragments of the current generation, by their relative names."""

    @abc.abstractmethod
    def make_current(self, number: int) -> None:
        """Make a generation the current one."""
