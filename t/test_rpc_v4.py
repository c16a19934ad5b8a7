"""Containers of protocol version 4, frame by frame."""

import hashlib
import re
import struct
import time

import pytest

from harness import Sim3, Sim4, application, rpc, wait_until
from harness.preload import preload
from harness.session import NOCACHE, connected4



@pytest.fixture
def server(nginx):
    return nginx(application("a", "m:1", slo="3s")
                 + application("b", "other:1", slo="3s"), http=NOCACHE)


def answer_later(server, value=1.0, app="a"):
    return server.post_later(f"/{app}/predict", {"input": [value]})


def test_session_start(server):
    """Catches a start that differs from the table: KEEPALIVE, then a probe."""
    sim = connected4(server)
    got = [e.frames for e in sim.events if e.direction == "in"]
    assert got[0] == [b"", rpc.u32(4), rpc.u32(2), rpc.u32(0)]
    assert got[1][:3] == [b"", rpc.u32(4), rpc.u32(1)]
    _, kind, _, count = struct.unpack("<4I", got[1][3])
    assert (kind, count, got[1][4]) == (rpc.PROBE, 0, b"")
    replica, = server.replicas("m")
    assert replica["rpc_version"] == 4


def test_no_work_before_the_probe(server):
    """Catches a replica that gets inputs before it answers its probe."""
    sim = Sim4(server, "m", probes=False, manual=True)
    probe = sim.next_request()
    assert probe.request_type == rpc.PROBE
    assert server.predict("a", [1.0])["default"] is True
    assert sim.arrived.empty()
    sim.send(rpc.reply4(probe.message_id, []))
    server.wait_replicas("m")
    connection = answer_later(server)
    sim.reply(sim.next_request(), ["1"])
    assert connection.read().json()["output"] == 1


def test_request(nginx):
    """Catches a layout that differs from the table, and a time left that is
    not the input's."""
    server = nginx(application("a", "m:1", slo="3s"), http=NOCACHE
                   + "clipper_model m { batch 10; }")
    sim = connected4(server, manual=True)
    connection = server.post_later("/a/predict",
                                   {"input_batch": [[1.0, 2.0], [3.0]]})
    request = sim.next_request()
    assert len(request.inputs) == 2, "one batch"
    assert request.frames[4] == struct.pack("<3d", 1.0, 2.0, 3.0)
    assert request.kind == 3 and request.request_type == rpc.PREDICT
    assert all(1_000_000 < left <= 3_000_000 for left in request.times_left)
    sim.reply(request, ["1", "2"])
    body = connection.read().json()
    assert [a["output"] for a in body["batch_predictions"]] == [1, 2]


def test_error_per_input(server):
    """Catches an error of one input that fails others, or the container."""
    def handler(sim, request):
        outputs, statuses = [], []
        for value, in request.values:
            bad = value < 0
            outputs.append("ValueError: negative" if bad else str(value))
            statuses.append(rpc.FAILED if bad else rpc.OUTPUT)
        sim.reply(request, outputs, statuses=statuses)

    connected4(server, handler=handler)
    body = server.post("/a/predict", {
        "input_batch": [[1.0], [-1.0], [2.0], [-2.0]]}).json()
    answers = body["batch_predictions"]
    assert [a["output"] for a in answers] == [1.0, -1.0, 2.0, -1.0]
    assert [a["default"] for a in answers] == [False, True, False, True]
    assert answers[1]["default_explanation"] == \
        "The default was used: model_error"
    assert server.predict("a", [3.0])["output"] == 3.0


FORGED = ("x\r\n2026/11/29 00:00:00 [emerg] 1#1: forged \x1b]0;title\x07"
          "\x00\x9b31m\x7f")


def shown(text):
    """The line of a log with this text, and no line or escape of the text."""
    lines = [line for line in text.splitlines() if "forged" in line]
    assert len(lines) == 1 and not re.search("[\x00-\x1f\x7f-\x9f]", lines[0])
    return lines[0]


def test_error_texts_forge_no_log(server):
    """Catches an error text of a container that begins lines of the log, or
    talks to the terminal of its reader."""
    connected4(server, handler=lambda sim, request: sim.reply(
        request, [FORGED] * len(request.inputs),
        statuses=[rpc.FAILED] * len(request.inputs)))
    server.allow("forged")
    assert server.predict("a", [1.0])["default"]
    line = wait_until(lambda: shown(server.log_text()))
    assert "failed: x\\x0D\\x0A2026/11/29" in line
    assert "\\x1B]0;title\\x07\\x00\\xC2\\x9B31m\\x7F" in line


