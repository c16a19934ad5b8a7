"""The Python container against a frontend made of a bare ROUTER socket."""

import json
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
import time

import cloudpickle
import numpy as np
import pytest
import zmq

from clipper_container import Container, Model, serve
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


def test_announces_itself_first(frontend, run):
    run(sums)
    _, frames = frontend.receive_metadata()
    assert frames[1:4] == [b"m", b"1", b"3"]
    assert len(frames[4]) == 16
    assert frames[5] == b"d" * 32
    assert frames[6] == u32(4)
    assert len(frames) == 7


def test_answers_a_batch_in_order(frontend, run):
    run(sums)
    identity, _ = frontend.register()
    frontend.request(identity, "doubles", [doubles(1, 2), doubles(3, 4)])
    assert frontend.reply(identity) == [(OK, b"3.0"), (OK, b"7.0")]


def test_probe_without_inputs_does_not_call_the_model(frontend, run):
    called = []
    run(lambda xs: called.append(1) or ["x"] * len(xs))
    identity, _ = frontend.register()
    frontend.request(identity, "doubles", [], kind=PROBE)
    assert frontend.reply(identity) == []
    assert called == []


@pytest.mark.parametrize("input_type, inputs, shape, dtype", [
    ("bytes", [b"\x01\xff", b"\x02\x03"], (2, 2), np.int8),
    ("ints", [struct.pack("<3i", 1, -2, 3)], (1, 3), np.int32),
    ("floats", [struct.pack("<2f", 1, 2)] * 3, (3, 2), np.float32),
    ("doubles", [doubles(*range(10))] * 10, (10, 10), np.float64),
    ("doubles", [doubles(*range(2000))] * 4, (4, 2000), np.float64),
    ("doubles", [b"", b""], (2, 0), np.float64),
])
def test_equal_lengths_give_one_aligned_array(
        frontend, run, input_type, inputs, shape, dtype):
    seen = []
    run(lambda xs: seen.append(xs) or ["x"] * len(xs), input_type)
    identity, _ = frontend.register()
    frontend.request(identity, input_type, inputs)
    assert [s for s, _ in frontend.reply(identity)] == [OK] * len(inputs)
    assert isinstance(seen[0], np.ndarray)
    assert seen[0].shape == shape and seen[0].dtype == dtype
    assert seen[0].flags.aligned
    assert seen[0].tobytes() == b"".join(inputs)


def test_large_batches_are_not_copied(frontend, run):
    seen = []
    run(lambda xs: seen.append(xs) or ["x"] * len(xs))
    identity, _ = frontend.register()
    frontend.request(identity, "doubles", [doubles(*range(784))] * 64)
    assert len(frontend.reply(identity)) == 64
    assert not seen[0].flags.owndata and not seen[0].base.flags.owndata


def test_different_lengths_give_a_list_of_arrays(frontend, run):
    seen = []
    run(lambda xs: seen.append(xs) or ["x"] * len(xs))
    identity, _ = frontend.register()
    frontend.request(
        identity, "doubles", [doubles(1, 2), b"", doubles(3)])
    frontend.reply(identity)
    assert [x.tolist() for x in seen[0]] == [[1.0, 2.0], [], [3.0]]


def test_strings_are_str(frontend, run):
    run(lambda xs: [x.upper() + "é" for x in xs], "strings")
    identity, _ = frontend.register()
    frontend.request(identity, "strings", ["hé".encode(), b"", b"a\0b"])
    assert frontend.reply(identity) == [
        (OK, "HÉé".encode()), (OK, "é".encode()), (OK, "A\0Bé".encode())]


