"""What is done to the server, at random but repeatable, with the times."""

import os
import random
import signal
import socket
import threading
import time
import traceback

from harness.util import wait_until

from . import judge
from .world import VERSIONS


class Faults(threading.Thread):
    """Does one after the other, with pauses, until the load ends. The kinds
    come in turns, each turn in an order of its own, so that none is left
    out."""

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world = world
        self.random = random.Random(f"faults {world.seed}")
        self.pause = min(2.0, world.seconds / 20)
        self.kinds = [self.redis_killed, self.redis_stopped,
                      self.replica_killed, self.replica_hung,
                      self.replica_slow, self.replica_lied, self.reconnected,
                      self.reload, self.version, self.worker_killed,
                      self.junk]

    def run(self):
        try:
            while True:
                for kind in self.random.sample(self.kinds, len(self.kinds)):
                    if self.world.stopping.wait(
                            self.random.uniform(0.5, 1.5) * self.pause):
                        return
                    kind()
        except Exception:
            self.world.problems.append(
                "a fault did not end:\n" + traceback.format_exc())
        finally:
            self.world.down.set()

    def begin(self, kind, detail=""):
        fault = judge.Fault(kind, time.monotonic(), detail=detail)
        self.world.faults.append(fault)
        self.world.say(f"{kind} {detail}")
        return fault

    def end(self, fault):
        fault.end = time.monotonic()

    def sleep(self, low, high):
        self.world.stopping.wait(self.random.uniform(low, high))

    def container(self):
        """Mostly one that is asked: of the present version."""
        now = self.world.versions.now
        return self.random.choice([
            one for one in self.world.server.containers
            if int(one.model_version) == now[one.name]
            or self.random.random() < 0.1])

    # Redis

    def redis_killed(self):
        fault = self.begin("redis killed")
        self.world.redis.kill()
        self.sleep(0.2, 3)
        self.world.redis.start()
        self.end(fault)

    def redis_stopped(self):
        fault = self.begin("redis stopped")
        self.world.redis.signal(signal.SIGSTOP)
        try:
            self.sleep(0.2, 3)
        finally:
            self.world.redis.signal(signal.SIGCONT)
        self.end(fault)

    # containers

    def replica_killed(self):
        gone = self.container()
        fault = self.begin("replica killed", f"{gone.name}:"
                           f"{gone.model_version}")
        self.world.remove(gone)
        self.sleep(0, 2)
        self.world.add(gone.name, int(gone.model_version))
        self.world.replicas_are_back()
        self.end(fault)

    def behave(self, kind, mode, low, high):
        one = self.container()
        fault = self.begin(kind, f"{one.name}:{one.model_version} {mode}")
        one.mode = mode
        try:
            self.sleep(low, high)
        finally:
            one.let_go()
        self.world.replicas_are_back()
        self.end(fault)

    def replica_hung(self):
        self.behave("replica hung", "hang", 1, 4)

    def replica_slow(self):
        self.behave("replica slow", "slow", 0.1, 0.8)

    def replica_lied(self):
        self.behave("replica lied", self.random.choice(("count", "garbage")),
                    0.1, 1)

    def reconnected(self):
        one = self.container()
        fault = self.begin("replica reconnected", one.name)
        one.reconnect()
        self.world.replicas_are_back()
        self.end(fault)

    # the server

    def reload(self):
        fault = self.begin("reload")
        self.load()
        self.end(fault)

    def version(self):
        model = self.random.choice([m for m in VERSIONS
                                    if len(VERSIONS[m]) > 1])
        now = self.world.versions.now[model]
        new, = [v for v in VERSIONS[model] if v != now]
        fault = self.begin("version", f"{model}:{new}")
        change = self.world.versions.change(model, new, fault.begin)
        self.load()
        self.end(fault)
        self.world.versions.settled(change, fault.end)

    def load(self):
        server = self.world.server
        server.write(http=self.world.http())
        server.signal(signal.SIGHUP)
        wait_until(self.world.generation_is_up, 60, "the generation", 0.05)

    def worker_killed(self):
        """One that accepts, when no other is about to go."""
        rows = self.world.status()["workers"]
        pid = self.random.choice([w["pid"] for w in rows
                                  if w["state"] == "accepting"])
        fault = self.begin("worker killed", str(pid))
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: pid not in self.world.server.children()
                   and self.world.generation_is_up(), 60,
                   "a worker in its place", 0.05)
        self.world.replicas_are_back()
        self.end(fault)

    def junk(self):
        fault = self.begin("junk")
        port = int(self.world.server.rpc.rpartition(":")[2])
        for _ in range(20):
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as one:
                    if self.random.random() < 0.5:
                        # the greeting of ZMTP 3, then anything
                        one.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00NULL")
                    one.sendall(self.random.randbytes(
                        self.random.choice((1, 64, 1000, 70000))))
            except OSError:
                pass  # the server may close it
        self.end(fault)
