"""Values that are no structures: their texts, and which JSON has for them."""

import dataclasses
import re
from collections import UserString, abc
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
from os import PathLike
from types import ModuleType
from typing import Any, Optional
from uuid import UUID

import numpy as np

from . import frames
from .arrays import array_of, plain_array

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

#: Integers from here on are no doubles: the server reads no such number.
_BEYOND = 2**1024 - 2**970

_SURROGATE = re.compile("[\ud800-\udfff]")


# Numbers.


def is_double(value: int) -> bool:
    """Whether an integer is in the range of doubles."""
    return -_BEYOND < value < _BEYOND


def digits(value: int) -> str:
    """Of an integer that may have more than `str` writes."""
    return str(Decimal(value))


def double(value: np.floating) -> float:
    """The double with the digits of a number."""
    return float(value) if isinstance(value, float) else float(str(value))


def double_text(value: float) -> str:
    """The text of a double that is alone or a key."""
    if value - value == 0:
        return float.__repr__(value)
    if value != value:
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def finite(value: float) -> Optional[float]:
    """The double inside a structure: NaN and infinities are None."""
    return value if value - value == 0 else None


def decimal(value: Decimal) -> Any:
    """An integer exactly, any other number as the nearest double."""
    if not value.is_finite():
        return None
    number = float(value)
    if number - number != 0:
        return str(value)
    return int(value) if value == value.to_integral_value() else number


# Texts.


def text_of(value: str) -> str:
    """The text without halves of surrogate pairs, which UTF-8 cannot hold."""
    value = str.__str__(value)
    try:
        value.encode("utf-8")
        return value
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", value)


def is_bytes(one: Any) -> bool:
    """Whether a value is a string of bytes."""
    if isinstance(one, memoryview):
        return one.format in ("B", "b", "c") and one.ndim == 1
    return isinstance(one, (bytes, bytearray))


def is_missing(one: Any) -> bool:
    """Whether a value is the NA or NaT of pandas."""
    return type(one).__name__ in ("NAType", "NaTType")


def is_text(one: Any) -> bool:
    """Whether the `str` of a value is its form in JSON."""
    kind = type(one)
    return isinstance(one, _TEXTS) or (
        kind.__module__.split(".")[0], kind.__name__
    ) in _LIBRARY_TEXTS


def prints_itself(one: Any) -> bool:
    """Whether the class of a value says how it prints, and nothing else."""
    if isinstance(one, (type, abc.Iterable, abc.Awaitable, Enum)):
        return False
    if dataclasses.is_dataclass(one) or hasattr(one, "__attrs_attrs__"):
        return False
    if hasattr(one, "model_dump") or hasattr(one, "iloc"):
        return False
    if hasattr(one, "collect_schema"):
        # A query of Polars that has not run.
        return False
    kind: Any = type(one)
    if kind.__str__ is not object.__str__:
        return True
    if callable(one) or isinstance(one, ModuleType):
        return False
    return kind.__repr__ is not object.__repr__


def alone(one: Any) -> Optional[str]:
    """The text of a value that is printed when it is alone, else None.

    The original answered every output by its `str`; for what JSON has no
    form for it is the same here.
    """
    if isinstance(one, (date, timedelta, Decimal)):
        return str(one)
    if isinstance(one, (np.datetime64, np.timedelta64)):
        return str(one)
    if isinstance(one, float):
        return double_text(float(one))
    if isinstance(one, PathLike):
        return str(one)
    if isinstance(one, UserString):
        return str(one)
    if isinstance(one, (list, dict)) or one is None:
        return None
    if is_missing(one) or is_text(one):
        return str(one)
    if not isinstance(one, (np.ndarray, np.generic)):
        if frames.is_series(one) or frames.is_frame(one):
            return None
    array = array_of(one)
    if array is not None:
        return _alone_in(array)
    return str(one) if prints_itself(one) else None


def _alone_in(array: np.ndarray) -> Optional[str]:
    """The text of a number or time in an array without dimensions."""
    if array.ndim or array.dtype.kind not in "cfVMm":
        return None
    if array.dtype.type is np.void:
        return None
    if array.dtype.kind in "cMm":
        return str(array[()])
    value = plain_array(array, False, list)
    return double_text(value) if isinstance(value, float) else None
