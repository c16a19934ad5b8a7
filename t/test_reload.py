"""Reloads: changes apply, state stays, and no request is lost."""

import os
import signal
import socket
import time

import pytest

from clipper_admin.status import is_in_force
from harness import (Load, PythonContainer, Sim3, Sim4, application,
                     wait_until)
from harness.load import numbered
from harness.preload import preload
from harness.reload import echo, served
from harness.session import ASK_METADATA, heartbeat_answers
from harness.upgrade import VARIABLES, start_daemon, upgrade
from harness.workers import echo_pid, replica_pid

HTTP = "clipper_cache_zone off;\n"


def test_generation(nginx):
    """Catches a status that shows a configuration before it is in force."""
    server = nginx(application("a"))
    assert server.status()["generation"] == "g1"
    before = set(server.worker_pids())
    server.reload()
    assert server.status()["generation"] == "g2"
    assert not before & set(server.worker_pids())


def test_old_workers_go(nginx):
    """Catches retiring workers that never exit although nothing keeps them."""
    server, _ = served(nginx, Sim4)
    before = server.children()
    server.reload()
    wait_until(lambda: not set(before) & set(server.children()), 15,
               "the end of the old workers")


def test_version_4_survives(nginx):
    """Catches a replica that is lost by a reload instead of moved, or a
    default that a reload causes."""
    server, (sim,) = served(nginx, Sim4)
    load = Load(server, numbered, threads=4)
    for _ in range(5):
        done = load.done
        wait_until(lambda: load.done > done + 50)
        server.reload()
    load.stop()
    assert load.failures == []
    assert sim.moves >= 1
    server.wait_replicas("m")


def test_version_4_idle_replica_moves(nginx):
    """Catches a replica without work that stays with a retiring worker."""
    server, (sim,) = served(nginx, Sim4)
    for _ in range(3):
        before = server.children()
        server.reload()
        server.wait_replicas("m")
        assert server.predict("a", [1.5])["output"] == 1.5
        wait_until(lambda: not set(before) & set(server.children()), 15)


def test_batch_in_flight_is_answered(nginx):
    """Catches a reload that loses a batch in flight."""
    server = nginx(application("a", "m:1", slo="20s"), http=HTTP)
    sim = Sim4(server, "m", manual=True).wait_registered()
    server.wait_replicas("m")
    connection = server.post_later("/a/predict", {"input": [1.0]})
    request = sim.next_request()
    server.reload()
    sim.reply(request, ["77"])
    assert connection.read().json()["output"] == 77
    sim.manual = False
    wait_until(lambda: server.predict("a", [2.0])["output"] == 2.0)


def test_long_batch_is_not_asked_twice(nginx):
    """Catches a batch that a reload takes from a version 4 container after
    the 10 s in which it usually moves."""
    server = nginx(application("a", "m:1", slo="60s"), http=HTTP)
    sim = Sim4(server, "m", manual=True).wait_registered()
    server.wait_replicas("m")
    connection = server.post_later("/a/predict", {"input": [1.0]}, timeout=60)
    request = sim.next_request()
    server.reload()
    begun = time.monotonic()
    wait_until(lambda: time.monotonic() > begun + 11, 30)
    sim.reply(request, ["77"])
    assert connection.read().json()["output"] == 77
    assert len(sim.requests) == 1


@pytest.mark.parametrize("sim", [Sim3, Sim4])
def test_shutdown_timeout_with_a_batch_in_flight(nginx, sim):
    """Catches an old worker that a batch keeps behind its end: the batch goes
    to a new worker, and so does the replica."""
    server = nginx(application("a", "m:1", slo="300s"), workers=1,
                   http=HTTP + "clipper_model m { hedge 60s; }",
                   main="worker_shutdown_timeout 1s;")
    made = sim(server, "m", manual=True).wait_registered()
    server.wait_replicas("m")
    before = server.children()
    with server.post_later("/a/predict", {"input": [1.0]}) as connection:
        made.next_request()
        server.reload()
        wait_until(lambda: not set(before) & set(server.children()), 15,
                   "the end of the old worker")
        with pytest.raises(ConnectionError):
            connection.read()
    made.manual = False
    server.wait_replicas("m", timeout=20)
    assert server.predict("a", [2.0])["output"] == 2.0


