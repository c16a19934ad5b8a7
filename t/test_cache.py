"""The prediction cache, shared by all workers, and joined queries."""

import os
import random
import signal
import time

import pytest

from harness import SLOW, Sim3, Sim4, application, rpc, wait_until
from harness.workers import (allow_kill, echo_pid, replica_pid, survivors,
                             through_each_worker)

OUTCOME = "add_header X-Outcome $clipper_outcome always;"


def app(name, link, **kw):
    kw["extra"] = OUTCOME + kw.get("extra", "")
    return application(name, link, **kw)


def ask(server, name, value):
    """The answer to one input, and where it came from."""
    response = server.post(f"/{name}/predict", {"input": value})
    assert response.status == 200, response
    return response.json(), response.headers["x-outcome"]


def send(server, name, value, connection=None):
    connection = connection or server.connect()
    connection.send_post(f"/{name}/predict", {"input": value})
    return connection


def read(connection):
    response = connection.read()
    return response.json(), response.headers["x-outcome"]


def waiters(server):
    return server.status()["zone"]["waiters"]["used"]


def wait_waiters(server, count):
    wait_until(lambda: waiters(server) == count, 10, f"{count} waiters")


def started(nginx, sim=Sim4, server="", http="", **kw):
    options = {k: kw.pop(k) for k in ("manual", "handler", "model", "delay",
                                      "digest") if k in kw}
    made = nginx(app("a", "m:1") + server, http=http, **kw)
    container = sim(made, "m", **options).wait_registered()
    made.wait_replicas("m")
    return made, container


def served(sim, value):
    """How often the container got this input."""
    return sum(v[0] == value for r in sim.requests for v in r.values)


@pytest.mark.parametrize("sim", [Sim3, Sim4])
def test_second_time_from_the_cache(nginx, sim):
    """Catches a cache that is not filled, not used, or not shared."""
    server, made = started(nginx, sim, server=echo_pid(), workers=3)
    assert ask(server, "a", [1.5])[1] == "answer"
    for connection in through_each_worker(server).values():
        answer, outcome = read(send(server, "a", [1.5], connection))
        assert (answer["output"], outcome) == (1.5, "cached")
        connection.close()
    assert made.inputs_seen() == 1
    cache = server.status()["models"][0]["cache"]
    assert (cache["hits"], cache["misses"]) == (3, 1)


def test_switched_off(nginx):
    """Catches an application that is cached although its cache is off."""
    server, made = started(
        nginx, server=app("b", "m:1", extra="clipper_cache off;"))
    for _ in range(3):
        assert ask(server, "b", [1.5])[1] == "answer"
    assert ask(server, "a", [1.5])[1] == "answer"
    assert made.inputs_seen() == 4


def test_no_zone(nginx):
    """Catches a cache that exists although the configuration has none."""
    server, made = started(nginx, http="clipper_cache_zone off;")
    for _ in range(2):
        assert ask(server, "a", [1.5])[1] == "answer"
    assert made.inputs_seen() == 2 and server.status()["cache"] is None


def test_valid(nginx):
    """Catches an entry that is used after its expiry."""
    server, made = started(nginx, server=app(
        "b", "m:1", extra="clipper_cache on valid=300ms;"))
    begun = time.monotonic()
    assert ask(server, "b", [1.5])[1] == "answer"
    outcome = ask(server, "b", [1.5])[1]
    assert outcome == "cached" or time.monotonic() - begun > 0.25
    time.sleep(0.35)
    assert ask(server, "b", [1.5])[1] == "answer"
    assert ask(server, "a", [1.5])[1] == "cached"


