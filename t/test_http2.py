"""Queries over HTTP/2, as curl and h2load send them."""

import json
import subprocess

import pytest

from harness import SLOW, Sim3, Sim4, application, wait_until
from harness.util import free_port


@pytest.fixture
def serve(nginx):
    """A server with HTTP/2 on a second port; returns it and that port."""
    def start(http="", **kw):
        port = free_port()
        server = nginx(f"listen 127.0.0.1:{port} http2;\n"
                       + application("a", "m:1", **kw),
                       http="clipper_cache_zone off;\n" + http)
        return server, port

    return start


def curl(port, body, *options):
    """curl's exit status; the response's body, HTTP version and status."""
    done = subprocess.run(
        ["curl", "-sS", "--http2-prior-knowledge", "-w",
         "\n%{http_version} %{http_code}", *options,
         f"http://127.0.0.1:{port}/a/predict"],
        input=body, capture_output=True, timeout=30 * SLOW)
    text, _, line = done.stdout.decode().rpartition("\n")
    return done.returncode, text, line


@pytest.mark.parametrize("count", [1, 784, 20000])
@pytest.mark.parametrize("http", ["", "client_body_buffer_size 1k;",
                                  "client_body_buffer_size 1m;"])
@pytest.mark.parametrize("way", ["--data-binary", "--upload-file"])
def test_bodies(serve, count, http, way):
    """Catches a body that arrives changed over HTTP/2, with and without
    a content length."""
    server, port = serve(http)
    Sim3(server, "m").wait_registered()
    server.wait_replicas("m")
    body = json.dumps({"input": [i + 0.25 for i in range(count)]}).encode()
    status, text, line = curl(port, body, "-X", "POST", way,
                              "@-" if way == "--data-binary" else "-")
    assert (status, line) == (0, "2 200")
    assert json.loads(text)["output"] == sum(i + 0.25 for i in range(count))


def test_streams_of_one_connection(serve, tmp_path):
    """Catches streams that wait for each other, or forever."""
    server, port = serve(slo="10s")
    sim = Sim4(server, "m", delay=0.02).wait_registered()
    server.wait_replicas("m")
    (tmp_path / "body").write_bytes(b'{"input":[1.5]}')
    done = subprocess.run(
        ["h2load", "-n", "400", "-c", "1", "-m", "20",
         "-d", tmp_path / "body", f"http://127.0.0.1:{port}/a/predict"],
        capture_output=True, text=True, timeout=30 * SLOW)
    assert "400 succeeded, 0 failed, 0 errored" in done.stdout, done.stdout
    assert "status codes: 400 2xx" in done.stdout
    assert max(len(r.inputs) for r in sim.requests) > 1
    assert server.status()["applications"][0]["queries"]["answer"] == 400


def test_stream_that_is_cancelled(serve):
    """Catches a query that outlives its stream."""
    server, port = serve(slo="60s")
    sim = Sim4(server, "m", manual=True).wait_registered()
    status, _, _ = curl(port, b'{"input":[1.5]}', "--data-binary", "@-",
                        "--max-time", "0.5")
    assert status == 28                             # curl had no more time
    sim.answer(sim.next_request())

    def counted():
        return server.status()["applications"][0]["queries"]["aborted"]

    wait_until(lambda: counted() == 1)