@pytest.mark.timeout(180)
def test_version_3_pair_under_load(nginx):
    """Catches version 3 replicas that all go at once."""
    server, sims = served(nginx, Sim3, Sim3)
    load = Load(server, numbered, threads=4)
    wait_until(lambda: load.done > 100)
    before = server.children()
    server.reload()
    wait_until(lambda: not set(before) & set(server.children()), 40)
    server.wait_replicas("m", 2, timeout=20)
    done = load.done
    wait_until(lambda: load.done > done + 100)
    load.stop()
    assert not [f for f in load.failures if not f.startswith("default")]
    assert len(load.failures) <= load.done / 100, load.failures[:3]


def test_single_version_3_comes_back(nginx):
    """Catches a version 3 container that a reload loses, or one that returns
    only with its next heartbeat, after 5 s of silence."""
    server, _ = served(nginx, Sim3)
    before = server.children()
    server.reload()
    wait_until(lambda: not set(before) & set(server.children()), 15)
    start = time.monotonic()
    wait_until(lambda: server.predict("a", [1.5])["output"] == 1.5, 4)
    assert time.monotonic() - start < 4


def asked(sim):
    """How often the frontend has asked a container who it is."""
    return heartbeat_answers(sim).count(ASK_METADATA)


def test_version_3_moves_once_a_minute(nginx):
    """Catches a version 3 container that every reload takes away, a retiring
    worker that keeps nothing and stays, and a kept container that is lost to
    the new configuration."""
    server, (sim,) = served(nginx, Sim3)
    before = server.children()
    server.reload()
    wait_until(lambda: not set(before) & set(server.children()), 15)
    wait_until(lambda: server.predict("a", [1.5])["output"] == 1.5, 5)
    assert asked(sim) == 2
    for number in range(4):
        server.reload()
        assert server.predict("a", [number + 0.25])["output"] == number + 0.25
    wait_until(lambda: len(server.children()) == server.workers + 1, 15,
               "the end of the workers that keep nothing")
    server.reload(server=application("a", "m:1") + application("b", "m:1"))
    assert server.predict("b", [2.5])["output"] == 2.5
    assert asked(sim) == 2
    start = time.monotonic()
    assert server.stop() == signal.SIGQUIT
    assert time.monotonic() - start < 5


def keeps_a_replica(server):
    """Reloads until a retiring worker stays for the version 3 replica that
    has just moved."""
    before = server.children()
    server.reload()
    wait_until(lambda: not set(before) & set(server.children()), 15)
    wait_until(lambda: server.predict("a", [1.5])["output"] == 1.5, 5)
    server.reload()
    wait_until(lambda: len(server.children()) == server.workers + 1, 15)


def test_shutdown_timeout_ends_a_kept_replica(nginx):
    """Catches a worker that stays for a version 3 replica although its time
    is over, and a replica that does not come back then."""
    server, (sim,) = served(nginx, Sim3, main="worker_shutdown_timeout 2s;")
    keeps_a_replica(server)
    wait_until(lambda: len(server.children()) == server.workers, 10,
               "the end of the worker that keeps a replica")
    wait_until(lambda: asked(sim) == 3, 5)
    wait_until(lambda: server.predict("a", [2.5])["output"] == 2.5, 5)


@pytest.mark.parametrize("path", [None, "rpc.sock"])
def test_newcomers_do_not_meet_a_retiring_worker(nginx, path):
    """Catches a worker that stays for a replica and accepts new containers,
    only to send them away; on both kinds of addresses."""
    more = {"rpc": f"clipper_rpc unix:DIR/{path};"} if path else {}
    server = nginx(application("a", "m:1"), http=HTTP, workers=1, **more)
    if path:
        server.rpc = f"ipc://{server.dir}/{path}"
    Sim3(server, "m", model=echo).wait_registered()
    server.wait_replicas("m")
    keeps_a_replica(server)
    sims = [sim(server, "n") for _ in range(10) for sim in (Sim3, Sim4)]
    server.wait_replicas("n", len(sims))
    assert not [e for sim in sims for e in sim.events if e.direction == "lost"]


