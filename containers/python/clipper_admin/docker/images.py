"""Images of models, built by the engine."""

import os
import shlex
from typing import TYPE_CHECKING, Any, List, Optional

from ..exceptions import ClipperException
from . import engine

if TYPE_CHECKING:
    from .manager import DockerContainerManager

#: Where the runtime looks for a model.
_MODEL = "/model"

#: Where the check writes what it found: an engine may lose the output of a
#: process that ends quickly.
_REPORT = "/tmp/clipper-check"

#: Exit code of the check when the model does not fit.
_MISFIT = 5


class ImageBuilder:
    """Builds and checks images with a manager's engine."""

    def __init__(self, manager: "DockerContainerManager") -> None:
        self._manager = manager

    @property
    def _client(self) -> Any:
        return self._manager.client

    def need(self, image: str) -> None:
        """Make sure that an image is there, from its registry if need be.

        Raises:
            ClipperException: it is nowhere.
        """
        import docker.errors

        with engine.failures("No image %s" % image):
            try:
                self._client.images.get(image)
                return
            except docker.errors.ImageNotFound:
                self._manager.logger.info("Pulling %s", image)
            try:
                self._client.images.pull(image)
            except docker.errors.APIError as error:
                raise ClipperException(
                    "There is no image %s here, and it cannot be pulled. "
                    "Clipper's own images are built by `make images`. (%s)"
                    % (image, error.explanation or error)
                ) from error

    def build(
        self,
        name: str,
        version: str,
        model_data_path: str,
        base_image: str,
        registry: Optional[str],
        packages: List[str],
    ) -> str:
        """Build the image of a model; see `ContainerManager.build_model`."""
        if not os.path.isdir(model_data_path):
            raise ClipperException("No model directory %s" % model_data_path)
        image = "%s-%s:%s" % (self._manager.cluster_name, name, version)
        # A short name would mean a registry that the model is not in.
        image = "%s/%s" % (registry or "localhost", image)
        self.need(base_image)
        log = self._manager.logger
        log.info("Building %s on %s", image, base_image)
        engine.build(
            self._client,
            image,
            engine.build_context(
                recipe(base_image, packages), model_data_path
            ),
        )
        self._check(image)
        if registry:
            log.info("Pushing %s", image)
            engine.push(self._client, image)
        return image

    def _check(self, image: str) -> None:
        """Let the image compare the model's versions with its own.

        An image that is not of Clipper's making has no such check.
        """
        with engine.failures("Could not check %s" % image):
            container = self._client.containers.create(
                image,
                ["-m", "clipper_container.check", _MODEL, _REPORT],
                entrypoint=["python"],
                network_mode="none",
            )
            try:
                container.start()
                code = container.wait(timeout=60)["StatusCode"]
                said = ""
                if code == _MISFIT:
                    said = engine.read_file(container, _REPORT)
            finally:
                container.remove(force=True)
        if code == _MISFIT:
            raise ClipperException(
                "The model does not fit %s: %s" % (image, said)
            )


def recipe(base_image: str, packages: List[str]) -> str:
    """The Dockerfile of a model's image.

    Args:
        packages: pip's requirement strings.
    """
    lines = ["FROM " + base_image]
    if packages:
        lines.append(
            "RUN pip install --no-cache-dir --disable-pip-version-check -- "
            + " ".join(shlex.quote(one) for one in packages)
        )
    lines.append("COPY model %s/" % _MODEL)
    return "\n".join(lines) + "\n"
