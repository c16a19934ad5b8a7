"""A supervisor of a local cluster, with a sleeping program for nginx."""

import json
import os
import subprocess
import sys
import time

from clipper_admin.local.control import ask, is_running


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def wait_until(condition, timeout=10.0):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "not within %.0f s" % timeout
        time.sleep(0.01)


class Cluster:
    """The supervisor, its children and their logs.

    Args:
        path: a directory.
        settings: members for its `supervisor.json`.
    """

    def __init__(self, path, **settings):
        # Longer than the limit of a socket's name.
        self.path = str(path / ("d" * 120))
        os.makedirs(os.path.join(self.path, "logs"))
        with open(os.path.join(self.path, "supervisor.json"), "w") as f:
            json.dump({"nginx": ["sleep", "1000"], **settings}, f)
        with open(os.path.join(self.path, "said"), "wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "clipper_admin.local", self.path],
                start_new_session=True, stdout=said)
        wait_until(lambda: is_running(self.path))
        wait_until(lambda: self.nginx()["pid"])

    def said(self):
        """The supervisor's log."""
        with open(os.path.join(self.path, "said"), encoding="utf-8") as f:
            return f.read()

    def ask(self, do, **more):
        return ask(self.path, do, **more)

    def nginx(self):
        return self.ask("state")["nginx"]

    def replica(self, name):
        return {one["id"]: one
                for one in self.ask("state")["replicas"]}[name]

    def add(self, name, command, env=None):
        log = os.path.join(self.path, "logs", name + ".log")
        self.ask("add", replicas=[{"id": name, "command": command,
                                   "env": env or {}, "log": log}])
        return log
