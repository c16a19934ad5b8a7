"""Doorbells, which any process of the machine can ring."""

import contextlib
import re
import socket
import threading
import time
from pathlib import Path

from harness import Sim4, application, wait_until
from harness.util import cpu_seconds
from harness.workers import echo_pid, through_each_worker


def doorbells(pid):
    """The abstract names of a worker's sockets."""
    inodes = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found = re.match(r"socket:\[(\d+)\]", str(path.readlink()))
            if found:
                inodes.add(found[1])
    names = set()
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[6] in inodes and fields[-1].startswith("@"):
            names.add("\0" + fields[-1][1:])
    return names


class Ringer(threading.Thread):
    """Rings as fast as it can; counts what was taken."""

    def __init__(self, name):
        super().__init__(daemon=True)
        self.name = name
        self.taken = 0
        self.refused = 0
        self.running = True
        self.start()

    def run(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
            made.setblocking(False)
            while self.running:
                try:
                    made.sendto(b"x", self.name)
                    self.taken += 1
                except BlockingIOError:
                    self.refused += 1


def test_strangers_ring(nginx):
    """Catches a worker that listens to every ring of a stranger, or that
    does not hear those of other workers meanwhile."""
    server = nginx(application("a", "m:1", slo="20s") + echo_pid(),
                   http="clipper_cache_zone off;", workers=2)
    Sim4(server, "m").wait_registered()
    server.wait_replicas("m")
    pid = server.worker_pids()[0]
    (name,) = doorbells(pid)
    by_pid = through_each_worker(server)

    used = cpu_seconds(pid)
    start = time.monotonic()
    ringer = Ringer(name)
    time.sleep(2)
    took = time.monotonic() - start
    used = cpu_seconds(pid) - used
    taken = ringer.taken

    answers = 0
    for _ in range(50):
        for connection in by_pid.values():
            answers += 1
            answer = connection.post("/a/predict", {
                "input": [answers + 0.5]}).json()
            assert answer["output"] == answers + 0.5
    ringer.running = False
    ringer.join()

    print(f"{taken} rings taken and {ringer.refused} refused: "
          f"{100 * used / took:.1f} % CPU, "
          f"{1e6 * used / taken:.1f} us a ring")
    assert taken < 6400 * took

    # and hears again at once
    for connection in by_pid.values():
        assert connection.post("/a/predict", {
            "input": [0.25]}).json()["output"] == 0.25
        connection.close()
    wait_until(lambda: server.status()["zone"]["waiters"]["used"] == 0)
