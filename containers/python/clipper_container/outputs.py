"""What a model's function returns, as the bytes of its answers.

One rule for every depth; `docs/models.md` has its table. A text or bytes are
the answer themselves, everything else becomes JSON. Inside a structure NaN,
infinities and missing values are null; alone they stay text, as `str` writes
them.
"""

import dataclasses
import json
import re
from collections import abc
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from os import PathLike, fspath
from types import ModuleType
from typing import Any, Dict, List
from uuid import UUID

import numpy as np

from .arrays import array_of, plain_array

#: How deep an answer may be; the server reads no deeper JSON.
MAX_DEPTH = 400
_TOO_DEEP = (
    "a value deeper than %d structures, or one that contains itself"
    % MAX_DEPTH
)

#: Values whose `str` is their form in JSON.
_TEXTS = (
    UUID,
    Fraction,
    complex,
    time,
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)

#: The same, of libraries that are not imported: (package, type).
_LIBRARY_TEXTS = {("pandas", "Period"), ("pandas", "Interval")}

#: Types that `json` writes as they are, or refuses.
_PLAIN = {str, float, bool, type(None)}

#: Integers from here on are no doubles: the server reads no such number.
_BEYOND = 2**1024 - 2**970

_SURROGATE = re.compile("[\ud800-\udfff]")

_encode_json = json.JSONEncoder(allow_nan=False, check_circular=False).encode


class PredictionError(Exception):
    """Inputs or outputs are malformed, such as a wrong number of outputs."""


