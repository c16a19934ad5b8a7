"""A server that is a daemon, and a new binary in its place (USR2)."""

import os
import signal
import subprocess

from .util import wait_until

#: A new binary gets only these variables; a sanitizer needs them.
VARIABLES = "env LD_PRELOAD; env ASAN_OPTIONS; env UBSAN_OPTIONS;"


class Daemon:
    """A master that is not a child of the test, with Popen's methods."""

    def __init__(self, pid):
        self.pid = pid

    def poll(self):
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as f:
                return None if b") Z " not in f.read() else 0
        except FileNotFoundError:
            return 0

    def send_signal(self, number):
        os.kill(self.pid, number)

    def wait(self, timeout):
        wait_until(lambda: self.poll() is not None, timeout, "its end")


def master(server):
    """The pid in the file of the server, 0 before one is in it."""
    try:
        return int((server.dir / "nginx.pid").read_text() or 0)
    except FileNotFoundError:
        return 0


def start_daemon(server):
    """Starts a server that was made with ``main=VARIABLES``."""
    server.write(daemon="on")
    server.stderr = open(server.dir / "stderr.log", "ab")
    subprocess.run(server.command(), check=True, stdin=subprocess.DEVNULL,
                   stdout=server.stderr, stderr=server.stderr,
                   env=server.settings.environment(server.dir))
    server.process = Daemon(wait_until(lambda: master(server)))
    server.wait_generation()
    return server


def upgrade(server):
    """Puts a new binary in the place of the running one, and returns when the
    old one has ended."""
    old = server.process
    os.kill(old.pid, signal.SIGUSR2)
    new = wait_until(lambda: (server.dir / "nginx.pid.oldbin").exists()
                     and master(server) not in (0, old.pid)
                     and master(server))
    os.kill(old.pid, signal.SIGQUIT)
    old.wait(30)
    server.process = Daemon(new)
    server.wait_generation()
