"""What a model container is: its version, its image and its options."""

import dataclasses
from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .exceptions import ClipperException


def create_model_container_label(name: str, version: str) -> str:
    """The label of a version's containers: ``name_version``."""
    return "%s_%s" % (name, version)


def parse_model_container_label(label: str) -> List[str]:
    """Split a label into model name and version.

    Raises:
        ClipperException: the label does not have the form ``name_version``.
    """
    parts = label.split("_")
    if len(parts) != 2:
        raise ClipperException(
            "Unable to parse model container label %s" % label
        )
    return parts


class ContainerOptions(NamedTuple):
    """How the containers of a version run.

    Attributes:
        env: environment variables.
        cpus: processor cores for each container; None for no limit.
        memory: bytes for each container, or a text such as ``"2g"``; None
            for no limit.
        gpus: number of GPUs, list of their indices, or ``"all"``; None
            leaves the choice to the engine.
    """

    env: Optional[Mapping[str, str]] = None
    cpus: Optional[float] = None
    memory: Any = None
    gpus: Any = None


class ImageSource(NamedTuple):
    """What the image of a version is built from.

    Attributes:
        name: of the model.
        version: of the model.
        model_data_path: the model directory.
        base_image: image with the program that runs the model.
        registry: registry that the image is pushed to; None for none.
        packages: pip's requirement strings.
    """

    name: str
    version: str
    model_data_path: str
    base_image: str
    registry: Optional[str] = None
    packages: Sequence[str] = ()

    def image(self, cluster_name: str) -> str:
        """Name of the image, without a registry."""
        return "%s-%s:%s" % (cluster_name, self.name, self.version)


@dataclasses.dataclass(frozen=True)
class Deployed:
    """A version of a model and what its containers are made of."""

    name: str
    version: str
    input_type: str
    image: str

    @property
    def label(self) -> str:
        """The label of its containers."""
        return create_model_container_label(self.name, self.version)

    @property
    def key(self) -> Tuple[str, str]:
        """Name and version."""
        return self.name, self.version

    def __str__(self) -> str:
        return "%s:%s" % (self.name, self.version)
