"""Call a function as a container would, in this program."""

import numbers
from typing import Any, Callable, List, Mapping, Optional

from clipper_container.input_types import CODES, canonical

_INVALID_TYPE = "Invalid input type"
_INVALID_QUERY = "Invalid input type or JSON key"

_ELEMENTS = {
    "integers": numbers.Integral,
    "floats": numbers.Real,
    "doubles": numbers.Real,
}


def run_trial(
    query: Mapping[str, Any], func: Callable[[Any], Any], input_type: str,
    strings: Optional[str] = None,
) -> Any:
    """See `ClipperConnection.test_predict_function`."""
    try:
        kind = canonical(input_type)
    except ValueError:
        return _INVALID_TYPE
    try:
        key = next(iter(query))
        batch = list(query[key]) if key == "input_batch" else [query[key]]
        if not all(_fits(one, kind) for one in batch):
            return _INVALID_TYPE
    except (TypeError, StopIteration):
        return _INVALID_QUERY
    import cloudpickle

    from clipper_container.model import batch_of

    loaded = cloudpickle.loads(cloudpickle.dumps(func))
    return loaded(batch_of(_values(batch), CODES[kind], strings))


def _fits(one: Any, kind: str) -> bool:
    """Whether one input has the type.

    Raises:
        TypeError: it is not a sequence of elements.
    """
    if kind == "strings":
        return isinstance(one, str)
    if kind == "bytes":
        return isinstance(one, (bytes, bytearray)) or (
            not isinstance(one, str)
            and all(isinstance(each, bytes) for each in one)
        )
    if isinstance(one, (str, bytes)):
        return False
    wanted = _ELEMENTS[kind]
    return all(
        isinstance(each, wanted) and not isinstance(each, bool)
        for each in one
    )


def _values(batch: List[Any]) -> List[Any]:
    """Inputs with a list of `bytes` joined to one piece."""
    return [
        b"".join(one)
        if isinstance(one, (list, tuple)) and one and isinstance(one[0], bytes)
        else one
        for one in batch
    ]
