"""Replicas that stop, die, or are killed by an input."""

import itertools
import random
import signal
import threading
import time

import pytest

from harness import (Connection, PythonContainer, SLOW, Sim3, Sim4,
                     application, rpc, wait_until)

HTTP = "clipper_cache_zone off;\n"

#: Seconds that a model takes for each input.
SERVICE = 0.002

# A lambda, so that the container gets it whole.
slow_model = lambda xs: (  # noqa: E731
    __import__("time").sleep(0.002 * len(xs)) or ["1"] * len(xs))


class Arrivals:
    """Open-loop load: requests at random times, independent of earlier
    answers. ``answers`` holds (time due, default reason or None, error)."""

    def __init__(self, server, rate, threads=8):
        self.server = server
        self.rate = rate
        self.answers = []
        self.number = itertools.count()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(rate /
                                                                 threads,),
                                         daemon=True)
                        for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def _run(self, rate):
        chance = random.Random(rate)
        connection = Connection(("127.0.0.1", self.server.port))
        due = time.monotonic()
        while not self.stopping.is_set():
            due += chance.expovariate(rate)
            time.sleep(max(0.0, due - time.monotonic()))
            answer = connection.post("/a/predict", {
                "input": [next(self.number) + 0.5]}).json()
            self.answers.append((time.monotonic(),
                                 answer.get("default_reason")))
        connection.close()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(20)
        return self

    def between(self, start, end):
        return [reason for at, reason in self.answers if start <= at < end]


def defaults_in_trouble(nginx, what, slo):
    """The number of queries and the reasons of defaults in the 10 s after one
    of two replicas is stopped for 5 s or killed."""
    server = nginx(application("a", "m:1", slo=slo), http=HTTP)
    containers = [PythonContainer(server, "m", slow_model) for _ in range(2)]
    server.wait_replicas("m", 2, timeout=30)
    load = Arrivals(server, 0.4 / SERVICE)
    wait_until(lambda: len(load.answers) > 400, 30)
    begun = time.monotonic()
    victim = containers[0].process

    if what == "killed":
        containers[0].kill()
        wait_until(lambda: time.monotonic() - begun > 10, 20)
    else:
        victim.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: time.monotonic() - begun > 5, 20)
        finally:
            victim.send_signal(signal.SIGCONT)
        wait_until(lambda: time.monotonic() - begun > 10, 20)

    load.stop()
    reasons = load.between(begun, begun + 10)
    defaults = [r for r in reasons if r]
    model = server.status()["models"][0]
    print(f"{what}: {len(reasons)} queries, {len(defaults)} defaults,",
          f"hedges {model['hedges']}, redispatches {model['redispatches']}")
    return len(reasons), defaults


@pytest.mark.timing("real containers have to answer within 100 ms")
@pytest.mark.parametrize("what", ["stopped", "killed"])
def test_replica_under_load(nginx, what):
    """Catches queries that wait for a stopped or dead replica: two replicas,
    an SLO of 100 ms, 40 % of the capacity of one, at most 0.1 % of defaults
    in the 5 s of the trouble and the 5 s after."""
    count, defaults = defaults_in_trouble(nginx, what, "100ms")
    assert count > 1000
    assert len(defaults) <= max(1, 0.001 * SLOW * count), defaults[:5]


@pytest.mark.parametrize("what", ["stopped", "killed"])
def test_replica_under_load_with_time(nginx, what):
    """Catches the same on any machine, however slow: with an SLO shorter than
    the trouble and far longer than a batch, no query gets the default."""
    count, defaults = defaults_in_trouble(nginx, what, "3s")
    assert count > 500
    assert defaults == []


def connections_asking(server, values):
    return [server.post_later("/a/predict", {"input": [value]}, timeout=30)
            for value in values]


def test_first_answer_wins(nginx):
    """Catches a late batch that is not given to the other replica, an answer
    that is delivered twice, and a replica that stays busy after its late
    reply."""
    server = nginx(application("a", "m:1", slo="10s"),
                   http=HTTP + "clipper_model m { hedge 100ms; }")
    stuck = Sim4(server, "m", manual=True).wait_registered()
    server.wait_replicas("m")
    connection, = connections_asking(server, [1.5])
    request = stuck.next_request()
    Sim4(server, "m", model=lambda v: ["22"] * len(v)).wait_registered()
    assert connection.read().json()["output"] == 22
    assert server.status()["models"][0]["hedges"] == 1

    stuck.reply(request, ["11"])
    server.wait_replicas("m", 2)
    stuck.manual = False
    wait_until(lambda: [r["state"] for r in server.replicas("m")]
               == ["ready"] * 2)
    for i in range(10):
        assert server.predict("a", [i + 2.0])["output"] in (22, i + 2.0)
    connection.send_post("/a/predict", {"input": [7.5]})
    assert connection.read().json()["output"] in (22, 7.5)


@pytest.mark.parametrize("leaving", [False, True])
def test_replica_that_comes_later(nginx, leaving):
    """Catches a late batch that a replica does not get because it connected
    after the batch became late, or because the only other replica is stuck
    and has announced its leaving."""
    server = nginx(application("a", "m:1", slo="10s"),
                   http=HTTP + "clipper_model m { hedge 100ms; }")
    stuck = Sim4(server, "m", manual=True).wait_registered()
    server.wait_replicas("m")
    begun = time.monotonic()
    connection, = connections_asking(server, [1.5])
    stuck.next_request()
    if leaving:
        stuck.send(rpc.leaving())
        server.wait_replicas("m", 0)
    wait_until(lambda: time.monotonic() - begun > 0.25)
    Sim4(server, "m", model=lambda v: ["22"] * len(v)).wait_registered()
    assert connection.read().json()["output"] == 22
    assert time.monotonic() - begun < 5