class OutputError(TypeError):
    """An output, or a value inside one, has no JSON form.

    Args:
        problem: what is wrong with the value.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path: List[str] = []

    def __str__(self) -> str:
        place = "".join(reversed(self.path))
        return "%s%s" % ("at %s: " % place if place else "", self.problem)


def encode_outputs(outputs: Any, n: int) -> List[bytes]:
    """Turn outputs into one byte string for each input.

    Args:
        outputs: result of the function: a list or another sequence, an
            array or tensor (an output for each of its first dimension), a
            data frame (an object for each row), a series or an iterator.
        n: number of inputs.

    Raises:
        PredictionError: it is not a sequence of length `n`.
        OutputError: an output has no JSON form.
    """
    encoded = []
    for i, one in enumerate(_rows(outputs)):
        try:
            encoded.append(
                one.encode("utf-8") if type(one) is str else encode(one)
            )
        except UnicodeEncodeError:
            encoded.append(encode(one))
        except OutputError as error:
            error.path.append("output[%d]" % i)
            raise
    if len(encoded) != n:
        raise PredictionError(
            "the function returned %d outputs for %d inputs"
            % (len(encoded), n)
        )
    return encoded


def _rows(outputs: Any) -> Any:
    """An iterable of the outputs in the result of a function."""
    if type(outputs) in (list, tuple):
        return outputs
    if not isinstance(outputs, (str, bytes, bytearray, abc.Mapping, abc.Set)):
        if hasattr(outputs, "iloc") and not hasattr(outputs, "columns"):
            return _values(outputs)
        if hasattr(outputs, "iloc") or hasattr(outputs, "to_dicts"):
            return _table(outputs)
        array = array_of(outputs)
        if array is not None and array.ndim > 0:
            if array.ndim == 1 and array.dtype.kind in "Mm":
                return list(array)
            if array.ndim == 1 and array.dtype.kind != "O":
                # Numbers alone: NaN stays text.
                return plain_array(array, False, list)
            return plain_array(array, True, list)
        if array is None and hasattr(outputs, "to_pylist"):
            return outputs.to_pylist()
        if array is None and isinstance(outputs, abc.Iterable):
            return outputs
    raise PredictionError(
        "the function must return a list with one output for each input, "
        "not %s" % type(outputs).__name__
    )


def encode(one: Any) -> bytes:
    """The bytes of one output.

    Raises:
        OutputError: it has no JSON form.
    """
    kind = type(one)
    if kind is float:
        return _float_text(one).encode()
    if kind is int:
        return b"%d" % one if _is_double(one) else _digits(one).encode()
    if kind is bool:
        return b"true" if one else b"false"
    if kind is dict or kind is list:
        return _json(one).encode("ascii")
    if isinstance(one, Enum) and not isinstance(one, (str, bytes)):
        return encode(one.value)
    if isinstance(one, str):
        return _text(str.__str__(one)).encode("utf-8")
    if isinstance(one, (bytes, bytearray, memoryview)):
        return bytes(one)
    if isinstance(one, np.floating):
        return _float_text(_float(one)).encode()
    alone = _alone(one)
    if alone is not None:
        return _text(alone).encode("utf-8")
    return _json(one).encode("ascii")


def _float(value: np.floating) -> float:
    """The double with the digits of a number."""
    return float(value) if isinstance(value, float) else float(str(value))


def _float_text(value: float) -> str:
    if value - value == 0:
        return float.__repr__(value)
    if value != value:
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _alone(one: Any) -> Any:
    """The text of a value that is printed when it is alone, else None.

    The original answered every output by its `str`; for what JSON has no
    form for it is the same here.
    """
    if isinstance(one, (date, time, timedelta, Decimal) + _TEXTS):
        return str(one)
    if isinstance(one, (np.datetime64, np.timedelta64)):
        return str(one)
    if isinstance(one, float):
        return _float_text(float(one))
    if isinstance(one, PathLike):
        return str(one)
    if isinstance(one, (list, dict)) or one is None:
        return None
    if _is_missing(one) or _library_text(one):
        return str(one)
    array = array_of(one)
    if array is not None:
        if array.ndim or array.dtype.kind not in "fVMm":
            return None
        if array.dtype.type is np.void:
            return None
        if array.dtype.kind in "Mm":
            return str(array[()])
        value = plain_array(array, False, list)
        return _float_text(value) if isinstance(value, float) else None
    if _prints_itself(one):
        return str(one)
    return None


def _prints_itself(one: Any) -> bool:
    """Whether the class of a value says how it prints, and nothing else."""
    if isinstance(one, (type, abc.Iterable, Enum)):
        return False
    if dataclasses.is_dataclass(one) or hasattr(one, "__attrs_attrs__"):
        return False
    if hasattr(one, "model_dump") or hasattr(one, "iloc"):
        return False
    kind: Any = type(one)
    if kind.__str__ is not object.__str__:
        return True
    if callable(one) or isinstance(one, ModuleType):
        return False
    return kind.__repr__ is not object.__repr__


def _is_missing(one: Any) -> bool:
    return type(one).__name__ in ("NAType", "NaTType")


def _library_text(one: Any) -> bool:
    kind = type(one)
    return (kind.__module__.split(".")[0], kind.__name__) in _LIBRARY_TEXTS


def _json(one: Any) -> str:
    try:
        # An iterator gives its values only once: what follows begins with
        # them, not with the value.
        made = plain(one)
        try:
            text = _encode_json(made)
        except ValueError:
            # A list of floats has NaN or an infinity.
            text = _encode_json(plain(made, strict=True))
        if "\\ud" in text:
            text = _encode_json(plain(made, strict=True))
    except RecursionError:
        raise OutputError(_TOO_DEEP) from None
    return text


def plain(value: Any, depth: int = 0, strict: bool = False) -> Any:
    """The value made of dicts with text keys, lists, numbers and texts.

    Args:
        value: any value.
        depth: in how many structures it stands.
        strict: look at each float and text. Otherwise those in lists stay as
            they are, and `json` finds what it cannot write.

    Raises:
        OutputError: it, or a value inside it, has no JSON form.
    """
    kind = type(value)
    if kind is int:
        return value if _is_double(value) else _digits(value)
    if kind in _PLAIN:
        return _scalar(value) if strict else value
    if depth > MAX_DEPTH:
        raise OutputError(_TOO_DEEP)
    if kind is list or kind is tuple:
        return _list(value, depth, strict)
    if kind is dict:
        return _dict(value, depth, strict)
    return _other(value, depth, strict)


def _scalar(value: Any) -> Any:
    if type(value) is float and value - value != 0:
        return None
    return _text(value) if type(value) is str else value


def _is_double(value: int) -> bool:
    return -_BEYOND < value < _BEYOND


def _digits(value: int) -> str:
    """Of an integer that may have more than `str` writes."""
    return str(Decimal(value))


def _text(value: str) -> str:
    """The text without halves of surrogate pairs, which UTF-8 cannot hold."""
    try:
        value.encode("utf-8")
        return value
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", value)


def _list(values: Any, depth: int, strict: bool) -> List[Any]:
    made: List[Any] = values
    if not strict:
        kinds = set(map(type, values))
        if kinds <= _PLAIN:
            return made
        if kinds == {int} and all(map(_is_double, (min(values), max(values)))):
            return made
    made = []
    try:
        for one in values:
            made.append(plain(one, depth + 1, strict))
    except OutputError as error:
        error.path.append("[%d]" % len(made))
        raise
    return made


def _dict(value: Any, depth: int, strict: bool) -> Dict[str, Any]:
    made = {}
    for key, one in value.items():
        name = key if type(key) is str and not strict else _key(key)
        if name in made:
            raise OutputError("two keys %s" % _encode_json(name))
        try:
            made[name] = (
                one
                if type(one) in _PLAIN and not strict
                else plain(one, depth + 1, strict)
            )
        except OutputError as error:
            error.path.append("[%s]" % _encode_json(name))
            raise
    return made


def _key(key: Any) -> str:
    """The text of a key, as `json` writes those of Python's own types."""
    if isinstance(key, str):
        return _text(str.__str__(key))
    value = plain(key) if key is not None else None
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, (bool, float, int)):
        if isinstance(value, float) and value - value != 0:
            return _float_text(value)
        return _encode_json(value)
    if isinstance(value, (list, tuple)) or _prints_itself(key):
        return _text(str(key))
    raise OutputError("a key of type %s" % type(key).__name__)


