"""Clients that misbehave, go away, or send a body in odd ways."""

import json
import time

import pytest

from harness import Sim3, Sim4, application, wait_until
from harness.client import build_request

HTTP = "clipper_cache_zone off;\n"


@pytest.fixture
def served(nginx):
    def start(sim=Sim4, slo="5s", http="", **kw):
        server = nginx(application("a", "m:1", slo=slo)
                       + application("b", "other:1"), http=HTTP + http)
        made = sim(server, "m", **kw).wait_registered()
        server.wait_replicas("m")
        return server, made

    return start


@pytest.fixture
def beside(served, neighbour):
    """The same with another model that always answers."""
    def start(**kw):
        server, made = served(**kw)
        neighbour(server)
        return server, made

    return start


def used(server):
    zone = server.status()["zone"]
    return zone["flights"]["used"] + zone["waiters"]["used"]


@pytest.mark.parametrize("how", ["close", "reset"])
def test_client_goes_while_it_waits(served, how):
    """Catches a task that outlives its client in the queue."""
    server, sim = served(manual=True, slo="30s")
    holder = server.post_later("/a/predict", {"input": [0.0]})
    first = sim.next_request()

    gone = [server.connect() for _ in range(10)]
    for i, connection in enumerate(gone):
        connection.send_post("/a/predict", {"input_batch": [[i + 1.0]] * 1})
    wait_until(lambda: server.status()["zone"]["waiters"]["used"] == 11)
    for connection in gone:
        getattr(connection, how)()
    wait_until(lambda: server.status()["zone"]["waiters"]["used"] == 1)

    sim.reply(first, ["1"])
    assert holder.read().json()["output"] == 1
    late = server.post_later("/a/predict", {"input": [99.0]})
    request = sim.next_request()
    assert request.values == [(99.0,)], "a task of a client that is gone"
    sim.reply(request, ["2"])
    assert late.read().json()["output"] == 2


def test_client_goes_while_its_batch_is_out(served):
    """Catches a late answer that reaches another client."""
    server, sim = served(manual=True, slo="30s")
    connection = server.post_later("/a/predict", {"input": [1.0]})
    request = sim.next_request()
    connection.reset()
    wait_until(lambda: server.status()["zone"]["waiters"]["used"] == 0)
    other = server.post_later("/a/predict", {"input": [2.0]})
    sim.reply(request, ["1"])
    request = sim.next_request()
    assert request.values == [(2.0,)]
    sim.reply(request, ["2"])
    assert other.read().json()["output"] == 2


@pytest.mark.parametrize("end", ["close", "reset"])
def test_half_a_body(beside, end):
    """Catches a query that starts before the body is complete."""
    server, sim = beside()
    for size in (0, 1, 9):
        connection = server.connect()
        connection.send(b"POST /a/predict HTTP/1.1\r\nHost: x\r\n"
                        b"Content-Length: 15\r\n\r\n"
                        + b'{"input":[1.0]}'[:size])
        getattr(connection, end)()
    assert server.predict("a", [2.0])["output"] == 2.0
    assert sim.inputs_seen() == 1


def test_content_length_too_small(beside):
    """Catches bytes after the body that are read as part of it."""
    server, sim = beside()
    with server.connect() as connection:
        body = b'{"input":[1.0]}'
        connection.send(b"POST /a/predict HTTP/1.1\r\nHost: x\r\n"
                        b"Content-Length: %d\r\n\r\n%s"
                        % (len(body) - 1, body))
        assert connection.read().status == 400
    assert server.predict("a", [2.0])["output"] == 2.0
    assert sim.inputs_seen() == 1


@pytest.mark.parametrize("length", ["-1", "x", "99999999999999999999",
                                    "5, 6"])
def test_wrong_content_length(beside, length):
    """Catches a length that no server should take."""
    server, _ = beside()
    with server.connect() as connection:
        connection.send(b"POST /a/predict HTTP/1.1\r\nHost: x\r\n"
                        b"Content-Length: %s\r\n\r\n{}" % length.encode())
        assert connection.read().status in (400, 413)
    assert server.predict("a", [2.0])["output"] == 2.0


@pytest.mark.parametrize("body", [
    '{"input":' + "[" * 1000000, "[" * 1000000,
    '{"x":' + '{"x":' * 200000, '{"input":[' + "9" * 1000000 + "]}",
    '{"input":[0.' + "1" * 1000000 + "]}",
    '{"' + "k" * 1000000 + '":1,"input":[1.0]}',
], ids=["nested input", "nested root", "nested objects", "long integer",
        "long fraction", "long name"])
def test_hostile_documents(beside, body):
    """Catches recursion or quadratic time on documents of clients."""
    server, _ = beside(http="client_max_body_size 4m;")
    start = time.monotonic()
    response = server.post("/a/predict", body)
    assert response.status in (200, 400, 413)
    response.json()
    assert time.monotonic() - start < 5
    assert server.predict("a", [2.0])["output"] == 2.0


@pytest.mark.parametrize("coding", [b"zz\r\n", b"5\r\nabc\r\n0\r\n\r\n",
                                    b"ffffffffffffffff1\r\n"])
