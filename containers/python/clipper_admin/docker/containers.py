"""The containers of a cluster on an engine: find, start, stop."""

import concurrent.futures
import contextlib
import os
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from ..container_manager import CLIPPER_DOCKER_LABEL, CLIPPER_NAME_LABEL
from ..exceptions import ClipperException
from . import engine, frontend, network
from .images import Images


class Containers:
    """The containers of one cluster, which bear its label.

    Args:
        client: of the engine.
        cluster_name: value of the label.
        network_name: network of the containers.
        images: the images that they are started from.
        extra: further arguments of the `docker` package for all containers.
    """

    def __init__(
        self,
        client: Any,
        cluster_name: str,
        network_name: str,
        images: Images,
        extra: Mapping[str, Any],
    ) -> None:
        self._client = client
        self._cluster_name = cluster_name
        self._network_name = network_name
        self._images = images
        self._extra = dict(extra)

    def find(
        self, labels: Mapping[str, Optional[str]], stopped: bool = False
    ) -> List[Any]:
        """Containers that have some labels, oldest first.

        Args:
            labels: values by name; None for any value.
            stopped: include those that do not run.
        """
        wanted = {CLIPPER_DOCKER_LABEL: self._cluster_name, **labels}
        with engine.failures("The engine does not list containers"):
            found = self._client.containers.list(
                all=stopped, filters=engine.labels_of(wanted),
                ignore_removed=True,
            )
        return sorted(found, key=engine.created)

    def address_of(self, container: Any) -> str:
        """Address of a container in the cluster's network.

        Raises:
            ClipperException: the container is not in the network.
        """
        return network.address_of(container, self._network_name)

    def need_image(self, image: str) -> None:
        """See `Images.need`."""
        self._images.need(image)

    def run(
        self,
        image: str,
        name: str,
        labels: Mapping[str, str],
        archive: Optional[Callable[[Any], bytes]] = None,
        place: str = os.path.dirname(frontend.HOME),
        **options: Any
    ) -> Any:
        """Start a container of the cluster.

        Args:
            name: name of the container.
            labels: added to those that all containers have.
            archive: gives what is unpacked before the container starts,
                once it is made.
            place: where, by default the parent of the frontend's directory.
            options: arguments of the `docker` package.

        Raises:
            ClipperException: the image does not exist, or the engine
                refuses.
        """
        extra: Dict[str, Any] = dict(self._extra)
        labels = {
            **(extra.pop("labels", None) or {}),
            CLIPPER_DOCKER_LABEL: self._cluster_name,
            CLIPPER_NAME_LABEL: name,
            **labels,
        }
        self.need_image(image)
        with engine.failures("Could not start a container of %s" % image):
            container = self._client.containers.create(
                image, name=name, labels=labels, detach=True,
                network=self._network_name, **{**options, **extra}
            )
            try:
                if archive is not None:
                    container.put_archive(place, archive(container))
                container.start()
            except BaseException:
                container.remove(force=True)
                raise
        return container

    def stop_together(
        self, containers: Sequence[Any], patience: int, graceful: bool
    ) -> None:
        """Stop and remove containers, all at the same time.

        Args:
            patience: seconds before a container is killed.
            graceful: False kills the containers at once.
        """
        if not containers:
            return

        def end(container: Any) -> None:
            if graceful:
                with contextlib.suppress(ClipperException):
                    with engine.failures("It has stopped already"):
                        container.stop(timeout=patience)
            self.discard(container)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(end, containers))

    def discard(self, container: Any) -> None:
        """Kill and remove a container if it exists."""
        import docker.errors

        with engine.failures("Could not remove %s" % container.name):
            with contextlib.suppress(docker.errors.NotFound):
                container.remove(force=True)
