"""Selection state in Redis: kept, shared, and never a delay for queries."""

import collections
import contextlib
import itertools
import math
import os
import signal
import socket
import struct
import threading
import time

import pytest

from harness import SLOW, Sim4, Way, wait_until
from harness.client import build_request
from harness.metrics import METRICS, scrape

POLICY = "epsilon_greedy epsilon=1 half_life=off"


@pytest.fixture
def serve(nginx):
    """An application "a" with the models m (its output is the input) and n
    (its output is 7)."""
    def start(server, policy=POLICY, slo="5s", extra="", **kw):
        made = nginx(
            "location /a { clipper_app a; clipper_link m:1 n:1; "
            f"clipper_slo {slo}; clipper_select {policy}; "
            "clipper_default \"-1\"; }\n",
            http="clipper_cache_zone off; clipper_redis "
                 f"{server.address} {extra};", **kw)
        Sim4(made, "m").wait_registered()
        Sim4(made, "n", model=lambda values: "7").wait_registered()
        made.wait_replicas("m")
        made.wait_replicas("n")
        return made

    return start


def learn(connection, value, label, uid=None):
    """One query and its feedback."""
    user = {"uid": uid} if uid else {}
    answer = connection.post("/a/predict", {"input": [value], **user}).json()
    assert not answer["default"], answer
    response = connection.post("/a/update", {
        "query_id": answer["query_id"], "label": label, **user})
    assert response.body == b"Feedback received? 1", response
    return answer


def settled(redis, count, key="clipper:state:a:epsilon_greedy", timeout=10,
            **kw):
    wait_until(lambda: redis.feedbacks(key, **kw) == count, timeout,
               f"{count} feedbacks in Redis")


def test_deltas_arrive(redis, serve):
    """Catches sums in Redis that differ from the feedbacks."""
    store = redis()
    server = serve(store)
    wanted = collections.Counter()
    with server.connect() as connection:
        for i in range(40):
            output = learn(connection, 3.0, 3.0)["output"]
            wanted["m:1/count" if output == 3.0 else "n:1/count"] += 1
    wanted["n:1/loss"] = wanted["n:1/count"]
    settled(store, 40)
    assert store.sums() == wanted
    state = store.state("clipper:state:a:epsilon_greedy")
    assert [k for k in state if k.startswith("@")], state


def test_users_have_keys_of_their_own(redis, serve):
    """Catches users that share a state, also when their names are long or
    look like another kind of key."""
    store = redis()
    server = serve(store)
    users = ["u", "u:v", "x" * 64, "x" * 65, "x" * 66, "ü"]
    with server.connect() as connection:
        for i, uid in enumerate(users):
            for _ in range(i + 1):
                learn(connection, 3.0, 3.0, uid)
    settled(store, 21)
    key = "clipper:state:a:epsilon_greedy"
    for i, uid in enumerate(users):
        if len(uid) <= 64:
            settled(store, i + 1, f"{key}:{uid}")
    digests = [k for k in store("KEYS", "*") if ":digest:" in k]
    assert sorted(store.feedbacks(k) for k in digests) == [4, 5]


def test_user_is_back_after_a_restart(redis, serve):
    """Catches a user's state that is not read, or a query that does not wait
    for it: the first query must already get the model this user prefers."""
    store = redis()
    server = serve(store, "epsilon_greedy epsilon=1 half_life=off")
    with server.connect() as connection:
        for uid, label in (("mine", 3.0), ("yours", 7.0)) * 30:
            learn(connection, 3.0, label, uid)
    settled(store, 60)
    server.stop()

    server = serve(store, "epsilon_greedy epsilon=0 kappa=1 half_life=off")
    for uid, label in (("mine", 3.0), ("yours", 7.0)):
        answer = server.post("/a/predict", {"input": [3.0], "uid": uid})
        assert answer.json()["output"] == label


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGTERM])
@pytest.mark.parametrize("users", [1, 100])
def test_stop_at_once(redis, serve, how, users):
    """Catches an nginx that exits, also quickly, before the latest feedback is
    in Redis; all feedback is of one user, so much is added to a delta that is
    under way."""
    store = redis()
    server = serve(store)
    with server.connect() as connection:
        for i in range(100):
            learn(connection, 3.0, 3.0, f"u{i % users}")
    server.signal(how)
    assert server.process.wait(10 * SLOW) == 0
    assert store.feedbacks() == total_of_users(store) == 100


