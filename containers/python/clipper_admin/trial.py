"""Call a function as a container would, in this program."""

import numbers
from typing import Any, Callable, List, Mapping, Optional

from clipper_container.input_types import CODES, canonical

from .connection import Connection

_INVALID_TYPE = "Invalid input type"
_INVALID_QUERY = "Invalid input type or JSON key"

_ELEMENTS = {
    "integers": numbers.Integral,
    "floats": numbers.Real,
    "doubles": numbers.Real,
}


class Trials(Connection):
    """The methods of `ClipperConnection` that need no cluster."""

    def test_predict_function(
        self, query: Mapping[str, Any], func: Callable[[Any], Any],
        input_type: str, strings: Optional[str] = None,
    ) -> Any:
        """Call a function with the batch that a container would give it.

        Nothing is sent to the cluster.

        Args:
            query: members of a query's body: ``{"input": ...}`` or
                ``{"input_batch": [...]}``.
            func: the function to deploy. It is pickled and loaded first, as
                in a deployment.
            input_type: bytes, integers, floats, doubles or strings.
            strings: what the function gets for strings, see
                `deployers.python.deploy_python_closure`.

        Returns:
            what the function returned, or the text ``Invalid input type``
            or ``Invalid input type or JSON key`` when the query does not
            fit.
        """
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
