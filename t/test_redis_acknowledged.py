"""Labels through deaths of Redis: one that was acknowledged counts once, and
one that was refused does not count, however small the memory of queries is."""

import collections
import itertools
import json
import signal
import threading

import pytest

from harness import Connection, Sim4, wait_until
from harness.client import build_request
from harness.metrics import METRICS, scrape

LOCATION = """location /a {
    clipper_app a; clipper_link m:1 n:1; clipper_slo %s;
    clipper_default "-1"; clipper_select epsilon_greedy epsilon=1 half_life=off;
}
"""

KILLS = 5
CLIENTS = 4
BATCH = 50

#: Queries before and after each death: more than the memory holds.
ROUND = 1200

LEARNED, UNKNOWN = b"Feedback received? 1", b"Feedback received? 0"


@pytest.fixture
def serve(nginx):
    def start(store, records, timeout="300ms", slo="10s"):
        server = nginx(LOCATION % slo, operator_extra=METRICS,
                       http="clipper_cache_zone off; clipper_records 256k "
                            f"{records}; clipper_redis {store.address} "
                            f"timeout={timeout};")
        Sim4(server, "m").wait_registered()
        Sim4(server, "n", model=lambda xs: ["7" for _ in xs]).wait_registered()
        server.wait_replicas("m")
        server.wait_replicas("n")
        server.wait_redis()
        return server

    return start


def results(server):
    got = scrape(server)
    return {result: got("clipper_feedback_total", app="a", result=result)
            for result in ("learned", "kept", "unknown", "full", "away")}


def cause(response):
    assert response.status == 503
    assert json.loads(response.body)["error"] == "Feedback not kept"
    return json.loads(response.body)["cause"]


class Labeller(threading.Thread):
    """Asks and labels until it is stopped; counts what was said of labels."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server = server
        self.stopped = False
        self.asked = 0
        self.said = collections.Counter()
        self.start()

    def run(self):
        with Connection(("127.0.0.1", self.server.port)) as connection:
            while not self.stopped:
                answers = connection.post("/a/predict", {
                    "input_batch": [[3.0]] * BATCH}).json()
                ids = [a["query_id"] for a in answers["batch_predictions"]
                       if not a["default"]]
                self.label(connection, self.label(connection, ids))
                self.asked += BATCH

    def label(self, connection, ids):
        """Returns those that were refused, and may be given again."""
        connection.send(b"".join(build_request(
            "POST", "/a/update", {"query_id": i, "label": 3.0}) for i in ids))
        refused = []
        for i in ids:
            response = connection.read()
            self.said[response.body if response.status == 200
                      else cause(response)] += 1
            if response.status != 200:
                refused.append(i)
        return refused


@pytest.mark.parametrize("records", ["", "redis=1h"], ids=["plain", "records"])
def test_acknowledged_is_learned(redis, serve, records):
    """Catches labels that were acknowledged and not learned, when queries
    pass their memory while Redis is away, and any that count twice."""
    store = redis()
    server = serve(store, records)
    clients = [Labeller(server) for _ in range(CLIENTS)]

    def go_on():
        until = sum(client.asked for client in clients) + ROUND
        wait_until(lambda: sum(c.asked for c in clients) >= until, 60)

    # With records some labels must have waited, or the test shows nothing.
    for i in itertools.count():
        assert i < 10 * KILLS
        go_on()
        store.signal(signal.SIGSTOP)
        go_on()
        store.kill()
        go_on()
        store.start()
        server.wait_redis()
        if i >= KILLS - 1 and (not records or results(server)["kept"]):
            break
    for client in clients:
        client.stopped = True
    for client in clients:
        client.join()
    said = sum((client.said for client in clients), collections.Counter())
    wait_until(lambda: store.feedbacks() == said[LEARNED], 60,
               f"{said[LEARNED]} feedbacks in Redis")
    got = results(server)
    assert got["learned"] == said[LEARNED]
    assert got["unknown"] == said[UNKNOWN]
    assert got["full"] + got["away"] == (
        said.total() - said[LEARNED] - said[UNKNOWN])


def test_nobody_remembers(redis, serve):
    """Catches labels that are taken while only Redis may know the query, and
    is away: it may not have it, as it was away when the query came. Whether
    it has is told when it is back."""
    store = redis()
    server = serve(store, "redis=1h")

    def ask(count):
        answers = server.post("/a/predict", {
            "input_batch": [[3.0]] * count}).json()
        answers = answers.get("batch_predictions", [answers])
        assert not any(a["default"] for a in answers)
        return [a["query_id"] for a in answers]

    def label(query_id):
        return server.post("/a/update", {"query_id": query_id, "label": 3.0})

    before, = ask(1)
    wait_until(lambda: server.status()["records"]["redis"]["stored"] == 1)
    store.kill()
    server.wait_redis(False)
    meanwhile, = ask(1)
    for _ in range(20):
        last = ask(200)[-1]
    for query_id in before, meanwhile, before, meanwhile:
        assert "Redis is away" in cause(label(query_id))
    assert label(last).body == LEARNED
    store.start()
    server.wait_redis()
    assert label(before).body == LEARNED
    assert label(before).body == UNKNOWN
    assert label(meanwhile).body == UNKNOWN
    wait_until(lambda: store.feedbacks() == 2, 10)
    assert results(server) == {"learned": 2, "kept": 0, "unknown": 2,
                               "full": 0, "away": 4}


@pytest.mark.parametrize("timeout", ["300ms", "30s"])
def test_no_room(redis, serve, timeout):
    """Catches a label that cannot wait for Redis and is acknowledged, cannot
    be given again, or counts for the first time and again: Redis says nothing
    until its timeout, or until the deadline, and then it does."""
    store = redis()
    server = serve(store, "redis=1h", timeout, slo="1s")
    query_id = server.post("/a/predict", {"input": [3.0]}).json()["query_id"]
    wait_until(lambda: server.status()["records"]["redis"]["stored"] == 1)
    long = {"query_id": query_id, "label": "x" * 5000}
    store.signal(signal.SIGSTOP)
    assert "no room" in cause(server.post("/a/update", long))
    store.signal(signal.SIGCONT)
    server.wait_redis()
    assert server.post("/a/update", long).body == LEARNED
    assert server.post("/a/update", long).body == UNKNOWN
    wait_until(lambda: store.feedbacks() == 1, 10)
    assert results(server) == {"learned": 1, "kept": 0, "unknown": 1,
                               "full": 1, "away": 0}
