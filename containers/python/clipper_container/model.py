"""Call a model: bytes to NumPy inputs, outputs to bytes.

A model is a function of one batch. Its inputs and outputs are the same in a
container and in `ClipperConnection.test_predict_function`.
"""

import os
import re
import signal
import threading
import time
from typing import (
    Any,
    Callable,
    Iterable,
    List,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import numpy as np

from .errors import PredictionError
from .input_types import CODES, DTYPES, ITEM_SIZES, check_strings
from .log import Failures
from .outputs import encode_outputs
from .wire import FAILED, OK, SKIPPED, Request

#: A model: a function of a batch that returns one output for each input, in
#: the same order.
ModelFunction = Callable[[Any], Any]

#: The argument of the function.
#:
#: Numbers and bytes: a 2-D array (inputs x elements) when all inputs have
#: the same length, else a list of 1-D arrays; int8, int32, float32 or
#: float64. Strings: a list of `str` (version 3: of `bytes`). The function may
#: change all of it: nobody else uses it afterwards.
Batch = Union[np.ndarray, List[np.ndarray], List[str], List[bytes]]

_STRINGS = CODES["strings"]
_NOT_WHOLE = "an input is not a whole number of elements"


#: What Python says of a text where it needs bytes, or the other way round.
_TEXT_OR_BYTES = re.compile(r"\bstr\b|\bbytes\b|bytes-like")

_WANTS_BYTES = (
    ' (the function gets str for strings; strings="bytes" of the deployer or '
    "of serve gives it bytes, as the original Clipper did)"
)


def decode_inputs(
    request: Request, strings: Optional[str] = None
) -> Batch:
    """Turn the bytes of a request into a batch.

    A batch of several inputs has memory of its own: the function may change
    it, and when it then raises, its inputs are decoded again. A single input
    is never asked again, so it shares the memory of the request.

    Args:
        strings: what strings become, ``"str"`` or ``"bytes"``; None for the
            usual: `str`, in version 3 `bytes`.

    Raises:
        PredictionError: an input is not a whole number of elements.
    """
    if request.input_type == _STRINGS:
        return _decode_strings(request, strings)
    dtype = DTYPES[request.input_type]
    size = ITEM_SIZES[request.input_type]
    if request.length is not None:
        return _decode_equal(request, request.length, dtype, size)
    if (request.lengths % size).any():
        raise PredictionError(_NOT_WHOLE)
    if isinstance(request.data, list):
        return [_array(bytearray(one), dtype) for one in request.data]
    edges = (np.cumsum(request.lengths) // size).tolist()
    return np.split(_array(bytearray(request.data), dtype), edges[:-1])


def _decode_equal(
    request: Request, length: int, dtype: str, size: int
) -> np.ndarray:
    """Inputs of the same length: the rows of one array."""
    if length % size:
        raise PredictionError(_NOT_WHOLE)
    n = len(request.lengths)
    data: Any = request.data
    if isinstance(data, list):
        data = bytearray().join(data)
    elif n > 1 or getattr(data, "readonly", True):
        data = bytearray(data)
    return _array(data, dtype).reshape(n, length // size)


def _array(data: Any, dtype: str) -> np.ndarray:
    if len(data) == 0:
        return np.zeros(0, dtype)
    array = np.frombuffer(data, dtype)
    # libzmq aligns no frames; many numeric libraries refuse arrays that are
    # not aligned, or are slow on them.
    return array if array.flags.aligned else array.copy()


def _decode_strings(
    request: Request, strings: Optional[str]
) -> Union[List[str], List[bytes]]:
    if isinstance(request.data, list):
        found = [bytes(one) for one in request.data]
        if strings != "str":
            return found
    else:
        data = bytes(request.data)
        ends = np.cumsum(request.lengths).tolist()
        found = [
            data[end - length:end]
            for end, length in zip(ends, request.lengths.tolist())
        ]
        if strings == "bytes":
            return found
    return [one.decode("utf-8", "replace") for one in found]


def _part(request: Request, indices: Sequence[int]) -> Request:
    """A request of some inputs of another one, with their original bytes."""
    lengths = request.lengths[indices]
    equal = lengths.size and (lengths == lengths[0]).all()
    data: Any = request.data
    if isinstance(data, list):
        data = [data[i] for i in indices]
    else:
        ends = np.cumsum(request.lengths)[indices].tolist()
        pieces = [
            data[end - length:end]
            for end, length in zip(ends, lengths.tolist())
        ]
        data = b"".join(pieces)
    return request._replace(
        lengths=lengths, length=int(lengths[0]) if equal else None, data=data
    )


def batch_of(
    inputs: Sequence[Any], input_type: int, strings: Optional[str] = None
) -> Batch:
    """Make the batch that a container would make of Python values.

    Args:
        inputs: one value for each input: a sequence of numbers, `bytes` or
            `str`, by the input type.
        input_type: wire code 0..4.
        strings: what strings become, ``"str"`` (None) or ``"bytes"``.
    """
    if input_type == _STRINGS:
        texts = [
            one.decode("utf-8", "replace") if isinstance(one, bytes)
            else str(one)
            for one in inputs
        ]
        if strings == "bytes":
            return [one.encode("utf-8", "replace") for one in texts]
        return texts
    dtype = DTYPES[input_type]
    rows = [
        np.frombuffer(bytearray(one), dtype)
        if isinstance(one, (bytes, bytearray))
        else np.array(one, dtype).reshape(-1)
        for one in inputs
    ]
    if rows and all(len(row) == len(rows[0]) for row in rows):
        return np.stack(rows)
    return rows


class Model:
    """A function and the type of its inputs.

    Args:
        func: the function, see `ModelFunction`.
        input_type: wire code 0..4.
        strings: what the function gets for strings: ``"str"`` or
            ``"bytes"``; None for the usual: `str`, in version 3 `bytes`.

    Raises:
        ValueError: `strings` is none of them.
    """

    def __init__(
        self, func: ModelFunction, input_type: int,
        strings: Optional[str] = None,
    ) -> None:
        self.func = func
        self.input_type = input_type
        self.strings = check_strings(strings)
        self.failures = Failures()
        self._pid = os.getpid()

    def answer(
        self, request: Request
    ) -> Tuple[List[bytes], Optional[List[int]]]:
        """Answer every input of a request.

        `SystemExit` and other exceptions that would end the process are
        errors of their inputs, too, unless a handler of a signal may have
        raised them, or the function has forked. When the function raises on
        a batch of several inputs, it is called again with each input alone,
        as it came with the request; only inputs that fail again get an error.
        Inputs whose deadline has passed are skipped.

        Returns:
            outputs, and the status of each; None when all are OK.
        """
        n = len(request.lengths)
        if n == 0:
            return [], None
        self._pid = os.getpid()
        if request.input_type != self.input_type:
            return _all_failed(
                n, b"TypeError: the model takes another input type"
            )
        received = time.monotonic()
        try:
            batch = decode_inputs(request, self.strings)
        except PredictionError as error:
            return _all_failed(n, self._describe(error))
        late = _late(request, received)
        if late is not None:
            return self._in_time(request, late, received)
        try:
            return encode_outputs(self.func(batch), n), None
        except BaseException as error:
            self._failed(error)
            if n == 1:
                return _all_failed(1, self._describe(error))
        del batch
        return self._one_by_one(request, range(n), received)

    def _in_time(
        self, request: Request, late: np.ndarray, received: float
    ) -> Tuple[List[bytes], Optional[List[int]]]:
        """Answer the inputs whose deadline has not passed."""
        n = len(late)
        outputs = [b""] * n
        statuses = [SKIPPED] * n
        kept = np.flatnonzero(~late).tolist()
        if not kept:
            return outputs, statuses
        try:
            batch = decode_inputs(_part(request, kept), self.strings)
            encoded = encode_outputs(self.func(batch), len(kept))
        except BaseException as error:
            self._failed(error)
            if len(kept) > 1:
                return self._one_by_one(request, kept, received)
            outputs[kept[0]] = self._describe(error)
            statuses[kept[0]] = FAILED
            return outputs, statuses
        for i, output in zip(kept, encoded):
            outputs[i] = output
            statuses[i] = OK
        return outputs, statuses

    def _one_by_one(
        self, request: Request, indices: Iterable[int], received: float
    ) -> Tuple[List[bytes], Optional[List[int]]]:
        """Call the function with each input alone, after it raised.

        What it was called with may have changed meanwhile, so each input is
        decoded from the request.
        """
        n = len(request.lengths)
        outputs = [b""] * n
        statuses = [SKIPPED] * n
        for i in indices:
            late = _late(request, received)
            if late is not None and late[i]:
                continue
            try:
                batch = decode_inputs(_part(request, [i]), self.strings)
                outputs[i] = encode_outputs(self.func(batch), 1)[0]
                statuses[i] = OK
            except BaseException as error:
                self._check_interrupt(error)
                outputs[i] = self._describe(error)
                statuses[i] = FAILED
        return outputs, statuses if any(statuses) else None

    def warm_up(self, sample: Any) -> None:
        """Call the function with a batch of one sample input.

        Raises:
            Exception: what the function raises.
            PredictionError: it does not return one output.
        """
        batch = batch_of([sample], self.input_type, self.strings)
        try:
            encode_outputs(self.func(batch), 1)
        except Exception as error:
            hint = self._hint(error)
            if hint:
                self.failures.note(hint.strip(" ()"))
            raise

    def _check_interrupt(self, error: BaseException) -> None:
        """Raise again what has to end the process.

        That is any error in a child that the function has forked: it must not
        answer in place of its parent.
        """
        if os.getpid() != self._pid or is_interrupt(error):
            raise error

    def _failed(self, error: BaseException) -> None:
        self._check_interrupt(error)
        self.failures.add(error)
        hint = self._hint(error)
        if hint:
            self.failures.note(hint.strip(" ()"))

    def _describe(self, error: BaseException) -> bytes:
        text = "%s: %s%s" % (
            type(error).__name__, message_of(error), self._hint(error)
        )
        return text.encode("utf-8", "replace")

    def _hint(self, error: BaseException) -> str:
        """Names `strings` when the function may have expected `bytes`."""
        if (
            self.input_type == _STRINGS
            and self.strings != "bytes"
            and isinstance(error, (TypeError, AttributeError))
            and _TEXT_OR_BYTES.search(message_of(error))
        ):
            return _WANTS_BYTES
        return ""


def message_of(error: BaseException) -> str:
    """The text of an exception, also of one whose `__str__` fails."""
    try:
        return str(error)
    except BaseException as other:
        return "(its __str__ raised %s)" % type(other).__name__


def is_interrupt(error: BaseException) -> bool:
    """Whether a handler of a signal may have raised this.

    It may be Python's own for SIGINT, or one of the program that serves the
    model. A container that handles signals has its own, which raise nothing:
    only the function itself can have raised it then.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    if isinstance(error, KeyboardInterrupt):
        return _raises(signal.SIGINT)
    return isinstance(error, SystemExit) and (
        _raises(signal.SIGTERM) or _raises(signal.SIGINT, False)
    )


def _raises(number: int, default: bool = True) -> bool:
    """Whether the handler of a signal is one that may raise."""
    handler = signal.getsignal(number)
    if handler is signal.default_int_handler:
        return default
    return callable(handler) and not str(
        getattr(handler, "__module__", "")
    ).startswith(__package__)


def _late(request: Request, received: float) -> Optional[np.ndarray]:
    """Which inputs are past their deadline, (N,) bool; None when none is.

    Args:
        received: monotonic seconds when the request arrived.
    """
    left = request.time_left_us
    if left is None:
        return None
    passed = int((time.monotonic() - received) * 1e6)
    return left <= passed if left.min() <= passed else None


def _all_failed(n: int, why: bytes) -> Tuple[List[bytes], List[int]]:
    return [why] * n, [FAILED] * n
