"""Replicas that never answer: stopped, hanging, or silent on purpose.

The server gives a batch a limit, health says before it that nothing is
answered, and one input that hangs its model harms no other input for long.
"""

import contextlib
import os
import re
import signal
import time

import pytest

from harness import (PythonContainer, SLOW, Sim3, Sim4, application,
                     wait_until)
from harness.metrics import METRICS
from harness.session import NOCACHE

POISON = 13.0


def model_of(timeout="500ms", more=""):
    return "clipper_model m { batch_timeout %s; %s }" % (timeout, more)


@pytest.fixture
def start(nginx):
    def run(timeout="500ms", slo="200ms", http=NOCACHE, more="", **kw):
        return nginx(application("a", "m:1", slo=slo),
                     http=http + model_of(timeout, more),
                     operator_extra=METRICS, **kw)

    return run


def health(server):
    return server.get("/health?app=a")


def timeouts(server):
    found = re.search(r'^clipper_batch_timeouts_total\{model="m",version="1"\}'
                      r" (\d+)$", server.get("/metrics").body.decode(), re.M)
    return int(found.group(1)) if found else 0


def answered(server, value):
    return not server.predict("a", [value])["default"]


def hang_on_poison(sim, request):
    if all(v[0] != POISON for v in request.values):
        sim.answer(request)


@contextlib.contextmanager
def stopped(*pids):
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("sim", [Sim3, Sim4])
def test_a_batch_has_a_limit(start, sim):
    """Catches a replica that keeps its batch for ever: it is removed, told
    of in one line with model, version, replica and time, and counted."""
    server = start()
    sim(server, "m", handler=hang_on_poison).wait_registered()
    server.wait_replicas("m", 1)
    assert server.predict("a", [1.0])["output"] == 1.0
    assert server.predict("a", [POISON])["default_reason"] == "deadline"
    wait_until(lambda: timeouts(server) == 1, what="the limit")
    lines = re.findall(r".*\[warn\].*batch_timeout.*", server.log_text())
    assert len(lines) == 1, lines
    assert re.search(r'container of "m:1", replica 0, has not answered a batch'
                     r" of 1 within 500 ms", lines[0])
    assert server.status()["models"][0]["batch_timeouts"] == 1
    # Its socket connects again by itself: here it does answer other inputs.
    wait_until(lambda: answered(server, 2.0), what="another answer")


def test_others_are_answered_after_the_limit(start):
    """Catches inputs that hang with the one that hangs its model: they are
    asked again, in smaller batches, and only that one ends as an error."""
    server = start(slo="8s", more="batch 8; batch_wait 50ms;")
    for _ in range(3):
        Sim4(server, "m", handler=hang_on_poison)
    server.wait_replicas("m", 3)
    values = [[1.0], [POISON], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0]]
    answer = server.post("/a/predict", {"input_batch": values}).json()
    got = [(one["output"], one["default_reason"] if one["default"] else None)
           for one in answer["batch_predictions"]]
    assert got[1] == (-1.0, "model_error"), got
    # Half of the others may have been with it again.
    good = [one for one in got if one[1] is None]
    assert len(good) >= 4, got
    for value in values:
        if value != [POISON]:
            wait_until(lambda: server.predict("a", value)["output"]
                       == value[0], what="the input alone")


def test_the_same_input_again(start):
    """Catches an input that hangs one replica after the other, each time it
    is asked: it is found, and ends as an error without being sent."""
    server = start(slo="100ms")
    sim = Sim4(server, "m", handler=hang_on_poison,
               digest=b"d" * 32).wait_registered()
    server.wait_replicas("m", 1)
    assert answered(server, 1.0)

    for count in (1, 2):
        answer = server.predict("a", [POISON])
        assert answer["default_reason"] == "deadline"
        wait_until(lambda: timeouts(server) == count, what="the limit")
        server.wait_replicas("m", 1)

    seen = sim.inputs_seen()
    assert server.predict("a", [POISON])["default_reason"] == "model_error"
    assert sim.inputs_seen() == seen
    assert answered(server, 2.0)


def test_a_suspect_that_is_answered_is_none(start):
    """Catches an input that is refused because its replica was stopped."""
    server = start(slo="100ms")
    silent = [True, False, True, False]

    def moody(sim, request):
        if request.values[0][0] != POISON or not silent.pop(0):
            sim.answer(request)

    Sim4(server, "m", handler=moody, digest=b"d" * 32)
    for count in (1, 2):
        server.wait_replicas("m", 1)
        assert not answered(server, POISON)
        wait_until(lambda: timeouts(server) == count, what="the limit")
        server.wait_replicas("m", 1)
        assert answered(server, POISON)


