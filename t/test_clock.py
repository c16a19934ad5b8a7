"""Wall clocks that are wrong or jump: what is learned afterwards counts."""

import math
import time

import pytest

from harness import Sim4, wait_until
from harness.clock import Clock
from harness.preload import load

DAY = 86400
STATE = "clipper:state:a:epsilon_greedy"

#: A time at which a feedback that is a day older counts for nothing.
POLICY = "epsilon_greedy epsilon=0.2 half_life=1h|300"


@pytest.fixture
def serve(make_nginx):
    """An application "a" with the models m (its output is the input) and n
    (its output is 7), at a clock."""
    def start(store=None, clock=None):
        redis = f"clipper_redis {store.address};" if store else ""
        server = make_nginx(
            "location /a { clipper_app a; clipper_link m:1 n:1; "
            f"clipper_slo 5s; clipper_select {POLICY}; "
            "clipper_default \"-1\"; }\n",
            http="clipper_cache_zone off; clipper_records 1m "
                 f"{'redis=1h' if store else ''}; {redis}")
        if clock:
            load(server, clock.preloads)
        server.start()
        Sim4(server, "m").wait_registered()
        Sim4(server, "n", model=lambda values: "7").wait_registered()
        server.wait_replicas("m")
        server.wait_replicas("n")
        if store:
            wait_until(lambda: all(
                server.status()["selection_state"]["redis"]["up"]
                for _ in range(10)), 20, "Redis")
        return server

    return start


def learn(connection, label, between=lambda: None):
    answer = connection.post("/a/predict", {"input": [3.0]}).json()
    between()
    response = connection.post("/a/update", {
        "query_id": answer["query_id"], "label": label})
    assert response.body == b"Feedback received? 1", response
    return answer["output"]


def teach(server, label, count=150):
    """The model that gives `label` is right."""
    with server.connect() as connection:
        for _ in range(count):
            learn(connection, label)


def follows(server, label):
    """Within 500 feedbacks the model that gives `label` is served."""
    last = []
    with server.connect() as connection:
        for count in range(500):
            last = last[-29:] + [learn(connection, label)]
            if count >= 30 and last.count(label) > 22:
                return
    pytest.fail(f"{last.count(label)} of the last 30 of 500")


def test_clock_that_goes_back(serve, tmp_path):
    """Catches states by a wall clock: it was 30 days ahead, as it can be
    before a machine has asked for the time, and all that was learned after
    its correction weighed 2^-720."""
    clock = Clock(tmp_path / "clock", 30 * DAY)
    server = serve(clock=clock)
    teach(server, 3.0)
    clock.set(0)
    follows(server, 7)
    clock.set(-30 * DAY)
    follows(server, 3.0)


def test_instance_that_is_ahead(redis, serve, tmp_path):
    """Catches times of one instance in the states of all: its clock is a day
    ahead. And records that it takes for old when the clock jumps."""
    store = redis()
    clock = Clock(tmp_path / "clock")
    ahead = serve(store, clock)
    with ahead.connect() as connection:
        learn(connection, 3.0, lambda: clock.set(DAY))
    teach(ahead, 3.0)
    wait_until(lambda: store.feedbacks() > 100)
    assert float(store.state(STATE)["t1"]) == pytest.approx(time.time(),
                                                            abs=60)
    server = serve(store)
    follows(server, 7)
    teach(ahead, 3.0, 1)
    follows(server, 3.0)


@pytest.mark.parametrize("told", [True, False])
def test_redis_that_was_ahead(redis, serve, tmp_path, told):
    """Catches states that keep a time in the future when Redis, by whose
    clock they are, or the instance, if Redis does not tell its time, was 30
    days ahead."""
    store = redis()
    clock = Clock(tmp_path / "clock", 30 * DAY)
    if told:
        store.kill()
        store.environment = {"LD_PRELOAD": clock.preloads}
        store.start()
    else:
        store("ACL", "SETUSER", "default", "-time")
    server = serve(store, clock)
    teach(server, 3.0)
    wait_until(lambda: store.feedbacks() > 100)
    ahead = float(store.state(STATE)["t1"]) - time.time()
    assert ahead == pytest.approx(30 * DAY, abs=60)

    clock.set(0)
    follows(server, 7)
    wait_until(lambda: float(store.state(STATE)["t1"]) < time.time() + 60)


@pytest.mark.parametrize("clocks", [("t0",), ("t1",), ("t0", "t1")])
def test_state_of_the_future(redis, serve, clocks):
    """Catches a state in Redis, written by whatever was wrong, after which
    nothing counts: by an older version, which kept no time of the last
    delta, by a jump, or at once."""
    store, now = redis(), time.time()
    rows = {"m:1/count": 300, "m:1/loss": 30, "n:1/count": 100,
            "n:1/loss": 95}
    times = {"t0": now - 600, "t1": now, **{c: now + 30 * DAY for c in clocks}}
    scale = math.exp(math.log(2) / 3600 * (max(times.values()) - times["t0"]))
    mu = math.expm1(math.log(2) / 300)
    store("HSET", STATE, "lambda", repr(math.log(2) / 3600), "mu", repr(mu),
          "u0", 0, "v", 1, *(x for k, v in times.items() for x in (k, repr(v))),
          *(x for k, v in rows.items() for x in (k, repr(v * scale))))
    if "t1" not in clocks:
        store("HDEL", STATE, "t1")
    server = serve(store)
    teach(server, 3.0, 1)
    follows(server, 7)
    assert float(store.state(STATE)["t1"]) == pytest.approx(time.time(),
                                                            abs=60)
