"""Containers and strangers that misbehave, in either version of the protocol.

A wrong message harms only itself: it is counted under its cause, the replica
gets work again or was never registered, and another model always answers.
"""

import os
import re
import socket
import struct
import time

import pytest
import zmq

from harness import (PythonContainer, SLOW, Sim3, Sim4, application, rpc,
                     wait_until)
from harness.util import free_port
from harness.metrics import METRICS
from harness.session import (ASK_METADATA, NOCACHE, connected,
                             heartbeat_answers, queued)

LATE = ("Failed to retrieve a prediction response within the specified "
        "latency SLO")


def limited(nginx, server=application("a", "m:1"), host="127.0.0.1",
            parameters="", http=NOCACHE, **kw):
    """A server with parameters of its clipper_rpc."""
    port = free_port()
    made = nginx(server, rpc=f"clipper_rpc {host}:{port} {parameters};",
                 http=http, **kw)
    made.rpc = f"tcp://{host}:{port}"
    return made


@pytest.fixture
def start(nginx, neighbour):
    """Starts a server with application "a" (model m), and another model that
    answers all the time."""
    def run(http="", **kw):
        server = limited(nginx, application("a", "m:1", slo="3s")
                         + application("b", "other:1"),
                         http=NOCACHE + http, operator_extra=METRICS, **kw)
        neighbour(server)
        return server

    return run


@pytest.fixture
def server(start):
    return start()


def errors(server):
    """Dropped messages of containers, by cause."""
    text = server.get("/metrics").body.decode()
    return {cause: int(count) for cause, count in re.findall(
        r'^clipper_rpc_errors_total\{cause="(\w+)"\} (\d+)$', text, re.M)
        if int(count)}


def expect(server, cause, count=1):
    """Only this cause is counted, and is in the log."""
    wait_until(lambda: errors(server) == {cause: count}, what=f"{cause}, "
               f"{count} times")
    assert "container message dropped: " in server.log_text()


# announcements


@pytest.mark.parametrize("metadata, cause", [
    (rpc.metadata3("m", 1, 3, None), "no_rpc_version"),
    (rpc.metadata3("m", 1, 3, rpc.u32(2)), "rpc_version"),
    (rpc.metadata3("m", 1, 3, rpc.u32(5)), "rpc_version"),
    (rpc.metadata3("m", 1, 3, b""), "rpc_version"),
    (rpc.metadata3("m", 1, 3, b"\3\0"), "rpc_version"),
    (rpc.metadata3("m", 1, b"-1"), "input_type_range"),
    (rpc.metadata3("m", 1, b"5"), "input_type_range"),
    (rpc.metadata3("m", 1, b"99999999999999999"), "input_type_range"),
    (rpc.metadata3("m", 1, b"x"), "input_type_text"),
    (rpc.metadata3("m", 1, b""), "input_type_text"),
    (rpc.metadata3("", 1, 3), "bad_name"),
    (rpc.metadata3("m\0", 1, 3), "bad_name"),
    (rpc.metadata3("m\x9b", 1, 3), "bad_name"),
    (rpc.metadata3("m", "1\n", 3), "bad_model_version"),
    (rpc.metadata3("n" * 300, 1, 3), "bad_name"),
    ([b"", rpc.u32(0), b"\xff", b"1", b"3", rpc.u32(3)], "bad_name"),
    (rpc.metadata3("m", "", 3), "bad_model_version"),
    ([b"", rpc.u32(0)], "short_message"),
    ([b"", rpc.u32(0), b"m"], "short_message"),
    (rpc.metadata3("m", 1, 3) + [b"more"] * 5, "rpc_version"),
    (rpc.metadata3("m", 1, 3)[:-1] + [b"more", rpc.u32(3)], "frame_count"),
    (rpc.metadata3("m", 1, 0), "type_mismatch"),
], ids=lambda v: repr(v[2:])[:40] if isinstance(v, list) else v)
def test_metadata_that_is_not_taken(server, metadata, cause):
    """Catches bad metadata that register or end anything; the container is
    asked again at each heartbeat (H10)."""
    sim = Sim3(server, "m", metadata=metadata)
    wait_until(lambda: len(heartbeat_answers(sim)) >= 3)
    assert all(a == ASK_METADATA for a in heartbeat_answers(sim))
    assert server.replicas("m", ready=False) == []
    answer = server.predict("a", [1.0])
    assert answer["default_reason"] == "no_replica"
    sim.close()
    wait_until(lambda: list(errors(server)) == [cause])


