"""Records in Redis: a label counts once, however late, wherever given."""

import os
import random
import signal
import threading
import time

import pytest

from harness import SLOW, Sim4, Way, wait_until
from harness.client import build_request
from harness.metrics import METRICS, scrape
from harness.workers import allow_kill

POLICY = "epsilon_greedy epsilon=1 half_life=off"
LEARNED, REFUSED = b"Feedback received? 1", b"Feedback received? 0"


@pytest.fixture
def serve(nginx):
    """An instance with the models m, whose output is the input, and n."""
    def start(store, valid="1h", slo="5s", extra="", uid="", policy=POLICY,
              size="1m", **kw):
        made = nginx(
            "location /a { clipper_app a; clipper_link m:1 n:1; "
            f"clipper_slo {slo}; clipper_select {policy}; {uid}"
            "clipper_default \"-1\"; }\n",
            http=f"clipper_cache_zone off; clipper_records {size}"
                 f"{f' redis={valid}' if valid else ''}; "
                 f"clipper_redis {store.address} {extra};",
            operator_extra=METRICS, **kw)
        Sim4(made, "m").wait_registered()
        Sim4(made, "n", model=lambda values: ["7" for _ in values]
             ).wait_registered()
        made.wait_replicas("m")
        made.wait_replicas("n")
        made.wait_redis()
        return made

    return start


def ask(server, count=1, uid=None):
    """Ids of so many queries, all of them in Redis if they are to be."""
    before = stored(server)
    body = {"input_batch": [[3.0]] * count, **({"uid": uid} if uid else {})}
    answers = server.post("/a/predict", body).json()
    answers = answers.get("batch_predictions", [answers])
    assert not any(a["default"] for a in answers)
    if server.status()["selection_state"]["redis"]["up"]:
        wait_until(lambda: stored(server) == before + count, 10,
                   "records in Redis")
    return [a["query_id"] for a in answers]


def stored(server):
    redis = server.status()["records"]["redis"]
    return redis["stored"] + redis["missed"]


def label(server, query_id, uid=None, value=3.0):
    body = {"query_id": query_id, "label": value}
    if uid:
        body["uid"] = uid
    return server.post("/a/update", body).body


def settled(store, count, timeout=10):
    wait_until(lambda: store.feedbacks() == count, timeout,
               f"{count} feedbacks in Redis, not {store.feedbacks()}")


def records(store, **kw):
    return store("KEYS", "*record:*", **kw)


def test_label_at_another_instance(redis, serve):
    """Catches a label that only the instance of its query takes, or that
    counts at both, in either order, also for a user."""
    store = redis()
    one, other = serve(store), serve(store)
    for uid in (None, "u", "x" * 100):
        first, second, third = ask(one, 3, uid)
        assert label(other, first, uid) == LEARNED
        assert label(one, first, uid) == REFUSED
        assert label(other, first, uid) == REFUSED
        assert label(one, second, uid) == LEARNED
        assert label(other, second, uid) == REFUSED
        assert label(one, second, uid) == REFUSED
        assert label(other, third, "somebody") == REFUSED
        assert label(other, third, uid) == LEARNED
    settled(store, 9)
    got = scrape(other)
    assert got("clipper_feedback_total", app="a", result="learned") == 6
    assert got("clipper_feedback_total", app="a", result="unknown") == 9
    got = scrape(one)
    assert got("clipper_records_redis_total", result="stored") == 9
    assert got("clipper_records_redis_total", result="missed") == 0
    assert one.status()["records"]["redis"] == {
        "time": 3600, "stored": 9, "missed": 0}


def test_what_is_learned_is_what_was_answered(redis, serve):
    """Catches a record that changes on its way: which model answered what."""
    store = redis()
    one, other = serve(store), serve(store)
    wanted = {"m:1/count": 0, "n:1/count": 0}
    for _ in range(40):
        answer = one.post("/a/predict", {"input": [3.0]}).json()
        arm = "m:1/count" if answer["output"] == 3.0 else "n:1/count"
        wanted[arm] += 1
        wait_until(lambda: label(other, answer["query_id"]) == LEARNED)
    settled(store, 40)
    sums = store.sums()
    assert {k: sums[k] for k in wanted} == wanted
    assert sums["n:1/loss"] == wanted["n:1/count"]
    assert sums.get("m:1/loss", 0) == 0


def test_confidence_is_learned_elsewhere(redis, serve):
    """Catches votes of which another instance knows only a part: exp4's
    diagram and each model's loss need all answers."""
    store = redis()
    one, other = (serve(store, policy="exp4 half_life=off") for _ in "ab")
    for i, query_id in enumerate(ask(one, 30)):
        assert label((one, other)[i % 2], query_id) == LEARNED
    key = "clipper:state:a:exp4"
    wait_until(lambda: float(store.state(key)["m:1/rounds"]) == 30, 10,
               "30 feedbacks in Redis")
    state = store.state(key)
    assert float(state["n:1/rounds"]) == 30
    assert float(state["n:1/loss"]) == 30
    assert float(state.get("m:1/loss", 0)) == 0


