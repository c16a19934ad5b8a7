"""The container's side of the RPC: frames to values and values to frames.

Pure functions over lists of byte strings, for both versions. In version 3
every input is a frame; in version 4 one frame has all inputs of a batch. All
integers are little-endian.
"""

import re
import struct
from typing import List, NamedTuple, Optional, Sequence, Union

import numpy as np

from .input_types import NAMES

Buffer = Union[bytes, memoryview]

# From the container.
NEW_CONTAINER = 0
CONTENT = 1
HEARTBEAT = 2
LEAVING = 5
# To the container, besides CONTENT and HEARTBEAT.
MOVE = 3
REFUSED = 6

KEEPALIVE = 0
REQUEST_METADATA = 1

PREDICT = 0
PROBE = 1

# Status of one output.
OK = 0
FAILED = 1
SKIPPED = 2

#: Names and versions of models that version 4 and nginx.conf allow.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}\Z")

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_HEADER_4 = struct.Struct("<IIII")
_REPLY_4 = struct.Struct("<II")

_TYPE_CONTENT = _U32.pack(CONTENT)
_HEARTBEAT_FRAMES = [b"", _U32.pack(HEARTBEAT)]
_LEAVING_FRAMES = [b"", _U32.pack(LEAVING)]


class ProtocolError(Exception):
    """A malformed message, which must be dropped."""


class Request(NamedTuple):
    """One batch from the frontend.

    Attributes:
        message_id: chosen by the frontend, echoed in the reply.
        request_type: PREDICT or PROBE.
        input_type: wire code 0..4.
        lengths: (N,) uint64, bytes of each input.
        length: bytes of every input; None when the lengths differ or there
            is no input.
        time_left_us: (N,) uint64, microseconds until the deadline of each
            input when the frontend sent the batch; None in version 3.
        data: one buffer with all inputs (version 4), or one buffer for each
            input (version 3).
    """

    message_id: int
    request_type: int
    input_type: int
    lengths: np.ndarray
    length: Optional[int]
    time_left_us: Optional[np.ndarray]
    data: Union[Buffer, List[Buffer]]


def heartbeat() -> List[bytes]:
    """Frames of a heartbeat."""
    return _HEARTBEAT_FRAMES


def leaving() -> List[bytes]:
    """Frames of LEAVING (version 4)."""
    return _LEAVING_FRAMES


def metadata(
    name: str,
    version: str,
    input_type: int,
    rpc_version: int,
    token: bytes = b"",
    digest: bytes = b"",
) -> List[bytes]:
    """Frames that announce a container.

    Args:
        name: name of the model.
        version: version of the model. Both are free text in version 3 and
            match `NAME` in version 4.
        input_type: wire code 0..4.
        rpc_version: 3 or 4.
        token: 16 bytes that stay the same for the life of the process
            (version 4 only).
        digest: up to 64 bytes that identify the model's contents (version 4
            only).

    Raises:
        ValueError: version 4 does not allow the name or version.
    """
    if rpc_version >= 4:
        for what, text in (("name", name), ("version", version)):
            if not NAME.match(text):
                raise ValueError(
                    "Invalid model %s %r. It must begin with a letter or a "
                    "digit and consist of up to 255 letters, digits, '.', "
                    "'_' and '-'" % (what, text)
                )
    head = [
        b"",
        _U32.pack(NEW_CONTAINER),
        name.encode("utf-8"),
        version.encode("utf-8"),
        b"%d" % input_type,
    ]
    if rpc_version >= 4:
        head += [token, digest]
    head.append(_U32.pack(rpc_version))
    return head


def message_type(frames: Sequence[Buffer]) -> int:
    """Type of a message from the frontend.

    Raises:
        ProtocolError: it has no type.
    """
    if len(frames) < 3 or len(frames[0]) != 0 or len(frames[2]) != 4:
        raise ProtocolError("not a message of Clipper's RPC")
    return int(_U32.unpack(frames[2])[0])


def heartbeat_kind(frames: Sequence[Buffer]) -> int:
    """KEEPALIVE or REQUEST_METADATA, of a HEARTBEAT message."""
    if len(frames) != 4 or len(frames[3]) != 4:
        raise ProtocolError("malformed heartbeat")
    return int(_U32.unpack(frames[3])[0])


