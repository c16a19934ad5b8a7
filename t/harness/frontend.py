"""The frontend's side of the container protocol, as a bare ROUTER socket, and
containers in threads: fixtures of the tests of the Python container."""

import struct
import threading

import numpy as np
import pytest
import zmq

from clipper_container import Container, Model
from clipper_container.input_types import code_of

PREDICT, PROBE = 0, 1
OK, FAILED, SKIPPED = 0, 1, 2
PLENTY_US = 60_000_000


def u32(*values):
    return struct.pack("<%dI" % len(values), *values)


def u64(*values):
    return struct.pack("<%dQ" % len(values), *values)


class Frontend:
    """The frontend's side of both versions, one call for each message."""

    def __init__(self, endpoint="tcp://127.0.0.1:*"):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.socket.bind(endpoint)
        self.endpoint = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def close(self):
        self.socket.close()
        self.context.term()

    def receive(self, timeout=5.0):
        """(identity, frames after the delimiter) of the next message."""
        if not self.socket.poll(int(timeout * 1000)):
            raise AssertionError("no message within %.1f s" % timeout)
        identity, delimiter, *frames = self.socket.recv_multipart()
        assert delimiter == b""
        return identity, frames

    def receive_metadata(self, timeout=5.0):
        identity, frames = self.receive(timeout)
        assert frames[0] == u32(0), frames
        return identity, frames

    def send(self, identity, *frames):
        self.socket.send_multipart([identity, b"", *frames])

    def send_behind(self, send, *args):
        """Calls `send(*args)` to a container that may have left because of
        the message before; False if it had left."""
        try:
            send(*args)
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return False
        return True

    def keepalive(self, identity, version=4):
        self.send(identity, u32(version), u32(2), u32(0))

    def ask_metadata(self, identity):
        self.send(identity, u32(3), u32(2), u32(1))

    def move(self, identity):
        self.send(identity, u32(4), u32(3))

    def register(self, timeout=5.0):
        identity, frames = self.receive_metadata(timeout)
        self.keepalive(identity)
        return identity, frames

    def request(self, identity, input_type, inputs, left=PLENTY_US,
                message_id=7, kind=PREDICT):
        n = len(inputs)
        lefts = left if isinstance(left, list) else [left] * n
        header = (u32(message_id, kind, code_of(input_type), n)
                  + u64(*map(len, inputs)) + u64(*lefts))
        self.send(identity, u32(4), u32(1), header, b"".join(inputs))

    def reply(self, identity, message_id=7, timeout=5.0):
        """[(status, output)] of the next message, which must be a reply."""
        sender, frames = self.receive(timeout)
        assert sender == identity and frames[0] == u32(1), frames
        assert len(frames) == 3
        header, data = frames[1:]
        got_id, n = struct.unpack_from("<II", header)
        assert got_id == message_id and len(header) == 8 + 12 * n
        lengths = struct.unpack_from("<%dQ" % n, header, 8)
        statuses = struct.unpack_from("<%dI" % n, header, 8 + 8 * n)
        assert sum(lengths) == len(data)
        outputs, start = [], 0
        for length in lengths:
            outputs.append(data[start:start + length])
            start += length
        return list(zip(statuses, outputs))

    def request_3(self, identity, input_type, inputs, message_id=7):
        header = u64(code_of(input_type), len(inputs), *map(len, inputs))
        self.send(identity, u32(3), u32(1), u32(message_id), u32(0),
                  u64(len(header)), header, *inputs)


@pytest.fixture
def frontend():
    frontend = Frontend()
    yield frontend
    frontend.close()


class Running:
    """A container in a thread."""

    def __init__(self, frontend, func, input_type="doubles", version=4):
        self.container = Container(
            Model(func, code_of(input_type)), "m", "1", frontend.endpoint,
            version, digest=b"d" * 32)
        self.thread = threading.Thread(
            target=self.container.run, args=(False,), daemon=True)
        self.thread.start()

    def stop(self):
        self.container.stop()
        self.thread.join(5)
        assert not self.thread.is_alive()


@pytest.fixture
def run(frontend):
    started = []

    def run(*args, **kwargs):
        started.append(Running(frontend, *args, **kwargs))
        return started[-1]

    yield run
    for container in started:
        container.stop()


def doubles(*values):
    return struct.pack("<%dd" % len(values), *values)


def sums(xs):
    return [str(float(np.sum(x))) for x in xs]
