"""Waiting, ports and processes."""

import collections
import os
import random
import socket
import time

#: Deadlines are multiplied by this: sanitized builds are slower.
SLOW = 4.0 if os.environ.get("CLIPPER_TEST_SANITIZER") else 1.0


def wait_until(condition, timeout=10.0, what="", interval=0.01):
    """Polls ``condition`` until it is true and returns its value.

    Raises AssertionError after ``timeout`` seconds (scaled by SLOW), with
    ``what`` and the last value or exception. An OSError, KeyError or
    AssertionError inside the condition counts as not yet.
    """
    deadline = time.monotonic() + timeout * SLOW

    while True:
        try:
            value = condition()
            if value:
                return value
        except (OSError, KeyError, AssertionError) as exc:
            value = repr(exc)

        if time.monotonic() >= deadline:
            raise AssertionError(
                f"not within {timeout * SLOW:.1f} s: {what or condition}"
                f" (last: {value!r})")

        time.sleep(interval)


#: What keeps the ports that were handed out lately, even if no process listens
#: on them yet, from the other test runs of this machine: for each port a socket
#: with a name of its own. The kernel frees the name when the process ends.
KEPT = collections.deque(maxlen=300)


def keep_port(port):
    """Claims a port among all test runs. Returns False if one has it."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0clipper-test-port-{port}")
    except OSError:
        claim.close()
        return False

    if len(KEPT) == KEPT.maxlen:
        KEPT[0].close()
    KEPT.append(claim)
    return True


def free_port():
    """A loopback port that is free now, outside the range of the kernel's
    ports for outgoing connections, and that no other test run has got."""
    while True:
        port = random.SystemRandom().randint(12000, 32000)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if keep_port(port):
            return port


def session_pids(session):
    """The processes (not zombies) of a session, by /proc."""
    pids = []

    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as f:
                stat = f.read()
        except OSError:
            continue
        fields = stat.rpartition(b")")[2].split()
        if int(fields[3]) == session and fields[0] not in (b"Z", b"X"):
            pids.append(int(name))

    return pids


def children(pid):
    """The living direct children of a process."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def cpu_seconds(pid):
    """User and system time that a process has used."""
    with open(f"/proc/{pid}/stat", "rb") as f:
        fields = f.read().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def anonymous_kb(pid):
    """Memory of a process that is neither shared nor backed by a file."""
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f
                    if line.startswith("RssAnon"))
