"""Containers of the original: protocol version 3, frame by frame."""

import os
import signal
import time

import pytest

from harness import Sim3, Sim3Silent, Sim4, application, rpc, wait_until
from harness.session import (ASK_METADATA, KEEPALIVE, NOCACHE, connected,
                             heartbeat_answers, queued)
from harness.workers import allow_kill, replica_pid


@pytest.fixture
def server(nginx):
    """Applications "a" (model m) and "b" (model other)."""
    return nginx(application("a", "m:1", slo="3s")
                 + application("b", "other:1", slo="3s"), http=NOCACHE)


# the session


def test_session_start(server):
    """Catches a start that is not the documented one, frame by frame."""
    sim = connected(server, "sum")
    got = [e.frames for e in sim.events]
    assert got[:2] == [rpc.heartbeat(), ASK_METADATA]
    assert got[2] == [b"", rpc.u32(0), b"sum", b"1", b"3", rpc.u32(3)]
    assert got[-1] == KEEPALIVE


def test_each_heartbeat_has_one_answer(server):
    """Catches a frontend that sends unrequested heartbeats, or loses one."""
    sim = connected(server)
    for _ in range(20):
        sim.send(rpc.heartbeat())
    wait_until(lambda: len(heartbeat_answers(sim)) == 22)
    server.predict("a", [1.0])
    assert len(heartbeat_answers(sim)) == len(sim.sent(rpc.HEARTBEAT))
    assert heartbeat_answers(sim)[1:] == [KEEPALIVE] * 21


def test_request_and_reply(server):
    """Catches a request that is not the documented one, byte by byte."""
    sim = connected(server, manual=True)
    connection = server.post_later("/a/predict", {"input": [1.0, 2.0]})
    frames = sim.next_request().frames
    assert frames[:3] == [b"", rpc.u32(3), rpc.u32(1)]
    assert len(frames[3]) == 4 and frames[4] == rpc.u32(0)
    assert frames[5:] == [
        bytes.fromhex("1800000000000000"),
        bytes.fromhex("0300000000000000 0100000000000000"
                      "1000000000000000"),
        bytes.fromhex("000000000000f03f 0000000000000040")]

    sim.send([b"", rpc.u32(1), frames[3], rpc.u64(16),
              rpc.u64(1) + rpc.u64(3), b"3.0"])
    assert connection.read().json()["output"] == 3.0


def batch_server(nginx, kind):
    return nginx(application("a", "m:1", kind), http=NOCACHE
                 + "clipper_model m { batch 10; }")


#: Inputs of each type that no test expects.
OTHER = {"doubles": [9.0], "strings": "x", "bytes": "/w==", "ints": [9],
         "floats": [9.0]}


@pytest.mark.parametrize("kind, values, expected", [
    ("doubles", [[1.0, 2.0], [3.0]], """
     2000000000000000 |
     03000000000000000200000000000000 10000000000000000800000000000000 |
     000000000000f03f0000000000000040 | 0000000000000840"""),
    ("strings", ["hi", "h\u00e9llo"], """
     2000000000000000 |
     04000000000000000200000000000000 02000000000000000600000000000000 |
     6869 | 68c3a96c6c6f"""),
    ("bytes", ["AQID"], """
     1800000000000000 |
     00000000000000000100000000000000 0300000000000000 | 010203"""),
    ("ints", [[1], [-1, 2]], """
     2000000000000000 |
     01000000000000000200000000000000 04000000000000000800000000000000 |
     01000000 | ffffffff02000000"""),
    ("floats", [[1.0]], """
     1800000000000000 |
     02000000000000000100000000000000 0400000000000000 | 0000803f"""),
])
def test_worked_examples(nginx, kind, values, expected):
    """Catches a wrong layout of a type, or of several inputs (G2-G6)."""
    server = batch_server(nginx, kind)
    sim = connected(server, input_type=kind, manual=True)
    # While the replica is busy all are queued, so they are one batch.
    holder = server.post_later("/a/predict", {"input": OTHER[kind]})
    first = sim.next_request()
    connection = server.post_later("/a/predict", {"input_batch": values})
    wait_until(lambda: queued(server) == len(values))
    sim.reply(first, ["1"])
    request = sim.next_request()
    sim.reply(request, ["1"] * len(request.inputs))
    assert holder.read().status == 200
    assert connection.read().status == 200
    assert request.frames[5:] == [bytes.fromhex(part)
                                  for part in expected.split("|")]


