"""Any value as JSON: dicts with text keys, lists, numbers and texts.

One rule for every depth: NaN, infinities and missing values are null.
"""

import dataclasses
import json
from collections import UserString, abc
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from os import PathLike, fspath
from typing import Any, Dict, List

import numpy as np

from . import frames, scalars, times
from .arrays import array_of, plain_array
from .errors import OutputError
from .scalars import is_double

#: How deep an answer may be; the server reads no deeper JSON.
MAX_DEPTH = 400
_TOO_DEEP = (
    "a value deeper than %d structures, or one that contains itself"
    % MAX_DEPTH
)

#: Types that `json` writes as they are, or refuses.
_PLAIN = {str, float, bool, type(None)}

_encode_json = json.JSONEncoder(allow_nan=False, check_circular=False).encode


def to_json(one: Any) -> str:
    """The JSON of a value, in ASCII.

    Raises:
        OutputError: it, or a value inside it, has no JSON form.
    """
    try:
        # An iterator gives its values only once: what follows begins with
        # them, not with the value.
        made = _FAST.plain(one)
        try:
            text = _encode_json(made)
        except ValueError:
            # A list of floats has NaN or an infinity.
            text = _encode_json(_STRICT.plain(made))
        if "\\ud" in text:
            text = _encode_json(_STRICT.plain(made))
    except RecursionError:
        raise OutputError(_TOO_DEEP) from None
    return text


class _Maker:
    """Makes values of what `json` knows.

    Args:
        strict: look at each float and text. Otherwise those in lists stay as
            they are, and `json` finds what it cannot write.
    """

    def __init__(self, strict: bool) -> None:
        self._strict = strict

    def plain(self, value: Any, depth: int = 0) -> Any:
        """The value made of dicts with text keys, lists, numbers and texts.

        Args:
            depth: in how many structures it stands.

        Raises:
            OutputError: it, or a value inside it, has no JSON form.
        """
        kind = type(value)
        if kind is int:
            return value if is_double(value) else scalars.digits(value)
        if kind in _PLAIN:
            return self._checked(value) if self._strict else value
        if depth > MAX_DEPTH:
            raise OutputError(_TOO_DEEP)
        if kind is list or kind is tuple:
            return self._list(value, depth)
        if kind is dict:
            return self._dict(value, depth)
        return self._other(value, depth)

    def _checked(self, value: Any) -> Any:
        if type(value) is float:
            return scalars.finite(value)
        return scalars.text_of(value) if type(value) is str else value

    def _list(self, values: Any, depth: int) -> List[Any]:
        made: List[Any] = values
        if not self._strict:
            kinds = set(map(type, values))
            if kinds <= _PLAIN:
                return made
            if kinds == {int} and all(
                map(is_double, (min(values), max(values)))
            ):
                return made
        made = []
        try:
            for one in values:
                made.append(self.plain(one, depth + 1))
        except OutputError as error:
            error.path.append("[%d]" % len(made))
            raise
        return made

    def _dict(self, value: Any, depth: int) -> Dict[str, Any]:
        made = {}
        for key, one in value.items():
            name = key if type(key) is str and not self._strict \
                else key_text(key)
            if name in made:
                raise OutputError("two keys %s" % _encode_json(name))
            try:
                made[name] = (
                    one
                    if type(one) in _PLAIN and not self._strict
                    else self.plain(one, depth + 1)
                )
            except OutputError as error:
                error.path.append("[%s]" % _encode_json(name))
                raise
        return made

    def _other(self, value: Any, depth: int) -> Any:
        """A value that is none of Python's own plain types."""
        if isinstance(value, Enum):
            return self.plain(value.value, depth)
        if isinstance(value, str):
            return scalars.text_of(value)
        if scalars.is_bytes(value):
            return bytes(value).decode("utf-8", "replace")
        if isinstance(value, int):
            return self.plain(int(value))
        if isinstance(value, float):
            return scalars.finite(float(value))
        if isinstance(value, (np.integer, np.bool_)):
            # NumPy counts its time spans among the integers.
            if not isinstance(value, np.timedelta64):
                return value.item()
        if isinstance(value, np.floating):
            return scalars.finite(scalars.double(value))
        if isinstance(value, Decimal):
            return scalars.decimal(value)
        if scalars.is_missing(value):
            return None
        if isinstance(value, timedelta) and hasattr(value, "asm8"):
            return times.span(value.asm8)
        if isinstance(value, timedelta):
            return str(
                timedelta(value.days, value.seconds, value.microseconds)
            )
        if isinstance(value, date):
            return value.isoformat()
        if scalars.is_text(value):
            return str(value)
        if isinstance(value, PathLike):
            return self.plain(fspath(value))
        if isinstance(value, UserString):
            return scalars.text_of(str(value))
        if frames.is_scalar(value):
            return self.plain(frames.scalar(value), depth)
        return self._structure(value, depth)

    def _structure(self, value: Any, depth: int) -> Any:
        fields = _fields(value)
        if fields is not None:
            return self.plain(fields, depth)
        if isinstance(value, abc.Mapping) and not is_sparse(value):
            return self._dict(value, depth)
        if isinstance(value, abc.Set):
            return self._list(_in_order(value), depth)
        if isinstance(value, tuple):
            return self._list(value, depth)
        if not isinstance(value, (np.ndarray, np.generic)):
            if frames.is_frame(value):
                return self._list(frames.rows(value, key_text), depth)
            if frames.is_series(value):
                return self._list(frames.values(value), depth)
        array = None if isinstance(value, type) else array_of(value)
        if array is not None:
            return plain_array(
                array, True, lambda one: self.plain(one, depth + array.ndim)
            )
        for method in ("to_pylist", "as_py", "to_list", "tolist"):
            if not isinstance(value, type) and hasattr(value, method):
                return self.plain(getattr(value, method)(), depth)
        if isinstance(value, (abc.Collection, abc.Iterator)):
            if not isinstance(value, type):
                return self._list(list(value), depth)
        if scalars.prints_itself(value):
            return scalars.text_of(str(value))
        raise OutputError("%s has no JSON form" % kind_of(value))


