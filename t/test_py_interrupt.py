"""Administration never interrupts: each call is a reload, and programs that
ask in the meantime notice nothing.

A dozen calls here; `make storm` makes a hundred.
"""

import itertools
import os
import threading
import time

import pytest
import requests

from harness import SLOW, Sim3
from harness.cluster import unsanitized
from harness.local import deploy
from harness.pulse import Pulse

CALLS = int(os.environ.get("CLIPPER_STORM_CALLS", "12"))

pytestmark = [unsanitized, pytest.mark.timeout(300 + 4 * CALLS)]


class Program(threading.Thread):
    """A client with a ``requests.Session``, which asks all the time and
    resends nothing. ``defaults`` has the times of those, ``errors`` all
    else that is not the right answer."""

    numbers = itertools.count()

    def __init__(self, conn):
        super().__init__(daemon=True)
        self.url = f"http://{conn.get_query_addr()}/a/predict"
        self.asked = 0
        self.defaults = []
        self.errors = []
        self.ended = threading.Event()
        self.start()

    def run(self):
        session = requests.Session()
        while not self.ended.is_set():
            value = next(self.numbers) + 0.5
            start = time.monotonic()
            try:
                response = session.post(self.url, json={"input": [value]},
                                        timeout=30 * SLOW)
                answer = response.json()
            except (requests.RequestException, ValueError) as exc:
                self.errors.append((start, time.monotonic(), repr(exc)))
                continue
            self.asked += 1
            if answer.get("default"):
                self.defaults.append((start, time.monotonic()))
            elif answer.get("output") != value:
                self.errors.append((start, time.monotonic(), answer))

    def end(self):
        self.ended.set()
        self.join(60 * SLOW)


def change(conn, number):
    """A call that touches nothing of application "a"."""
    name = f"other{number // 2}"
    if number % 2 == 0:
        conn.register_application(name, "ints", "-1", 100000)
    else:
        conn.unregister_application(name)


def serve(conn, version):
    """Application "a" with one replica, which answers with its input."""
    conn.register_application("a", "doubles", "-1", 300000)
    if version == 4:
        deploy(conn, "m", 1, lambda xs: [float(x[0]) for x in xs])
    else:
        conn.register_model("m", 1, "doubles")
    conn.link_model_to_app("a", "m")
    if version == 3:
        return Sim3(None, "m", model=lambda xs: [repr(x[0]) for x in xs],
                    endpoint="tcp://127.0.0.1:%d"
                    % conn.cm.cluster["rpc_port"]).wait_registered()
    return None


@pytest.mark.timing("an SLO of 300 ms while everybody wants the CPU")
@pytest.mark.parametrize("version, share", [(4, 0.0), (3, 0.01)])
def test_calls_interrupt_nobody(conn, version, share):
    """Catches a call of the package that costs another program an error, or
    defaults: with one replica and an SLO of 300 ms none for version 4, and
    less than 1 % for version 3."""
    sim = serve(conn, version)
    session = requests.Session()
    url = f"http://{conn.get_query_addr()}/a/predict"
    deadline = time.monotonic() + 10 * SLOW
    while session.post(url, json={"input": [0.25]}).json()["default"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)

    with Pulse() as pulse:
        programs = [Program(conn) for _ in range(4)]
        start = time.monotonic()
        for number in range(CALLS):
            change(conn, number)
        took = time.monotonic() - start
        for program in programs:
            program.end()

    asked = sum(p.asked for p in programs)
    errors = [e for p in programs for e in p.errors]
    defaults = [d for p in programs for d in p.defaults]
    caused = [d for d in defaults if pulse.stood_still(*d) == 0]
    print(f"version {version}: {CALLS} calls in {took:.1f} s, {asked} "
          f"queries, {len(errors)} errors, {len(defaults)} defaults, "
          f"{len(defaults) - len(caused)} of them while the machine stood "
          f"still")
    if sim is not None:
        sim.close()
    assert [e for e in errors if pulse.stood_still(*e[:2]) == 0] == []
    assert len(caused) <= asked * share