def test_broken_chunks(beside, coding):
    """Catches a chunked body that is read past its end."""
    server, sim = beside()
    with server.connect() as connection:
        connection.send(b"POST /a/predict HTTP/1.1\r\nHost: x\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n" + coding)
        connection.sock.shutdown(1)
        try:
            assert connection.read().status in (400, 413)
        except ConnectionError:
            pass
    assert server.predict("a", [2.0])["output"] == 2.0
    assert sim.inputs_seen() == 1


def test_pipelining(beside):
    """Catches a bad request that shifts the answers to later requests, or
    answers that are not read."""
    server, sim = beside()
    requests, expected = b"", []
    for i in range(60):
        body = {"input": [i + 0.5]}
        if i % 3 == 1:
            body = ["{", {"input": "x"}, {}][i // 3 % 3]
        requests += build_request("POST", "/a/predict", body)
        expected.append(400 if i % 3 == 1 else i + 0.5)
    with server.connect() as connection:
        connection.send(requests)
        answers = [connection.read() for _ in expected]
    assert [a.status if a.status != 200 else a.json()["output"]
            for a in answers] == expected

    seen = sim.inputs_seen()
    gone = server.connect()
    gone.send(requests * 20)
    wait_until(lambda: sim.inputs_seen() > seen)
    gone.reset()
    assert server.predict("a", [2.0])["output"] == 2.0


def test_slow_reader(served):
    """Catches a large response that blocks the worker while its client does
    not read it."""
    text = json.dumps("x" * 900000)
    server, _ = served(model=lambda values: [
        text if v[0] < 0 else str(v[0]) for v in values])
    with server.connect() as slow:
        slow.send_post("/a/predict", {"input_batch": [[-1.0]] + [[-2.0]] * 9})
        for i in range(20):
            assert server.predict("a", [i + 1.0])["output"] == i + 1.0
        body = slow.read().json()
    assert [len(a["output"]) for a in body["batch_predictions"]] == \
        [900000] * 10


@pytest.mark.parametrize("sim", [Sim3, Sim4])
def test_queue_bound(nginx, sim):
    """Catches a queue that grows past `queue`: the default at once."""
    server = nginx(application("a", "m:1", slo="20s"), http=HTTP
                   + "clipper_model m { queue 3; batch 1; }")
    made = sim(server, "m", manual=True).wait_registered()
    server.wait_replicas("m")

    waiting = []
    for i in range(4):
        connection = server.post_later("/a/predict", {"input": [float(i)]})
        waiting.append(connection)
        if i == 0:
            request = made.next_request()
        else:
            wait_until(lambda: sum(m["queue_tasks"] for m in
                                   server.status()["models"]) == i)

    start = time.monotonic()
    answer = server.predict("a", [9.0])
    assert time.monotonic() - start < 2
    assert answer["default"] is True
    assert answer["default_explanation"] == \
        "The default was used: queue_full"

    for connection in waiting:
        made.reply(request, [str(v[0]) for v in request.values])
        if connection is not waiting[-1]:
            request = made.next_request()
    assert [c.read().json()["output"] for c in waiting] == [0, 1, 2, 3]


def test_queue_size_bound(nginx):
    """Catches a queue whose bytes grow past `queue_size`."""
    server = nginx(application("a", "m:1", slo="20s"), http=HTTP
                   + "clipper_model m { queue_size 64k; batch 1; }")
    sim = Sim4(server, "m", manual=True).wait_registered()
    server.wait_replicas("m")
    connections = []
    for i in range(5):
        connection = server.post_later("/a/predict",
                                       {"input": [i + 0.5] * 3000})
        connections.append(connection)
        if i == 0:
            request = sim.next_request()
        elif i < 3:
            wait_until(lambda: sum(m["queue_tasks"] for m in
                                   server.status()["models"]) == i)
    answers = [connections[i].read().json() for i in (3, 4)]
    assert [a["default_explanation"] for a in answers] == \
        ["The default was used: queue_full"] * 2
    for i in range(3):
        sim.reply(request, ["7"])
        if i < 2:
            request = sim.next_request()
    assert [c.read().json()["output"] for c in connections[:3]] == [7] * 3


def test_zone_full(nginx):
    """Catches a full zone that is an error, or that stays full."""
    server = nginx(application("a", "m:1", slo="20s"), zone="4m", http=HTTP
                   + "client_max_body_size 32m; client_body_buffer_size 8m;"
                   + "clipper_model m { batch 1; queue_size 64m; }")
    Sim4(server, "m").wait_registered()
    server.wait_replicas("m")
    inputs = [[i + 0.5] * 20000 for i in range(60)]
    answers = server.post("/a/predict", {"input_batch": inputs}
                          ).json()["batch_predictions"]
    served = [a for a in answers if not a["default"]]
    assert 0 < len(served) < 60, len(served)
    assert all(a["default_explanation"] == "The default was used: queue_full"
               for a in answers if a["default"])
    assert server.predict("a", [2.0])["output"] == 2.0