def test_stop_does_not_wait_for_redis(redis, serve):
    """Catches a quick exit that a silent Redis delays, and a loss that is not
    logged."""
    store = redis()
    server = serve(store, extra="timeout=60s")
    with server.connect() as connection:
        learn(connection, 3.0, 3.0)
        settled(store, 1)
        store.signal(signal.SIGSTOP)
        learn(connection, 3.0, 3.0)
    begun = time.monotonic()
    server.signal(signal.SIGTERM)
    assert server.process.wait(10 * SLOW) == 0
    assert time.monotonic() - begun < 5 * SLOW
    assert "a shutdown loses them" in server.log_text()


def test_password_database_and_prefix(redis, serve, tmp_path):
    """Catches a connection that is not authenticated, or keys in another
    place."""
    store = redis()
    store("CONFIG", "SET", "requirepass", "a b")
    store.password = "a b"
    (tmp_path / "password").write_text("a b\nnot this\n")
    server = serve(store, extra=f"db=3 \"prefix=my {{app}} \" "
                                f"password_file={tmp_path}/password")
    with server.connect() as connection:
        learn(connection, 3.0, 3.0)
    settled(store, 1, "my {app} state:a:epsilon_greedy", db=3)
    assert store("KEYS", "*") == []


def test_wrong_password_harms_no_query(redis, serve, tmp_path):
    """Catches a refused connection that makes queries fail."""
    store = redis()
    store("CONFIG", "SET", "requirepass", "right")
    store.password = "right"
    (tmp_path / "password").write_text("wrong")
    server = serve(store, extra=f"password_file={tmp_path}/password")
    with server.connect() as connection:
        learn(connection, 3.0, 3.0)
    wait_until(lambda: "WRONGPASS" in server.log_text(), 5, "its log line")


@pytest.mark.parametrize("how", ["down", "stopped"])
def test_queries_do_not_wait_for_redis(redis, serve, how):
    """Catches queries or feedback that wait for a Redis that is down, or that
    accepts connections and is silent; what was learned meanwhile is in Redis
    when it is back."""
    store = redis()
    server = serve(store, slo="1s", extra="timeout=200ms")
    with server.connect() as connection:
        learn(connection, 3.0, 3.0)
        settled(store, 1)
        if how == "down":
            store.kill()
        else:
            store.signal(signal.SIGSTOP)
        start = time.monotonic()
        for i in range(50):
            learn(connection, 3.0, 3.0, f"user{i}")
        took = time.monotonic() - start
        assert took < 3 * SLOW * (1 if how == "down" else 5), took
        time.sleep(0.5)
        start = time.monotonic()
        for i in range(50):
            learn(connection, 3.0, 3.0, f"other{i}")
        assert time.monotonic() - start < 3 * SLOW * (
            1 if how == "down" else 5)
    if how == "down":
        store.start()
    else:
        store.signal(signal.SIGCONT)
    settled(store, 101, timeout=20)
    settled(store, 1, "clipper:state:a:epsilon_greedy:other49")


class Refusing:
    """Accepts and closes each connection, and records its time and process."""

    def __init__(self, path):
        self.path = str(path)
        self.address = f"unix:{path}"
        self.came = collections.defaultdict(list)
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(self.path)
        self.sock.listen(16)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.begun = time.monotonic()
        self.thread.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                made = self.sock.accept()[0]
                who = made.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED,
                                      struct.calcsize("3i"))
                self.came[struct.unpack("3i", who)[0]].append(
                    time.monotonic() - self.begun)
                made.close()

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.sock.close()
        os.unlink(self.path)


