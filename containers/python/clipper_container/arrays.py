"""Arrays as lists of plain Python values that JSON can hold.

NumPy arrays and what acts like them: tensors of PyTorch, TensorFlow and JAX,
sparse matrices. None of those libraries is imported: an array is known by its
methods.
"""

from typing import Any, Callable, List, Optional

import numpy as np

from . import times

#: Powers of ten that a double holds exactly.
_EXACT = 22
_TENS = 10.0 ** np.arange(_EXACT + 1)

#: Type -> (digits that are always kept, digits that tell any two numbers
#: apart). The smallest numbers of float16 keep only one.
_DIGITS = {np.dtype(np.float16): (1, 5), np.dtype(np.float32): (6, 9)}


def array_of(value: Any) -> Optional[np.ndarray]:
    """The NumPy array that a value is or acts like; None if it is none.

    Raises:
        Exception: what the library of the value raises, such as a
            TensorFlow tensor without a value.
    """
    if isinstance(value, (np.ndarray, np.generic)):
        return np.asanyarray(value)
    if isinstance(value, memoryview):
        return np.asarray(value)
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        return _of_torch(value)
    if hasattr(value, "dense_shape") and hasattr(value, "indices"):
        return _of_coordinates(value)
    for method in ("toarray", "toArray", "todense", "numpy", "to_numpy"):
        # Sparse matrices, vectors of Spark, JAX's sparse, TensorFlow's,
        # tensors of Arrow.
        if callable(getattr(value, method, None)) and not isinstance(
            value, type
        ):
            found: np.ndarray = np.asanyarray(getattr(value, method)())
            return found
    if hasattr(value, "__array__") and not isinstance(value, type):
        array: np.ndarray = np.asanyarray(value)
        return array
    return None


def _of_torch(tensor: Any) -> np.ndarray:
    tensor = tensor.detach().cpu()
    if getattr(tensor, "is_quantized", False):
        tensor = tensor.dequantize()
    if "strided" not in str(getattr(tensor, "layout", "strided")):
        tensor = tensor.to_dense()
    for method in ("resolve_conj", "resolve_neg"):
        if hasattr(tensor, method):
            tensor = getattr(tensor, method)()
    try:
        return np.asanyarray(tensor.numpy())
    except TypeError:
        # NumPy has no bfloat16, whose numbers are float32 numbers as well.
        return np.asanyarray(tensor.float().numpy())


def _of_coordinates(tensor: Any) -> np.ndarray:
    """A TensorFlow `SparseTensor`."""
    shape, indices, values = (
        np.asarray(one)
        for one in (tensor.dense_shape, tensor.indices, tensor.values)
    )
    dense = np.zeros(tuple(shape.tolist()), values.dtype)
    dense[tuple(indices.T)] = values
    return dense


def plain_array(
    array: np.ndarray, missing: bool, plain: Callable[[Any], Any]
) -> Any:
    """Nested lists of Python values; a value alone for an array of none.

    Args:
        array: of any dimension and type.
        missing: whether NaN and infinities become None.
        plain: makes a plain value of an element that is an object.
    """
    if array.dtype.names is not None:
        return _records(
            array, lambda column: plain_array(column, missing, plain)
        )
    if isinstance(array, np.ma.MaskedArray):
        hidden = np.ma.getmaskarray(array)
        values = np.empty(array.shape, object)
        flat = np.empty(array.size, object)
        # Not an array of the list: that would change large integers.
        for i, one in enumerate(
            plain_array(array.data.ravel(), missing, plain)
        ):
            flat[i] = one
        values[...] = flat.reshape(array.shape)
        values[hidden] = None
        return values.tolist()
    kind = array.dtype.kind
    if kind in "biuU":
        return array.tolist()
    if kind == "f":
        return _numbers(array, missing)
    if kind in "Mm":
        text: Any = times.instant if kind == "M" else times.span
        return _map(array.tolist(), list(array.ravel()), text)
    if kind == "c":
        return _map(array.tolist(), list(array.ravel()), str)
    if kind == "V" and array.dtype.type is not np.void:
        # bfloat16 and narrower numbers of other libraries
        if "int" in array.dtype.name:
            return array.astype(np.int64).tolist()
        return _numbers(array.astype(np.float32), missing)
    return plain(array.tolist())


def _records(array: np.ndarray, plain: Callable[[np.ndarray], Any]) -> Any:
    if array.ndim > 1:
        return [_records(one, plain) for one in array]
    names = array.dtype.names or ()
    columns = [plain(array[name]) for name in names]
    if array.ndim == 0:
        return dict(zip(names, columns))
    return [dict(zip(names, row)) for row in zip(*columns)]


def _map(shape: Any, flat: List[Any], function: Callable[[Any], Any]) -> Any:
    """The values of `flat`, in the nested lists that `shape` has."""
    values = iter(flat)

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(one) for one in node]
        return function(next(values))

    return walk(shape)


def _numbers(array: np.ndarray, missing: bool) -> Any:
    if array.dtype in _DIGITS:
        array = own_digits(array)
    elif array.dtype != np.float64:
        array = array.astype(np.float64)
    if missing:
        finite = np.isfinite(array)
        if not finite.all():
            array = array.astype(object)
            array[~finite] = None
    return array.tolist()


def own_digits(array: np.ndarray) -> np.ndarray:
    """The doubles whose shortest digits are those of float32 or float16.

    As a double, float32 0.1 is 0.10000000149011612. Its own digits are the
    fewest that no other float32 is closer to.
    """
    few, many = _DIGITS[array.dtype]
    with np.errstate(all="ignore"):
        wide = array.astype(np.float64)
        size = np.abs(wide)
        result: np.ndarray = wide.copy()
        exponent = np.floor(np.log10(size))
        open_ = np.isfinite(wide) & (wide != 0)
        tried = open_ & (np.abs(exponent) <= _EXACT - many)
        for digits in range(few, many + 1):
            shift = np.where(tried, digits - 1 - exponent, 0).astype(np.int64)
            up = _TENS[np.clip(shift, 0, _EXACT)]
            down = _TENS[np.clip(-shift, 0, _EXACT)]
            # Half-way numbers are rounded up as well: a power of two has
            # its next smaller number nearer than its next larger one.
            for near in (np.rint, np.ceil):
                made = np.copysign(near(size * up / down) * down / up, wide)
                good = tried & (made.astype(array.dtype) == array)
                result[good] = made[good]
                tried &= ~good
                open_ &= ~good
    if open_.any():
        result[open_] = [float(str(one)) for one in array[open_]]
    return result