def test_hedge_off(nginx):
    """Catches a batch that is hedged although hedging is off."""
    server = nginx(application("a", "m:1", slo="1s"),
                   http=HTTP + "clipper_model m { hedge off; }")
    stuck = Sim4(server, "m", manual=True).wait_registered()
    server.wait_replicas("m")
    connection, = connections_asking(server, [1.5])
    stuck.next_request()
    other = Sim4(server, "m").wait_registered()
    assert connection.read().json()["default_reason"] == "deadline"
    assert other.inputs_seen() == 0


def test_only_one_replica(nginx):
    """Catches a batch that is sent again to the replica that has it."""
    server = nginx(application("a", "m:1", slo="800ms"), http=HTTP)
    stuck = Sim4(server, "m", manual=True).wait_registered()
    server.wait_replicas("m")
    connection, = connections_asking(server, [1.5])
    stuck.next_request()
    assert connection.read().json()["default_reason"] == "deadline"
    assert stuck.inputs_seen() == 1


class Mortal:
    """Replicas that die of the input 13 and come back, like a container that
    a supervisor restarts. ``batches`` has the inputs of each."""

    def __init__(self, server, count, sim=Sim4, think=0.0):
        self.server = server
        self.sim = sim
        self.think = think
        self.batches = []
        self.deaths = 0
        self.dying = 0
        self.lock = threading.Lock()
        for _ in range(count):
            self.birth()

    def birth(self):
        self.sim(self.server, "m", handler=self.handle)

    def handle(self, sim, request):
        values = [v[0] for v in request.values]
        with self.lock:
            self.batches.append(values)
            self.dying += 13.0 in values
        if 13.0 in values:
            sim.call(self.die, sim, after=self.think)
        else:
            sim.reply(request, [repr(v) for v in values], after=self.think)

    def die(self, sim):
        with self.lock:
            self.deaths += 1
        for session in list(sim._sockets):
            sim._drop(session)
        self.birth()
        with self.lock:
            self.dying -= 1


@pytest.mark.parametrize("sim", [Sim3, Sim4])
@pytest.mark.parametrize("think", [0.0, 0.4])
def test_poison_input(nginx, sim, think):
    """Catches an input that one replica after the other gets, that takes more
    than half of its batch with it, or that may do so again within a minute.
    With a delay a second replica also gets it before the first one dies."""
    server = nginx(application("a", "m:1", slo="20s"), http=HTTP
                   + "clipper_model m { hedge 200ms; batch 8; }")
    blocker = Sim4(server, "m", manual=True).wait_registered()
    server.wait_replicas("m")
    first, = connections_asking(server, [0.5])
    request = blocker.next_request()
    values = [float(v) for v in range(10, 18)]
    connections = connections_asking(server, values)
    wait_until(lambda: server.status()["zone"]["waiters"]["used"] == 9)

    mortal = Mortal(server, 3, sim, think)
    answers = [c.read().json() for c in connections]
    for value, answer in zip(values, answers):
        if answer["default"]:
            assert answer["default_reason"] == "model_error", answer
        else:
            assert answer["output"] == value, answer
    assert answers[3]["default"]
    assert sum(a["default"] for a in answers) <= 4, mortal.batches
    wait_until(lambda: mortal.dying == 0)
    assert 1 <= mortal.deaths <= 3
    sizes = [len(b) for b in mortal.batches if 13.0 in b]
    assert len(sizes) == mortal.deaths
    if len(sizes) > 1:
        assert sizes[-1] <= max(1, sizes[0] // 2), mortal.batches

    # It is known now: alone, and once. So are those that were with it, but
    # they are answered.
    blocker.reply(request, ["1"])
    first.read()
    # All are there: else the blocker counts for one that is still to come.
    server.wait_replicas("m", 4, timeout=20)
    blocker.close()
    server.wait_replicas("m", 3, timeout=20)
    deaths, before = mortal.deaths, len(mortal.batches)
    answers = [c.read().json() for c in connections_asking(
        server, [*values, 21.0, 22.0, 23.0])]
    assert answers.pop(3)["default_reason"] == "model_error"
    values.remove(13.0)
    assert [a["output"] for a in answers] == [*values, 21, 22, 23]
    assert mortal.deaths == deaths + 1
    with_it = [b for b in mortal.batches[before:] if 13.0 in b]
    assert with_it == [[13.0]], with_it


def test_lost_batch_is_asked_again(nginx):
    """Catches a batch that is lost with its replica."""
    server = nginx(application("a", "m:1", slo="20s"), http=HTTP
                   + "clipper_model m { hedge off; }")
    doomed = Sim4(server, "m", manual=True).wait_registered()
    server.wait_replicas("m")
    connections = connections_asking(server, [1.5, 2.5, 3.5, 4.5])
    doomed.next_request()
    wait_until(lambda: server.status()["zone"]["waiters"]["used"] == 4)
    Sim4(server, "m").wait_registered()
    doomed.close()
    assert [c.read().json()["output"] for c in connections] == \
        [1.5, 2.5, 3.5, 4.5]
    assert server.status()["models"][0]["redispatches"] >= 1
