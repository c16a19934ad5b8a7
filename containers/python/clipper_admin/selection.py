"""Links of an application and how it selects among their models.

An application without a selection policy has at most one model, as in the
original Clipper. An application with a policy has any number.
"""

from typing import Any, Iterable, List, NamedTuple, Optional, Tuple

from .exceptions import refused
from .names import check_model_part
from .nginxconf import Directive, directive

#: Policies of `clipper_select`.
POLICIES = (
    "first",
    "split",
    "epsilon_greedy",
    "ucb",
    "thompson",
    "exp3",
    "exp4",
    "majority",
    "mean",
)

LOSSES = ("zero_one", "absolute", "squared")

#: With fewer links the server refuses every policy but `first`.
_LINKS_TO_CHOOSE = 2

#: Until there are enough links the fragment has the policy under this name,
#: which nginx reads as a comment.
_WAITING = "#clipper_select"


class Link(NamedTuple):
    """A model that an application may ask.

    Attributes:
        model: name of the model.
        version: version of the model; None for the current one.
        weight: weight in a weighted policy; None for 1.
    """

    model: str
    version: Optional[str] = None
    weight: Optional[int] = None

    @property
    def text(self) -> str:
        """The argument of `clipper_link`: ``model`` or ``model:version``."""
        if self.version is None:
            return self.model
        return "%s:%s" % (self.model, self.version)

    def describe(self) -> str:
        """The link in the form of `get_app_info`."""
        if self.weight is None:
            return self.text
        return "%s weight=%d" % (self.text, self.weight)


class Selection(NamedTuple):
    """How an application selects: arguments of its directives.

    Attributes:
        policy: arguments of `clipper_select`; None for a single model.
        loss: arguments of `clipper_loss`.
        confidence: argument of `clipper_confidence`.
        uid: arguments of `clipper_uid`.
    """

    policy: Optional[Tuple[str, ...]] = None
    loss: Optional[Tuple[str, ...]] = None
    confidence: Optional[str] = None
    uid: Optional[Tuple[str, ...]] = None


#: Directive -> member of `Selection`.
_MEMBERS = {
    "clipper_select": "policy",
    _WAITING: "policy",
    "clipper_loss": "loss",
    "clipper_confidence": "confidence",
    "clipper_uid": "uid",
}


def make_link(model: str, version: Any = None, weight: Any = None) -> Link:
    """Make a link of valid arguments.

    Raises:
        ClipperException: the version is not valid, or the weight is not a
            positive integer.
    """
    if version is not None:
        version = check_model_part(version, "model version")
    if weight is not None and (
        isinstance(weight, bool) or not isinstance(weight, int) or weight < 1
    ):
        raise refused("The weight of a link must be a positive integer, not "
                      "%r" % (weight,))
    return Link(model, version, weight)


def make_selection(
    policy: Optional[str] = None,
    loss: Optional[str] = None,
    confidence: Optional[float] = None,
    uid: Optional[str] = None,
) -> Selection:
    """Make a selection of texts as in nginx's configuration.

    The server checks the parameters of the policy and of the loss.

    Raises:
        ClipperException: the policy or the loss is unknown, or the
            confidence is not between 0 and 1.
    """
    words = None if policy is None else tuple(str(policy).split())
    if words is not None and (not words or words[0] not in POLICIES):
        raise refused(
            "Unknown selection policy '%s'. It is one of %s"
            % (policy, ", ".join(POLICIES))
        )
    judged = None if loss is None else tuple(str(loss).split())
    if judged is not None and (not judged or judged[0] not in LOSSES):
        raise refused(
            "Unknown loss '%s'. It is one of %s" % (loss, ", ".join(LOSSES))
        )
    least = None
    if confidence is not None:
        if not 0 <= float(confidence) <= 1:
            raise refused(
                "The confidence must be between 0 and 1, not %r"
                % (confidence,)
            )
        least = ("%.6f" % float(confidence)).rstrip("0").rstrip(".")
    who = None if uid is None else tuple(str(uid).split())
    return Selection(words, judged, least, who)


def is_selection(one: Directive) -> bool:
    """Whether a directive belongs to a selection."""
    return one.name in _MEMBERS


def read_selection(found: Selection, one: Directive) -> Selection:
    """Add a directive to a selection."""
    member = _MEMBERS[one.name]
    value: Any = one.args
    if member == "confidence":
        value = one.args[0] if one.args else None
    return found._replace(**{member: value})


def write_selection(selection: Selection, links: int) -> List[Directive]:
    """The directives of a selection.

    Args:
        links: number of the application's links.
    """
    found = []
    if selection.policy is not None:
        name = "clipper_select"
        if 0 < links < _LINKS_TO_CHOOSE and selection.policy[0] != "first":
            name = _WAITING
        found.append(directive(name, *selection.policy))
    if selection.loss is not None:
        found.append(directive("clipper_loss", *selection.loss))
    if selection.confidence is not None:
        found.append(directive("clipper_confidence", selection.confidence))
    if selection.uid is not None:
        found.append(directive("clipper_uid", *selection.uid))
    return found


def read_links(one: Directive) -> List[Link]:
    """The links of a `clipper_link` directive."""
    weight = None
    names = []
    for arg in one.args:
        key, equals, value = arg.partition("=")
        if equals and key == "weight":
            weight = int(value) if value.isdigit() else None
        else:
            names.append(arg)
    found = []
    for name in names:
        model, colon, version = name.partition(":")
        found.append(Link(model, version if colon else None, weight))
    return found


def write_links(links: Iterable[Link]) -> List[Directive]:
    """The `clipper_link` directives of links, in the same order."""
    found: List[Directive] = []
    plain: List[str] = []
    for link in links:
        if link.weight is None:
            plain.append(link.text)
            continue
        if plain:
            found.append(directive("clipper_link", *plain))
            plain = []
        found.append(
            directive("clipper_link", link.text, "weight=%d" % link.weight)
        )
    if plain:
        found.append(directive("clipper_link", *plain))
    return found
