"""Keys of CURVE on a container engine."""

import pytest
import requests
import zmq

from clipper_admin import ClipperConnection
from harness.docker import needs_engine
from harness.util import wait_until

pytestmark = [needs_engine, pytest.mark.timeout(580)]

#: Runs as a user that only the image knows.
OTHER_USER = """
FROM docker.io/clipper/noop-container:0.1.0
RUN echo model:x:1234:1234::/:/bin/sh >> /etc/passwd
USER model
"""


def test_containers_have_keys(engine, make_docker_cluster, tmp_path):
    """The operator's program, another one, and a stranger without keys."""
    manager = make_docker_cluster("curve", curve=True)
    conn = ClipperConnection(manager)
    conn.start_clipper()
    conn.register_application("a", "doubles", "DEFAULT", 5000000)
    engine.build("localhost/test-other-user:1", OTHER_USER, {})
    for name, base in (("m", "docker.io/clipper/noop-container:0.1.0"),
                       ("other", "localhost/test-other-user:1")):
        (tmp_path / name).mkdir()
        conn.build_and_deploy_model(
            name, 1, "doubles", str(tmp_path / name), base)
    other = ClipperConnection(make_docker_cluster("curve"))
    other.connect()
    other.set_num_replicas("m", 2)
    conn.link_model_to_app("a", "m")
    answer = requests.post("http://%s/a/predict" % conn.get_query_addr(),
                           json={"input": [1.0]}, timeout=30).json()
    assert (answer["output"], answer["default"]) == (1, False)

    modes = {
        (name, one.exec_run(["stat", "-c", "%a %u %n",
                             "/clipper-keys/container.key_secret"])
         .output.decode().strip())
        for name in ("m", "other") for one in manager.replicas.of(name, "1")
    }
    assert modes == {
        ("m", "400 0 /clipper-keys/container.key_secret"),
        ("other", "400 1234 /clipper-keys/container.key_secret"),
    }
    server, = {
        one for one in manager.frontend.container.exec_run(
            ["sh", "-c", "stat -c '%a %u' /var/lib/clipper/keys/*_secret "
             "/var/lib/clipper/keys/*/*_secret"])
        .output.decode().splitlines()
    }
    assert server == "400 65534"

    context = zmq.Context()
    stranger = context.socket(zmq.DEALER)
    try:
        stranger.connect("tcp://127.0.0.1:%d" % manager.clipper_rpc_port)
        wait_until(lambda: refused(conn) > 0, 20, "the stranger is refused")
    finally:
        context.destroy(linger=0)
    assert len(conn.get_all_model_replicas()) == 3


def refused(conn):
    page = requests.get("http://%s/metrics" % conn.cm.get_admin_addr(),
                        timeout=9).text
    return sum(float(line.rpartition(" ")[2]) for line in page.splitlines()
               if line.startswith("clipper_rpc_refused_total"))
