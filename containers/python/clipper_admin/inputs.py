"""Inputs as programs have them, in the JSON form of a query."""

import base64
import math
from typing import Any, Iterator, List, Sequence

#: What JSON writes as it is.
_PLAIN = {float, int}

#: They are one input, not a sequence of numbers.
_BYTES = (bytes, bytearray, memoryview)


def input_value(one: Any) -> Any:
    """The JSON form of an input.

    Numbers and booleans, in sequences of any depth, NumPy arrays, tensors,
    Series and DataFrames, become one list of numbers in row order; `bytes`
    become base64, `str` stays.

    Raises:
        TypeError: an element is not a number.
        ValueError: an element is infinite.
    """
    if isinstance(one, str):
        # NumPy's texts are of a class of their own.
        return str(one)
    if isinstance(one, _BYTES):
        return base64.b64encode(bytes(one)).decode("ascii")
    if isinstance(one, (list, tuple)) and _is_plain(one):
        return list(one)
    return list(_numbers(one, ""))


def _is_plain(values: Sequence[Any]) -> bool:
    """Whether all are finite numbers, which most inputs are."""
    return set(map(type, values)) <= _PLAIN and not any(
        one - one for one in values
    )


def input_rows(inputs: Any) -> List[Any]:
    """The JSON form of a batch: an input for each element or row.

    Raises:
        TypeError: it is not a sequence of inputs, or an element is not a
            number.
        ValueError: an element is infinite.
    """
    if isinstance(inputs, (str,) + _BYTES):
        raise TypeError("A batch must be a sequence of inputs")
    # A DataFrame iterates over its columns' names.
    rows = _plain(inputs)
    found = []
    for place, one in enumerate(rows):
        try:
            found.append(input_value(one))
        except (TypeError, ValueError) as error:
            raise type(error)("Input %d: %s" % (place, error)) from None
    return found


def _plain(value: Any) -> Any:
    """A frame, series or array without its class."""
    for method in ("detach", "to_numpy", "numpy", "toarray"):
        if hasattr(value, method):
            value = getattr(value, method)()
            if method != "detach":
                break
    return value


def _numbers(value: Any, place: str) -> Iterator[Any]:
    """The numbers in a value, row by row."""
    kind = type(value)
    if kind is float or kind is int:
        yield _number(value, place)
        return
    value = _plain(value)
    if hasattr(value, "tolist"):
        # Masked elements of an array become None.
        value = value.tolist()
    if value is None or _is_missing(value):
        yield None
    elif isinstance(value, (bool, int)):
        yield int(value)
    elif isinstance(value, (str,) + _BYTES):
        raise TypeError(
            "the element %sis a %s among numbers"
            % (place and place + " ", type(value).__name__)
        )
    elif hasattr(value, "__iter__") and not hasattr(value, "items"):
        for index, one in enumerate(value):
            yield from _numbers(one, "%s[%d]" % (place, index))
    elif hasattr(value, "__float__"):
        yield _number(float(value), place)
    else:
        raise TypeError(
            "%s%s is not a number"
            % (place and "the element %s of type " % place,
               type(value).__name__)
        )


def _number(value: Any, place: str) -> Any:
    if value != value:
        return None
    if value in (math.inf, -math.inf):
        raise ValueError(
            "the element %sis infinite, which JSON cannot express"
            % (place and place + " ")
        )
    return value


def _is_missing(value: Any) -> bool:
    """Whether it is pandas' NA or NaT, without an import of pandas."""
    return type(value).__name__ in ("NAType", "NaTType")