def test_same_label_at_both_at_once(redis, serve):
    """Catches a label that counts twice, or not at all, when it is given to
    both instances eight times at the same moment."""
    store = redis()
    servers = [serve(store), serve(store)]
    ids = ask(servers[0], 100) + ask(servers[1], 100)
    taken = []

    def give(server):
        order = random.sample(ids, len(ids))
        with server.connect() as connection:
            connection.send(b"".join(build_request(
                "POST", "/a/update", {"query_id": i, "label": 3.0})
                for i in order))
            taken.extend(i for i in order
                         if connection.read().body == LEARNED)

    threads = [threading.Thread(target=give, args=(server,))
               for server in servers * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(ids)
    settled(store, 200)


def test_label_after_a_restart(redis, serve):
    """Catches records that end with nginx, also those on their way."""
    store = redis()
    server = serve(store)
    answers = server.post("/a/predict", {"input_batch": [[3.0]] * 300})
    ids = [a["query_id"] for a in answers.json()["batch_predictions"]]
    for query_id in ids[:100]:
        assert label(server, query_id) == LEARNED
    server.stop()
    assert len(records(store)) == 300
    server = serve(store)
    assert [label(server, i) for i in ids[:100]] == [REFUSED] * 100
    assert [label(server, i) for i in ids[100:]] == [LEARNED] * 200
    assert [label(server, i) for i in ids] == [REFUSED] * 300
    settled(store, 300)


def test_label_after_its_time(redis, serve):
    """Catches records that stay, there or here, claims that go before
    records do, and a time that is not the directive's."""
    store = redis()
    one, other = serve(store, "2s"), serve(store, "2s")
    begun = time.monotonic()
    first, second, third = ask(one, 3)
    assert label(other, first) == LEARNED
    left = [store("PTTL", key) for key in records(store)]
    assert len(left) == 3
    assert all(0 < ms <= 2000 for ms in left)
    wait_until(lambda: not records(store), 10)
    time.sleep(max(0, begun + 2.5 - time.monotonic()))
    assert label(one, first) == REFUSED
    assert label(one, second) == REFUSED
    assert label(other, third) == REFUSED
    settled(store, 1)


def test_key_password_database_and_prefix(redis, serve, tmp_path):
    """Catches records at another place than the states."""
    store = redis()
    store("CONFIG", "SET", "requirepass", "a b")
    store.password = "a b"
    (tmp_path / "password").write_text("a b\n")
    server = serve(store, extra=f"db=3 prefix=mine: "
                                f"password_file={tmp_path}/password")
    query_id, = ask(server)
    assert records(store) == []
    assert records(store, db=3) == [f"mine:record:a:{query_id}"]
    assert label(server, query_id) == LEARNED


def test_off_by_default(redis, serve):
    """Catches records that are sent though nobody wants them."""
    store = redis()
    one, other = serve(store, valid=None), serve(store, valid=None)
    query_id, = [a["query_id"] for a in (
        one.post("/a/predict", {"input": [3.0]}).json(),)]
    assert label(other, query_id) == REFUSED
    assert label(one, query_id) == LEARNED
    settled(store, 1)
    assert records(store) == []
    assert one.status()["records"]["redis"] == {
        "time": 0, "stored": 0, "missed": 0}


def test_no_such_application(redis, serve, nginx):
    """Catches another instance whose answer is not clear: it has no such
    application, another policy, or the id is none."""
    store = redis()
    server = serve(store)
    query_id, = ask(server)
    assert label(server, 2 ** 53) == REFUSED
    assert label(server, -1) == REFUSED
    assert label(server, 5) == REFUSED
    assert len(records(store)) == 1
    another = nginx(
        "location /b { clipper_app b; clipper_link m:1 n:1; "
        f"clipper_select {POLICY}; }}\n",
        http="clipper_records 1m redis=1h; "
             f"clipper_redis {store.address};")
    response = another.post("/a/update", {"query_id": query_id, "label": 1})
    assert response.status == 404
    another.wait_redis()
    assert another.post("/b/update", {"query_id": query_id, "label": 1}
                        ).body == REFUSED
    assert label(server, query_id) == LEARNED


def test_by_user_and_input(redis, serve):
    """Catches feedback without an id that is not claimed: it counts here,
    and once more elsewhere by the id."""
    store = redis()
    one, other = serve(store), serve(store)
    query_id, = ask(one, 1, "u")
    body = {"uid": "u", "input": [3.0], "label": 3.0}
    assert one.post("/a/update", body).body == LEARNED
    assert label(other, query_id, "u") == REFUSED
    query_id, = ask(one, 1, "u")
    assert label(other, query_id, "u") == LEARNED
    assert one.post("/a/update", body).body == REFUSED
    settled(store, 2)


@pytest.mark.parametrize("how", ["down", "stopped"])
def test_redis_away(redis, serve, how):
    """Catches labels that are lost, wait or count twice when Redis dies, or
    says nothing, and comes back: of queries from before and from meanwhile,
    here and at the other instance."""
    store = redis()
    one, other = (serve(store, slo="300ms", extra="timeout=500ms")
                  for _ in "ab")
    before = ask(one, 30)
    if how == "down":
        store.kill()
        for server in one, other:
            server.wait_redis(False)
    else:
        store.signal(signal.SIGSTOP)
    begun = time.monotonic()
    meanwhile = ask(one, 10) if how == "down" else []
    for query_id in before[:10] + meanwhile:
        assert label(one, query_id) == LEARNED
    for query_id in before[5:20]:
        assert label(other, query_id) == LEARNED
    assert [label(one, i) for i in meanwhile] == [REFUSED] * len(meanwhile)
    assert time.monotonic() - begun < 20 * SLOW
    got = scrape(one)
    kept = got("clipper_feedback_total", app="a", result="kept")
    learned = got("clipper_feedback_total", app="a", result="learned")
    assert (kept, learned) == (10, len(meanwhile))
    if how == "down":
        assert one.status()["records"]["redis"]["missed"] >= 10
        store.start()
    else:
        store.signal(signal.SIGCONT)
    settled(store, 20 + len(meanwhile), 30)
    for server in one, other:
        server.wait_redis()
        for query_id in before[:20]:
            assert label(server, query_id) == REFUSED
    for query_id in before[20:]:
        assert label(other, query_id) == LEARNED
        assert label(one, query_id) == REFUSED
    settled(store, 30 + len(meanwhile))


def test_labels_that_wait_outlive_their_worker(redis, serve):
    """Catches labels that end with the worker that was given them, by death
    or reload, before Redis is back."""
    store = redis()
    server = serve(store)
    allow_kill(server)
    server.checks_zone = False
    ids = ask(server, 20)
    store.kill()
    server.wait_redis(False)
    for query_id in ids[:10]:
        assert label(server, query_id) == LEARNED
    for pid in server.children():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: server.status()["workers"])
    for query_id in ids[10:]:
        assert label(server, query_id) == LEARNED
    server.reload()
    store.start()
    settled(store, 20, 30)
    assert [label(server, i) for i in ids] == [REFUSED] * 20