@pytest.mark.parametrize("output, text", [
    ("text", b"text"), (b"\xff\x00", b"\xff\x00"), (True, b"true"),
    (None, b"null"), (1.5, b"1.5"), (3, b"3"), ([1, "a"], b'[1, "a"]'),
    ({"a": np.arange(2)}, b'{"a": [0, 1]}'), (np.float32(0.1), b"0.1"),
    (np.int64(7), b"7"), (np.bool_(False), b"false"),
    (np.array([1.5, 2.0]), b"[1.5, 2.0]"),
])
def test_outputs_are_text_or_json(frontend, run, output, text):
    run(lambda xs: [output])
    identity, _ = frontend.register()
    frontend.request(identity, "doubles", [doubles(1)])
    assert frontend.reply(identity) == [(OK, text)]


@pytest.mark.parametrize("returned, texts", [
    (np.array([1, 2]), [b"1", b"2"]),
    (np.array([0.1, 0.2], np.float32), [b"0.1", b"0.2"]),
    (np.eye(2), [b"[1.0, 0.0]", b"[0.0, 1.0]"]),
    (("a", "b"), [b"a", b"b"]),
])
def test_arrays_and_tuples_are_lists_of_outputs(
        frontend, run, returned, texts):
    run(lambda xs: returned)
    identity, _ = frontend.register()
    frontend.request(identity, "doubles", [doubles(1), doubles(2)])
    assert frontend.reply(identity) == [(OK, text) for text in texts]


def test_only_the_bad_input_of_a_batch_fails(frontend, run):
    def fussy(xs):
        if any(x[0] < 0 for x in xs):
            raise ValueError("negative")
        return [str(x[0]) for x in xs]

    run(fussy)
    identity, _ = frontend.register()
    frontend.request(
        identity, "doubles", [doubles(1), doubles(-1), doubles(2)])
    assert frontend.reply(identity) == [
        (OK, b"1.0"), (FAILED, b"ValueError: negative"), (OK, b"2.0")]
    frontend.request(identity, "doubles", [doubles(5)])
    assert frontend.reply(identity) == [(OK, b"5.0")]


@pytest.mark.parametrize("returned", [
    ["a", "b", "c"], [], "ab", {"a": 1, "b": 2}, None, 5, [object()] * 2])
def test_a_wrong_result_is_an_error_of_every_input(frontend, run, returned):
    run(lambda xs: returned)
    identity, _ = frontend.register()
    frontend.request(identity, "doubles", [doubles(1), doubles(2)])
    assert [s for s, _ in frontend.reply(identity)] == [FAILED, FAILED]


def test_late_inputs_are_skipped_and_the_others_answered(frontend, run):
    sizes = []
    run(lambda xs: sizes.append(len(xs)) or sums(xs))
    identity, _ = frontend.register()
    frontend.request(identity, "doubles",
                     [doubles(1), doubles(2), doubles(3)],
                     left=[PLENTY_US, 0, PLENTY_US])
    assert frontend.reply(identity) == [
        (OK, b"1.0"), (SKIPPED, b""), (OK, b"3.0")]
    assert sizes == [2]


def test_what_becomes_late_meanwhile_is_skipped(frontend, run):
    """Inputs that are asked alone because one of the batch was bad."""
    asked = []

    def fussy(xs):
        asked.append([x[0] for x in xs])
        if len(xs) > 1:
            raise ValueError("one of them")
        time.sleep(0.25)
        return ["1"]

    run(fussy)
    identity, _ = frontend.register()
    frontend.request(identity, "doubles", [doubles(1), doubles(2), doubles(3)],
                     left=[PLENTY_US, 200_000, PLENTY_US])
    assert frontend.reply(identity) == [(OK, b"1"), (SKIPPED, b""), (OK, b"1")]
    assert asked == [[1, 2, 3], [1], [3]]


@pytest.mark.parametrize("frames", [
    [u32(4), u32(1), b"short", b""],
    [u32(4), u32(1), u32(7, 0, 3, 2) + u64(8, 8, 9, 9), doubles(1)],
    [u32(4), u32(1), u32(7, 0, 9, 0), b""],
    [u32(4), u32(1), u32(7, 0, 3, 1) + u64(8, 9)],
])
def test_an_unreadable_request_costs_the_connection_only(
        frontend, run, frames):
    run(sums)
    identity, first = frontend.register()
    frontend.send(identity, *frames)
    again, second = frontend.register()
    assert again != identity and second == first
    frontend.request(again, "doubles", [doubles(1)])
    assert frontend.reply(again) == [(OK, b"1.0")]