def test_failures_hide_no_other_model(nginx):
    """Catches a model whose failures keep those of another out of the log.
    One worker serves both."""
    server = nginx(application("a", "m:1") + application("b", "n:1"),
                   workers=1)
    for name in "mn":
        Sim4(server, name, handler=lambda sim, request: sim.reply(
            request, [f"{sim.name} is ill"],
            statuses=[rpc.FAILED])).wait_registered()
        server.wait_replicas(name)
    server.allow("is ill")
    for app in "aaabbb":
        assert server.predict(app, [1.0])["default"]
    wait_until(lambda: '"n:1" failed' in server.log_text())
    log = server.log_text()
    assert log.count('"m:1" failed: m is ill') == 1
    assert log.count('"n:1" failed: n is ill') == 1


def test_causes_of_a_model_hide_nothing(nginx):
    """Catches a cause of failures that keeps another one of the same model
    out of the log; a model of many that keeps those of another out of it; a
    log without bound, and one that does not say where it ends."""
    places = 32
    server = nginx(application("a", "m:1") + application("b", "n:1"),
                   workers=1)
    for name in "mn":
        Sim4(server, name, handler=lambda sim, request: sim.reply(
            request, [f"{sim.name} of {int(value[0])}"
                      for value in request.values],
            statuses=[rpc.FAILED] * len(request.values))).wait_registered()
        server.wait_replicas(name)
    server.allow(r"failed: [mn] of")
    for value in (1, 2, 1, 2, *range(3, places + 9)):
        assert server.predict("a", [float(value)])["default"]
    for value in (1, 2):
        assert server.predict("b", [float(value)])["default"]
    wait_until(lambda: "n of 2" in server.log_text())
    lines = [line.partition(" failed: ")[2]
             for line in server.log_text().splitlines() if " failed: " in line]
    assert lines == [
        *(f"m of {i}" for i in range(1, places)),
        f"m of {places}; others of this minute are not logged",
        "n of 1", "n of 2"]


def test_skipped_input(server):
    """Catches a skipped input that is answered with its empty output."""
    connected4(server, handler=lambda sim, request: sim.reply(
        request, [""] * len(request.inputs),
        statuses=[rpc.SKIPPED] * len(request.inputs)))
    answer = server.predict("a", [1.0])
    assert answer["default"] is True and answer["output"] == -1.0


def test_leaving(server):
    """Catches requests to a replica after its LEAVING, or a batch in flight
    that is lost."""
    sim = connected4(server, manual=True)
    connection = answer_later(server)
    request = sim.next_request()
    sim.send(rpc.leaving())
    wait_until(lambda: server.replicas("m") == [])
    assert server.predict("a", [7.0])["default"] is True
    assert sim.arrived.empty()
    sim.reply(request, ["42"])
    assert connection.read().json()["output"] == 42


def test_refused(nginx):
    """Catches a version 4 container that is refused silently."""
    server = nginx(application("a", "m:1"), http=NOCACHE
                   + "clipper_model n:1 { input ints; }")
    sim = Sim4(server, "n", input_type="doubles")
    wait_until(lambda: sim.refused, what="REFUSED")
    assert "n" in sim.refused[0] or "type" in sim.refused[0]
    assert server.replicas("n", ready=False) == []


def test_token_stays_the_same_replica(server):
    """Catches a reconnect that leaves the first registration behind."""
    sim = connected4(server, token=b"0123456789abcdef")
    sim.close()
    again = Sim4(server, "m", token=b"0123456789abcdef").wait_registered()
    server.wait_replicas("m", 1)
    assert server.predict("a", [1.0])["output"] == 1.0
    assert again.requests


def test_status_shows_no_token(server):
    """Catches a status with which its reader can take a container's place."""
    token = bytes(range(0xa0, 0xb0))
    connected4(server, token=token)
    text = server.get("/status").body
    assert token.hex().encode() not in text.lower()
    replica, = server.replicas("m")
    assert replica["token_hash"] == hashlib.sha1(
        b"clipper replica " + token).hexdigest()
    assert "token" not in replica


def test_the_owner_of_a_token_comes_back(server):
    """Catches a container that no longer gets requests after another
    connection took its place with the same token and left."""
    owner = connected4(server, token=b"0123456789abcdef")
    other = Sim4(server, "m", token=b"0123456789abcdef").wait_registered()

    def states():
        return sorted(replica["state"]
                      for replica in server.replicas("m", ready=False))

    wait_until(lambda: states() == ["leaving", "ready"])
    other.close()
    wait_until(lambda: states() == ["ready"])
    assert server.predict("a", [1.0])["output"] == 1.0
    assert owner.requests