@pytest.mark.parametrize("metadata, cause", [
    (rpc.metadata4("m", 1, 7, b"t" * 16), "input_type_range"),
    (rpc.metadata4("m", 1, "x", b"t" * 16), "input_type_text"),
    (rpc.metadata4("m", 1, 3, b"t" * 15), "bad_token"),
    (rpc.metadata4("m", 1, 3, b"t" * 16, b"d" * 65), "bad_digest"),
    (rpc.metadata4("", 1, 3, b"t" * 16), "bad_name"),
    (rpc.metadata4("a b", 1, 3, b"t" * 16), "bad_name"),
    (rpc.metadata4("n" * 256, 1, 3, b"t" * 16), "bad_name"),
    (rpc.metadata4("m", "", 3, b"t" * 16), "bad_model_version"),
    (rpc.metadata4("m", "1/2", 3, b"t" * 16), "bad_model_version"),
    (rpc.metadata4("m", 1, 3, b"t" * 16)[:-1] + [b"", rpc.u32(4)],
     "frame_count"),
    (rpc.metadata4("m", 1, 0, b"t" * 16), "type_mismatch"),
], ids=lambda v: v if isinstance(v, str) else "")
def test_metadata_of_version_4_that_is_not_taken(server, metadata, cause):
    """Catches bad metadata that register, or are dropped without a line in
    the log."""
    sim = Sim4(server, "m", metadata=metadata)
    wait_until(lambda: sim.refused, what="REFUSED")
    assert sim.refused[0]
    assert not sim.registered.is_set()
    assert server.replicas("m", ready=False) == []
    expect(server, cause)


def test_metadata_twice(server):
    """Catches a connection that renames itself by a second message; the same
    one again, to a question that came twice, is no mistake."""
    sim = connected(server)
    sim.send(rpc.metadata3("another", "7", 0))
    sim.send(rpc.metadata3("m", "1", 3))
    assert server.predict("a", [1.0])["output"] == 1.0
    expect(server, "registered_twice", 1)
    assert [(r["model"], r["replica_id"]) for r in
            server.replicas(ready=False) if r["model"] != "other"] == \
        [("m", 0)]


def test_no_metadata(server):
    """Catches a container that gets requests without metadata."""
    class Nameless(Sim3):
        def on_unknown(self, session):
            pass

    sim = Nameless(server, "m", hello=rpc.heartbeat())
    for _ in range(10):
        sim.send(rpc.heartbeat())
    wait_until(lambda: len(heartbeat_answers(sim)) >= 10)
    assert set(map(tuple, heartbeat_answers(sim))) == {tuple(ASK_METADATA)}
    sim.send(rpc.reply3(0, [b"666"]))
    assert server.predict("a", [1.0])["default_reason"] == "no_replica"
    expect(server, "unregistered")


def test_no_heartbeat(server):
    """Catches a container that is refused because it sends its metadata
    before the frontend asks."""
    sim = Sim3(server, "m", hello=rpc.metadata3("m", 1, 3), heartbeats=False)
    server.wait_replicas("m")
    assert server.predict("a", [1.5])["output"] == 1.5
    assert sim.sent(rpc.HEARTBEAT) == []
    assert errors(server) == {}


def test_too_many_replicas(start):
    """Catches a registry that overflows, or a refusal that is logged for
    every container instead of once a minute."""
    server = start(zone="2m", workers=1)
    rows = server.status()["zone"]["replicas"]["total"]
    with zmq.Context() as context:
        sockets = []
        for _ in range(rows + 10):
            sockets.append(context.socket(zmq.DEALER))
            sockets[-1].connect(server.rpc)
            sockets[-1].send_multipart(rpc.metadata3("m", 1, 3))
        expect(server, "no_space", 11)
        assert server.status()["zone"]["replicas"]["used"] == rows
        assert server.log_text().count("has no room for another replica") == 1
        for s in sockets:
            s.close(0)
    server.wait_replicas("m", 0)
    Sim3(server, "m").wait_registered()
    server.wait_replicas("m", 1)