def test_unknown_messages_are_ignored(frontend, run):
    run(sums)
    identity, _ = frontend.register()
    frontend.send(identity, u32(4), u32(99))
    frontend.send(identity)
    frontend.send(identity, b"x", b"y", b"z")
    frontend.request(identity, "doubles", [doubles(1)])
    assert frontend.reply(identity) == [(OK, b"1.0")]


def test_metadata_again_when_asked(frontend, run):
    run(sums)
    identity, first = frontend.receive_metadata()
    frontend.ask_metadata(identity)
    again, second = frontend.receive_metadata()
    assert again == identity and second == first


def test_announces_itself_at_once_after_a_reconnect(run):
    frontend = Frontend()
    port = int(frontend.endpoint.rpartition(":")[2])
    container = Running(frontend, sums)
    _, first = frontend.register()
    frontend.close()
    time.sleep(0.2)
    frontend = Frontend("tcp://127.0.0.1:%d" % port)
    started = time.monotonic()
    identity, second = frontend.register()
    assert time.monotonic() - started < 1.0
    assert second == first
    frontend.request(identity, "doubles", [doubles(2)])
    assert frontend.reply(identity) == [(OK, b"2.0")]
    container.stop()
    frontend.close()


def test_move_registers_anew_before_it_leaves(frontend, run):
    run(sums)
    old, first = frontend.register()
    frontend.move(old)
    new, second = frontend.receive_metadata()
    assert new != old and second == first
    # Not registered there yet: the old connection still answers.
    frontend.request(old, "doubles", [doubles(1)])
    assert frontend.reply(old) == [(OK, b"1.0")]
    # Registered, but not eligible before it has answered a probe.
    frontend.keepalive(new)
    time.sleep(0.2)
    frontend.request(old, "doubles", [doubles(4)])
    assert frontend.reply(old) == [(OK, b"4.0")]
    frontend.request(new, "doubles", [], kind=PROBE)
    assert frontend.reply(new) == []
    assert frontend.receive() == (old, [u32(5)])
    # Requests that crossed LEAVING are still answered.
    for _ in range(2):
        frontend.request(old, "doubles", [doubles(2)], message_id=8)
        assert frontend.reply(old, 8) == [(OK, b"2.0")]
    frontend.request(new, "doubles", [doubles(3)], message_id=9)
    assert frontend.reply(new, 9) == [(OK, b"3.0")]


def test_move_again_before_the_first_move_is_finished(frontend, run):
    run(sums)
    first, _ = frontend.register()
    frontend.move(first)
    second, _ = frontend.register()
    frontend.request(second, "doubles", [], kind=PROBE)
    assert frontend.reply(second) == []
    frontend.move(second)
    assert frontend.receive() == (first, [u32(5)])
    third, _ = frontend.register()
    frontend.request(second, "doubles", [doubles(1)])
    assert frontend.reply(second) == [(OK, b"1.0")]
    frontend.request(third, "doubles", [], kind=PROBE)
    assert frontend.reply(third) == []
    assert frontend.receive() == (second, [u32(5)])
    frontend.request(third, "doubles", [doubles(2)])
    assert frontend.reply(third) == [(OK, b"2.0")]


def test_move_is_finished_without_a_probe(frontend, run, monkeypatch):
    monkeypatch.setattr("clipper_container.session.UNPROBED_GRACE", 0.2)
    run(sums)
    old, _ = frontend.register()
    frontend.move(old)
    new, _ = frontend.register()
    assert frontend.receive() == (old, [u32(5)])
    frontend.request(new, "doubles", [doubles(3)])
    assert frontend.reply(new) == [(OK, b"3.0")]


