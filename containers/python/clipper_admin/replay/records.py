"""Read the access log and the feedback."""

import collections
import json
from typing import (
    Any,
    Counter,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Sequence,
    Tuple,
)

from ..exceptions import ClipperException

#: nginx's text for a variable without a value.
_ABSENT = "-"

#: Separates the values of a request with several inputs.
_SEPARATOR = ", "

#: End of a list that was too long.
_CUT = "..."

_LISTS = ("query_id", "models", "model", "propensity")


#: Of a log that was not drawn; `ucb` draws between equals, at first.
_CERTAIN = 0.99


class Record(NamedTuple):
    """One query that one model answered and that has feedback.

    Attributes:
        time: seconds since the epoch.
        models: candidates, as ``model:version``. The log names only the
            model that was asked, see `with_candidates`.
        model: model that answered.
        propensity: probability that the policy chose it with.
        loss: 0 (right) to 1.
        uid: user of the query; empty when it has none.
    """

    time: float
    models: Tuple[str, ...]
    model: str
    propensity: float
    loss: float
    uid: str


def read_feedback(
    lines: Iterable[str], loss: str = "zero_one", low: float = 0.0,
    high: float = 1.0,
) -> Dict[str, float]:
    """Losses by query id; the first feedback to a query counts.

    Args:
        lines: JSON objects with `query_id` and `loss`, or `output` and
            `label`.
        loss: compares output and label: zero_one, absolute or squared.
        low, high: range of the outputs, for absolute and squared.

    Raises:
        ClipperException: an argument or a line is not valid (with the
            line's number).
    """
    if loss not in _LOSSES:
        raise ClipperException(
            "Unknown loss %s. It is one of %s" % (loss, ", ".join(_LOSSES))
        )
    if not high > low:
        raise ClipperException(
            "The range of a loss must not be empty: %g is not above %g"
            % (high, low)
        )
    found: Dict[str, float] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            one = json.loads(line)
            if "loss" in one:
                value = float(one["loss"])
            else:
                value = _LOSSES[loss](
                    one["output"], one["label"], high - low
                )
            name = str(one["query_id"])
        except (ValueError, KeyError, TypeError) as error:
            raise ClipperException(
                "Line %d of the feedback has no query_id with loss, or with "
                "output and label (%r)" % (number, error)
            ) from error
        if not 0 <= value <= 1:
            raise ClipperException(
                "Line %d of the feedback has a loss that is not between 0 "
                "and 1: %r" % (number, value)
            )
        found.setdefault(name, value)
    return found


def _no_constant(text: str) -> Any:
    raise ValueError("%s is not JSON" % text)


def _value(one: Any) -> Any:
    """A text as the value that it is as a model's output: "7" as 7."""
    if not isinstance(one, str):
        return one
    try:
        return json.loads(one, parse_constant=_no_constant)
    except ValueError:
        return one


def _zero_one(output: Any, label: Any, width: float) -> float:
    output, label = _value(output), _value(label)
    # In JSON true is not 1.
    same = isinstance(output, bool) == isinstance(label, bool)
    return 0.0 if same and output == label else 1.0


def _absolute(output: Any, label: Any, width: float) -> float:
    return min(1.0, abs(float(output) - float(label)) / width)


def _squared(output: Any, label: Any, width: float) -> float:
    return min(1.0, abs(float(output) - float(label)) / width) ** 2


_LOSSES = {"zero_one": _zero_one, "absolute": _absolute, "squared": _squared}


def read_log(
    lines: Iterable[str],
    losses: Dict[str, float],
    skipped: Counter[str],
    app: str = "",
) -> Iterator[Record]:
    """Records of the log, in its order.

    Args:
        lines: lines of the access log.
        losses: losses by query id.
        skipped: counts what is left out by reason: `malformed` lines,
            the rest of a request whose lists were `cut`, queries without `feedback`, and queries without a `propensity`
            (the policy asked several models or has none, or no model
            answered).
        app: use only this application; all when empty.
    """
    for line in lines:
        try:
            one = json.loads(line)
            if app and one["app"] != app or one["query_id"] == _ABSENT:
                continue
            columns = [str(one[key]).split(_SEPARATOR) for key in _LISTS]
            time = float(one["time"])
            uid = str(one.get("uid", _ABSENT))
        except (ValueError, KeyError, TypeError):
            skipped["malformed"] += 1
            continue
        if not _complete(columns, skipped):
            skipped["malformed"] += 1
            continue
        for query_id, models, model, propensity in zip(*columns):
            if query_id not in losses:
                skipped["feedback"] += 1
                continue
            arms = tuple(models.split("|"))
            p = _propensity(propensity)
            if p is None or model not in arms:
                skipped["propensity"] += 1
                continue
            yield Record(
                time, arms, model, p, losses[query_id],
                "" if uid == _ABSENT else uid,
            )


def _complete(columns: List[List[str]], skipped: Counter[str]) -> bool:
    """Make the lists of a request as long as each other.

    Values that are all equal are written once, and lists that are too long
    are cut: what is missing is left out, and counted once a request.

    Returns:
        False: they do not fit each other.
    """
    cut = [column for column in columns if column[-1] == _CUT]
    for column in cut:
        column.pop()
    length = min(map(len, cut)) if cut else len(columns[0])
    for column in columns:
        if len(column) == 1:
            column *= length
        elif cut:
            del column[length:]
    if cut:
        skipped["cut"] += 1
    return all(len(column) == length for column in columns)


def with_candidates(
    records: Iterable[Record], models: Sequence[str] = ()
) -> List[Record]:
    """Records with all candidates.

    A model without a replica counts as a candidate.

    Args:
        models: candidates as ``model:version``, in the order of the links;
            when empty all models in the records, sorted.

    Raises:
        ClipperException: the model of a record is not among them.
    """
    found = list(records)
    known = tuple(models) or tuple(sorted({one.model for one in found}))
    for one in found:
        if one.model not in known:
            raise ClipperException(
                "The log has the model %s, which is not among %s"
                % (one.model, ", ".join(known))
            )
    return [one._replace(models=known) for one in found]


def drawn(records: Sequence[Record]) -> bool:
    """Whether the log's policy drew its models.

    One that draws nothing (`first`, `ucb`) tells nothing of the models that
    it did not choose.
    """
    certain = sum(one.propensity >= 1 for one in records)
    several = any(len(one.models) > 1 for one in records)
    return not several or certain < _CERTAIN * len(records)


def _propensity(text: str) -> Any:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value <= 1 else None


def new_counter() -> Counter[str]:
    """An empty counter for `read_log`."""
    return collections.Counter()