# replies


def changed(request, outputs, **changes):
    """A reply of version 3 or 4 with frames changed: _3=function."""
    encode = rpc.reply3 if request.version == 3 else rpc.reply4
    frames = encode(request.message_id, outputs)
    for index, change in changes.items():
        frames[int(index[1:])] = change(frames[int(index[1:])])
    return frames


def header4(request, count, lengths, statuses):
    return struct.pack(f"<II{len(lengths)}Q{len(statuses)}I",
                       request.message_id, count, *lengths, *statuses)


#: Bad replies that give the replica its credit back.
REPLIES_3 = {
    "too few outputs": ("output_count", lambda r, o: rpc.reply3(
        r.message_id, o[:-1])),
    "too many outputs": ("output_count", lambda r, o: rpc.reply3(
        r.message_id, o + [b"9"])),
    "truncated header": ("bad_header", lambda r, o: changed(
        r, o, _4=lambda h: h[:8])),
    "header size lies": ("bad_header", lambda r, o: changed(
        r, o, _3=lambda _: rpc.u64(1 << 40))),
    "header of odd size": ("bad_header", lambda r, o: changed(
        r, o, _3=lambda _: rpc.u64(3), _4=lambda _: b"abc")),
    "1 GB announced": ("bad_length", lambda r, o: changed(
        r, o, _4=lambda h: h[:8] + rpc.u64(1 << 30) + h[16:])),
    "count lies": ("bad_header", lambda r, o: changed(
        r, o, _4=lambda h: rpc.u64(1 << 61) + h[8:])),
    "extra frames": ("frame_count", lambda r, o: rpc.reply3(
        r.message_id, o) + [b"x", b"y"]),
    "missing frames": ("frame_count", lambda r, o: rpc.reply3(
        r.message_id, o)[:-1]),
    "no output header": ("short_message", lambda r, o: rpc.reply3(
        r.message_id, o)[:4]),
    "id only": ("short_message", lambda r, o: rpc.reply3(
        r.message_id, o)[:3]),
}

REPLIES_4 = {
    "short header": ("bad_header", lambda r, o: changed(
        r, o, _2=lambda h: h[:-1])),
    "header of the id": ("bad_header", lambda r, o: changed(
        r, o, _2=lambda h: h[:4])),
    "header of nothing": ("bad_header", lambda r, o: changed(
        r, o, _2=lambda h: h[:8])),
    "long header": ("bad_header", lambda r, o: changed(
        r, o, _2=lambda h: h + b"\0")),
    "less data": ("bad_length", lambda r, o: changed(
        r, o, _3=lambda d: d[:-1])),
    "more data": ("bad_length", lambda r, o: changed(
        r, o, _3=lambda d: d + b"x")),
    "too few outputs": ("output_count", lambda r, o: rpc.reply4(
        r.message_id, o[:-1])),
    "too many outputs": ("output_count", lambda r, o: rpc.reply4(
        r.message_id, o + [b"9"])),
    "unknown status": ("bad_status", lambda r, o: rpc.reply4(
        r.message_id, o, [9] * len(o))),
    "lengths overflow": ("bad_length", lambda r, o: [
        b"", rpc.u32(1), header4(r, len(o), [(1 << 64) - 1] * len(o),
                                 [0] * len(o)), b""]),
    "count overflows": ("bad_header", lambda r, o: [
        b"", rpc.u32(1), header4(r, 0xffffffff, [1], [0]), b"1"]),
    "no data": ("short_message", lambda r, o: rpc.reply4(
        r.message_id, o)[:3]),
    "extra frame": ("frame_count", lambda r, o: rpc.reply4(
        r.message_id, o) + [b"x"]),
    "form of version 3": ("frame_count", lambda r, o: rpc.reply3(
        r.message_id, o)),
}