def test_both_versions_serve(server):
    """Catches a version that gets no inputs while the other is connected."""
    old = Sim3(server, "m", manual=True).wait_registered()
    new = Sim4(server, "m", manual=True).wait_registered()
    server.wait_replicas("m", 2)
    connections = [answer_later(server, float(i)) for i in range(2)]
    for sim in (old, new):
        request = sim.next_request()
        sim.reply(request, [str(v[0]) for v in request.values])
    assert sorted(c.read().json()["output"] for c in connections) == [0, 1]


def test_heartbeat(server):
    """Catches a heartbeat without an answer, or of another version."""
    sim = connected4(server)
    before = len(sim.received(rpc.HEARTBEAT))
    sim.send(rpc.heartbeat())
    wait_until(lambda: len(sim.received(rpc.HEARTBEAT)) == before + 1)
    assert sim.received(rpc.HEARTBEAT)[-1].frames == [
        b"", rpc.u32(4), rpc.u32(2), rpc.u32(0)]


def test_heartbeat_of_a_stranger(server):
    """Catches a stranger that is not asked for its metadata."""
    sim = Sim3(server, "m", metadata=[b"", rpc.u32(99)])
    sim.wait_event(lambda e: e.direction == "in" and e.frames == [
        b"", rpc.u32(3), rpc.u32(2), rpc.u32(1)])


def test_slo_of_each_input_is_sent(nginx):
    """Catches a time left that grows while a query waits."""
    server = nginx(application("a", "m:1", slo="2s")
                   + application("b", "m:1", slo="10s"), http=NOCACHE
                   + "clipper_model m { batch 10; }")
    sim = connected4(server, manual=True)
    hold = answer_later(server, 0.0)
    first = sim.next_request()
    begun = time.monotonic()
    waiting = [answer_later(server, 1.0, "a"), answer_later(server, 2.0, "b")]
    wait_until(lambda: server.status()["zone"]["flights"]["used"] >= 3)
    wait_until(lambda: time.monotonic() - begun > 0.3)
    sim.reply(first, ["0"])
    request = sim.next_request()
    left = {v[0]: t / 1e6 for v, t in zip(request.values, request.times_left)}
    assert 0.5 < left[1.0] < 1.75 and 8.0 < left[2.0] < 9.75
    sim.reply(request, ["1"] * len(request.inputs))
    assert [c.read().json()["default"] for c in [hold] + waiting] == \
        [False] * 3


NO_MEMORY = r"""
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <unistd.h>

/* one allocation of SIZE bytes fails, if the file is there */

int
zmq_msg_init_size(void *msg, size_t size)
{
    int (*real)(void *, size_t);

    if (size == SIZE && unlink(FILE) == 0) {
        errno = ENOMEM;
        return -1;
    }

    *(void **) &real = dlsym(RTLD_NEXT, "zmq_msg_init_size");
    return real(msg, size);
}
"""


def test_a_message_without_memory_leaves_no_part_behind(make_nginx, tmp_path):
    """Catches a message that is begun and then given up: the next message, to
    another container, would be sent as the rest of it."""
    fails = tmp_path / "fails"
    server = make_nginx(application("a", "m:1", slo="30s")
                        + application("b", "other:1", slo="3s"),
                        http=NOCACHE, workers=1)
    preload(server, tmp_path, NO_MEMORY, "-DSIZE=1000",
            f'-DFILE="{fails}"')
    server.start()
    first, second = connected4(server), connected4(server, "other")
    fails.touch()
    lost = server.post_later("/a/predict", {"input": [1.0] * 125})
    wait_until(lambda: not fails.exists())
    assert server.predict("b", [2.0])["default"] is False
    assert second.requests[-1].values == [(2.0,)]
    # The container is asked for its metadata, and serves what it lost.
    server.wait_replicas("m", 1)
    assert lost.read().json()["default"] is False
    assert first.requests[-1].values == [(1.0,) * 125]


def test_an_input_that_was_not_sent_is_no_suspect(make_nginx, tmp_path):
    """Catches an input that ends as an error after two attempts to send it: it
    never reached a replica."""
    fails = tmp_path / "fails"
    server = make_nginx(application("a", "m:1", slo="30s"), http=NOCACHE,
                        workers=1)
    preload(server, tmp_path, NO_MEMORY, "-DSIZE=1000",
            f'-DFILE="{fails}"')
    server.start()
    sim = connected4(server)
    fails.touch()
    lost = server.post_later("/a/predict", {"input": [1.0] * 125})
    for _ in range(3):
        wait_until(lambda: not fails.exists())
        fails.touch()
    fails.unlink(missing_ok=True)
    assert lost.read().json()["default"] is False
    assert sim.requests[-1].values == [(1.0,) * 125]
