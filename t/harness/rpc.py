"""Frames of the container protocol, versions 3 and 4, written from the
protocol's tables and independent of the server's code."""

import struct

NEW_CONTAINER, CONTENT, HEARTBEAT, MOVE, LEAVING, REFUSED = 0, 1, 2, 3, 5, 6
KEEPALIVE, REQUEST_METADATA = 0, 1
PREDICT, PROBE = 0, 1
OUTPUT, FAILED, SKIPPED = 0, 1, 2

TYPES = {"bytes": 0, "ints": 1, "integers": 1, "floats": 2, "doubles": 3,
         "strings": 4}
FORMATS = {1: "i", 2: "f", 3: "d"}


def u32(value):
    return struct.pack("<I", value & 0xffffffff)


def u64(value):
    return struct.pack("<Q", value & 0xffffffffffffffff)


def read32(frame):
    return struct.unpack("<I", frame)[0]


def decode_value(kind, data):
    """The bytes of one input as a tuple of numbers, a str or bytes."""
    if kind == 0:
        return data
    if kind == 4:
        return data.decode("utf-8")
    letter = FORMATS[kind]
    return struct.unpack(f"<{len(data) // struct.calcsize(letter)}{letter}",
                         data)


class Request:
    """A prediction request as a container got it."""

    def __init__(self, version, message_id, request_type, kind, inputs,
                 times_left=None, frames=None):
        self.version = version
        self.message_id = message_id
        self.request_type = request_type
        self.kind = kind
        self.inputs = inputs
        self.times_left = times_left
        self.frames = frames

    @property
    def values(self):
        return [decode_value(self.kind, data) for data in self.inputs]

    def __repr__(self):
        return f"<request {self.message_id} n={len(self.inputs)}>"


def heartbeat():
    return [b"", u32(HEARTBEAT)]


def metadata3(name, version, kind, rpc_version=u32(3)):
    """Version 3 metadata; ``rpc_version`` None leaves the frame out."""
    frames = [b"", u32(NEW_CONTAINER), name.encode(), str(version).encode(),
              kind if isinstance(kind, bytes) else str(kind).encode()]
    return frames if rpc_version is None else frames + [rpc_version]


def metadata4(name, version, kind, token, digest=b""):
    return [b"", u32(NEW_CONTAINER), name.encode(), str(version).encode(),
            str(kind).encode(), token, digest, u32(4)]


def decode_request3(frames):
    """Checks every size of a version 3 request on the way."""
    assert frames[0] == b"" and read32(frames[1]) == 3
    assert read32(frames[2]) == CONTENT
    size, = struct.unpack("<Q", frames[5])
    header = struct.unpack(f"<{len(frames[6]) // 8}Q", frames[6])
    count = header[1]

    assert size == len(frames[6]) == 8 * (count + 2), frames
    assert len(frames) == 7 + count, (len(frames), count)
    assert [len(f) for f in frames[7:]] == list(header[2:])

    return Request(3, read32(frames[3]), read32(frames[4]), header[0],
                   list(frames[7:]), frames=frames)


def decode_request4(frames):
    """Checks every size of a version 4 request on the way."""
    assert len(frames) == 5 and frames[0] == b"", frames
    assert read32(frames[1]) == 4 and read32(frames[2]) == CONTENT
    header, data = frames[3], frames[4]
    message_id, request_type, kind, count = struct.unpack_from("<4I", header)
    assert len(header) == 16 + 16 * count, (len(header), count)
    lengths = struct.unpack_from(f"<{count}Q", header, 16)
    left = struct.unpack_from(f"<{count}Q", header, 16 + 8 * count)
    assert sum(lengths) == len(data)

    inputs, offset = [], 0
    for length in lengths:
        inputs.append(data[offset:offset + length])
        offset += length

    return Request(4, message_id, request_type, kind, inputs, left, frames)


def to_bytes(output):
    return output.encode("utf-8") if isinstance(output, str) else output


def reply3(message_id, outputs):
    outputs = [to_bytes(o) for o in outputs]
    header = struct.pack(f"<{1 + len(outputs)}Q", len(outputs),
                         *map(len, outputs))
    return [b"", u32(CONTENT), u32(message_id), u64(len(header)), header,
            *outputs]


def reply4(message_id, outputs, statuses=None):
    outputs = [to_bytes(o) for o in outputs]
    count = len(outputs)
    statuses = statuses or [OUTPUT] * count
    header = struct.pack(f"<II{count}Q{count}I", message_id & 0xffffffff,
                         count, *map(len, outputs), *statuses)
    return [b"", u32(CONTENT), header, b"".join(outputs)]


def leaving():
    return [b"", u32(LEAVING)]