def test_version_3_replicas_move_in_turn(nginx):
    """Catches replicas of one model that are away at the same time although
    different workers have them."""
    server, sims = served(nginx, *[Sim3] * 4, workers=4)
    before = server.children()
    server.reload()
    wait_until(lambda: not set(before) & set(server.children()), 15)
    wait_until(lambda: len(server.replicas("m")) == 4, 5)
    gaps = []
    for sim in sims:
        lost = next(e.time for e in sim.events
                    if e.direction == "lost")
        back = next(e.time for e in sim.events if e.time > lost
                    and e.direction == "in")
        gaps.append((lost, back))
    gaps.sort()
    for (_, back), (lost, _) in zip(gaps, gaps[1:]):
        assert back < lost, gaps


def test_links_and_parameters_change(nginx):
    """Catches an application that keeps its first definition (H7)."""
    server, _ = served(nginx, Sim4)
    Sim4(server, "n", input_type="ints",
         model=lambda values: ["0"] * len(values)).wait_registered()
    server.wait_replicas("n")
    assert server.predict("a", [1.5])["output"] == 1.5

    server.reload(server=application("a", "n:1", "ints", default="-2"))
    wait_until(lambda: server.predict("a", [1])["output"] == 0)
    assert server.post("/a/predict", {"input": [1.5]}).status == 400

    server.reload(server=application("b", "m:1"))
    assert server.post("/a/predict", {"input": [1]}).status != 200
    wait_until(lambda: server.predict("b", [2.5])["output"] == 2.5)
    assert [a["name"] for a in server.status()["applications"]] == ["b"]


def test_version_switch(nginx):
    """Catches a current version that differs from the block's, or that a
    replica changes by registering again (A11)."""
    def config(version):
        return HTTP + f"clipper_model m {{ version {version}; }}"

    server = nginx(application("a", "m"), http=config(1))
    for version in (1, 2):
        Sim4(server, "m", version, model=lambda v, version=version:
             [str(version)] * len(v)).wait_registered()
    server.wait_replicas("m", 2)
    for version in (1, 2, 1):
        server.reload(http=config(version))
        wait_until(lambda: server.predict("a", [1.0])["output"] == version)


def test_refused_reload_changes_nothing(nginx):
    """Catches a refused configuration that changes something."""
    server, (sim,) = served(nginx, Sim4)
    server.allow(r"\[emerg\]")
    before = server.children()
    server.reload(wait=False, server=application("a", "m:1", slo="0ms"))
    wait_until(lambda: "[emerg]" in server.log_text())
    for i in range(10):
        assert server.predict("a", [i + 0.5])["output"] == i + 0.5
    assert server.status()["generation"] == "g1"
    assert server.children() == before and sim.moves == 0


def test_reload_that_fails_late_changes_nothing(nginx):
    """Catches a reload whose occupied port is found only after the zones
    were adopted."""
    server, (sim,) = served(nginx, Sim4)
    server.allow(r"\[emerg\] .*(Address already in use|still could not bind)")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server.reload(wait=False, http=HTTP
                      + f"server {{ listen 127.0.0.1:{port}; }}")
        wait_until(lambda: "still could not bind" in server.log_text(), 20)
    for i in range(10):
        assert server.predict("a", [i + 0.5])["output"] == i + 0.5
    assert server.status()["generation"] == "g1"
    assert sim.moves == 0
    server.reload(http=HTTP)
    wait_until(lambda: server.predict("a", [1.5])["output"] == 1.5)


def test_zone_of_another_size(nginx):
    """Catches a zone that is adopted although its size has changed."""
    server, (sim,) = served(nginx, Sim4)
    server.reload(zone="24m")
    wait_until(lambda: server.predict("a", [1.5])["output"] == 1.5, 15)
    assert "[notice]" in server.log_text()
    assert sim.error is None