def test_identical_queries_at_once(nginx):
    """Catches a container that gets an input which is already in flight:
    1 000 identical queries through 4 workers reach it once."""
    server, made = started(nginx, manual=True, server=echo_pid(), workers=4)
    connections = list(through_each_worker(server).values())
    connections += [server.connect() for _ in range(996)]
    for connection in connections:
        send(server, "a", [2.5], connection)
    request = made.next_request()
    wait_waiters(server, 1000)
    made.reply(request, ["42"])
    answers = [read(c) for c in connections]
    assert {a["output"] for a, _ in answers} == {42}
    assert sorted({o for _, o in answers}) == ["answer", "joined"]
    assert [o for _, o in answers].count("joined") == 999
    assert len(made.requests) == 1 and made.inputs_seen() == 1
    for connection in connections:
        connection.close()


def test_equal_inputs_of_a_request(nginx):
    """Catches an input that is sent as often as a request repeats it."""
    server, made = started(nginx)
    response = server.post("/a/predict", {"input_batch": [[1.5], [2.5]] * 4})
    assert [a["output"] for a in response.json()["batch_predictions"]] == \
        [1.5, 2.5] * 4
    assert response.headers["x-outcome"] == ", ".join(
        ["answer"] * 2 + ["joined"] * 6)
    assert made.inputs_seen() == 2


def test_waiters_with_different_deadlines(nginx):
    """Catches a waiter that waits beyond its own deadline, or one that loses
    its answer because another deadline has passed."""
    server, made = started(nginx, manual=True,
                           server=app("fast", "m:1", slo="200ms"))
    slow = send(server, "a", [3.5])
    request = made.next_request()
    begun = time.monotonic()
    answer, outcome = ask(server, "fast", [3.5])
    assert (answer["default"], outcome) == (True, "default")
    assert 0.15 < time.monotonic() - begun < 0.2 + 0.2 * SLOW
    assert answer["default_reason"] == "deadline"
    made.reply(request, ["7"])
    assert read(slow)[0]["output"] == 7
    assert ask(server, "fast", [3.5])[1] == "cached"
    assert len(made.requests) == 1


@pytest.mark.parametrize("joins", ["before", "after"])
def test_waiter_with_more_time_than_was_told(nginx, joins):
    """Catches a query that gets the default because a container skipped the
    equal input of another query after that query's deadline."""
    server, made = started(nginx, manual=True, http="clipper_model m "
                           "{ batch 1; }",
                           server=app("fast", "m:1", slo="400ms"))
    blocker = send(server, "a", [0.5])
    held = made.next_request()
    fast = send(server, "fast", [3.5])
    wait_waiters(server, 2)
    if joins == "before":
        slow = send(server, "a", [3.5])
        wait_waiters(server, 3)
    made.reply(held, ["1"])
    assert read(blocker)[0]["output"] == 1
    request = made.next_request()
    assert request.times_left[0] < 400_000
    if joins == "after":
        slow = send(server, "a", [3.5])
        wait_waiters(server, 2)
    assert read(fast)[0]["default_reason"] == "deadline"
    made.reply(request, [""], statuses=[rpc.SKIPPED])
    again = made.next_request()
    assert again.values == [(3.5,)] and again.times_left[0] > 1_000_000
    made.reply(again, ["7"])
    answer, outcome = read(slow)
    assert (answer["output"], outcome) == (7, "joined")
    assert ask(server, "fast", [3.5])[1] == "cached"


def test_joined_query_with_an_earlier_deadline(nginx):
    """Catches a joined flight that keeps its place in the queue although a
    new waiter has an earlier deadline."""
    server, made = started(nginx, manual=True, http="clipper_model m "
                           "{ batch 1; }",
                           server=app("fast", "m:1", slo="3s"))
    first = send(server, "a", [0.5])
    request = made.next_request()
    others = [send(server, "a", [v]) for v in (1.5, 2.5)]
    wait_waiters(server, 3)
    hurried = send(server, "fast", [2.5])
    wait_waiters(server, 4)
    made.reply(request, ["1"])
    second = made.next_request()
    assert second.values == [(2.5,)]
    made.reply(second, ["2"])
    made.reply(made.next_request(), ["3"])
    assert [read(c)[0]["output"] for c in (first, *others, hurried)] == \
        [1, 3, 2, 2]