def test_one_batch_in_flight(server):
    """Catches a second batch before the first is answered."""
    sim = connected(server, manual=True)
    connections = [server.post_later("/a/predict", {"input": [float(i)]})
                   for i in range(5)]
    wait_until(lambda: queued(server) == 4)
    first = sim.next_request()
    assert sim.arrived.empty() and len(first.inputs) == 1

    answered = 0
    request = first
    while True:
        sim.reply(request, [str(v[0]) for v in request.values])
        answered += len(request.inputs)
        if answered == 5:
            break
        request = sim.next_request()
        assert sim.arrived.empty()

    assert sorted(c.read().json()["output"] for c in connections) == \
        [float(i) for i in range(5)]


def test_message_ids_differ(server):
    """Catches an id that two requests in a row share."""
    sim = connected(server)
    for i in range(10):
        server.predict("a", [float(i)])
    ids = [r.message_id for r in sim.requests]
    assert len(set(ids)) == len(ids) == 10


def test_outputs_are_bytes(server):
    """Catches outputs cut at a NUL, or mixed up when they are empty."""
    outputs = {1.0: b"", 2.0: b"a\0b", 3.0: b"x" * 100000}
    connected(server, model=lambda values: [outputs[v[0]] for v in values])
    body = server.post("/a/predict",
                       {"input_batch": [[1.0], [2.0], [3.0], [1.0]]}).json()
    assert [a["output"] for a in body["batch_predictions"]] == \
        ["", "a\0b", "x" * 100000, ""]


# registration


@pytest.mark.parametrize("kind", [b"3", b"3\0", b" 3", b"+3", b"3abc",
                                  b"\t3 ", b"03"])
@pytest.mark.parametrize("version", [rpc.u32(3), rpc.u64(3),
                                     rpc.u32(3) + b"\xff\0\0\0"])
def test_metadata_of_other_languages(server, kind, version):
    """Catches JVM, C++ and R containers that are refused (H11, H12)."""
    connected(server, metadata=rpc.metadata3("m", "1", kind, version))
    assert server.predict("a", [1.0])["output"] == 1.0


def test_names_are_free_text(server):
    """Catches a name that cannot be linked being refused, or breaking the
    status; a version that a client can name is served nevertheless."""
    names = ('a "b\\', "\u00e9t\u00e9 {}", "-:1", "n" * 255)
    for name in names:
        connected(server, name, version="1/2 x" * 51)
    assert {r["model"] for r in server.replicas()} == set(names)
    connected(server, "m", version="v 2", model=lambda v: ["22"] * len(v))
    answer = server.post("/a/predict", {"input": [1.0], "version": "v 2"})
    assert answer.json()["output"] == 22


def test_replica_ids(server):
    """Catches an id that is given twice, or shared between models (G47)."""
    sims = [connected(server) for _ in range(3)]
    connected(server, "other")
    assert sorted(r["replica_id"] for r in server.replicas("m")) == [0, 1, 2]
    assert [r["replica_id"] for r in server.replicas("other")] == [0]

    sims[1].close()
    server.wait_replicas("m", 2)
    sim = Sim3(server, "m").wait_registered()
    server.wait_replicas("m", 3)
    assert sorted(r["replica_id"] for r in server.replicas("m")) == [0, 2, 3]
    assert sim.error is None


def test_container_comes_before_its_link(nginx):
    """Catches a replica that is lost when its model is linked later (H20)."""
    server = nginx(application("b"), http=NOCACHE)
    Sim3(server, "m").wait_registered()
    server.wait_replicas("m")
    server.reload(server=application("b") + application("a", "m"))
    wait_until(lambda: server.predict("a", [1.0])["output"] == 1.0, 15)