def test_rpc_address_changes(nginx):
    """Catches an address that is only opened by a restart."""
    server, _ = served(nginx, Sim4)
    server.reload(rpc=f"clipper_rpc unix:{server.dir}/new.sock;")
    Sim4(server, "m", model=echo, endpoint=f"ipc://{server.dir}/new.sock"
         ).wait_registered()
    wait_until(lambda: server.predict("a", [1.5])["output"] == 1.5, 15)


def test_python_container_survives(nginx):
    """Catches a reload that loses a container of the Python runtime."""
    server = nginx(application("a", "m:1"), http=HTTP)
    PythonContainer(server, "m", lambda xs: [str(float(x.sum()))
                                             for x in xs])
    server.wait_replicas("m", timeout=30)
    load = Load(server, numbered, threads=4)
    for _ in range(3):
        done = load.done
        wait_until(lambda: load.done > done + 50)
        server.reload()
    load.stop()
    assert load.failures == []


def test_stop_with_replicas(nginx):
    """Catches a QUIT that waits for containers."""
    server, _ = served(nginx, Sim4, Sim3)
    server.checks_zone = False
    start = time.monotonic()
    assert server.stop() == signal.SIGQUIT
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("sim", [Sim3, Sim4])
def test_upgrade_of_the_binary(make_nginx, sim):
    """Catches a new binary (USR2) that cannot take over the RPC port, or that
    its containers do not find."""
    server = start_daemon(make_nginx(application("a", "m:1"), http=HTTP,
                                     main=VARIABLES))
    sim(server, "m", model=echo).wait_registered()
    server.wait_replicas("m")
    upgrade(server)
    wait_until(lambda: server.predict("a", [1.5])["output"] == 1.5, 5)
    server.wait_replicas("m")


def versioned(text):
    return application("a", "m:1") + f"location /x {{ return 200 {text}; }}\n"


def test_silent_connections_meet_the_new_configuration(nginx):
    """Catches a connection opened before a reload that is first used after
    it, and is answered by the old configuration although the status says
    that the new one is in force."""
    server = nginx(versioned("old"))
    silent = [server.connect() for _ in range(8)]
    begun = server.connect()
    begun.send(b"GET /x HTTP/1.1\r\n")
    with server.connect() as other:
        assert other.request("GET", "/x").body == b"old"
    server.reload(server=versioned("new"), wait=False)
    wait_until(lambda: is_in_force(server.status(), f"g{server.generation}"),
               20, "the new configuration, for everybody")

    answers = []
    for connection in silent:
        try:
            answers.append(connection.request("GET", "/x").body)
        except OSError:
            answers.append(b"closed")
    assert set(answers) <= {b"closed", b"new"}

    begun.send(b"Host: h\r\n\r\n")
    assert begun.read().body in (b"old", b"new")


# A worker enters its working directory just before the modules begin.
SLOW_START = """
#include <dlfcn.h>
#include <stddef.h>
#include <unistd.h>

int
chdir(const char *path)
{
    static int  (*real)(const char *path);

    if (real == NULL) {
        *(void **) &real = dlsym(RTLD_NEXT, "chdir");
    }

    while (access(FILE, F_OK) == 0) {
        usleep(10000);
    }

    return real(path);
}
"""


@pytest.mark.parametrize("sim", [Sim4, Sim3])
def test_new_workers_that_are_slow_to_start(make_nginx, tmp_path, sim):
    """Catches retiring workers that take a reload whose new workers are late
    for the end of the server, and close their containers' connections."""
    holds = tmp_path / "holds"
    server = make_nginx(
        application("a", "m:1"), http=HTTP,
        main=f"working_directory {tmp_path};")
    preload(server, tmp_path, SLOW_START, f'-DFILE="{holds}"')
    server.start()
    sim(server, "m", model=echo).wait_registered()
    server.wait_replicas("m")
    load = Load(server, numbered, threads=2)
    wait_until(lambda: load.done > 50)
    old = set(server.children())
    holds.touch()
    os.kill(server.process.pid, signal.SIGHUP)
    wait_until(lambda: "gracefully shutting down" in server.log_text())
    # At the end of the server connections are closed after 0.2 s.
    begun = time.monotonic()
    wait_until(lambda: load.failures or time.monotonic() > begun + 1)
    assert load.failures == []
    holds.unlink()
    wait_until(lambda: not old & set(server.children()), 15,
               "the end of the old workers")
    load.stop()
    assert load.failures == []


