"""Start a cluster again whose containers were stopped with their host.

Addresses may have changed: the frontend gets those that it needs, and model
containers, which know the frontend by its address, are replaced.
"""

import json
from typing import Any, Callable, ContextManager, Dict, List

from .. import again
from ..catalog import Catalog
from ..exceptions import ClipperException
from . import engine, frontend
from .frontend import Frontend
from .replicas import Replicas


def runs(container: Any) -> bool:
    """Whether a container runs, or is about to."""
    return container.status in ("running", "restarting", "paused")


def start(container: Any) -> None:
    """Start a container that was stopped.

    Raises:
        ClipperException: the engine refuses, such as when another program
            has one of its ports.
    """
    with engine.failures("Could not start %s again" % container.name):
        if not runs(container):
            container.start()


def start_frontend(container: Any, changed: Dict[str, Any]) -> None:
    """Start a frontend that was stopped.

    Args:
        changed: members of its settings that may be others now.

    Raises:
        ClipperException: the engine refuses.
    """
    with engine.failures("The frontend container has lost its files"):
        cluster = json.loads(
            engine.read_file(container, frontend.HOME + "/cluster.json")
        )
    settings = {**cluster, **changed}
    if settings != cluster:
        Frontend(container).write_settings(settings)
    start(container)


def bring_back(
    replicas: Replicas,
    front: Frontend,
    address: str,
    lock: Callable[[str], ContextManager[None]],
    logger: Any,
) -> None:
    """Replace the model containers of the frontend's life before.

    A version that does not become ready is not an error: the rest serves, its
    containers stay, and the next `connect` tries again.

    Args:
        address: of the frontend.
        lock: of a model's containers, by its name.
    """
    entry = "%s:%s" % (front.container.name, address)
    if not _left(replicas, front, entry):
        return
    catalog = Catalog.read(front.read_fragments())
    logger.info("Starting the containers of models again")
    for name in catalog.models:
        with lock(name):
            _bring_back_model(
                replicas, catalog, name, _left(replicas, front, entry), logger
            )
    again.report(catalog, logger)


def _bring_back_model(
    replicas: Replicas, catalog: Catalog, name: str, left: List[Any],
    logger: Any,
) -> None:
    of: Dict[str, List[Any]] = {}
    for one in left:
        of.setdefault("%s:%s" % replicas.expected(one).key, []).append(one)
    counts = {key: len(ones) for key, ones in of.items()}
    for what, count in again.wanted(catalog, counts).items():
        if what.name != name:
            continue
        others = len(replicas.of(what.name, what.version)) - len(
            [one for one in of[str(what)] if runs(one)])
        ready = count
        try:
            replicas.add(what, count, count + others)
            replicas.discard(of[str(what)])
        except ClipperException as error:
            logger.error("%s was not started again: %s", what, error)
            ready = 0
        logger.info("%s has %d of %d replicas again", what, ready + others,
                    count + others)


def _left(replicas: Replicas, front: Frontend, entry: str) -> List[Any]:
    """Model containers that no frontend will hear of again.

    Args:
        entry: of the frontend among their hosts.
    """
    began = engine.started(front.container)
    return [
        one for one in replicas.of(stopped=True)
        if (entry not in (one.attrs["HostConfig"].get("ExtraHosts") or [])
            if runs(one) else engine.started(one) < began)
    ]