def test_other_input_type(server):
    """Catches a replica of another type that gets inputs, or blocks the
    queue."""
    sim = Sim3(server, "m", input_type="ints")
    wait_until(lambda: len(heartbeat_answers(sim)) >= 2)
    start = time.monotonic()
    assert server.predict("a", [1.0])["default"] is True
    assert time.monotonic() - start < 4
    assert sim.requests == []
    connected_beside = Sim3(server, "m").wait_registered()
    wait_until(lambda: server.predict("a", [2.0])["output"] == 2.0)
    assert sim.requests == [] and connected_beside.requests


@pytest.mark.parametrize("sim", [Sim3, Sim4])
def test_other_input_type_before_its_link(nginx, sim):
    """Catches a replica that gets a type it did not announce, because the
    application with its link came later."""
    server = nginx(application("b"), http=NOCACHE)
    other = sim(server, "m", input_type="ints").wait_registered()
    server.wait_replicas("m")
    before = server.children()
    server.reload(server=application("a", "m:1"))
    assert server.predict("a", [1.0])["default"] is True
    wait_until(lambda: not set(before) & set(server.children()), 20)
    right = sim(server, "m").wait_registered()
    wait_until(lambda: server.predict("a", [2.0])["output"] == 2.0)
    assert other.requests == [] and right.requests


def test_unix_socket(nginx):
    """Catches a Unix path that containers cannot reach."""
    server = nginx(application("a", "m"), rpc="clipper_rpc unix:DIR/rpc.sock;",
                   http=NOCACHE)
    server.rpc = f"ipc://{server.dir}/rpc.sock"
    connected(server)
    assert server.predict("a", [1.5])["output"] == 1.5


def test_two_addresses(nginx):
    """Catches a second address that is not served."""
    server = nginx(application("a", "m"), rpc="clipper_rpc unix:DIR/1.sock; "
                   "clipper_rpc unix:DIR/2.sock;", http=NOCACHE)
    for name in ("1.sock", "2.sock"):
        Sim3(server, "m", endpoint=f"ipc://{server.dir}/{name}"
             ).wait_registered()
    server.wait_replicas("m", 2)
    assert server.predict("a", [1.5])["output"] == 1.5


# silence and death


def test_silent_container_is_dropped(nginx):
    """Catches a silent replica that is kept, or an old id that is assigned
    again (H13)."""
    server = nginx(application("a", "m:1"), http=NOCACHE
                   + "clipper_model m { replica_timeout 1s; }")
    sim = Sim3(server, "m", heartbeats=False)
    server.wait_replicas("m", 1)
    sim.send(rpc.heartbeat())
    server.wait_replicas("m", 0, timeout=15)
    assert server.predict("a", [1.0])["default"] is True

    sim.send(rpc.heartbeat())
    wait_until(lambda: [r["replica_id"] for r in server.replicas("m")] == [1])
    assert heartbeat_answers(sim)[-1] == ASK_METADATA
    assert server.predict("a", [1.0])["output"] == 1.0


def test_heartbeats_keep_a_replica(nginx):
    """Catches a replica that is dropped although it sends heartbeats."""
    server = nginx(application("a", "m:1"), http=NOCACHE
                   + "clipper_model m { replica_timeout 1s; }")
    sim = Sim3(server, "m", idle=0.2).wait_registered()
    sent = len(sim.sent(rpc.HEARTBEAT))
    wait_until(lambda: len(sim.sent(rpc.HEARTBEAT)) >= sent + 15)
    assert [r["replica_id"] for r in server.replicas("m")] == [0]


def test_working_replica_is_not_dropped(nginx):
    """Catches a slow model that is declared dead while it works."""
    server = nginx(application("a", "m:1", slo="30s"), http=NOCACHE
                   + "clipper_model m { replica_timeout 500ms; }")
    sim = connected(server, manual=True, idle=0.1)
    connection = server.post_later("/a/predict", {"input": [1.0]})
    request = sim.next_request()
    sim.heartbeats = False
    sim.reply(request, ["4"], after=2.0)
    assert connection.read().json()["output"] == 4