def test_attempts_become_rare(redis, serve, tmp_path):
    """Catches workers that reconnect to a refusing Redis as fast as they can
    or all at the same moments, queries that suffer from it, and a Redis that
    is not found when it is back.

    Each pause is at least half of 50 ms, 100 ms, 200 ms and so on. A busy
    machine only makes them longer.
    """
    gate = Refusing(tmp_path / "store")
    server = serve(gate, workers=2)
    learned = 0
    with server.connect() as connection:
        while sum(len(times) >= 7 for times in list(gate.came.values())) < 2:
            learn(connection, 3.0, 3.0)
            learned += 1
            assert time.monotonic() - gate.begun < 30 * SLOW, gate.came
        gate.close()
        pauses = [0.05 * 2 ** i for i in range(6)]
        least = list(itertools.accumulate((p / 2 for p in pauses), initial=0))
        one, other = gate.came.values()
        assert all(times[i] > 0.9 * least[i]
                   for times in (one, other) for i in range(7)), gate.came
        assert any(abs((one[i + 1] - one[i]) - (other[i + 1] - other[i]))
                   > max(0.03 * pauses[i], 0.005)
                   for i in range(6)), gate.came
        store = redis("--unixsocket", gate.path)
        learn(connection, 3.0, 3.0)
    settled(store, learned + 1, timeout=20)


def test_wiped(redis, serve):
    """Catches queries or feedback that suffer from a Redis that lost all its
    data, script and numbers included, and later feedback that is missing."""
    store = redis()
    server = serve(store)
    with server.connect() as connection:
        for i in range(10):
            learn(connection, 3.0, 3.0, f"u{i}")
        settled(store, 10)
        assert wait_until(lambda: total_of_users(store) == 10)
        store("FLUSHALL")
        store("SCRIPT", "FLUSH")
        for i in range(20):
            learn(connection, 3.0, 3.0, f"u{i}")
    settled(store, 20)
    assert wait_until(lambda: total_of_users(store) == 20)


def test_user_is_waited_for_a_tenth(redis, serve):
    """Catches a query that a slow Redis holds longer than a tenth of its SLO,
    or that does not wait for its user at all."""
    store = redis()
    server = serve(store, slo="3s", extra="timeout=60s", workers=1)
    took = []
    with server.connect() as connection:
        learn(connection, 3.0, 3.0)
        settled(store, 1)
        store.signal(signal.SIGSTOP)
        for i in range(4):
            begun = time.monotonic()
            answer = connection.post("/a/predict", {"input": [3.0],
                                                    "uid": f"u{i}"}).json()
            took.append(time.monotonic() - begun)
            assert not answer["default"]
        store.signal(signal.SIGCONT)
    assert 0.29 < min(took) < 0.3 + 0.1 * SLOW, took


def test_more_than_the_zone_holds(redis, serve):
    """Catches deltas that grow without a bound while Redis is away, queries
    that fail because of it, and feedback that is accepted but lost."""
    store = redis()
    server = serve(store, extra="timeout=200ms", zone="2m",
                   operator_extra=METRICS)
    with server.connect() as connection:
        learn(connection, 3.0, 3.0)
        settled(store, 1)
        store.kill()
        server.wait_redis(False)
        accepted = 0
        for i in range(1000):
            body = {"input": [3.0], "uid": f"u{i}"}
            answer = connection.post("/a/predict", body).json()
            assert not answer["default"], answer
            reply = connection.post("/a/update", {
                "query_id": answer["query_id"], "uid": body["uid"],
                "label": 3.0})
            accepted += reply.body == b"Feedback received? 1"
        state = server.status()["selection_state"]
        assert state["dropped"] == 1000 - accepted > 0
        assert accepted > 50
        pending = state["redis"]["pending_deltas"]
        assert accepted <= pending <= state["rows"] <= state["rows_max"]
        got = scrape(server)
        assert [got("clipper_feedback_total", app="a", result=result)
                for result in ("learned", "dropped")] \
            == [accepted + 1, 1000 - accepted]
        assert got("clipper_redis_pending_deltas") == pending
        assert got("clipper_redis_up") == 0
    store.start()
    assert wait_until(lambda: total_of_users(store) == accepted, 20)