def test_move_to_a_retiring_frontend_is_tried_again(frontend, run):
    run(sums)
    old, _ = frontend.register()
    frontend.move(old)
    for _ in range(3):
        met, _ = frontend.receive_metadata()
        frontend.move(met)
    new, _ = frontend.register()
    assert frontend.receive() == (old, [u32(5)])
    frontend.request(new, "doubles", [doubles(3)])
    assert frontend.reply(new) == [(OK, b"3.0")]


def test_the_first_frontend_may_be_retiring(frontend, run):
    run(sums)
    first, _ = frontend.receive_metadata()
    frontend.move(first)
    second, _ = frontend.register()
    frontend.request(second, "doubles", [doubles(3)])
    assert frontend.reply(second) == [(OK, b"3.0")]


def test_refused_is_logged_and_tried_again(frontend, run, monkeypatch,
                                           capfd):
    monkeypatch.setattr("clipper_container.session.REFUSED_WAIT", 0.3)
    run(sums)
    identity, _ = frontend.receive_metadata()
    started = time.monotonic()
    frontend.send(identity, u32(4), u32(6), "wrong type".encode())
    again, _ = frontend.receive_metadata()
    assert again == identity
    assert 0.2 < time.monotonic() - started < 2
    assert "wrong type" in capfd.readouterr().out


def test_heartbeat_after_silence(frontend, run, monkeypatch):
    monkeypatch.setattr("clipper_container.session.HEARTBEAT_INTERVAL", 0.2)
    run(sums)
    identity, _ = frontend.register()
    assert frontend.receive(1.0) == (identity, [u32(2)])


def test_a_silent_frontend_is_left(frontend, run, monkeypatch):
    monkeypatch.setattr("clipper_container.session.HEARTBEAT_INTERVAL", 0.1)
    monkeypatch.setattr("clipper_container.session.SILENCE_LIMIT", 0.5)
    run(sums)
    old, _ = frontend.register()
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        identity, frames = frontend.receive()
        if identity != old:
            break
    assert identity != old and frames[0] == u32(0)


def test_a_slow_model_is_no_silence(frontend, run, monkeypatch):
    monkeypatch.setattr("clipper_container.session.SILENCE_LIMIT", 0.2)
    run(lambda xs: time.sleep(0.5) or sums(xs))
    identity, _ = frontend.register()
    for message_id in (1, 2):
        frontend.request(
            identity, "doubles", [doubles(1)], message_id=message_id)
        assert frontend.reply(identity, message_id) == [(OK, b"1.0")]


def test_version_3_session(frontend, run):
    run(lambda xs: [x.decode() + "!" for x in xs], "strings", version=3)
    identity, frames = frontend.receive()
    assert frames == [u32(2)]
    frontend.ask_metadata(identity)
    identity, frames = frontend.receive()
    assert frames == [u32(0), b"m", b"1", b"4", u32(3)]
    frontend.request_3(identity, "strings", [b"hi", "hé".encode()])
    identity, frames = frontend.receive()
    assert frames == [u32(1), u32(7), u64(24), u64(2, 3, 4), b"hi!",
                      "hé!".encode()]


def test_version_3_doubles_are_one_array(frontend, run):
    seen = []
    run(lambda xs: seen.append(xs) or sums(xs), version=3)
    identity, _ = frontend.receive()
    frontend.ask_metadata(identity)
    frontend.receive()
    frontend.request_3(identity, "doubles", [doubles(1, 2), doubles(3, 4)])
    _, frames = frontend.receive()
    assert frames[4:] == [b"3.0", b"7.0"]
    assert seen[0].tolist() == [[1, 2], [3, 4]]


def test_version_3_connects_anew_when_the_model_raises(frontend, run):
    run(lambda xs: 1 / 0, version=3)
    identity, _ = frontend.receive()
    frontend.ask_metadata(identity)
    frontend.receive()
    frontend.request_3(identity, "doubles", [doubles(1)])
    again, frames = frontend.receive()
    assert again != identity and frames == [u32(2)]


