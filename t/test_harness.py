"""The harness itself: its frames are those of the protocol's description, and
its checks can fail."""

import pathlib
import subprocess
import sys
import threading

import pytest
import zmq

from harness import Sim3, Sim4, rpc, wait_until
from harness.client import Response, build_request

REQUEST_DOUBLES = """
| 03 00 00 00 | 01 00 00 00 | 07 00 00 00 | 00 00 00 00
| 20 00 00 00 00 00 00 00
| 03 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00
  10 00 00 00 00 00 00 00 08 00 00 00 00 00 00 00
| 00 00 00 00 00 00 f0 3f 00 00 00 00 00 00 00 40
| 00 00 00 00 00 00 08 40"""

RESPONSE = """
| 01 00 00 00 | 07 00 00 00 | 18 00 00 00 00 00 00 00
| 02 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00
| 33 2e 30 | 33 2e 30"""

SESSION_METADATA = "| 00 00 00 00 | 73 75 6d | 31 | 33 | 03 00 00 00"


def frames(text):
    return [bytes.fromhex(part) for part in text.split("|")]


class Frontend:
    """A ROUTER that a test drives by hand, in place of nginx."""

    def __init__(self):
        self.context = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        port = self.router.bind_to_random_port("tcp://127.0.0.1")
        self.rpc = f"tcp://127.0.0.1:{port}"
        self.containers = []

    def receive(self):
        assert self.router.poll(5000), "nothing received"
        identity, *message = self.router.recv_multipart()
        return identity, message

    def close(self):
        for container in self.containers:
            container.close()
            container.check()
        self.context.destroy(linger=0)


@pytest.fixture
def frontend():
    made = Frontend()
    yield made
    made.close()


def test_codec_is_the_documented_one():
    """Catches a codec of the tests with the same error as the server's."""
    request = rpc.decode_request3(frames(REQUEST_DOUBLES))
    assert request.values == [(1.0, 2.0), (3.0,)]
    assert (request.message_id, request.request_type) == (7, 0)
    assert rpc.reply3(7, ["3.0", "3.0"]) == frames(RESPONSE)
    assert rpc.metadata3("sum", 1, 3) == frames(SESSION_METADATA)
    assert rpc.heartbeat() == frames("| 02 00 00 00")


def test_version_3_session(frontend):
    """Catches a simulated container that differs from the original."""
    sim = Sim3(frontend, "sum", model=lambda v: [f"{len(v)}.0"] * len(v))
    identity, message = frontend.receive()
    assert message == frames("| 02 00 00 00")

    frontend.router.send_multipart(
        [identity] + frames("| 03 00 00 00 | 02 00 00 00 | 01 00 00 00"))
    assert frontend.receive() == (identity, frames(SESSION_METADATA))
    assert frontend.receive() == (identity, frames("| 02 00 00 00"))
    assert not sim.registered.is_set()

    frontend.router.send_multipart(
        [identity] + frames("| 03 00 00 00 | 02 00 00 00 | 00 00 00 00"))
    sim.wait_registered()

    frontend.router.send_multipart([identity] + frames(REQUEST_DOUBLES))
    assert frontend.receive() == (identity, rpc.reply3(7, ["2.0", "2.0"]))


def probe(message_id):
    return b"".join(map(rpc.u32, (message_id, rpc.PROBE, 3, 0)))


def test_version_4_session(frontend):
    """Catches a simulated container that does not follow the table."""
    sim = Sim4(frontend, "sum", token=b"t" * 16, digest=b"d" * 32)
    identity, message = frontend.receive()
    assert message == [b"", b"\0\0\0\0", b"sum", b"1", b"3", b"t" * 16,
                       b"d" * 32, b"\4\0\0\0"]

    four, content = rpc.u32(4), rpc.u32(1)
    frontend.router.send_multipart(
        [identity, b"", four, rpc.u32(2), rpc.u32(0)])
    frontend.router.send_multipart(
        [identity, b"", four, content,
         probe(1), b""])
    assert frontend.receive() == (identity, [b"", content,
                                             rpc.u32(1) + rpc.u32(0), b""])
    sim.wait_registered()

    header = (rpc.u32(2) + rpc.u32(0) + rpc.u32(3) + rpc.u32(1) + rpc.u64(8)
              + rpc.u64(1000))
    frontend.router.send_multipart(
        [identity, b"", four, content, header,
         bytes.fromhex("000000000000f03f")])
    assert frontend.receive() == (
        identity, [b"", content, bytes.fromhex(
            "02000000 01000000 0300000000000000 00000000"), b"1.0"])

    sim.leave()
    assert frontend.receive() == (identity, [b"", rpc.u32(5)])


