"""A local cluster is started again after its processes were killed."""

import os
import shutil
import signal
import socket

import pytest

from clipper_admin import ClipperConnection, ClipperException
from clipper_admin.local.control import ask
from harness.cluster import unsanitized
from harness.local import deploy, predict, refused
from harness.util import session_pids, wait_until

pytestmark = unsanitized


def reboot(conn, number=signal.SIGKILL):
    """Kill the supervisor; nothing of the cluster runs afterwards."""
    session = ask(conn.cm.directory.path, "state")["pid"]
    os.kill(session, number)
    wait_until(lambda: session_pids(session) == [])


@pytest.fixture
def cluster(make_cluster):
    conn = ClipperConnection(make_cluster("again"))
    conn.start_clipper()
    yield conn
    conn.stop_all(graceful=False)


def again(conn, make_cluster, **options):
    """Another program's connection to the same cluster, started again."""
    second = ClipperConnection(
        make_cluster("again", path=conn.cm.directory.path, **options))
    second.start_clipper()
    return second


def test_everything_is_back(cluster, make_cluster, caplog):
    conn = cluster
    conn.register_application("a", "doubles", "0", 5000000)
    conn.register_application("old", "doubles", "0", 5000000, cache=False)
    deploy(conn, "m", 1, lambda xs: ["v1"] * len(xs))
    deploy(conn, "m", 2, lambda xs: [__import__("os").environ["X"]] * len(xs),
           num_replicas=3, env={"X": "kept"})
    deploy(conn, "n", 1, lambda xs: ["n"] * len(xs))
    conn.register_model("elsewhere", 1, "doubles")
    conn.link_model_to_app("a", "m")
    conn.link_model_to_app("old", "m", version=1)
    conn.set_num_replicas("m", 2)
    conn.set_num_replicas("n", 0)
    before = conn.cm.read_fragments()
    for how in (signal.SIGKILL, signal.SIGTERM):
        reboot(conn, how)
        with pytest.raises(ClipperException, match="It was not stopped: "
                           "start_clipper.. starts it again"):
            conn.connect()
        caplog.clear()
        with caplog.at_level("INFO"):
            conn = again(conn, make_cluster)
        assert conn.cm.read_fragments() == before
        assert conn.get_all_apps() == ["a", "old"]
        assert [conn.get_num_replicas(*one) for one in
                (("m", 1), ("m", 2), ("n", 1), ("elsewhere", 1))] \
            == [1, 2, 0, 0]
        assert predict(conn, "a", [1.0])["output"] == "kept"
        assert predict(conn, "old", [1.0])["output"] == "v1"
        assert "was not stopped: starting it again" in caplog.text
        assert "m:2 has 2 of 2 replicas again" in caplog.text
        assert "Restored the applications a, old and the models " \
            "elsewhere, m, n" in caplog.text
    # And it goes on as ever.
    conn.set_num_replicas("m", 3)
    assert conn.get_num_replicas("m") == 3
    # The supervisor keeps what it started again.
    pid = conn.cm.replicas.of("m", "1")[0]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: predict(conn, "old", [2.0])["output"] == "v1")


def test_logs_of_the_run_before_are_kept(cluster, make_cluster):
    path = cluster.cm.directory.path
    with open(os.path.join(path, "logs", "error.log"), "a") as f:
        f.write("what led to it\n")
    reboot(cluster)
    again(cluster, make_cluster)
    with open(os.path.join(path, "logs.old", "error.log")) as f:
        assert "what led to it" in f.read()
    with open(os.path.join(path, "logs", "error.log")) as f:
        assert "what led to it" not in f.read()


def test_stop_all_is_the_end(cluster, make_cluster):
    cluster.register_application("a", "doubles", "0", 100000)
    reboot(cluster)
    cluster.stop_all()
    conn = again(cluster, make_cluster)
    assert conn.get_all_apps() == []


def test_another_port_is_taken_meanwhile(cluster, make_cluster):
    """Catches a container that connects to the previous port."""
    conn = cluster
    conn.register_application("a", "doubles", "0", 5000000)
    deploy(conn, "m", 1, lambda xs: ["v1"] * len(xs))
    conn.link_model_to_app("a", "m")
    ports = dict(conn.cm._wanted_ports)
    reboot(conn)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", ports["rpc_port"]))
        taken.listen()
        manager = make_cluster("again", path=conn.cm.directory.path)
        manager._wanted_ports = ports
        conn = ClipperConnection(manager)
        conn.start_clipper()
        assert conn.cm.cluster["rpc_port"] != ports["rpc_port"]
        assert predict(conn, "a", [1.0])["output"] == "v1"


def test_a_model_that_does_not_load_any_more(cluster, make_cluster, caplog):
    """Catches a start that waits for it, or a cluster without the others."""
    conn = cluster
    for name in ("good", "broken", "gone"):
        conn.register_application(name, "doubles", "0", 5000000)
        deploy(conn, name, 1, lambda xs: ["fine"] * len(xs))
        conn.link_model_to_app(name, name)
    images = os.path.join(conn.cm.directory.path, "images")
    where = {name: os.path.join(images, "again-%s@1" % name)
             for name in ("broken", "gone")}
    kept = os.path.join(where["broken"], "func.pkl")
    os.rename(kept, kept + ".kept")
    shutil.rmtree(where["gone"])
    reboot(conn)
    conn = again(conn, make_cluster)
    assert predict(conn, "good", [1.0])["output"] == "fine"
    assert predict(conn, "broken", [1.0])["default"]
    assert "broken:1 has 0 of 1 replicas again" in caplog.text \
        or "Container broken_1-" in caplog.text
    assert "gone:1 was not started again" in caplog.text
    # It comes back when it can.
    os.rename(kept + ".kept", kept)
    wait_until(lambda: not predict(conn, "broken", [2.0])["default"])


def test_a_configuration_that_is_refused(cluster, make_cluster):
    """Catches a cluster that is thrown away since it does not start."""
    conn = cluster
    conn.register_application("a", "doubles", "0", 100000)
    directory = conn.cm.directory
    path = directory.file("current", "apps", "a.conf")
    with open(path) as f:
        text = f.read()
    reboot(conn)
    with open(path, "w") as f:
        f.write(text.replace("clipper_app", "no_such_directive x;clipper_app"))
    for _ in range(2):
        with refused("Its files are kept; stop_all() removes them"):
            again(conn, make_cluster)
    with open(path, "w") as f:
        f.write(text)
    assert again(conn, make_cluster).get_all_apps() == ["a"]
