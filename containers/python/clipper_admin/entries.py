"""Plain data of a cluster: applications, models, versions."""

from typing import Any, Dict, List, Optional, Tuple

from .nginxconf import Directive
from .selection import Link, Selection
from .settings import describe_settings

#: `image` of a version whose containers run elsewhere.
NO_CONTAINER = "NO_CONTAINER"

#: Batch size that the server chooses.
ADAPTIVE = -1

#: Directives besides `batch` that tune one version.
VERSION_TUNING = ("batch_max", "batch_wait", "batch_timeout")

#: Directives that tune a model with all its versions.
MODEL_TUNING = ("queue", "queue_size", "hedge", "replica_timeout")


class Application:
    """An application: its input type, SLO, links and selection.

    Attributes:
        name: also the first part of its path.
        input_type: canonical name of the input type.
        default_output: output when no model answers within the SLO.
        slo_micros: latency SLO in microseconds; a multiple of 1 000.
        links: models that may answer, in order.
        selection: how the application selects among them.
        input_options: arguments of `clipper_input` after the type.
        settings: directives by the name of their setting.
        others: directives that stay as they are.
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
        self.input_options: Tuple[str, ...] = ()
        self.settings: Dict[str, List[Directive]] = {}
        self.others: List[Directive] = []

    def linked_models(self) -> List[str]:
        """Names of the linked models, without versions, each once."""
        return list(dict.fromkeys(link.model for link in self.links))

    def describe(self) -> Dict[str, Any]:
        """The application in the form of Clipper's API.

        An application with a selection policy has two more members, and one
        for each setting that it has.
        """
        more: Dict[str, Any] = {}
        if self.selection.policy is not None:
            more = {
                "selection_policy": " ".join(self.selection.policy),
                "links": [link.describe() for link in self.links],
            }
        more.update(describe_settings(self.settings))
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
        name: text of the version.
        input_type: canonical name of the input type.
        labels: free texts.
        image: image of its containers, or NO_CONTAINER.
        batch_size: maximum batch size; ADAPTIVE lets the server choose.
        others: directives that stay as they are.
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
        name: name of the model.
        current: name of the version that answers; it may be deleted.
        versions: versions by name, in the order of registration.
        others: directives that stay as they are.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.current: Optional[str] = None
        self.versions: Dict[str, Version] = {}
        self.others: List[Directive] = []

    def current_version(self) -> Optional[Version]:
        """The version that answers; None when it does not exist."""
        if self.current is None:
            return None
        return self.versions.get(self.current)

    def describe(self, version: Version) -> Dict[str, Any]:
        """A version in the form of Clipper's API."""
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