def test_version_4_moves(frontend):
    """Catches a simulated container that leaves before it is registered at
    the new worker."""
    sim = Sim4(frontend, "sum")
    old, _ = frontend.receive()
    known = [b"", rpc.u32(4), rpc.u32(2), rpc.u32(0)]
    frontend.router.send_multipart([old] + known)
    wait_until(sim.registered.is_set)
    frontend.router.send_multipart([old, b"", rpc.u32(4), rpc.u32(3)])

    new, message = frontend.receive()
    assert new != old and message[5] == sim.token
    frontend.router.send_multipart([new] + known)
    frontend.router.send_multipart(
        [new, b"", rpc.u32(4), rpc.u32(1), probe(9), b""])
    assert frontend.receive() == (new, rpc.reply4(9, []))
    assert frontend.receive() == (old, [b"", rpc.u32(5)])


def test_failure_of_the_thread_is_seen(frontend):
    """Catches a container thread that dies without failing its test."""
    sim = Sim3(frontend)
    identity, _ = frontend.receive()
    frontend.router.send_multipart([identity, b"", b"\1\0\0\0"])
    wait_until(lambda: sim.error)
    with pytest.raises(AssertionError, match="container thread failed"):
        sim.check()
    frontend.containers.remove(sim)
    sim.close()


def test_wait_until_gives_up():
    """Catches a wait that never fails."""
    with pytest.raises(AssertionError, match="never true"):
        wait_until(lambda: False, timeout=0.05, what="never true")


def test_json_constants_are_refused():
    """Catches a response with NaN that Python would take for JSON."""
    with pytest.raises(ValueError):
        Response(b"HTTP/1.1 200 OK", b"[NaN]").json()


def test_chunked_request():
    """Catches chunks that are not framed as HTTP/1.1 requires."""
    request = build_request("POST", "/x", chunks=[b"ab", b"c" * 16])
    assert request.endswith(b"\r\n\r\n2\r\nab\r\n10\r\n" + b"c" * 16
                            + b"\r\n0\r\n\r\n")


def test_trouble_in_the_log_is_found(make_nginx):
    """Catches a log check that lets an alert pass."""
    made = make_nginx()
    log = made.dir / "error.log"
    log.write_text("2026/01/01 [info] fine\n2026/01/01 [alert] 1#1: open "
                   "socket #3 left\nx.c:1: runtime error: shift\n")
    assert len(made.trouble()) == 2
    made.allow("open socket")
    assert len(made.trouble()) == 1
    log.unlink()


def test_threads_end(frontend):
    """Catches a container that leaves its thread behind."""
    sim = Sim3(frontend)
    frontend.receive()
    sim.close()
    assert sim._thread not in threading.enumerate()


def test_ports_of_two_runs_differ():
    """Catches two test runs at a time that hand out the same ports: they did
    once their random numbers had the same seed."""
    program = ("import random\n"
               "from harness.util import free_port\n"
               "random.seed(3)\n"
               "print(*(free_port() for _ in range(200)), flush=True)\n"
               "input()\n")
    runs = [subprocess.Popen([sys.executable, "-c", program],
                             cwd=pathlib.Path(__file__).parent,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for _ in range(2)]
    ports = [int(p) for run in runs for p in run.stdout.readline().split()]
    for run in runs:
        run.communicate(b"\n")
    assert len(set(ports)) == len(ports) == 400