def test_instances_learn_from_each_other(redis, serve):
    """Catches an instance that never reads a state again: one instance
    learns, the other one only answers."""
    store = redis()
    policy = "epsilon_greedy epsilon=0 half_life=off"
    teacher, pupil = serve(store, policy), serve(store, policy)
    pupil.predict("a", [3.0])
    with teacher.connect() as connection:
        for _ in range(10):
            learn(connection, 3.0, 7.0)
    settled(store, 10)

    def learned():
        return all(pupil.predict("a", [3.0])["output"] == 7
                   for _ in range(20))

    wait_until(learned, 10, "the other instance's model")


def test_ids_of_instances_differ(redis, serve):
    """Catches instances on one Redis that assign the same ids."""
    store = redis()
    servers = [serve(store), serve(store)]
    assert wait_until(lambda: store("GET", "clipper:ids:count") == "2"
                      or int(store("GET", "clipper:ids:count")) >= 2, 5)
    body = {"input_batch": [[1.0]] * 500}
    ids = []
    for server in servers:
        for _ in range(10):
            answers = server.post("/a/predict", body).json()
            ids += [a["query_id"] for a in answers["batch_predictions"]]
    assert len(ids) == len(set(ids)) == 10000
    assert max(ids) < 2 ** 53
    assert sum(b == a + 1 for a, b in zip(ids, ids[1:])) < 5


def test_old_feedback_fades(redis, serve):
    """Catches states whose times change on the way, which is long for the last
    feedback: Redis is away."""
    store = redis()
    server = serve(store, "epsilon_greedy epsilon=1 half_life=20ms")
    with server.connect() as connection:
        for _ in range(5):
            learn(connection, 3.0, 3.0)
        wait_until(lambda: store.feedbacks() > 4.9)
        store.kill()
        time.sleep(2.2)
        before = time.time()
        learn(connection, 3.0, 3.0)
        after = time.time()
    wait_until(lambda: time.time() > after + 1)
    store.start()
    wait_until(lambda: abs(store.feedbacks() - 1) < 1e-6, 10, "one feedback")
    state = store.state("clipper:state:a:epsilon_greedy")
    assert before <= float(state["t0"]) <= after + 0.5
    assert float(state["t1"]) > after + 1
    assert float(state["lambda"]) == pytest.approx(math.log(2) / 0.02)


@pytest.mark.parametrize("arrived", [True, False])
def test_dead_worker_with_deltas_under_way(redis, serve, arrived):
    """Catches deltas that a dead worker has sent without a reply: Redis has
    them already, or not, and another worker has to find out."""
    store = redis()
    server = serve(store, workers=1, slo="1s", extra="timeout=60s")
    server.allow(r"exited on signal 9")
    server.checks_zone = False
    with server.connect() as connection:
        learn(connection, 3.0, 3.0)
        settled(store, 1)
        store.signal(signal.SIGSTOP)
        for i in range(5):
            learn(connection, 3.0, 3.0, f"u{i}")
        time.sleep(0.1)
        os.kill(server.children()[0], signal.SIGKILL)
    if arrived:
        store.signal(signal.SIGCONT)
    else:
        store.kill()
        store.start()
    settled(store, 6)
    assert wait_until(lambda: total_of_users(store) == 5)


def test_retiring_worker_does_not_wait_for_redis(redis, serve):
    """Catches a worker that waits for a silent Redis during the whole timeout
    although other workers stay, and deltas that are lost or count twice when
    the others send them again."""
    store = redis()
    server = serve(store, slo="1s", extra="timeout=300s")
    with server.connect() as connection:
        learn(connection, 3.0, 3.0)
        settled(store, 1)
        store.signal(signal.SIGSTOP)
        for i in range(5):
            learn(connection, 3.0, 3.0, f"u{i}")
    before = server.children()
    server.reload()
    wait_until(lambda: not set(before) & set(server.children()), 30,
               "the old workers' end")
    store.signal(signal.SIGCONT)
    settled(store, 6)
    assert wait_until(lambda: total_of_users(store) == 5)
    wait_until(lambda: server.status()["selection_state"]["redis"][
        "pending_deltas"] == 0)


