"""Several workers: one queue for all, and the death of any of them."""

import os
import random
import signal
import threading
import time

import pytest

from harness import (Load, SLOW, Sim3, Sim4, application, death,
                     wait_until)
from harness.client import Connection
from harness.workers import (allow_kill, echo_pid, replica_pid, survivors,
                             through_each_worker)

HTTP = "clipper_cache_zone off;\n"


@pytest.mark.parametrize("sim", [Sim3, Sim4])
def test_every_worker_is_served(nginx, sim):
    """Catches a worker whose queries do not reach another worker's replica."""
    server = nginx(application("a", "m:1") + echo_pid(), http=HTTP,
                   workers=3)
    made = sim(server, "m").wait_registered()
    server.wait_replicas("m")
    for i, (pid, connection) in enumerate(
            through_each_worker(server).items()):
        response = connection.post("/a/predict", {"input": [i + 0.5]})
        assert response.json()["output"] == i + 0.5, pid
        connection.close()
    assert made.inputs_seen() == 3


def test_answers_across_workers_are_quick(nginx):
    """Catches results that wait for a timer instead of a doorbell."""
    server = nginx(application("a", "m:1") + echo_pid(), http=HTTP,
                   workers=3)
    Sim4(server, "m").wait_registered()
    server.wait_replicas("m")
    for connection in through_each_worker(server).values():
        took = []
        for i in range(20):
            start = time.monotonic()
            answer = connection.post("/a/predict",
                                     {"input": [random.random()]}).json()
            took.append(time.monotonic() - start)
            assert not answer["default"]
        assert sorted(took)[10] < 0.02 * SLOW
        connection.close()


def check_echo(values):
    def check(response):
        if response.status != 200:
            return repr(response)
        answers = response.json()["batch_predictions"]
        outputs = [a["output"] for a in answers]
        return "" if outputs == values else f"{values} got {answers}"[:300]

    return check


def test_answer_belongs_to_its_input(nginx):
    """Catches an answer for another input: 100 000 distinct queries through
    4 workers and 3 replicas with random delays."""
    server = nginx(application("a", "m:1", slo="60s"), http=HTTP, workers=4,
                   zone="32m")
    delays = random.Random(5)

    def handler(sim, request):
        sim.reply(request, [repr(v[0]) for v in request.values],
                  after=delays.choice((0, 0, 0.0005, 0.002, 0.01)))

    for sim in (Sim3, Sim4, Sim4):
        sim(server, "m", handler=handler).wait_registered()
    server.wait_replicas("m", 3)

    threads, inputs = 16, 25
    count = 100000 // (threads * inputs)

    def make(thread, number):
        first = (thread * count + number) * inputs
        values = [float(first + i) + 0.25 for i in range(inputs)]
        return ("/a/predict", {"input_batch": [[v] for v in values]},
                check_echo(values))

    load = Load(server, make, threads, count, retry=False).join()
    assert load.done * inputs == 100000
    assert load.failures == []


def test_kill_a_worker_with_a_replica(nginx):
    """Catches replicas, leases or waiters of a dead worker that stay: the
    replicas come back, the batch of the dead one is served."""
    server = nginx(application("a", "m:1", slo="20s") + echo_pid(), http=HTTP,
                   workers=3)
    allow_kill(server)
    sim = Sim4(server, "m", manual=True).wait_registered()
    server.wait_replicas("m")
    owner = replica_pid(server)
    others = {pid: c for pid, c in through_each_worker(server).items()
              if pid != owner}
    connection = list(others.values())[0]
    connection.send_post("/a/predict", {"input": [3.0]})
    sim.next_request()

    os.kill(owner, signal.SIGKILL)
    survivors(server)
    server.wait_replicas("m", timeout=15)
    request = sim.next_request(15)
    assert request.values == [(3.0,)]
    sim.reply(request, ["33"])
    assert connection.read().json()["output"] == 33
    sim.manual = False
    assert server.predict("a", [4.0])["output"] == 4.0


