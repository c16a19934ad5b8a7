"""Data frames and series by row, of pandas, Polars and Arrow.

None of these libraries is imported: a value is known by its class. float32
keeps its own digits in every column, and a missing value makes no float of
an integer.
"""

from typing import Any, Callable, Dict, List

import numpy as np

from .arrays import plain_array
from .errors import OutputError

_LIBRARIES = ("pandas", "polars", "pyarrow")

#: Classes that are remembered.
_MOST = 256

#: Class -> its library, of classes that were asked for.
_known: Dict[type, str] = {}


def _library(kind: type) -> str:
    """Which library a class is of; empty for others."""
    found = _known.get(kind)
    if found is None:
        names = [str(one.__module__).partition(".")[0]
                 for one in kind.__mro__]
        found = next((one for one in names if one in _LIBRARIES), "")
        if len(_known) < _MOST:
            _known[kind] = found
    return found


def is_frame(value: Any) -> bool:
    """Whether a value is a data frame or a table."""
    if isinstance(value, type):
        return False
    if _library(type(value)) == "pyarrow":
        return hasattr(value, "schema") and hasattr(value, "to_pylist")
    return hasattr(value, "to_dicts") or (
        hasattr(value, "iloc") and hasattr(value, "columns")
    )


def is_series(value: Any) -> bool:
    """Whether a value is a column: a series, an index, an Arrow array."""
    if isinstance(value, type) or is_frame(value):
        return False
    library = _library(type(value))
    if library == "pyarrow":
        return hasattr(value, "to_pylist")
    if library == "polars":
        return hasattr(value, "to_list")
    if library == "pandas" and hasattr(value, "dtype"):
        return hasattr(value, "__iter__")
    return hasattr(value, "iloc")


def is_scalar(value: Any) -> bool:
    """Whether a value is a scalar of Arrow."""
    return _library(type(value)) == "pyarrow" and hasattr(value, "as_py")


def rows(value: Any, key: Callable[[Any], str]) -> List[Any]:
    """The rows of a data frame as dicts.

    Args:
        value: for which `is_frame` is true.
        key: the text of a column's name.

    Raises:
        OutputError: two columns have the same name.
    """
    if hasattr(value, "schema") and hasattr(value, "to_pylist"):
        names, columns = value.schema.names, value.columns
    elif hasattr(value, "to_dicts") and not hasattr(value, "get_columns"):
        # A frame of another library.
        return list(value.to_dicts())
    elif hasattr(value, "to_dicts"):
        names, columns = value.columns, value.get_columns()
    else:
        names = value.columns
        columns = [value.iloc[:, i] for i in range(len(names))]
    names = [key(name) for name in names]
    if len(set(names)) < len(names):
        raise OutputError("two columns have the same name")
    if not names:
        return [{} for _ in range(len(value))]
    return [dict(zip(names, row)) for row in zip(*map(values, columns))]


def values(series: Any) -> List[Any]:
    """The values of a column: for which `is_series` is true."""
    if hasattr(series, "to_pylist"):
        return _each(series.to_pylist(), series.type)
    if _library(type(series)) == "polars":
        return _each(series.to_list(), series.dtype)
    dtype = getattr(series, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
        return list(plain_array(series.to_numpy(), False, list))
    if hasattr(dtype, "categories") and hasattr(dtype, "ordered"):
        return _categories(series)
    return _each(list(series), getattr(dtype, "pyarrow_dtype", None))


def scalar(value: Any) -> Any:
    """What a scalar of Arrow is in Python."""
    return _typed(value.as_py(), value.type)


def _categories(series: Any) -> List[Any]:
    codes = series.cat.codes if hasattr(series, "cat") else series.codes
    names = values(series.dtype.categories)
    return [names[i] if i >= 0 else float("nan") for i in codes]


def _each(found: List[Any], dtype: Any) -> List[Any]:
    if _is_flat(dtype):
        return found
    return [_typed(one, dtype) for one in found]


def _is_flat(dtype: Any) -> bool:
    """Whether Python's values of a type are right as they are."""
    text = str(dtype)
    return not any(
        part in text for part in ("Float32", "Float16", "float", "map<")
    )


def _typed(value: Any, dtype: Any) -> Any:
    """A value of Python with what it lost of its type.

    The libraries make doubles of float32 and float16, and pairs of a map.
    """
    text = str(dtype)
    if text.startswith(("dictionary<", "run_end_encoded<")):
        return _typed(value, dtype.value_type)
    if isinstance(value, float):
        if text in ("Float32", "float"):
            return np.float32(value)
        if text in ("Float16", "halffloat"):
            return np.float16(value)
        return value
    if isinstance(value, dict):
        inner = _field_types(dtype)
        return {name: _typed(one, inner.get(name))
                for name, one in value.items()}
    if isinstance(value, list):
        if text.startswith("map<"):
            return _map(value, dtype)
        inner = getattr(dtype, "inner", None)
        if inner is None:
            inner = getattr(dtype, "value_type", None)
        return [_typed(one, inner) for one in value]
    return value


def _field_types(dtype: Any) -> Any:
    """The types of a struct's fields by name."""
    fields = getattr(dtype, "fields", None)
    if callable(fields) or fields is None:
        return {one.name: one.type for one in dtype} if dtype is not None \
            else {}
    return {one.name: getattr(one, "dtype", None) or one.type
            for one in fields}


def _map(pairs: List[Any], dtype: Any) -> Any:
    made = {}
    try:
        for key, one in pairs:
            if key in made:
                raise OutputError("two keys %r in a map" % (key,))
            made[key] = _typed(one, dtype.item_type)
    except TypeError:
        # Lists and structures are keys of maps, but not of dicts.
        return [
            [_typed(key, dtype.key_type), _typed(one, dtype.item_type)]
            for key, one in pairs
        ]
    return made
