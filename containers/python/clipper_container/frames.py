"""Data frames and series by row, of pandas and of Polars."""

from typing import Any, Callable, Dict, List

import numpy as np

from .arrays import plain_array
from .errors import OutputError


def is_frame(value: Any) -> bool:
    """Whether a value is a data frame or a series of either library."""
    return hasattr(value, "iloc") or hasattr(value, "to_dicts")


def is_series(value: Any) -> bool:
    """Whether a value is a series of pandas."""
    return hasattr(value, "iloc") and not hasattr(value, "columns")


def rows(value: Any, key: Callable[[Any], str]) -> List[Any]:
    """The rows of a data frame as dicts, the values of a series.

    Args:
        value: for which `is_frame` is true.
        key: the text of a column's name.

    Raises:
        OutputError: two columns have the same name.
    """
    if hasattr(value, "to_dicts"):
        return list(value.to_dicts())
    if is_series(value):
        return values(value)
    names = [key(name) for name in value.columns]
    if len(set(names)) < len(names):
        raise OutputError("two columns have the same name")
    if not names:
        return [{} for _ in range(len(value))]
    columns = [values(value.iloc[:, i]) for i in range(len(names))]
    found: List[Dict[str, Any]] = [
        dict(zip(names, row)) for row in zip(*columns)
    ]
    return found


def values(series: Any) -> List[Any]:
    """The values of a series, float32 with its own digits."""
    dtype = getattr(series, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
        return list(plain_array(series.to_numpy(), False, list))
    return list(series)