def _other(value: Any, depth: int, strict: bool) -> Any:
    """A value that is none of Python's own plain types."""
    if isinstance(value, Enum):
        return plain(value.value, depth, strict)
    if isinstance(value, str):
        return _text(str.__str__(value))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, int):
        return plain(int(value))
    if isinstance(value, float):
        return _scalar(float(value))
    if isinstance(value, (np.integer, np.bool_)):
        # NumPy counts its time spans among the integers.
        if not isinstance(value, np.timedelta64):
            return value.item()
    if isinstance(value, np.floating):
        return _scalar(_float(value))
    if isinstance(value, Decimal):
        return _decimal(value)
    if _is_missing(value):
        return None
    if isinstance(value, timedelta):
        return str(timedelta(value.days, value.seconds, value.microseconds))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, _TEXTS) or _library_text(value):
        return str(value)
    if isinstance(value, PathLike):
        return plain(fspath(value))
    return _structure(value, depth, strict)


def _decimal(value: Decimal) -> Any:
    """An integer exactly, any other number as the nearest double."""
    if not value.is_finite():
        return None
    number = float(value)
    if number - number != 0:
        return str(value)
    return int(value) if value == value.to_integral_value() else number


def _structure(value: Any, depth: int, strict: bool) -> Any:
    fields = _fields(value)
    if fields is not None:
        return _dict(fields, depth, strict)
    if isinstance(value, abc.Mapping):
        return _dict(value, depth, strict)
    if isinstance(value, abc.Set):
        return _list(_in_order(value), depth, strict)
    if isinstance(value, tuple):
        return _list(value, depth, strict)
    if hasattr(value, "iloc") or hasattr(value, "to_dicts"):
        return _list(_table(value), depth, strict)
    array = None if isinstance(value, type) else array_of(value)
    if array is not None:
        return plain_array(
            array, True, lambda one: plain(one, depth + array.ndim, strict)
        )
    for method in ("as_py", "to_pylist", "to_list", "tolist"):
        if not isinstance(value, type) and hasattr(value, method):
            return plain(getattr(value, method)(), depth, strict)
    if isinstance(value, (abc.Collection, abc.Iterator)):
        if not isinstance(value, type):
            return _list(list(value), depth, strict)
    if _prints_itself(value):
        return _text(str(value))
    raise OutputError("%s has no JSON form" % kind_of(value))


def kind_of(value: Any) -> str:
    """How an error names the type of a value."""
    kind = type(value)
    if kind.__module__ in ("builtins", "__main__"):
        return "a value of type %s" % kind.__name__
    return "a value of type %s.%s" % (kind.__module__, kind.__name__)


def _fields(value: Any) -> Any:
    """The named fields of a record, None when it is none."""
    if isinstance(value, type):
        return None
    if dataclasses.is_dataclass(value):
        return {
            one.name: getattr(value, one.name)
            for one in dataclasses.fields(value)
        }
    if hasattr(value, "__attrs_attrs__"):
        return {
            one.name: getattr(value, one.name)
            for one in value.__attrs_attrs__
        }
    if isinstance(value, tuple):
        names = getattr(value, "_fields", None) or getattr(
            value, "__fields__", None
        )
        # A row of Spark has its names in `__fields__`.
        return dict(zip(names, value)) if names else None
    if callable(getattr(value, "model_dump", None)):
        return value.model_dump()
    return None


def _in_order(values: Any) -> List[Any]:
    """The members of a set: equal sets give equal answers.

    Sets and NaN compare without an order: what is sorted has one already.
    """
    ordered = sorted(values, key=_json)
    try:
        return sorted(ordered)
    except TypeError:
        return ordered


def _table(value: Any) -> List[Any]:
    """The rows of a data frame as dicts, the values of a series."""
    if hasattr(value, "to_dicts"):
        return list(value.to_dicts())
    if not hasattr(value, "columns"):
        return _values(value)
    names = [_key(name) for name in value.columns]
    if len(set(names)) < len(names):
        raise OutputError("two columns have the same name")
    if not names:
        return [{} for _ in range(len(value))]
    columns = [_values(value.iloc[:, i]) for i in range(len(names))]
    return [dict(zip(names, row)) for row in zip(*columns)]


def _values(series: Any) -> List[Any]:
    dtype = getattr(series, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
        return list(plain_array(series.to_numpy(), False, list))
    return list(series)
