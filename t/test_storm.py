"""Storms: reloads and deaths under load, again and again.

A few seconds each here; `make storm` runs them for a minute. Other tests kill
a worker at every store to shared memory; these find rare interleavings.
"""

import os
import random
import signal
import time

import pytest

from harness import (Load, PythonContainer, Sim3, Sim4, application,
                     wait_until)
from harness.load import numbered
from harness.pulse import Pulse
from harness.reload import echo, served
from harness.upgrade import VARIABLES, start_daemon, upgrade
from harness.workers import allow_kill, survivors

SECONDS = float(os.environ.get("CLIPPER_STORM_SECONDS", "4"))

#: Seconds between two reloads that version 4 replicas do not notice.
PAUSE = 0.5

pytestmark = pytest.mark.timeout(120 + 4 * SECONDS)


def reload_for(server, seconds, pause):
    """Signals HUP every ``pause`` seconds and returns how often."""
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        os.kill(server.pid, signal.SIGHUP)
        count += 1
        time.sleep(pause)
    return count


def test_reload_storm_version_4(nginx):
    """Catches a request that fails, or a default, because of a reload: one
    version 4 replica, a reload every half second."""
    server, _ = served(nginx, Sim4)
    load = Load(server, numbered, threads=4)
    wait_until(lambda: load.done > 100)
    count = reload_for(server, SECONDS, PAUSE)
    done = load.done
    wait_until(lambda: load.done > done + 100)
    load.stop()
    print(f"{count} reloads, {load.done} requests, {load.retried} retried, "
          f"{len(load.failures)} failed")
    assert load.failures == []


def test_reload_storm_python(nginx):
    """Catches the same with the real runtime, which moves by itself."""
    server, _ = served(nginx)
    PythonContainer(server, "m", lambda xs: [float(x[0]) for x in xs])
    server.wait_replicas("m")
    load = Load(server, numbered, threads=4)
    wait_until(lambda: load.done > 100)
    count = reload_for(server, SECONDS, PAUSE)
    done = load.done
    wait_until(lambda: load.done > done + 100)
    load.stop()
    print(f"{count} reloads, {load.done} requests, {load.retried} retried, "
          f"{len(load.failures)} failed")
    assert load.failures == []


class Timed:
    """For ``make`` of Load: numbered requests, and when those were under way
    that got the default."""

    def __init__(self):
        self.defaults = []

    def __call__(self, thread, number):
        path, body, check = numbered(thread, number)
        start = time.monotonic()

        def timed(response):
            wrong = check(response)
            if wrong.startswith("default"):
                self.defaults.append((start, time.monotonic()))
                return ""
            return wrong

        return path, body, timed

    def caused(self, pulse):
        """How many defaults have no other cause than the server."""
        return sum(pulse.stood_still(*one) == 0 for one in self.defaults)


@pytest.mark.timing("an SLO of 300 ms while everybody wants the CPU")
@pytest.mark.parametrize("sims, share", [
    ([Sim3], 0.01), ([Sim3, Sim3], 0.0), ([Sim4], 0.0)],
    ids=["one-v3", "two-v3", "one-v4"])
def test_reload_storm_in_time(nginx, sims, share):
    """Catches replicas that are away too often, all at once, or for too long:
    with an SLO of 300 ms and a reload every half second one version 3 replica
    costs less than 1 % of defaults; two, or one of version 4, cost none."""
    server, _ = served(nginx, *sims, slo="300ms")
    make = Timed()
    with Pulse() as pulse:
        load = Load(server, make, threads=4)
        wait_until(lambda: load.done > 100)
        reloads = reload_for(server, SECONDS, PAUSE)
        most = len(server.children())
        done = load.done
        wait_until(lambda: load.done > done + 100)
        load.stop()
    caused = make.caused(pulse)
    print(f"{reloads} reloads, {load.done} requests, {load.retried} retried, "
          f"{len(load.failures)} failed, {len(make.defaults)} defaults, "
          f"{len(make.defaults) - caused} of them while the machine stood "
          f"still, {most} workers at the end")
    assert load.failures == []
    assert caused <= load.done * share
    assert most <= 2 * server.workers + len(sims)


@pytest.mark.parametrize("sim", [Sim3, Sim4])
def test_kill_storm(nginx, sim):
    """Catches what a worker leaves behind when it dies at a random moment:
    only its own connections fail, replicas come back, use returns to its
    start (the harness checks)."""
    server, _ = served(nginx, sim, sim, sim, workers=4)
    allow_kill(server)
    load = Load(server, numbered, threads=12, retry=False)
    end = time.monotonic() + SECONDS
    kills = 0
    while time.monotonic() < end:
        done = load.done
        wait_until(lambda: load.done > done + 100)
        os.kill(random.choice(survivors(server)), signal.SIGKILL)
        kills += 1
        time.sleep(0.2)
    survivors(server)
    load.stop()
    print(f"{kills} kills, {load.done} requests, {len(load.failures)} failed")
    wrong = [f for f in load.failures if "output" in f]
    assert wrong == []
    # All replicas may be the dead worker's: defaults until they are back.
    lost = [f for f in load.failures if not f.startswith("default")]
    assert len(lost) <= kills * 12, lost[:5]
    server.wait_replicas("m", 3, timeout=5)


@pytest.mark.parametrize("sim", [Sim3, Sim4])
def test_upgrade_storm(make_nginx, sim):
    """Catches a new binary (USR2) that loses requests or containers, again
    and again. The new one has tables of its own: the default is the answer
    until a container is there, within a second."""
    server = start_daemon(make_nginx(
        application("a", "m:1"), main=VARIABLES,
        http="clipper_cache_zone off;\n"))
    for _ in range(2):
        sim(server, "m", model=echo).wait_registered()
    server.wait_replicas("m", 2)
    load = Load(server, numbered, threads=4)
    end = time.monotonic() + SECONDS
    upgrades = 0
    while time.monotonic() < end:
        done = load.done
        wait_until(lambda: load.done > done + 100)
        upgrade(server)
        upgrades += 1
        server.wait_replicas("m", 2, timeout=5)
    load.stop()
    failed = [f for f in load.failures if not f.startswith("default")]
    print(f"{upgrades} upgrades, {load.done} requests, {load.retried} "
          f"retried, {len(failed)} failed, {len(load.failures)} defaults")
    assert failed == []