def test_aborted_client(nginx):
    """Catches a client that takes the answer of others with it, or a flight
    that is sent without a waiter."""
    server, made = started(nginx, manual=True,
                           http="clipper_model m { batch 1; }")
    first, second = send(server, "a", [1.5]), send(server, "a", [1.5])
    request = made.next_request()
    wait_waiters(server, 2)
    alone = send(server, "a", [9.5])
    wait_waiters(server, 3)
    first.reset()
    alone.reset()
    wait_waiters(server, 1)
    made.reply(request, ["5"])
    assert read(second)[0]["output"] == 5
    made.manual = False
    assert ask(server, "a", [4.5])[0]["output"] == 4.5
    assert served(made, 9.5) == 0 and served(made, 1.5) == 1


def test_late_answer_is_kept(nginx):
    """Catches an answer that is lost because its client has left."""
    server, made = started(nginx, manual=True,
                           server=app("fast", "m:1", slo="150ms"))
    assert ask(server, "fast", [1.5])[1] == "default"
    made.reply(made.next_request(), ["8"])
    answer = wait_until(lambda: (server.status()["cache"]["entries"] == 1
                                 and ask(server, "fast", [1.5])))
    assert answer[0]["output"] == 8 and answer[1] == "cached"


def test_errors_are_not_kept(nginx):
    """Catches a failure that is cached as an answer."""
    failing = [True]

    def handler(sim, request):
        if failing[0]:
            sim.reply(request, ["broken"] * len(request.inputs),
                      statuses=[rpc.FAILED] * len(request.inputs))
        else:
            sim.answer(request)

    server, _ = started(nginx, handler=handler)
    answer, _ = ask(server, "a", [1.5])
    assert answer["default_reason"] == "model_error"
    failing[0] = False
    answer, outcome = ask(server, "a", [1.5])
    assert (answer["output"], outcome) == (1.5, "answer")


def test_same_bytes_of_other_models_and_types(nginx):
    """Catches an answer of another model or type for the same bytes: zeros
    have the same bytes as doubles, twice as many ints, and bytes."""
    kinds = {"d": ("doubles", [0.0]), "i": ("ints", [0, 0]),
             "f": ("floats", [0.0, 0.0]), "e": ("doubles", [0.0]),
             "s": ("strings", "\0" * 8)}
    server = nginx("".join(app(n, f"m{n}:1", input_type=t)
                           for n, (t, _) in kinds.items()))
    for n, (kind, _) in kinds.items():
        Sim4(server, f"m{n}", input_type=kind, model=lambda v, n=n:
             [f'"{n}"'] * len(v)).wait_registered()
        server.wait_replicas(f"m{n}")
    for outcome in ("answer", "cached"):
        for n, (_, value) in kinds.items():
            answer, how = ask(server, n, value)
            assert (answer["output"], how) == (n, outcome)


def test_version_switch(nginx):
    """Catches a cached answer of a version that is not current."""
    def config(version):
        return f"clipper_model m {{ version {version}; }}"

    server = nginx(app("a", "m"), http=config(1))
    for version in (1, 2):
        Sim4(server, "m", version, model=lambda v, version=version:
             [str(version)] * len(v)).wait_registered()
    server.wait_replicas("m", 2)
    for version in (1, 2, 1):
        server.reload(http=config(version))
        server.wait_replicas("m", 2)
        wait_until(lambda: ask(server, "a", [1.5])[0]["output"] == version)
        assert ask(server, "a", [1.5])[1] == "cached"


def test_highest_version_that_is_there(nginx):
    """Catches a version that nobody declared and that stays current after
    its only container has left."""
    server = nginx(app("a", "m"), http="clipper_cache_zone off;\n"
                   "clipper_model m { replica_timeout 500ms; }")
    sims = [Sim4(server, "m", version, model=lambda v, version=version:
                 [str(version)] * len(v)).wait_registered()
            for version in (1, 2)]
    server.wait_replicas("m", 2)
    assert server.predict("a", [1.5])["output"] == 2
    sims[1].close()
    wait_until(lambda: server.predict("a", [1.5])["output"] == 1)