def test_labels_that_wait_outlast_the_ring(redis, serve):
    """Catches labels that were acknowledged and overwritten by later queries
    before Redis was back, and workers that do not claim them while they and
    Redis are there, as both come and go every second."""
    store = redis()
    server = serve(store, size="256k")
    ids = ask(server, 20)
    store.kill()
    server.wait_redis(False)
    for query_id in ids:
        assert label(server, query_id) == LEARNED
    for _ in range(20):
        ask(server, 200)
    store.start()
    settled(store, 20, 30)
    assert [label(server, i) for i in ids] == [REFUSED] * 20


def test_worker_dies_with_a_claim(redis, serve):
    """Catches a label that can never count: Redis has the claim, and the
    worker that made it is dead."""
    store = redis()
    one = serve(store)
    ids = ask(one, 2)
    way = Way(store, b"EVALSHA")
    other = serve(way, workers=1)
    allow_kill(other)
    other.checks_zone = False
    with other.connect() as connection:
        connection.send(build_request("POST", "/a/update", {
            "query_id": ids[0], "label": 3.0}))
        assert way.held.wait(10)
        assert label(one, ids[1]) == LEARNED
        os.kill(other.children()[0], signal.SIGKILL)
        way.go.set()
        wait_until(lambda: store(
            "GETRANGE", f"clipper:record:a:{ids[0]}", 0, 0) == "@")
    wait_until(lambda: label_again(other, ids[0]) == LEARNED, 10)
    assert label(one, ids[0]) == REFUSED
    assert label(other, ids[0]) == REFUSED
    settled(store, 2)
    way.close()


def label_again(server, query_id):
    try:
        return label(server, query_id)
    except (OSError, ValueError):
        return None


def test_memory(redis, serve):
    """Catches records that take more of Redis than the reference says."""
    store = redis()
    server = serve(store)
    query_id, = ask(server)
    key = f"clipper:record:a:{query_id}"
    assert store("MEMORY", "USAGE", key) <= 256
    assert label(server, query_id) == LEARNED
    assert store("MEMORY", "USAGE", key) <= 200


@pytest.mark.parametrize("text,message", [
    ("1m redis=1h", '"redis" of "clipper_records" needs "clipper_redis"'),
    ("1m redis=10ms; clipper_redis 127.0.0.1", "between 1s and 365d"),
    ("1m redis=400d; clipper_redis 127.0.0.1", "between 1s and 365d"),
    ("1m redis=5; clipper_redis 127.0.0.1", "unit"),
    ("1m redis=; clipper_redis 127.0.0.1", "invalid time"),
    ("1m what=1h; clipper_redis 127.0.0.1", 'invalid parameter "what=1h"'),
])
def test_mistakes(check, text, message):
    """Catches a mistake that is not told when the configuration is read."""
    location = "location /a { clipper_app a; clipper_link m:1; }\n"
    assert message in check(location, http=f"clipper_records {text};")
