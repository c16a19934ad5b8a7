"""What a model's function returns, as the bytes of its answers.

`docs/models.md` has the table. A text or bytes are the answer themselves,
everything else becomes JSON, see `structures`. NaN, infinities and missing
values that are alone stay text, as `str` writes them.
"""

from collections import abc
from enum import Enum
from typing import Any, List

import numpy as np

from . import frames, scalars
from .arrays import array_of, plain_array
from .errors import OutputError, PredictionError
from .structures import is_sparse, key_text, to_json


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
    if not isinstance(
        outputs, (str, bytes, bytearray, abc.Mapping, abc.Set)
    ) or is_sparse(outputs):
        if frames.is_frame(outputs):
            return frames.rows(outputs, key_text)
        if frames.is_series(outputs):
            return frames.values(outputs)
        array = array_of(outputs)
        if array is not None and array.ndim > 0:
            if array.ndim == 1 and array.dtype.kind in "Mm":
                return list(array)
            if array.ndim == 1 and array.dtype.kind != "O":
                # Numbers alone: NaN stays text.
                return plain_array(array, False, list)
            return plain_array(array, True, list)
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
        return scalars.double_text(one).encode()
    if kind is int:
        return b"%d" % one if scalars.is_double(one) \
            else scalars.digits(one).encode()
    if kind is bool:
        return b"true" if one else b"false"
    if kind is dict or kind is list:
        return to_json(one).encode("ascii")
    if isinstance(one, Enum) and not isinstance(one, (str, bytes)):
        return encode(one.value)
    if isinstance(one, str):
        return scalars.text_of(one).encode("utf-8")
    if scalars.is_bytes(one):
        return bytes(one)
    if frames.is_scalar(one):
        return encode(frames.scalar(one))
    if isinstance(one, np.floating):
        return scalars.double_text(scalars.double(one)).encode()
    alone = scalars.alone(one)
    if alone is not None:
        return scalars.text_of(alone).encode("utf-8")
    return to_json(one).encode("ascii")
