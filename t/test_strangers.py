"""Connections to the port of containers on which no container registers.

They share the worker's limit of open files with HTTP: they are bounded in
number and in time, and what is closed is theirs alone.
"""

import contextlib
import grp
import os
import re
import selectors
import socket
import time

import pytest

from harness import SLOW, Load, Sim3, Sim4, application, rpc, wait_until
from harness.preload import preload
from harness.session import NOCACHE, connected
from harness.util import anonymous_kb, cpu_seconds


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

    # a burst that is faster than a busy worker takes them for a moment
    server.allow(r"accept4\(\) failed \(24: ")

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


def zmtp(server):
    """A connection that has made ZeroMQ's greeting, as a DEALER."""
    made = socket.create_connection(("127.0.0.1", rpc_port(server)))
    made.settimeout(30.0 * SLOW)
    made.sendall(b"\xff" + bytes(8) + b"\x7f\x03\0NULL" + bytes(48))
    stream = made.makefile("rb")
    assert stream.read(64)[:1] == b"\xff"
    ready = b"\x05READY\x0bSocket-Type\0\0\0\x06DEALER"
    made.sendall(b"\x04" + bytes([len(ready)]) + ready)
    assert b"READY" in stream.read(stream.read(2)[1])
    return made


def test_a_stranger_says_little(nginx):
    """Catches frames of a stranger's message that are kept as long as they
    come: 64 bytes of memory each, and time of the worker to read them."""
    server = nginx(application("a", "m:1"), workers=1, http=NOCACHE)
    connected(server)
    pid, = server.worker_pids()
    before, files = anonymous_kb(pid), open_files(server)
    with zmtp(server) as peer:
        peer.settimeout(1.0)
        with contextlib.suppress(ConnectionError, TimeoutError):
            for _ in range(500):
                peer.sendall(b"\x01\0" * 100_000)
        assert "they sent too much" in server.log_text()
        wait_until(lambda: open_files(server) <= files)
    answer(server, 5.0)
    assert anonymous_kb(pid) - before < 200_000


@pytest.mark.timing("what others notice is a time")
def test_a_message_of_millions_of_frames(nginx):
    """Catches a message whose frames are all read at once: the loop stood
    still for 2.6 s of 10 million. Its sender, a container, is cut off."""
    server = nginx(application("a", "m:1"), workers=1, http=NOCACHE)
    connected(server)
    pid, = server.worker_pids()
    longest = 0.0

    with zmtp(server) as peer:
        frames = rpc.metadata3("x", "1", 3)
        peer.sendall(b"".join(
            bytes([i < len(frames) - 1, len(frame)]) + frame
            for i, frame in enumerate(frames)))
        server.wait_replicas("x")
        peer.sendall(b"\x01\0" * 2_000_000)
        before = anonymous_kb(pid)
        peer.sendall(b"\0\0")

        def cut():
            nonlocal longest
            begin = time.monotonic()
            assert server.get("/health").status == 200
            longest = max(longest, time.monotonic() - begin)
            return not server.replicas("x")

        wait_until(cut, 60.0)
    for _ in range(50):
        cut()
    print(f"longest {longest:.3f} s, {before} kB before the last frame, "
          f"{anonymous_kb(pid)} kB after it")
    assert longest < 0.25 * SLOW
    assert answer(server, 5.0)


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


def test_unix_socket_is_for_a_group(nginx):
    """Catches a socket that every user of the machine can connect to."""
    name, gid = "daemon", grp.getgrnam("daemon").gr_gid
    root = os.getuid() == 0
    server = nginx(application("a", "m"), http=NOCACHE,
                   rpc="clipper_rpc unix:DIR/rpc.sock;")
    path = server.dir / "rpc.sock"
    assert path.stat().st_mode & 0o777 == 0o660
    server.rpc = f"ipc://{path}"
    connected(server)

    # a reload changes it, and neither it nor -t disturbs who is connected
    if root:
        server.reload(user=f"user root {name};", rpc=f"clipper_rpc unix:{path} "
                      "mode=0606;")
        assert path.stat().st_gid == gid
    else:
        server.reload(rpc=f"clipper_rpc unix:{path} mode=0606;")
    assert path.stat().st_mode & 0o777 == 0o606
    accepted, printed = server.test(server.render())
    assert accepted and path.stat().st_mode & 0o777 == 0o606, printed
    wait_until(lambda: answer(server, 5.0))


#: Writes each seed of random(), with the process and the time, to FILE.
SEEDS = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
srandom(unsigned seed)
{
    FILE         *file;
    static void  (*real)(unsigned seed);

    if (real == NULL) {
        *(void **) &real = dlsym(RTLD_NEXT, "srandom");
    }

    file = fopen(FILE_NAME, "a");

    if (file) {
        fprintf(file, "%d %u\n", (int) getpid(), seed);
        fclose(file);
    }

    real(seed);
}
"""


def test_the_first_number_is_hard_to_guess(make_nginx, tmp_path):
    """Catches numbers of peers without an identity that follow from the time
    and the process, as nginx's seed does: whoever takes the next one ends
    the process."""
    seeds = tmp_path / "seeds"
    server = make_nginx(application("a", "m:1"), workers=2, http=NOCACHE)
    preload(server, tmp_path, SEEDS, f'-DFILE_NAME="{seeds}"')
    begun = int(time.time())
    server.start()
    Sim4(server, "m").wait_registered()
    last = dict(tuple(map(int, line.split()))
                for line in seeds.read_text().splitlines())
    pids = server.worker_pids()
    assert set(pids) <= set(last)
    for pid in pids:
        plain = {pid << 16 & 0xffffffff ^ second ^ ms
                 for second in range(begun - 1, int(time.time()) + 2)
                 for ms in range(1000)}
        assert last[pid] not in plain
    assert len({last[pid] for pid in pids}) == 2
