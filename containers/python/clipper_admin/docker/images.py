"""Images on an engine: pulled, built, checked, pushed."""

import contextlib
import re
import shlex
from typing import Any, Sequence

from ..containers import ImageSource
from ..exceptions import ClipperException
from . import engine

#: Where the runtime looks for a model.
_MODEL = "/model"

#: File with the check's result: an engine may lose the output of a process
#: that ends quickly.
_REPORT = "/tmp/clipper-check"

#: What an engine says when an image does not have a program.
_NO_PROGRAM = re.compile(r"not found|no such file", re.IGNORECASE)

#: A digest of a model directory.
_SEAL = re.compile("[0-9a-f]{64}")

#: Exit code of the check when the model does not fit.
_MISFIT = 5


class Images:
    """The images that a cluster uses.

    Args:
        client: of the engine.
        cluster_name: begins the names of built images.
        logger: logger of the cluster.
    """

    def __init__(self, client: Any, cluster_name: str, logger: Any) -> None:
        self._client = client
        self._cluster_name = cluster_name
        self._logger = logger

    def need(self, image: str) -> None:
        """Pull an image unless the engine has it.

        Raises:
            ClipperException: the engine does not have it and cannot pull it.
        """
        import docker.errors

        with engine.failures("No image %s" % image):
            try:
                self._client.images.get(image)
                return
            except docker.errors.ImageNotFound:
                self._logger.info("Pulling %s", image)
            try:
                self._client.images.pull(image)
            except docker.errors.APIError as error:
                raise ClipperException(
                    "There is no image %s here, and it cannot be pulled. "
                    "Clipper's own images are built by `make images`. (%s)"
                    % (image, error.explanation or error)
                ) from error

    def build(self, source: ImageSource) -> str:
        """Build the image of a model, see `ContainerManager.build_model`."""
        # Without a host the engine would look for it on a public registry.
        image = "%s/%s" % (
            source.registry or "localhost", source.image(self._cluster_name)
        )
        self.need(source.base_image)
        self._logger.info("Building %s on %s", image, source.base_image)
        engine.build(
            self._client,
            image,
            engine.build_context(
                recipe(source.base_image, source.packages),
                source.model_data_path,
            ),
        )
        seal = self._check(image)
        if seal:
            engine.build(self._client, image, engine.build_context(
                "FROM %s\nENV CLIPPER_MODEL_DIGEST=%s\n" % (image, seal)
            ))
        if source.registry:
            self._logger.info("Pushing %s", image)
            engine.push(self._client, image)
        return image

    def _check(self, image: str) -> str:
        """Check that an image has the versions that the model needs.

        Images that others made may lack the check; they pass.

        Returns:
            The digest of its model directory, which may also have files of
            the base image; empty if the image does not tell.

        Raises:
            ClipperException: it has other versions.
        """
        import docker.errors

        with engine.failures("Could not check %s" % image):
            container = self._client.containers.create(
                image,
                ["-m", "clipper_container.check", _MODEL, _REPORT],
                entrypoint=["python"],
                network_mode="none",
            )
            try:
                try:
                    container.start()
                except docker.errors.APIError as error:
                    # An image without Python runs no pickled function.
                    if not _NO_PROGRAM.search(str(error)):
                        raise
                    return ""
                code = container.wait(timeout=60)["StatusCode"]
                said = ""
                if code in (0, _MISFIT):
                    # An older runtime writes it only for a misfit.
                    with contextlib.suppress(docker.errors.NotFound):
                        said = engine.read_file(container, _REPORT)
            finally:
                container.remove(force=True)
        if code == _MISFIT:
            raise ClipperException(
                "The model does not fit %s: %s" % (image, said)
            )
        return said if _SEAL.fullmatch(said) else ""


def recipe(base_image: str, packages: Sequence[str]) -> str:
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