def test_serve_runs_the_sample_first(frontend):
    with pytest.raises(ZeroDivisionError):
        serve(lambda xs: 1 / 0, "m", 1, "doubles", frontend.endpoint,
              sample_input=[1.0])
    with pytest.raises(ValueError, match="not a valid input string"):
        serve(sums, "m", 1, "complex", frontend.endpoint)
    for name, version in (("a b", 1), ("m", "v/1"), ("n" * 256, 1)):
        with pytest.raises(ValueError, match="is no (name|version) of a"):
            serve(sums, name, version, "doubles", frontend.endpoint)


# The command.


def write_model(path, func=None, sample=None, **metadata):
    path.mkdir(exist_ok=True)
    if func is not None:
        (path / "func.pkl").write_bytes(cloudpickle.dumps(func))
    if sample is not None:
        (path / "sample_input.pkl").write_bytes(pickle.dumps(sample))
    (path / "clipper_model.json").write_text(json.dumps(metadata))


def command(path, endpoint="tcp://127.0.0.1:1", **env):
    environment = {
        **os.environ, "CLIPPER_MODEL_NAME": "m", "CLIPPER_MODEL_VERSION": "1",
        "CLIPPER_MODEL_PATH": str(path), "CLIPPER_ENDPOINT": endpoint, **env}
    return subprocess.Popen(
        [sys.executable, "-m", "clipper_container"], env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_command_finishes_the_batch_on_sigterm(frontend, tmp_path):
    def slow(xs):
        import time
        time.sleep(0.5)
        return ["done"] * len(xs)

    write_model(tmp_path, slow)
    ready = tmp_path / "ready"
    process = command(tmp_path, frontend.endpoint,
                      CLIPPER_READY_FILE=str(ready),
                      CLIPPER_REPLICA_TOKEN="ab" * 16)
    try:
        identity, frames = frontend.register(20)
        assert frames[4] == b"\xab" * 16 and len(frames[5]) == 32
        assert ready.read_text() == "READY"
        frontend.request(identity, "doubles", [doubles(1)])
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert frontend.reply(identity) == [(OK, b"done")]
        assert frontend.receive() == (identity, [u32(5)])
        output, _ = process.communicate(timeout=5)
        assert process.returncode == 0, output
    finally:
        process.kill()
        process.wait()


def test_command_stops_without_a_frontend(tmp_path):
    write_model(tmp_path, kind="noop")
    process = command(tmp_path)
    try:
        assert "Serving m:1" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=5)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()


def test_command_missing_module(tmp_path):
    (tmp_path / "func.pkl").write_bytes(
        b"cno_such_module_here\nfunc\n.")
    process = command(tmp_path)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 3
    assert "no_such_module_here" in output and "pkgs_to_install" in output


@pytest.mark.parametrize("func", [
    lambda xs: 1 / 0, lambda xs: ["a", "b"], lambda xs: None])
def test_command_failing_sample(tmp_path, func):
    write_model(tmp_path, func, sample=[1.0, 2.0])
    process = command(tmp_path)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 4
    assert "Traceback" in output and "sample" in output


def test_command_without_a_usable_model(tmp_path):
    write_model(tmp_path, sums, python="3.1.4")
    for path, text in ((tmp_path, "3.1.4"), (tmp_path / "none", "none")):
        process = command(path)
        output, _ = process.communicate(timeout=20)
        assert process.returncode == 1
        assert text in output


def test_command_without_a_name(tmp_path):
    write_model(tmp_path, sums)
    process = command(tmp_path, CLIPPER_INPUT_TYPE="complex")
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 1 and "not a valid input" in output


def test_command_with_a_name_of_no_model(tmp_path):
    """Catches a container that the frontend would refuse for ever."""
    write_model(tmp_path, kind="noop")
    process = command(tmp_path, CLIPPER_MODEL_VERSION="one two")
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 1 and "'one two' is no version" in output