def test_kill_an_asking_worker(nginx):
    """Catches waiters and mail of a dead worker that are never freed."""
    server = nginx(application("a", "m:1", slo="20s") + echo_pid(), http=HTTP,
                   workers=2)
    allow_kill(server)
    sim = Sim4(server, "m", manual=True).wait_registered()
    server.wait_replicas("m")
    owner = replica_pid(server)
    by_pid = through_each_worker(server)
    asker = next(pid for pid in by_pid if pid != owner)
    for i in range(3):
        body = {"input_batch": [[i * 10.0 + k] for k in range(5)]}
        if i == 0:
            by_pid[asker].send_post("/a/predict", body)
    request = sim.next_request()
    os.kill(asker, signal.SIGKILL)
    survivors(server)
    wait_until(lambda: server.status()["zone"]["waiters"]["used"] == 0)
    sim.reply(request, ["1"] * len(request.inputs))
    sim.manual = False
    assert server.predict("a", [4.0])["output"] == 4.0


def test_kills_under_load(nginx):
    """Catches damage by a worker that dies at a random moment: only its own
    connections fail, every answer is right, and nothing is leaked."""
    server = nginx(application("a", "m:1", slo="5s"), http=HTTP, workers=4)
    allow_kill(server)
    for _ in range(3):
        Sim4(server, "m", model=lambda values: [repr(v[0]) for v in values]
             ).wait_registered()
    server.wait_replicas("m", 3)
    wrong = []

    def make(thread, number):
        values = [thread * 1e6 + number + i / 8 for i in range(4)]

        def check(response):
            answers = response.json()["batch_predictions"]
            for value, answer in zip(values, answers):
                if not answer["default"] and answer["output"] != value:
                    wrong.append((value, answer))
            return ""

        return "/a/predict", {"input_batch": [[v] for v in values]}, check

    load = Load(server, make, threads=12, retry=False)
    for _ in range(6):
        done = load.done
        wait_until(lambda: load.done > done + 300)
        pids = survivors(server)
        os.kill(random.choice(pids), signal.SIGKILL)
    survivors(server)
    load.stop()

    print(load.done, "requests,", len(load.failures), "failed")
    assert wrong == []
    assert len(load.failures) <= 6 * 12, load.failures[:5]
    server.wait_replicas("m", 3, timeout=20)
    wait_until(lambda: server.predict("a", [1.5])["output"] == 1.5)


@pytest.mark.skipif(not death.POSSIBLE, reason="knows x86-64 only")
@pytest.mark.parametrize("function, path, body", [
    ("zone_unlock", "predict", {"input": [2.0]}),
    ("cache_ring_append_locked", "predict", {"input": [2.0]}),
    ("journal_end", "update", {"uid": "u", "input": [1.0], "label": 1.0}),
])
def test_death_inside_a_section(nginx, function, path, body):
    """Catches workers that wait for the lock of a dead one: the master is
    stopped, so it does not reap the dead worker."""
    server = nginx(application(
        "a", "m:1 n:1", extra="clipper_select thompson;")
        + echo_pid(), workers=3)
    allow_kill(server)
    sim = Sim4(server, "m").wait_registered()
    server.wait_replicas("m")
    victim = replica_pid(server)
    doors = through_each_worker(server)
    first = doors[victim].post("/a/predict", {"input": [1.0], "uid": "u"})
    assert first.json()["output"] == 1.0

    trap = death.Trap(victim, server.settings.module,
                      f"clipper_{function}")
    os.kill(server.pid, signal.SIGSTOP)
    try:
        door = doors.pop(victim)
        door.send_post(f"/a/{path}", body)
        trap.kill_there()
        wait_until(lambda: state(victim) == "Z")

        begun = time.monotonic()
        for pid, connection in doors.items():
            answers = [connection.post("/a/predict", {"input": [value]})
                       for value in (3.0, 4.0)]
            assert {a.status for a in answers} == {200}, pid
        wait_until(lambda: server.predict("a", [5.0])["output"] == 5.0, 5)
        assert time.monotonic() - begun < 5 * SLOW
        assert (state(server.pid), state(victim)) == ("T", "Z")
        assert server.post("/a/update", {"uid": "u", "input": [5.0],
                                         "label": 5.0}).status == 200
    finally:
        os.kill(server.pid, signal.SIGCONT)

    survivors(server)
    server.wait_replicas("m")
    assert server.predict("a", [6.0])["output"] == 6.0
    assert sim.error is None