def refusal(frames: Sequence[Buffer]) -> str:
    """The reason in a REFUSED message."""
    if len(frames) != 4:
        raise ProtocolError("malformed refusal")
    return bytes(frames[3]).decode("utf-8", "replace")


def request(frames: Sequence[Buffer], rpc_version: int) -> Request:
    """Decode a CONTENT message of the given version.

    Raises:
        ProtocolError: counts and lengths do not agree.
    """
    if rpc_version >= 4:
        return _request_4(frames)
    return _request_3(frames)


def _request_4(frames: Sequence[Buffer]) -> Request:
    if len(frames) != 5:
        raise ProtocolError("a request has 5 frames, not %d" % len(frames))
    header, data = bytes(frames[3]), frames[4]
    if len(header) < 16:
        raise ProtocolError("request header too short")
    message_id, kind, input_type, n = _HEADER_4.unpack_from(header)
    if len(header) != 16 + 16 * n or input_type not in NAMES:
        raise ProtocolError("malformed request header")
    numbers = np.frombuffer(header, "<u8", 2 * n, 16) if n else _NO_NUMBERS
    lengths = numbers[:n]
    length = _common_length(header[16:16 + 8 * n])
    total = int(lengths.sum()) if length is None else n * length
    if total != len(data):
        raise ProtocolError("lengths and data of a request disagree")
    return Request(
        message_id, kind, input_type, lengths, length, numbers[n:], data
    )


_NO_NUMBERS = np.zeros(0, "<u8")


def _common_length(lengths: bytes) -> Optional[int]:
    """The value of equal uint64 numbers; None when they differ."""
    first = lengths[:8]
    if not first or lengths != first * (len(lengths) // 8):
        return None
    return int(_U64.unpack(first)[0])


def inputs_ahead(frames: Sequence[Buffer]) -> int:
    """How many inputs follow the first seven frames of a version 3 request.

    0 when the frames are not those of a request.
    """
    header = frames[6]
    if frames[2] != _TYPE_CONTENT or len(header) < 16 or len(header) % 8:
        return 0
    return len(header) // 8 - 2


def _request_3(frames: Sequence[Buffer]) -> Request:
    if len(frames) < 7 or len(frames[3]) != 4 or len(frames[4]) != 4:
        raise ProtocolError("malformed request")
    header = bytes(frames[6])
    if len(header) < 16 or len(header) % 8:
        raise ProtocolError("malformed request header")
    numbers = np.frombuffer(header, "<u8")
    input_type, n = int(numbers[0]), int(numbers[1])
    counts_agree = len(numbers) == n + 2 and len(frames) == 7 + n
    if not counts_agree or input_type not in NAMES:
        raise ProtocolError("malformed request header")
    inputs = list(frames[7:])
    lengths = numbers[2:]
    if list(map(len, inputs)) != lengths.tolist():
        raise ProtocolError("lengths and frames of a request disagree")
    return Request(
        _U32.unpack(frames[3])[0],
        _U32.unpack(frames[4])[0],
        input_type,
        lengths,
        _common_length(header[16:]),
        None,
        inputs,
    )


def reply(
    message_id: int,
    outputs: Sequence[bytes],
    statuses: Optional[Sequence[int]],
    rpc_version: int,
) -> List[bytes]:
    """Frames of the answer to a request.

    Args:
        message_id: id of the request.
        outputs: one byte string for each input, in order.
        statuses: OK, FAILED or SKIPPED for each input; None when all are
            OK, which is the only case in version 3.
        rpc_version: 3 or 4.
    """
    n = len(outputs)
    lengths = np.fromiter(map(len, outputs), "<u8", n)
    if rpc_version < 4:
        return [
            b"",
            _TYPE_CONTENT,
            _U32.pack(message_id),
            _U64.pack(8 * (n + 1)),
            _U64.pack(n) + lengths.tobytes(),
            *outputs,
        ]
    if statuses is None:
        codes = bytes(4 * n)
    else:
        codes = np.fromiter(statuses, "<u4", n).tobytes()
    header = _REPLY_4.pack(message_id, n) + lengths.tobytes() + codes
    return [b"", _TYPE_CONTENT, header, b"".join(outputs)]
