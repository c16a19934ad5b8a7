"""Start the containers of a cluster again that was not stopped."""

import contextlib
import time
from typing import Any, Dict, List

from .. import again, arrivals
from ..catalog import Catalog
from ..exceptions import ClipperException
from .directory import ClusterDirectory
from .replicas import Replicas

#: Starts of a container that show that it cannot start.
_HOPELESS = 3


def bring_back(
    replicas: Replicas, directory: ClusterDirectory, logger: Any
) -> None:
    """Start the containers that a cluster had; log what is back.

    A container that does not become ready is not an error: the rest of the
    cluster serves, and the supervisor keeps trying. The log has its last
    lines.
    """
    catalog = Catalog.read(directory.read_fragments())
    started: Dict[str, List[str]] = {}
    wanted = again.wanted(catalog, replicas.counts())
    for what, count in wanted.items():
        try:
            started[str(what)] = replicas.start_again(what, count)
        except ClipperException as error:
            logger.error("%s was not started again: %s", what, error)
    late = _wait(replicas, [one for ids in started.values() for one in ids])
    for name, ids in started.items():
        ready = len([one for one in ids if one not in late])
        logger.info("%s has %d of %d replicas again", name, ready, len(ids))
    for one in replicas.of():
        if one["id"] in late:
            logger.error(
                "Container %s is not ready; the supervisor keeps trying. Its "
                "last lines:\n%s", one["id"], replicas.last_lines(one)
            )
    again.report(catalog, logger)


def _wait(replicas: Replicas, ids: List[str]) -> List[str]:
    """Wait until containers are ready; returns those that are not.

    Those that ended several times are not waited for.
    """
    deadline = time.monotonic() + replicas.server.deploy_timeout
    while True:
        status: Dict[str, Any] = {}
        with contextlib.suppress(OSError):
            status = replicas.server.get_status()
        started = [one for one in replicas.of() if one["id"] in ids]
        late = [
            started[i] for i in arrivals.missing(
                [replicas.expected(one) for one in started], status
            )
        ]
        if (
            all(one["starts"] >= _HOPELESS for one in late)
            or time.monotonic() > deadline
        ):
            return [one["id"] for one in late]
        time.sleep(0.05)