def test_the_copy_does_not_go_on(start):
    """Catches an input that takes all replicas with it: a copy may have
    taken a second one, but no third one gets it, and no input is copied
    after that."""
    server = start(slo="5s", more="hedge 50ms;")
    sims = [Sim4(server, "m", handler=hang_on_poison) for _ in range(4)]
    server.wait_replicas("m", 4)
    answer = server.predict("a", [POISON])
    assert answer["default_reason"] == "model_error"
    # What came with a connection that replaced one that was closed, too.
    assert sum(r.values[0][0] == POISON
               for sim in sims for r in list(sim.requests)) == 2
    server.wait_replicas("m", 4)
    hedges = server.status()["models"][0]["hedges"]
    assert server.predict("a", [POISON])["default_reason"] == "model_error"
    assert server.status()["models"][0]["hedges"] == hedges


@pytest.mark.parametrize("sim", [Sim3, Sim4])
def test_health_while_the_only_replica_is_stuck(start, sim):
    """Catches health that says 200 while every query gets the default; it
    speaks before batch_timeout ends the batch."""
    held = []

    def hold_poison(sim, request):
        if request.values[0][0] == POISON:
            held.append(request)
        else:
            sim.answer(request)

    server = start(timeout="1h")
    made = sim(server, "m", handler=hold_poison).wait_registered()
    server.wait_replicas("m", 1)
    for value in range(5):
        assert answered(server, float(value))
    assert health(server).status == 200
    assert not answered(server, POISON)
    assert health(server).status == 200
    assert not server.replicas("m")[0]["stuck"]
    wait_until(lambda: server.replicas("m")[0]["stuck"], what="stuck")
    assert server.replicas("m")[0]["busy_ms"] >= 900
    answer = health(server)
    assert answer.status == 503
    assert "stuck" in answer.json()["cause"]
    made.answer(held[0])
    wait_until(lambda: health(server).status == 200, what="health")
    replica = server.replicas("m")[0]
    assert not replica["stuck"] and replica["busy_ms"] == 0


def test_health_while_one_of_two_is_stuck(start):
    """Catches an application that is taken out although it answers."""
    server = start(timeout="1h", more="hedge off;")
    for _ in range(2):
        Sim4(server, "m", handler=hang_on_poison)
    server.wait_replicas("m", 2)
    for value in range(6):
        assert answered(server, float(value))
    assert not answered(server, POISON)
    wait_until(lambda: sum(r["stuck"] for r in server.replicas("m")) == 1,
               12, what="stuck")
    assert health(server).status == 200
    assert answered(server, 20.0)


def test_the_only_process_is_stopped(start):
    """SIGSTOP: health says so before the limit, and the limit removes it."""
    server = start(timeout="3s")
    container = PythonContainer(server, "m",
                                lambda xs: [float(x[0]) for x in xs])
    server.wait_replicas("m", 1)
    for value in range(3):
        assert answered(server, float(value))
    with stopped(container.process.pid):
        assert server.predict("a", [5.0])["default_reason"] == "deadline"
        wait_until(lambda: health(server).status == 503, what="health")
        assert server.replicas("m"), "health was late"
        assert timeouts(server) == 0
        wait_until(lambda: timeouts(server) == 1, what="the limit")
        assert health(server).status == 503
        answer = server.predict("a", [6.0])
        assert answer["default_reason"] == "no_replica"


def test_one_of_two_processes_is_stopped(start):
    """Catches queries that wait for the stopped one."""
    server = start(timeout="1s", slo="5s")
    func = lambda xs: [float(x[0]) for x in xs]
    containers = [PythonContainer(server, "m", func) for _ in range(2)]
    server.wait_replicas("m", 2)
    for value in range(10):
        assert answered(server, float(value))
    with stopped(containers[0].process.pid):
        wait_until(lambda: answered(server, time.monotonic())
                   and timeouts(server) == 1, 20, what="the limit")
        assert health(server).status == 200
        for value in range(10):
            assert answered(server, 100.0 + value)


def test_a_slow_first_answer(start):
    """Catches a limit that the first batches of a model cannot keep: with
    auto it is a minute until the first answer."""
    server = start(timeout="auto", slo="10s")
    sim = Sim4(server, "m", delay=1.5 * SLOW).wait_registered()
    server.wait_replicas("m", 1)
    assert answered(server, 1.0)
    assert timeouts(server) == 0
    assert sim.inputs_seen() == 1
