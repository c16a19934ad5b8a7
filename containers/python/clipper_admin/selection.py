"""Which models may answer an application, and how one of them is chosen.

An application without a selection policy has at most one model, as in the
original Clipper. One with a policy has as many as are linked to it.
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

#: With fewer links than this the server refuses every policy but `first`.
_LINKS_TO_CHOOSE = 2

#: Until there are enough links the policy waits in the fragment under this
#: name: nginx takes it for a comment.
_WAITING = "#clipper_select"


class Link(NamedTuple):
    """A model that may answer.

    Attributes:
        model: its name.
        version: None for the current one.
        weight: share of a weighted policy; None for 1.
    """

    model: str
    version: Optional[str] = None
    weight: Optional[int] = None

    @property
    def text(self) -> str:
        """As `clipper_link` names it: ``model`` or ``model:version``."""
        if self.version is None:
            return self.model
        return "%s:%s" % (self.model, self.version)

    def describe(self) -> str:
        """The link as `get_app_info` reports it."""
        if self.weight is None:
            return self.text
        return "%s weight=%d" % (self.text, self.weight)


class Selection(NamedTuple):
    """How an application chooses: the arguments of its directives.

    Attributes:
        policy: of `clipper_select`; None: the original's rule of one model.
        loss: of `clipper_loss`.
        confidence: of `clipper_confidence`.
        uid: of `clipper_uid`.
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
    """Check and make a link.

    Raises:
        ClipperException: a bad version, or a weight that is no positive
            integer.
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
    """Check and make a selection from texts as in nginx's configuration.

    Parameters of a policy and of a loss are left to the server's judgement.

    Raises:
        ClipperException: unknown policy or loss, or a confidence that is
            not between 0 and 1.
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
    """Whether a directive is one of a selection."""
    return one.name in _MEMBERS


def read_selection(found: Selection, one: Directive) -> Selection:
    """Add a directive to a selection."""
    member = _MEMBERS[one.name]
    value: Any = one.args
    if member == "confidence":
        value = one.args[0] if one.args else None
    return found._replace(**{member: value})


def write_selection(selection: Selection, links: int) -> List[Directive]:
    """The directives of a selection with some number of links."""
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
    """The `clipper_link` directives of links, in their order."""
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