def test_another_model_under_the_same_version(nginx):
    """Catches entries of a replaced model: replaced with another digest, or
    without a digest after all replicas had gone. An equal digest keeps
    them."""
    server = nginx(app("a", "m:1"))
    before = None
    for digest, output, kept in ((b"1" * 32, 1, False), (b"1" * 32, 2, True),
                                 (b"2" * 32, 3, False), (b"", 4, False),
                                 (b"", 5, False)):
        sim = Sim4(server, "m", digest=digest, model=lambda v, o=output:
                   [str(o)] * len(v)).wait_registered()
        server.wait_replicas("m")
        answer, outcome = ask(server, "a", [1.5])
        assert outcome == ("cached" if kept else "answer"), output
        assert answer["output"] == (before if kept else output)
        assert ask(server, "a", [1.5])[1] == "cached"
        before = answer["output"]
        sim.close()
        server.wait_replicas("m", 0)


def test_stranger_with_another_digest(nginx):
    """Catches answers that are not cached any more after another model with
    the same name was there for a moment: the replicas stay, and so does what
    they are. What the stranger said is not found."""
    server = nginx(app("a", "m:1"))
    for _ in range(2):
        Sim4(server, "m", digest=b"1" * 32,
             model=lambda v: ["1"] * len(v)).wait_registered()
    server.wait_replicas("m", 2)
    assert [ask(server, "a", [0.5])[1] for _ in range(2)] == [
        "answer", "cached"]
    stranger = Sim4(server, "m", digest=b"2" * 32,
                    model=lambda v: ["2"] * len(v)).wait_registered()
    server.wait_replicas("m", 3)
    for i in range(50):
        ask(server, "a", [float(i)])
    stranger.close()
    wait_until(lambda: len(server.replicas("m", ready=False)) == 2)
    for outcome in ("answer", "cached"):
        for i in range(50):
            answer, found = ask(server, "a", [float(i)])
            assert (answer["output"], found) == (1, outcome)


def test_model_replaced_beside_the_old_one(nginx):
    """Catches cached answers of a model after a replica announced another
    digest: replicas of the old model serve until the new one is ready, and
    leave nothing in the cache."""
    server = nginx(app("a", "m:1"))

    def replica(digest, output, **kw):
        return Sim4(server, "m", digest=digest, **kw, model=lambda v:
                    [str(output)] * len(v))

    old = replica(b"1" * 32, 1).wait_registered()
    server.wait_replicas("m")
    assert ask(server, "a", [1.5])[1] == "answer"
    assert ask(server, "a", [1.5])[1] == "cached"

    new = replica(b"2" * 32, 2, manual=True, probes=False)
    probe = new.next_request()
    for _ in range(2):
        answer, outcome = ask(server, "a", [1.5])
        assert (answer["output"], outcome) == (1, "answer")

    new.manual = False
    new.reply(probe, [])
    server.wait_replicas("m", 2)
    old.close()
    server.wait_replicas("m", 1)
    answer, outcome = ask(server, "a", [1.5])
    assert (answer["output"], outcome) == (2, "answer")
    assert ask(server, "a", [1.5])[1] == "cached"


def test_reload_keeps_the_entries(nginx):
    """Catches a cache that a reload empties, or one that stays although its
    size has changed."""
    server, made = started(nginx, http="clipper_cache_zone 1m;")
    assert ask(server, "a", [1.5])[1] == "answer"
    server.reload()
    server.wait_replicas("m")
    assert ask(server, "a", [1.5])[1] == "cached"
    server.reload(http="clipper_cache_zone 2m;")
    server.wait_replicas("m")
    assert ask(server, "a", [1.5])[1] == "answer"
    assert made.inputs_seen() == 2