def test_lost_connection_is_noticed_at_once(server):
    """Catches a dead container that is only noticed by its silence."""
    sim = connected(server)
    start = time.monotonic()
    sim.close()
    server.wait_replicas("m", 0, timeout=3)
    assert time.monotonic() - start < 3
    answer = server.predict("a", [1.0])
    assert "No connected" in answer["default_explanation"]


def test_death_in_a_batch(server):
    """Catches a query that is lost with its replica: another replica serves
    it (H14)."""
    doomed = connected(server, manual=True)
    connection = server.post_later("/a/predict", {"input": [5.0]})
    doomed.next_request()
    connected(server, model=lambda values: ["8"] * len(values))
    doomed.close()
    assert connection.read().json()["output"] == 8
    assert server.predict("a", [6.0])["output"] == 8


def test_death_of_the_only_replica(server):
    """Catches a query that waits past its SLO for a dead replica."""
    doomed = connected(server, manual=True)
    connection = server.post_later("/a/predict", {"input": [5.0]})
    doomed.next_request()
    start = time.monotonic()
    doomed.close()
    answer = connection.read().json()
    assert answer["default"] is True
    assert time.monotonic() - start < 3.5


# a container that lost its frontend is silent


def test_silent_newcomer_is_asked(nginx):
    """Catches a container that connects and is left alone because it says
    nothing: as the first that its worker hears of, and as a later one."""
    server = nginx(application("a", "m:1", slo="3s"), http=NOCACHE)
    for count in (1, 2, 3):
        sim = Sim3Silent(server, "m").wait_registered(3)
        server.wait_replicas("m", count)
        assert heartbeat_answers(sim)[0] == ASK_METADATA
    assert server.predict("a", [1.5])["output"] == 1.5


def test_silent_newcomers_are_asked_once(server):
    """Catches a number that is left out because those around it have gone,
    or one that is asked twice."""
    sims = []
    for number in range(30):
        sim = Sim3Silent(server, "m")
        if number % 3 == 0:
            sim.close()
        else:
            sims.append(sim)
    server.wait_replicas("m", len(sims))
    for sim in sims:
        sim.wait_registered()
        assert heartbeat_answers(sim).count(ASK_METADATA) == 1
    assert "clipper_rpc_errors_total" not in [
        line.partition("{")[0] for line in
        server.get("/metrics").body.decode().splitlines()
        if not line.endswith(" 0")]


def test_one_that_speaks_is_not_asked(server):
    """Catches a container that is asked although it has spoken."""
    sims = [connected(server) for _ in range(5)]
    Sim3Silent(server, "m").wait_registered()
    for sim in sims:
        assert heartbeat_answers(sim).count(ASK_METADATA) == 1


def test_silent_one_with_an_identity(server):
    """Catches a worker that is confused by a peer which it cannot know the
    number of: that one has to speak, as ever."""
    own = Sim3Silent(server, "m", identity=b"\0mine")
    for count in (1, 2):
        Sim3Silent(server, "m").wait_registered()
        server.wait_replicas("m", count)
    assert heartbeat_answers(own) == []
    own.send(rpc.heartbeat())
    own.wait_registered()
    server.wait_replicas("m", 3)


def test_container_returns_after_a_death(nginx):
    """Catches a version 3 container that takes seconds to come back when its
    worker has died."""
    server = nginx(application("a", "m:1", slo="3s"), http=NOCACHE)
    allow_kill(server)
    sim = connected(server)
    for _ in range(3):
        asked = heartbeat_answers(sim).count(ASK_METADATA)
        os.kill(replica_pid(server), signal.SIGKILL)
        wait_until(lambda asked=asked: heartbeat_answers(sim).count(
            ASK_METADATA) > asked, 3, "the question of the next worker")
        server.wait_replicas("m")
    assert server.predict("a", [1.5])["output"] == 1.5