def test_others_send_what_a_retired_worker_leaves(redis, serve):
    """Catches deltas that wait for the next feedback: their worker gave them
    up when it retired, without ringing the others."""
    store = redis()
    way = Way(store)
    server = serve(way, slo="1s", extra="timeout=300s")
    with server.connect() as connection:
        answer = connection.post("/a/predict", {"input": [3.0]}).json()
        request = build_request("POST", "/a/update", {
            "query_id": answer["query_id"], "label": 3.0})
        with server.connect() as late:
            late.send(request[:-1])
            before = server.children()
            wait_until(lambda: len(way.answered) == server.workers)
            way.mute()
            server.reload()
            wait_until(lambda: len(way.answered) == 2 * server.workers)
            way.refuse()
            late.send(request[-1:])
            assert late.read().body == b"Feedback received? 1"
    wait_until(lambda: not set(before) & set(server.children()), 30,
               "the old workers' end")
    settled(store, 1)
    way.close()


@pytest.mark.parametrize("answers", [True, False])
def test_last_worker_waits_for_redis(redis, serve, answers):
    """Catches deltas that are given up at a shutdown, when no worker stays,
    and one that takes longer than half a second for a Redis that hangs."""
    store = redis()
    server = serve(store, slo="1s", extra="timeout=300s", workers=1)
    with server.connect() as connection:
        learn(connection, 3.0, 3.0)
        settled(store, 1)
        store.signal(signal.SIGSTOP)
        learn(connection, 3.0, 3.0)
    begun = time.monotonic()
    server.signal(signal.SIGQUIT)
    if answers:
        wait_until(lambda: "gracefully shutting down" in server.log_text())
        store.signal(signal.SIGCONT)
    server.process.wait(30)
    if not answers:
        assert time.monotonic() - begun > 0.49
        store.signal(signal.SIGCONT)
    lost = "a shutdown loses them" in server.log_text()
    assert lost == (not answers)
    if answers:
        settled(store, 2)


def test_causes_of_an_outage(redis, serve):
    """Catches an outage whose first cause only is logged: it goes on for
    another one. And one that is logged at each attempt."""
    store = redis()
    store.kill()
    server = serve(store, extra="timeout=1s", workers=1)

    def said(*causes):
        text = server.log_text()
        lines = [line for line in text.splitlines() if "updates are kept" in
                 line]
        assert len(lines) == len(causes), lines
        return all(cause in line for cause, line in zip(causes, lines))

    wait_until(lambda: said("Connection refused"))
    with socket.create_server(("127.0.0.1", store.port)):
        wait_until(lambda: said("Connection refused", "timed out"))
    store.options, store.password = ("--requirepass", "secret"), "secret"
    store.start()
    wait_until(lambda: said("Connection refused", "timed out", "NOAUTH"), 20)
    store("CONFIG", "SET", "requirepass", "")
    store.password = None
    with server.connect() as connection:
        learn(connection, 3.0, 3.0)
    settled(store, 1, timeout=20)
    assert said("Connection refused", "timed out", "NOAUTH")


def total_of_users(store):
    return sum(store.feedbacks(k) for k in store("KEYS", "*:u*"))


@pytest.mark.parametrize("text,message", [
    ("", "invalid number of arguments"),
    ("127.0.0.1:x", "invalid port"),
    ("127.0.0.1 db=-1", 'invalid parameter "db=-1"'),
    ("127.0.0.1 timeout=0ms", "invalid"),
    ("127.0.0.1 what=1", 'invalid parameter "what=1"'),
    ("127.0.0.1 password_file=/does/not/exist", "failed"),
    ("127.0.0.1 user=me", 'needs "password_file="'),
    ("127.0.0.1 user=", 'invalid parameter "user="'),
    ("off db=1", 'takes no parameters after "off"'),
    ("127.0.0.1/x", "invalid"),
    ("off; clipper_redis off", "is duplicate"),
])
def test_mistakes(check, text, message):
    """Catches a mistake that is not reported by the configuration check."""
    assert message in check(http=f"clipper_redis {text};")


def test_accepted(check):
    for text in ("off", "127.0.0.1", "[::1]:6380 db=2 timeout=50ms prefix=",
                 "unix:/tmp/redis.sock"):
        assert check(http=f"clipper_redis {text};") is None
