"""Connections to the port of containers on which no container registers.

They share the worker's limit of open files with HTTP: they are bounded in
number and in time, and what is closed is theirs alone.
"""

import contextlib
import os
import re
import selectors
import socket
import time

import pytest

from harness import SLOW, Load, Sim3, Sim4, application, wait_until
from harness.session import NOCACHE, connected
from harness.util import cpu_seconds


def rpc_port(server):
    return int(server.rpc.rpartition(":")[2])


class Strangers:
    """Idle connections to the port of containers; the ones that the server
    closes are opened again at once. ``closed`` counts those."""

    def __init__(self, server, count):
        self.address = ("127.0.0.1", rpc_port(server))
        self.selector = selectors.DefaultSelector()
        self.closed = 0
        for _ in range(count):
            self.open()

    def open(self):
        made = socket.create_connection(self.address)
        made.setblocking(False)
        self.selector.register(made, selectors.EVENT_READ)

    def poll(self, timeout=0.0):
        """Replaces closed connections; bytes of a greeting are read."""
        for key, _ in self.selector.select(timeout):
            try:
                if key.fileobj.recv(4096):
                    continue
            except ConnectionError:
                pass
            self.selector.unregister(key.fileobj)
            key.fileobj.close()
            self.closed += 1
            self.open()

    def close(self):
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()


def answer(server, seconds):
    """One HTTP request over a new connection, answered within seconds."""
    begin = time.monotonic()
    with server.connect(timeout=seconds * SLOW) as connection:
        response = connection.post("/a/predict", {"input": [1.5]})
    assert response.json().get("output") == 1.5, response
    return time.monotonic() - begin


def open_files(server):
    pid, = server.worker_pids()
    return len(os.listdir(f"/proc/{pid}/fd"))


def small(nginx, limit=400, connections=128, **kw):
    """A worker whose limit of open files is less than the strangers."""
    return nginx(application("a", "m:1"), workers=1, http=NOCACHE,
                 main=f"worker_rlimit_nofile {limit};",
                 connections=connections, **kw)


def test_idle_strangers_leave_files_to_clients(nginx):
    """Catches connections that say nothing and take all descriptors: HTTP
    stood still for 30 s, and the worker's threads ran all the time."""
    server = small(nginx)
    connected(server)
    pid, = server.worker_pids()

    strangers = Strangers(server, 600)
    try:
        wait_until(lambda: strangers.poll() or strangers.closed > 300,
                   what="strangers closed")
        for _ in range(20):
            strangers.poll()
            answer(server, 2.0)
            assert open_files(server) < 400

        # whoever registers is served among them, in either version
        for sim in (Sim3(server, "m"), Sim4(server, "m")):
            wait_until(lambda: strangers.poll() or sim.registered.is_set())
        server.wait_replicas("m", 3)
    finally:
        strangers.close()

    # the containers have gone: nothing is left to do
    before = cpu_seconds(pid)
    wait_until(lambda: open_files(server) < 100, what="descriptors back")
    answer(server, 2.0)
    assert cpu_seconds(pid) - before < 2.0 * SLOW
    assert "connections on which no container registered" in \
        server.log_text()


def test_a_stranger_has_ten_seconds(nginx):
    """Catches a silent connection that stays; a container's stays."""
    server = nginx(application("a", "m:1"), workers=1, http=NOCACHE)
    connected(server)
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", rpc_port(server))) as silent:
        silent.settimeout(15.0 * SLOW)
        with contextlib.suppress(ConnectionError):
            while silent.recv(4096):
                pass
    assert time.monotonic() - begin >= 9.9
    assert server.replicas("m")
    assert answer(server, 2.0)
    assert server.log_text().count("registered, protocol version") == 1


@pytest.mark.timing("the 10 ms are the promise")
def test_one_too_many_goes_at_once(nginx):
    """Catches surplus connections that are closed later than 10 ms after
    libzmq reported them."""
    server = small(nginx, limit=200)
    address = ("127.0.0.1", rpc_port(server))
    made = [socket.create_connection(address) for _ in range(60)]
    taken = []

    def gone(one):
        one.settimeout(10.0 * SLOW)
        with contextlib.suppress(ConnectionError):
            while one.recv(4096):
                pass
        one.close()

    for one in made[:20]:
        gone(one)
    made = made[20:]

    for _ in range(21):
        begin = time.monotonic()
        made.append(socket.create_connection(address))
        gone(made.pop(0))
        taken.append(time.monotonic() - begin)

    for one in made:
        one.close()
    assert sorted(taken)[10] < 0.010, taken


def test_what_is_shut_is_a_stranger(nginx):
    """Catches a descriptor that is shut by its number after its connection
    had ended: an HTTP client has the number by then."""
    server = small(nginx, limit=230)
    connected(server)
    load = Load(server, lambda thread, number: (
        "/a/predict", {"input": [1.5]},
        lambda r: "" if r.json().get("output") == 1.5 else repr(r)),
        threads=2, retry=False)
    address = ("127.0.0.1", rpc_port(server))
    try:
        end = time.monotonic() + 3.0
        while time.monotonic() < end:
            made = []
            for _ in range(90):
                made.append(socket.create_connection(address))
            for one in made:
                one.close()
            answer(server, 2.0)
    finally:
        load.stop()
    assert load.failures == []


@pytest.mark.parametrize("limit, said", [(4000, False), (1184, False),
                                         (1183, True), (1024, True)])
def test_the_limit_of_open_files_is_judged(make_nginx, limit, said):
    """Catches a limit that cannot hold clients and containers, found only
    when they come."""
    server = make_nginx(application("a", "m:1"), connections=1024,
                        main=f"worker_rlimit_nofile {limit};")
    accepted, printed = server.test(server.render())
    assert accepted
    found = re.search(r"\[warn\].*set \"worker_rlimit_nofile\" to (\d+)",
                      printed)
    assert bool(found) == said, printed
    assert not said or found[1] == "1184"