def test_reload_while_an_answer_is_pending(nginx):
    """Catches a flight of an old worker that a new one does not see, or an
    answer that reaches only one of them."""
    server, made = started(nginx, manual=True)
    before = send(server, "a", [1.5])
    request = made.next_request()
    server.reload()
    after = send(server, "a", [1.5])
    wait_waiters(server, 2)
    made.reply(request, ["4"])
    assert [read(c)[0]["output"] for c in (before, after)] == [4, 4]
    assert ask(server, "a", [1.5])[1] == "cached"
    assert made.inputs_seen() == 1


def test_full_zone(nginx):
    """Catches a cache that outgrows its zone, fails when it is full, or gives
    wrong answers after evictions."""
    size = 3000

    def model(values):
        return ['"' + repr(v[0]).ljust(size, ".") + '"' for v in values]

    server, _ = started(nginx, model=model, http="clipper_cache_zone 256k;")
    values = random.Random(3)
    for i in range(400):
        value = float(values.randrange(150))
        answer, _ = ask(server, "a", [value])
        assert answer["output"] == repr(value).ljust(size, ".")
    status = server.status()
    cache = status["cache"]
    assert cache["used"] <= cache["capacity"] <= 256 * 1024
    assert 20 < cache["entries"] < 150
    assert status["models"][0]["cache"]["evictions"] > 50
    assert status["models"][0]["cache"]["hits"] > 20


def test_value_larger_than_the_zone(nginx):
    """Catches a value too large for the cache that fails its query or evicts
    everything else."""
    def model(values):
        return ['"' + "x" * (300000 if v[0] > 1 else 10) + '"'
                for v in values]

    server, made = started(nginx, model=model,
                           http="clipper_cache_zone 256k;")
    assert ask(server, "a", [0.5])[1] == "answer"
    for _ in range(2):
        answer, outcome = ask(server, "a", [5.0])
        assert len(answer["output"]) == 300000 and outcome == "answer"
    assert ask(server, "a", [0.5])[1] == "cached"
    assert made.inputs_seen() == 3


def test_worker_killed_while_an_answer_is_pending(nginx):
    """Catches a pending answer that is lost, or blocks its key, when the
    worker that began it or the worker with the replica dies."""
    server, made = started(nginx, manual=True, server=echo_pid(), workers=3,
                           digest=b"d" * 32)
    allow_kill(server)
    owner = replica_pid(server)
    by_pid = through_each_worker(server)
    asker, other = [pid for pid in by_pid if pid != owner][:2]

    send(server, "a", [1.5], by_pid[asker])
    request = made.next_request()
    wait_waiters(server, 1)
    joined = send(server, "a", [1.5], by_pid[other])
    wait_waiters(server, 2)
    os.kill(asker, signal.SIGKILL)
    survivors(server)
    wait_waiters(server, 1)
    made.reply(request, ["6"])
    assert read(joined)[0]["output"] == 6
    assert ask(server, "a", [1.5])[1] == "cached"

    send(server, "a", [2.5], joined)
    made.next_request()
    os.kill(owner, signal.SIGKILL)
    survivors(server)
    made.reply(made.next_request(15), ["7"])
    assert read(joined)[0]["output"] == 7
    assert ask(server, "a", [2.5])[1] == "cached"


def test_all_workers_killed_while_an_answer_is_pending(nginx):
    """Catches a flight of dead clients that blocks its key."""
    server, made = started(nginx, manual=True, workers=2)
    allow_kill(server)
    connection = send(server, "a", [1.5])
    made.next_request()
    for pid in server.worker_pids():
        os.kill(pid, signal.SIGKILL)
    survivors(server)
    server.wait_replicas("m", timeout=15)
    made.manual = False
    answer, outcome = ask(server, "a", [1.5])
    assert (answer["output"], outcome) == (1.5, "answer")
    connection.close()