def state(pid):
    """The state of a process, as /proc shows it."""
    with open(f"/proc/{pid}/stat", "rb") as f:
        return f.read().rpartition(b")")[2].split()[0].decode()


def test_replicas_of_all_workers_share_the_load(nginx):
    """Catches replicas that get no inputs because another worker has them."""
    server = nginx(application("a", "m:1"), http=HTTP
                   + "clipper_model m { batch 1; }")
    sims = [Sim4(server, "m", delay=0.02).wait_registered()
            for _ in range(4)]
    server.wait_replicas("m", 4)
    load = Load(server, lambda t, n: (
        "/a/predict", {"input": [t + n / 64]},
        lambda r: "" if not r.json()["default"] else "default"),
        threads=8, count=15).join()
    assert load.failures == []
    assert all(s.inputs_seen() >= 5 for s in sims), \
        [s.inputs_seen() for s in sims]


def voluntary(pid):
    """Voluntary context switches of all threads of a process."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as f:
            total += sum(int(line.split()[1]) for line in f
                         if line.startswith("voluntary_ctxt"))
    return total


def epoll_timeouts(pid):
    """The fourth argument of the system call that each thread of a process
    sleeps in: for epoll_wait() the timeout in milliseconds, as 32 bits in
    hexadecimal; -1 means no timeout."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/syscall") as f:
            found.append(f.read().split()[4][2:][-8:])
    return found


def test_idle_server_sleeps(nginx):
    """Catches a timer or a poll in a server without replicas."""
    server = nginx(application("a", "m"), http=HTTP)
    assert server.predict("a", [1.0])["default"] is True
    pids = server.children()
    server._operator.close()
    server._operator = None

    def calm():
        before = [voluntary(p) for p in pids]
        threading.Event().wait(2.0)
        return [voluntary(p) for p in pids] == before

    assert calm() or calm(), "a worker wakes up while nothing happens"
    for pid in pids:
        assert all(wait == "ffffffff" for wait in epoll_timeouts(pid)), \
            "a worker has set an alarm"


def test_idle_server_with_replicas(nginx):
    """Catches more than one wake-up a second for a replica that is idle."""
    server = nginx(application("a", "m"), http=HTTP)
    Sim4(server, "m").wait_registered()
    server.wait_replicas("m")
    pids = server.children()

    def wakeups():
        before = [voluntary(p) for p in pids]
        threading.Event().wait(3.0)
        return max(voluntary(p) - b for p, b in zip(pids, before))

    # Heartbeats wake libzmq's own threads, hence the margin.
    assert min(wakeups() for _ in range(2)) <= 40


def test_status_through_any_worker(nginx):
    """Catches a status that shows only the part of its own worker."""
    server = nginx(application("a", "m:1"), http=HTTP, workers=3)
    for _ in range(3):
        Sim4(server, "m").wait_registered()
    server.wait_replicas("m", 3)
    for _ in range(20):
        with Connection(("127.0.0.1", server.operator)) as connection:
            status = connection.get("/status").json()
        assert len(status["workers"]) == 3
        assert len(status["replicas"]) == 3


def test_single_process(nginx):
    """Catches a module that only works under a master process."""
    server = nginx(application("a", "m:1"), main="master_process off;",
                   http=HTTP, workers=1)
    server.checks_zone = False
    Sim4(server, "m").wait_registered()
    assert wait_until(lambda: server.predict("a", [1.5])["output"] == 1.5)


