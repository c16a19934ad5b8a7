"""The cluster of a frontend container, for the services inside it.

The container has the files of a local cluster, and nginx as its first process.
There is no supervisor: the engine keeps the container running, and programs
that reach the engine start and stop the containers of models.
"""

import os
import signal

from .manager import LocalContainerManager
from .supervisor import SETTINGS

#: Where nginx writes the number of its first process.
_PID = "nginx.pid"


class InsideManager(LocalContainerManager):
    """Changes the configuration of the nginx of its container.

    Args:
        directory: the cluster's files.
    """

    def __init__(self, directory: str) -> None:
        super().__init__(state_dir=directory)

    def _runs(self) -> bool:
        return os.path.exists(self._directory.file(_PID))

    def _reload(self) -> None:
        with open(self._directory.file(_PID), encoding="ascii") as f:
            os.kill(int(f.read()), signal.SIGHUP)


def manager_of(directory: str) -> LocalContainerManager:
    """The manager of the cluster in a directory."""
    if os.path.exists(os.path.join(directory, SETTINGS)):
        return LocalContainerManager(state_dir=directory)
    return InsideManager(directory)
