"""Descriptors of containers' connections, which the next connection gets.

The worker's loop is held while one connection ends and another one comes: so
messages of the first are read when its descriptor is the other's.
"""

import contextlib
import os
import socket

import pytest

from harness import SLOW, Sim3, application, rpc, wait_until
from harness.preload import preload
from harness.session import NOCACHE, connected

#: Holds the main thread, not those of libzmq, while a file exists.
HELD_LOOP = r"""
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

int
epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
    static int  (*real)(int, struct epoll_event *, int, int);

    if (real == NULL) {
        *(void **) &real = dlsym(RTLD_NEXT, "epoll_wait");
    }

    while (syscall(SYS_gettid) == getpid() && access(FILE, F_OK) == 0) {
        close(open(FILE ".seen", O_CREAT|O_WRONLY, 0600));
        usleep(1000);
    }

    return real(fd, events, n, timeout);
}
"""


class Peer:
    """A connection that speaks ZMTP by hand, as a DEALER."""

    def __init__(self, server):
        self.socket = socket.create_connection(
            ("127.0.0.1", int(server.rpc.rpartition(":")[2])))
        self.socket.settimeout(30.0 * SLOW)
        self.stream = self.socket.makefile("rb")
        self.socket.sendall(b"\xff" + bytes(8) + b"\x7f\x03\0NULL" + bytes(48))
        ready = b"\x05READY\x0bSocket-Type\0\0\0\x06DEALER"
        self.socket.sendall(b"\x04" + bytes([len(ready)]) + ready)
        assert self.stream.read(64)[:1] == b"\xff"
        assert b"READY" in self.stream.read(self.stream.read(2)[1])

    def send(self, frames):
        self.socket.sendall(b"".join(
            bytes([i < len(frames) - 1, len(frame)]) + frame
            for i, frame in enumerate(frames)))

    def close(self):
        self.stream.close()
        self.socket.close()


def sockets(pid):
    """The worker's descriptors of sockets: number and inode."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            if target.startswith("socket:"):
                found[int(fd)] = target
    return found


@pytest.fixture(name="held")
def fixture_held(make_nginx, tmp_path):
    """A server of one worker, and the file that holds its loop."""
    holds = tmp_path / "holds"
    server = make_nginx(application("a", "m:1"), workers=1, http=NOCACHE)
    preload(server, tmp_path, HELD_LOOP, f'-DFILE="{holds}"')
    server.start()
    connected(server)
    yield server, holds
    holds.unlink(missing_ok=True)


def pass_on(held, frames):
    """One sends frames and goes, and a container that connects next has its
    descriptor, before the worker reads a thing."""
    server, holds = held
    pid, = server.worker_pids()
    holds.touch()
    with server.connect():
        wait_until(holds.with_suffix(".seen").exists, what="the loop's halt")
    before = sockets(pid)
    first = Peer(server)
    taken, = set(sockets(pid).items()) - set(before.items())
    first.send(frames)
    first.close()
    wait_until(lambda: sockets(pid).get(taken[0]) != taken[1],
               what="the end of the first")
    second = Sim3(server, "n", manual=True)
    wait_until(lambda: sockets(pid).get(taken[0], taken[1]) != taken[1],
               what="the descriptor of the second")
    holds.unlink()
    return second


def test_none_registers_on_a_connection_that_has_ended(held):
    """Catches a container that has gone, registered with the descriptor of
    another one's connection, and that one shut when it is removed."""
    server, _ = held
    second = pass_on(held, rpc.metadata3("gone", "1", 3))
    second.wait_registered()
    server.wait_replicas("n")
    assert not server.replicas("gone")
    assert '"gone:1" registered' not in server.log_text()


def test_only_the_sender_of_too_long_a_message_is_shut(held):
    """Catches a message that is too long, read when its sender has gone: the
    connection was shut that had the descriptor by then."""
    server, _ = held
    second = pass_on(held, [b""] * 4200)
    second.wait_registered()
    server.wait_replicas("n")
    assert not [e for e in second.events if e.direction == "lost"]
