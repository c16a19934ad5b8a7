"""The workers of a server: one by one, and after one is killed."""

import time

from .util import SLOW, wait_until


def echo_pid():
    """A location that returns the pid of the worker that answers."""
    return "location = /pid { return 200 $pid; }\n"


def through_each_worker(server, deadline=20.0):
    """A kept connection to each accepting worker, by its pid."""
    found = {}
    limit = time.monotonic() + deadline * SLOW
    while len(found) < server.workers:
        assert time.monotonic() < limit, f"only {list(found)} accept"
        connection = server.connect()
        pid = connection.get("/pid").json()
        if pid in found:
            connection.close()
        else:
            found[pid] = connection
    return found


def replica_pid(server):
    """The worker that has the first replica."""
    status = server.status()
    worker = status["replicas"][0]["worker"]
    for row in status["workers"]:
        if worker in (row["pid"], row["slot"]):
            return row["pid"]
    raise AssertionError(f"no worker {worker}")


def allow_kill(server):
    """Accepts the log lines that nginx writes about a killed worker."""
    server.allow(r"\[alert\] \d+#\d+: worker process \d+ exited on signal 9")
    server.allow(r"\[alert\] .*shared memory zone .* was locked by \d+")


def survivors(server):
    """The pids of the workers, once a killed one is replaced."""
    def replaced():
        rows = server.status()["workers"]
        pids = [w["pid"] for w in rows if w["state"] == "accepting"]
        # One that retires may stay for a version 3 replica.
        retiring = {w["pid"] for w in rows} - set(pids)
        return (len(pids) == server.workers
                and set(pids) == set(server.children()) - retiring) and pids

    return wait_until(replaced, 15, "a worker in place of the dead one")