def once(bad):
    """A container's handler: the first reply is bad, others are right."""
    left = [True]

    def handler(sim, request):
        outputs = [b"1"] * len(request.inputs)
        if left:
            left.clear()
            sim.send(bad(request, outputs))
        else:
            sim.reply(request, outputs)

    return handler


@pytest.mark.parametrize("sim, kind", [(Sim3, k) for k in REPLIES_3]
                         + [(Sim4, k) for k in REPLIES_4],
                         ids=lambda v: v if isinstance(v, str) else v.__name__)
def test_bad_reply(server, sim, kind):
    """Catches a bad reply whose outputs are used, that costs the replica its
    credit, or that makes its query wait for the SLO (H8, H9)."""
    cause, bad = (REPLIES_3 if sim is Sim3 else REPLIES_4)[kind]
    sim(server, "m", handler=once(bad)).wait_registered()
    server.wait_replicas("m")
    start = time.monotonic()
    answer = server.predict("a", [1.0])
    took = time.monotonic() - start
    assert answer["output"] == -1.0
    assert answer["default_reason"] == "model_error"
    assert took < 2.5, "a failed batch must not wait for the SLO"
    for i in range(3):
        assert server.predict("a", [2.0 + i])["output"] == 1
    expect(server, cause)


#: Messages before and after the true reply: each harms only itself.
HARMLESS = {
    "unknown type": ("unknown_type", lambda r: [b"", rpc.u32(77), b"x"]),
    "leaving cut short": ("unknown_type", lambda r: [b"", b"\5"]),
    "type of 8 bytes": ("unknown_type", lambda r: [
        b"", rpc.u64(1), rpc.u32(r.message_id)]),
    "no type": ("short_message", lambda r: [b""]),
    "no delimiter": ("no_delimiter", lambda r: [b"x", rpc.u32(2)]),
    "empty frames": ("unknown_type", lambda r: [b""] * 40),
    "wrong message id": ("unknown_id", lambda r: rpc.reply3(
        r.message_id + 1000, [b"666"] * len(r.inputs))),
    "id of 8 bytes": ("bad_id", lambda r: [
        b"", rpc.u32(1), rpc.u64(r.message_id)]),
    "form of version 4": ("bad_id", lambda r: rpc.reply4(
        r.message_id, [b"666"] * len(r.inputs))),
    "no id": ("short_message", lambda r: [b"", rpc.u32(1)]),
    "metadata again": ("registered_twice", lambda r: rpc.metadata3(
        "another", "1", 3)),
    "short metadata": ("short_message", lambda r: [
        b"", rpc.u32(0), b"another"]),
    "heartbeat with frames": ("frame_count", lambda r: [
        b"", rpc.u32(2), b"x", b"y"]),
    "random frames": ("unknown_type", lambda r: [b"", b"\xff" + os.urandom(3)]
                      + [os.urandom(n) for n in range(1, 60)]),
    "large frame": ("unknown_type", lambda r: [
        b"", rpc.u32(9), b"z" * (1 << 20)]),
}


@pytest.mark.parametrize("kind", HARMLESS)
def test_bad_message(server, kind):
    """Catches a bad message that shifts, loses or answers anything (H9,
    H17)."""
    cause, bad = HARMLESS[kind]

    def handler(sim, request):
        sim.send(bad(request))
        sim.reply(request, [str(v[0]) for v in request.values])
        sim.send(bad(request))

    connected(server, handler=handler)
    for i in range(5):
        assert server.predict("a", [i + 0.5])["output"] == i + 0.5
    expect(server, cause, 10)
    assert [r["replica_id"] for r in server.replicas("m")] == [0]


def test_duplicate_reply(server):
    """Catches a second reply that gives a second credit (H17)."""
    sim = connected(server, manual=True)
    for i in range(3):
        connection = server.post_later("/a/predict", {"input": [float(i)]})
        request = sim.next_request()
        for _ in range(3):
            sim.reply(request, [str(i)])
        assert connection.read().json()["output"] == i

    expect(server, "unknown_id", 6)
    check_one_batch_at_a_time(server, sim, 3)