def test_cache_manager_beside(nginx):
    """Catches helper processes of nginx that take a worker's place."""
    server = nginx(application("a", "m:1"), http=HTTP
                   + "proxy_cache_path pc keys_zone=pc:1m;")
    Sim4(server, "m").wait_registered()
    server.wait_replicas("m")
    assert server.predict("a", [1.5])["output"] == 1.5
    assert len(server.status()["workers"]) == server.workers


def half_sent(server, held):
    """Leaves a half-sent request in each accepting worker."""
    for connection in through_each_worker(server).values():
        connection.send(b"POST /a/predict HTTP/1.1\r\nHost: a\r\n"
                        b"Content-Length: 99\r\n\r\n{")
        held.append(connection)


@pytest.mark.parametrize("own", [False, True])
def test_more_workers_than_rows(make_nginx, own):
    """Catches workers that exit when clipper_zone has no row for them: old
    ones, which half-sent requests keep, have all. A new one leaves clients to
    those with a row. If it has a listening socket of its own, it answers what
    is in the cache, learns from its feedback, and knows a default for the
    rest. It takes part once old ones have gone."""
    server = make_nginx(
        "location /a { clipper_app a; clipper_link m:1 n:1; "
        "clipper_slo 5s; clipper_select exp4; clipper_default \"-1.0\"; }\n"
        + echo_pid(), workers=4, zone="2m")
    server.parts["listen"] += " reuseport" * own
    server.start()
    for name in "mn":
        Sim4(server, name).wait_registered()
        server.wait_replicas(name)
    assert server.predict("a", [1.5])["output"] == 1.5
    held = []
    for _ in range(6):
        half_sent(server, held)
        server.reload()

    # then 28 retire, and 3 of the next 4 have a row
    half_sent(server, held)
    before = set(server.children())
    server.reload(wait=False)
    wait_until(lambda: "no room for this worker" in server.log_text(), 15,
               "a worker without a row")
    wait_until(lambda: len(set(server.children()) - before) == 4, 15,
               "the new workers")
    new = set(server.children()) - before
    wait_until(lambda: [w["state"] for w in server.status()["workers"]]
               .count("retiring") == 28, 15, "the old workers retire")
    for name in "mn":
        server.wait_replicas(name, timeout=20)
    lacks = new - {w["pid"] for w in server.status()["workers"]}
    assert len(lacks) == 1
    if own:
        check_without_a_row(through_each_worker(server), lacks.pop())
    else:
        for i in range(20):
            with server.connect() as connection:
                assert connection.get("/pid").json() in new - lacks
                assert connection.post("/a/predict", {
                    "input": [i + 10.5]}).json()["output"] == i + 10.5
    assert new <= set(server.children())

    for connection in held:
        connection.close()
    server.wait_generation(30)
    for name in "mn":
        server.wait_replicas(name, timeout=20)
    assert new == set(server.worker_pids())
    for connection in through_each_worker(server).values():
        assert connection.post("/a/predict", {
            "input": [2.5]}).json()["output"] == 2.5
        connection.close()


def check_without_a_row(connections, lacks):
    for pid, connection in connections.items():
        answer = connection.post("/a/predict", {"input": [1.5]}).json()
        assert answer["output"] == 1.5, pid
        for said in "10":
            assert connection.post("/a/update", {
                "query_id": answer["query_id"], "label": 1.5}
                ).body == f"Feedback received? {said}".encode()
        answer = connection.post("/a/predict", {"input": [pid]}).json()
        assert answer["default"] == (pid == lacks)
        connection.close()


@pytest.mark.parametrize("workers, warned", [(15, False), (16, True)])
def test_workers_fit_twice(make_nginx, workers, warned):
    """Catches a zone that is too small for a reload, unnoticed."""
    server = make_nginx(application("a"), zone="2m", workers=workers)
    server.write()
    accepted, text = server.test()
    assert accepted
    assert ("worker_processes" in text) == warned, text
