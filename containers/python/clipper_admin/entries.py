"""Applications, models and versions of a cluster as plain data."""

from typing import Any, Dict, List, Optional

from .nginxconf import Directive
from .selection import Link, Selection

#: `image` of a model whose containers somebody else runs.
NO_CONTAINER = "NO_CONTAINER"

#: Batch size that lets the server find the best one.
ADAPTIVE = -1

#: Directives that tune one version, beside `batch`.
VERSION_TUNING = ("batch_max", "batch_wait")

#: Directives that tune a model with all its versions.
MODEL_TUNING = ("queue", "queue_size", "hedge", "replica_timeout")


class Application:
    """An application: what queries look like and who answers them.

    Attributes:
        name: also the first part of its path.
        input_type: canonical name.
        default_output: answered when there is no better answer in time.
        slo_micros: time to answer in microseconds; a multiple of 1 000.
        links: the models that may answer, in order.
        selection: how one of them is chosen.
        others: directives that are kept as they are.
    """

    def __init__(
        self, name: str, input_type: str, default_output: str, slo_micros: int
    ) -> None:
        self.name = name
        self.input_type = input_type
        self.default_output = default_output
        self.slo_micros = slo_micros
        self.links: List[Link] = []
        self.selection = Selection()
        self.others: List[Directive] = []

    def linked_models(self) -> List[str]:
        """Names of the linked models, without versions, each once."""
        return list(dict.fromkeys(link.model for link in self.links))

    def describe(self) -> Dict[str, Any]:
        """The application as Clipper's API reports it.

        One with a selection policy has two members more.
        """
        more: Dict[str, Any] = {}
        if self.selection.policy is not None:
            more = {
                "selection_policy": " ".join(self.selection.policy),
                "links": [link.describe() for link in self.links],
            }
        return {
            "input_type": self.input_type,
            "default_output": self.default_output,
            "latency_slo_micros": self.slo_micros,
            "name": self.name,
            "linked_models": self.linked_models(),
            **more,
        }


class Version:
    """One version of a model.

    Attributes:
        name: the version's text.
        input_type: canonical name.
        labels: free texts.
        image: where its containers come from, or NO_CONTAINER.
        batch_size: most inputs in a batch; ADAPTIVE lets the server choose.
        others: directives that are kept as they are.
    """

    def __init__(self, name: str, input_type: str) -> None:
        self.name = name
        self.input_type = input_type
        self.labels: List[str] = []
        self.image = NO_CONTAINER
        self.batch_size = ADAPTIVE
        self.others: List[Directive] = []


class Model:
    """A model: its versions and which of them is current.

    Attributes:
        name: the model's name.
        current: the version that answers; it may have been deleted since.
        versions: by name, in the order of registration.
        others: directives that are kept as they are.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.current: Optional[str] = None
        self.versions: Dict[str, Version] = {}
        self.others: List[Directive] = []

    def current_version(self) -> Optional[Version]:
        """The version that answers, if it exists."""
        if self.current is None:
            return None
        return self.versions.get(self.current)

    def describe(self, version: Version) -> Dict[str, Any]:
        """A version as Clipper's API reports it."""
        return {
            "model_name": self.name,
            "model_version": version.name,
            "input_type": version.input_type,
            "labels": list(version.labels),
            "container_name": version.image,
            "model_data_path": "DEPRECATED",
            "is_current_version": version.name == self.current,
            "batch_size": version.batch_size,
        }