_FAST = _Maker(strict=False)
_STRICT = _Maker(strict=True)


def key_text(key: Any) -> str:
    """The text of a key, as `json` writes those of Python's own types.

    Raises:
        OutputError: it has none.
    """
    if isinstance(key, str):
        return scalars.text_of(key)
    if frames.is_scalar(key):
        return key_text(frames.scalar(key))
    if isinstance(key, float):
        return scalars.double_text(float(key))
    if isinstance(key, np.floating):
        return scalars.double_text(scalars.double(key))
    value = _FAST.plain(key) if key is not None else None
    if isinstance(value, str):
        return scalars.text_of(value)
    if value is None or isinstance(value, (bool, float, int)):
        return _encode_json(value)
    if isinstance(key, (tuple, list)):
        # As Python prints it, without the names of NumPy's types.
        members = list(value.values() if isinstance(value, dict) else value)
        return scalars.text_of(
            str(tuple(members) if isinstance(key, tuple) else members)
        )
    if isinstance(value, list) or scalars.prints_itself(key):
        return scalars.text_of(str(key))
    raise OutputError("a key of type %s" % type(key).__name__)


def is_sparse(value: Any) -> bool:
    """Whether a value is a sparse matrix; one format is a dict."""
    return not isinstance(value, type) and hasattr(value, "toarray")


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
        return _kept(value, value.model_dump())
    return None


def _kept(value: Any, dumped: Any) -> Any:
    """What pydantic dumped, with the values that it made others of.

    It takes a named tuple for a tuple and a sparse matrix for a dict.
    """
    if isinstance(dumped, dict) and is_sparse(value):
        return value
    if isinstance(dumped, (list, tuple)) and hasattr(value, "_fields"):
        return value
    if isinstance(dumped, dict):
        get: Any = value.get if isinstance(value, dict) \
            else lambda name: getattr(value, str(name), None)
        return {name: _kept(get(name), one) for name, one in dumped.items()}
    if isinstance(value, (list, tuple)) and isinstance(dumped, (list, tuple)):
        # A serializer may have made more or fewer of them.
        if len(value) == len(dumped):
            return [_kept(*both) for both in zip(value, dumped)]
    return dumped


def _in_order(values: Any) -> List[Any]:
    """The members of a set: equal sets give equal answers.

    Sets and NaN compare without an order: what is sorted has one already.
    """
    ordered = sorted(values, key=to_json)
    try:
        return sorted(ordered)
    except TypeError:
        return ordered
