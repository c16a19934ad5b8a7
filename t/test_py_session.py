"""Sessions of a Python container: it announces itself, moves, waits and
reconnects, against a frontend made of a bare ROUTER socket."""

import time

import pytest

from clipper_container import wire
from clipper_container.input_types import code_of
from harness.frontend import (
    OK,
    PROBE,
    Frontend,
    Running,
    doubles,
    sums,
    u32,
    u64,
)


def test_announces_itself_first(frontend, run):
    run(sums)
    _, frames = frontend.receive_metadata()
    assert frames[1:4] == [b"m", b"1", b"3"]
    assert len(frames[4]) == 16
    assert frames[5] == b"d" * 32
    assert frames[6] == u32(4)
    assert len(frames) == 7


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


@pytest.mark.parametrize("announced, sent, behind", [
    (2, 1, False), (2, 1, True), (1, 2, False), (0, 1, False)])
def test_version_3_request_that_counts_wrong(frontend, run, announced, sent,
                                             behind):
    """Catches inputs read from the next message, a container that waits for
    inputs that never come, and one that answers without a request."""
    run(sums, version=3)
    identity, _ = frontend.receive()
    frontend.ask_metadata(identity)
    frontend.receive()
    header = u64(code_of("doubles"), announced, *[8] * announced)
    frontend.send(identity, u32(3), u32(1), u32(7), u32(0),
                  u64(len(header)), header, *[doubles(1)] * sent)
    if behind:
        frontend.send_behind(
            frontend.request_3, identity, "doubles", [doubles(2)])
    again, frames = frontend.receive()
    assert again != identity and frames == [u32(2)]
    frontend.ask_metadata(again)
    frontend.receive()
    frontend.request_3(again, "doubles", [doubles(3)])
    _, frames = frontend.receive()
    assert frames[4:] == [b"3.0"]


@pytest.mark.parametrize("kind, ahead", [(1, 1), (9, 0)])
def test_version_3_inputs_behind_a_head(kind, ahead):
    """Catches a container that expects inputs after a message without any,
    and reads the next message as its inputs."""
    head = [b"", u32(3), u32(kind), u32(7), u32(0), u64(24), u64(3, 1, 8)]
    assert wire.inputs_ahead(head) == ahead


def test_version_3_connects_anew_when_the_model_raises(frontend, run):
    run(lambda xs: 1 / 0, version=3)
    identity, _ = frontend.receive()
    frontend.ask_metadata(identity)
    frontend.receive()
    frontend.request_3(identity, "doubles", [doubles(1)])
    again, frames = frontend.receive()
    assert again != identity and frames == [u32(2)]