def check_one_batch_at_a_time(server, sim, count):
    """Queries get their answers by one request after the other."""
    connections = [server.post_later("/a/predict", {"input": [9.0 + i]})
                   for i in range(count)]
    left = count
    while left:
        request = sim.next_request()
        left -= len(request.inputs)
        if left == count - len(request.inputs):
            wait_until(lambda: queued(server) == left)
        assert sim.arrived.empty(), "two batches in flight"
        sim.reply(request, ["5"] * len(request.inputs))
    assert [c.read().json()["output"] for c in connections] == [5] * count


def test_reply_of_another_replica(start):
    """Catches an answer that is taken from a replica that was not asked."""
    server = start(workers=1)
    asked = connected(server, manual=True)
    connection = server.post_later("/a/predict", {"input": [1.0]})
    request = asked.next_request()
    thief = connected(server, "thief")
    thief.send(rpc.reply3(request.message_id, ["666"]))
    expect(server, "unknown_id")
    asked.reply(request, ["1"])
    assert connection.read().json()["output"] == 1


def test_unsolicited_replies(server):
    """Catches credits for replies without a request (H17)."""
    sim = connected(server, manual=True)
    for i in range(50):
        sim.send(rpc.reply3(i, ["666"]))
    expect(server, "unknown_id", 50)
    check_one_batch_at_a_time(server, sim, 2)


def test_no_reply(server):
    """Catches a query that outlives its SLO for a container that never
    answers."""
    connected(server, handler=lambda sim, request: None)
    start = time.monotonic()
    answer = server.predict("a", [1.0])
    assert answer["default_explanation"] == LATE
    assert time.monotonic() - start < 3.0 + 0.5 * SLOW
    assert errors(server) == {}


def test_reply_to_a_dead_registration(start):
    """Catches a late answer of a dropped identity that is accepted."""
    server = start("clipper_model m { replica_timeout 1s; }", workers=1)
    sim = connected(server, manual=True, idle=0.1)
    connection = server.post_later("/a/predict", {"input": [1.0]})
    request = sim.next_request()
    sim.reply(request, ["1"])
    assert connection.read().json()["output"] == 1

    sim.heartbeats = False
    server.wait_replicas("m", 0)
    for i in range(1, 5):
        sim.send(rpc.reply3(request.message_id + i, ["666"]))
    expect(server, "unregistered", 4)
    sim.heartbeats = True
    wait_until(lambda: [r["replica_id"] for r in server.replicas("m")] == [1])
    connection = server.post_later("/a/predict", {"input": [2.0]})
    sim.reply(sim.next_request(), ["2"])
    assert connection.read().json()["output"] == 2


@pytest.mark.parametrize("sim", [Sim3, Sim4])
def test_death_in_a_batch(server, sim):
    """Catches a query that waits for a dead replica: without another replica
    it gets its default by the SLO, and later queries get it at once."""
    doomed = sim(server, "m", manual=True).wait_registered()
    server.wait_replicas("m")
    connection = server.post_later("/a/predict", {"input": [5.0]})
    doomed.next_request()
    start = time.monotonic()
    doomed.close()
    answer = connection.read().json()
    assert answer["default"] is True and answer["default_reason"]
    assert time.monotonic() - start < 3.0 + 0.5 * SLOW
    assert server.predict("a", [6.0])["default_reason"] == "no_replica"


@pytest.mark.parametrize("sim", [Sim3, Sim4])
def test_invalid_utf8(server, sim):
    """Catches bytes of a container that make the response invalid JSON."""
    sim(server, "m", model=lambda values: [b"\xff\"\xc3"] * len(values)
        ).wait_registered()
    server.wait_replicas("m")
    assert server.predict("a", [1.0])["output"] == "\ufffd\"\ufffd"


@pytest.mark.parametrize("sim", [Sim3, Sim4])
def test_message_over_the_limit(start, sim):
    """Catches a message of any size that is read into memory: the connection
    is closed, and the container may come back. It does so at once and
    gets queries again."""
    server = start(parameters="max_message=64k")
    sim(server, "m", handler=once(lambda request, outputs: changed(
        request, [b"z" * (1 << 20)]))).wait_registered()
    server.wait_replicas("m")
    assert server.predict("a", [1.0])["output"] in (-1.0, 1)
    wait_until(lambda: server.predict("a", [2.0])["output"] == 1, 20)