def test_worker_that_hears_late_of_a_reload(make_nginx, tmp_path):
    """Catches a version 3 container that is sent away to an old worker,
    which has not been told of the reload yet, or to none."""
    holds = tmp_path / "holds"
    server = make_nginx(
        application("a", "m:1", slo="20s") + echo_pid(), http=HTTP,
        workers=2, main=f"working_directory {tmp_path};")
    preload(server, tmp_path, SLOW_START, f'-DFILE="{holds}"')
    server.start()
    Sim3(server, "m", model=echo).wait_registered()
    server.wait_replicas("m")
    owner = replica_pid(server)
    old = set(server.children())
    late = next(pid for pid in old if pid != owner)
    asking = []
    while len(asking) < 5:
        asking.append(begin_to_ask(server, owner))
    server._operator.close()
    server._operator = None
    os.kill(late, signal.SIGSTOP)
    try:
        holds.touch()
        os.kill(server.pid, signal.SIGHUP)
        wait_until(lambda: "gracefully shutting down" in server.log_text())
        for connection in asking[:4]:
            connection.send(b'{"input": [1.5]}')
            assert connection.read().json()["output"] == 1.5
        holds.unlink()
        wait_until(lambda: all(w["state"] == "retiring" for w in
                               server.status()["workers"]
                               if w["pid"] == owner), 15)
        asking[4].send(b'{"input": [2.5]}')
        assert asking[4].read().json()["output"] == 2.5
        until = time.monotonic() + 0.2
        wait_until(lambda: replica_pid(server) != owner
                   or time.monotonic() > until)
        assert replica_pid(server) == owner
    finally:
        os.kill(late, signal.SIGCONT)

    wait_until(lambda: not old & set(server.children()), 15,
               "the end of the old workers")
    server.wait_replicas("m")
    assert server.predict("a", [3.5])["output"] == 3.5


def begin_to_ask(server, pid):
    """A connection to a worker, with a query that lacks its body."""
    while True:
        connection = server.connect()
        if connection.get("/pid").json() == pid:
            connection.send(b"POST /a/predict HTTP/1.1\r\nHost: a\r\n"
                            b"Content-Length: 16\r\n\r\n")
            return connection
        connection.close()


def gracefully(server):
    """Until the workers of the former configuration have begun to retire."""
    wait_until(lambda: server.log_text().count("gracefully shutting down")
               >= server.workers, 10, "retiring workers")


def test_kept_connection_is_answered(nginx):
    """Catches a kept connection that is closed although its client's next
    request is on the way, or without a word in the last response."""
    server = nginx(versioned("old"))
    with server.connect() as kept, server.connect() as forgotten:
        for connection in (kept, forgotten):
            assert connection.request("GET", "/x").headers["connection"] == \
                "keep-alive"
        server.reload(server=versioned("new"), wait=False)
        gracefully(server)
        last = kept.request("GET", "/x")
        assert last.body == b"old" and last.headers["connection"] == "close"
        wait_until(lambda: is_in_force(server.status(),
                                       f"g{server.generation}"), 5)
        with pytest.raises(OSError):
            forgotten.request("GET", "/x")


def test_last_response_says_so(nginx):
    """Catches a response after which the server closes a connection that its
    client believes to be kept."""
    server = nginx(application("a", "m:1", slo="20s"), http=HTTP)
    sim = Sim4(server, "m", manual=True).wait_registered()
    server.wait_replicas("m")
    connection = server.post_later("/a/predict", {"input": [1.0]})
    request = sim.next_request()
    server.reload(wait=False)
    gracefully(server)
    sim.reply(request, ["77"])
    response = connection.read()
    assert response.json()["output"] == 77
    assert response.headers["connection"] == "close"