# strangers on the port

GREETING = b"\xff" + b"\0" * 8 + b"\x7f\3\0NULL" + b"\0" * 48

STRANGERS = {
    "random bytes": lambda: os.urandom(5000),
    "HTTP": lambda: b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "half a greeting": lambda: b"\xff\0\0\0\0\0\0\0\1\x7f\3",
    "old ZMTP": lambda: b"\1\0" + b"\2\0x",
    "greeting, then a huge frame": lambda: (
        GREETING + b"\2" + struct.pack(">Q", 1 << 62)),
    "greeting, then random bytes": lambda: GREETING + os.urandom(5000),
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_strangers(server, kind):
    """Catches a stranger's connection that disturbs a container."""
    connected(server)
    host, port = server.rpc[len("tcp://"):].split(":")
    sockets = []
    for _ in range(10):
        s = socket.create_connection((host, int(port)))
        s.sendall(STRANGERS[kind]())
        sockets.append(s)
    for i in range(5):
        assert server.predict("a", [float(i)])["output"] == float(i)
    for s in sockets:
        s.close()
    assert server.predict("a", [9.5])["output"] == 9.5
    assert [r["replica_id"] for r in server.replicas("m")] == [0]


# who may connect


def answers_to(server, source):
    """Whether a connection from a loopback address is kept and greeted."""
    host, port = server.rpc[len("tcp://"):].rsplit(":", 1)
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    with socket.socket(family) as s:
        s.settimeout(10 * SLOW)
        s.bind((source, 0))
        s.connect((host.strip("[]"), int(port)))
        try:
            return s.recv(1) == b"\xff"
        except ConnectionResetError:
            return False


def renew(server, directive):
    """Reloads, and waits for the end of the workers with the old list."""
    before = server.children()
    server.reload(rpc=directive)
    wait_until(lambda: not set(before) & set(server.children()), 20)


def test_allow(nginx):
    """Catches an allowed address that is refused, or another address that is
    accepted, also after a reload that changes the list."""
    server = limited(nginx, parameters="allow=127.0.0.2,127.0.0.4/31 "
                                       "allow=127.0.1.0/24")
    expected = {"127.0.0.2": True, "127.0.0.4": True, "127.0.0.5": True,
                "127.0.1.200": True, "127.0.0.1": False, "127.0.0.3": False,
                "127.0.0.6": False, "127.0.2.1": False}
    assert {a: answers_to(server, a) for a in expected} == expected

    port = server.rpc.rsplit(":", 1)[1]
    stranger = Sim4(server, "m", endpoint=server.rpc)
    Sim4(server, "m", endpoint=f"tcp://127.0.0.2:0;127.0.0.1:{port}"
         ).wait_registered()
    server.wait_replicas("m", 1)
    assert server.predict("a", [1.5])["output"] == 1.5
    assert not stranger.registered.is_set()

    renew(server, f"clipper_rpc 127.0.0.1:{port} allow=127.0.0.1;")
    stranger.wait_registered()
    assert answers_to(server, "127.0.0.1")
    assert not answers_to(server, "127.0.0.2")


def test_allow_of_ipv6(nginx):
    """Catches a list of IPv6 addresses that crashes the workers or is not
    enforced."""
    server = limited(nginx, host="[::1]", parameters="allow=::1 allow=fd00::/8")
    assert answers_to(server, "::1")
    PythonContainer(server, "m", lambda xs: [float(x.sum()) for x in xs])
    server.wait_replicas("m", timeout=30)
    assert server.predict("a", [1.5])["output"] == 1.5
    renew(server, f"clipper_rpc {server.rpc[6:]} allow=fd00::/8;")
    assert not answers_to(server, "::1")


def test_allow_is_of_one_address(nginx):
    """Catches a list that also applies to the next address."""
    port = free_port()
    server = limited(nginx, parameters="allow=127.0.0.2; "
                     f"clipper_rpc 127.0.0.1:{port}")
    assert not answers_to(server, "127.0.0.1")
    server.rpc = f"tcp://127.0.0.1:{port}"
    assert answers_to(server, "127.0.0.1")
