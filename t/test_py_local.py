"""A local cluster: its processes, what remains of it, and its users."""

import os
import signal
import subprocess
import sys

import pytest

from clipper_admin import (
    ClipperConnection,
    ClipperException,
    LocalContainerManager,
)
from clipper_admin.deployers import python as python_deployer
from clipper_admin.local.control import ask
from clipper_admin.local.directory import ClusterDirectory
from clipper_admin.server_conf import records_arguments
from harness.cluster import check_that_no_change_is_lost, unsanitized
from harness.local import deploy, predict, refused
from harness.util import session_pids, wait_until

pytestmark = unsanitized


def test_what_dies_comes_back(conn):
    conn.register_application("a", "doubles", "0", 5000000)
    deploy(conn, "m", 1, lambda xs: [str(x[0]) for x in xs])
    conn.link_model_to_app("a", "m")
    os.kill(conn.cm.replicas.of("m", "1")[0]["pid"], signal.SIGKILL)
    wait_until(lambda: predict(conn, "a", [1.5])["default"] is False)
    path = conn.cm.directory.path
    pid = ask(path, "state")["nginx"]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: ask(path, "state")["nginx"]["pid"] not in (pid, None))
    wait_until(lambda: predict(conn, "a", [2.5])["default"] is False)


def test_what_ps_and_the_logs_show(conn):
    """Catches processes that do not name their model, and a warning about
    the package's own start in a log."""
    conn.register_application("a", "doubles", "0", 5000000)
    deploy(conn, "m", 7, lambda xs: [str(x[0]) for x in xs])
    pid = conn.cm.replicas.of("m", "7")[0]["pid"]
    with open("/proc/%d/cmdline" % pid) as f:
        assert f.read().split("\0")[-2] == "m:7"
    logs = os.path.join(conn.cm.directory.path, "logs")
    for name in os.listdir(logs):
        with open(os.path.join(logs, name)) as f:
            assert "Warning" not in f.read(), name


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_directory_is_its_owners(tmp_path, umask):
    """Catches a directory whose logs, generations and control socket other
    users can read, if only for a moment."""
    path = tmp_path / "state" / "clipper" / "c"
    directory = ClusterDirectory(str(path))
    before = os.umask(umask)
    try:
        directory.make("locks")
        assert path.stat().st_mode & 0o777 == 0o700
        assert path.parent.stat().st_mode & 0o022 == 0
        path.chmod(0o755)
        directory.prepare()
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_the_directory_of_another_user(tmp_path):
    """Catches a directory that another user has made, and can read."""
    os.chown(tmp_path, 12345, -1)
    with pytest.raises(ClipperException, match="belongs to another user"):
        ClusterDirectory(str(tmp_path)).make()


def test_a_cluster_is_private(conn):
    """Catches a cluster whose directory is made for all by some way."""
    assert os.stat(conn.cm.directory.path).st_mode & 0o777 == 0o700


def test_nothing_of_a_cluster_is_left(make_cluster, caplog):
    manager = make_cluster("gone")
    conn = ClipperConnection(manager)
    conn.start_clipper(cache_size=0)
    conn.deploy_model("m", 1, "doubles", "noop-container", num_replicas=2)
    session = ask(manager.directory.path, "state")["pid"]
    assert len(session_pids(session)) >= 5
    conn.stop_all()
    assert session_pids(session) == []
    assert not conn.connected
    assert sorted(os.listdir(manager.directory.path)) \
        == ["locks", "logs", "supervisor.lock"]
    # Again, from nothing, and with arguments that have no effect now.
    with caplog.at_level("WARNING"):
        conn.start_clipper(mgmt_frontend_image="clipper/old:1",
                           qf_http_thread_pool_size=4)
    assert "clipper/old:1 is not used: nginx's configuration" in caplog.text
    assert "qf_http_thread_pool_size=4 is not used: set the manager's " \
        "workers=" in caplog.text
    assert conn.get_all_models() == []
    conn.stop_all(graceful=False)


def test_another_program_connects(conn):
    conn.register_application("a", "doubles", "0", 100000)
    program = (
        "from clipper_admin import ClipperConnection, LocalContainerManager\n"
        "c = ClipperConnection(LocalContainerManager('test', state_dir=%r))\n"
        "c.connect()\n"
        "c.register_application('b', 'ints', '0', 100000)\n"
        "print(c.get_all_apps(), c.get_query_addr())\n"
        % conn.cm.directory.path)
    done = subprocess.run([sys.executable, "-c", program],
                          capture_output=True, text=True)
    assert done.stdout == "['a', 'b'] %s\n" % conn.get_query_addr(), \
        done.stderr
    assert "Successfully connected to Clipper cluster" in done.stderr
    assert predict(conn, "b", [1])["default"]


def test_a_cluster_starts_once(conn, make_cluster):
    again = make_cluster(path=conn.cm.directory.path)
    with refused("Cluster test cannot be started because it already exists"):
        ClipperConnection(again).start_clipper()
    assert conn.get_all_apps() == []


def test_two_clusters_side_by_side(conn, make_cluster, caplog):
    other = make_cluster("other")
    # Both ask for the same ports: the second takes the next free ones.
    for key, name in (("query_port", "query_port"),
                      ("management_port", "management_port"),
                      ("rpc_port", "rpc_port")):
        other._wanted_ports[key] = conn.cm.cluster[name]
    second = ClipperConnection(other)
    with caplog.at_level("INFO"):
        second.start_clipper()
    assert "is in use, taking" in caplog.text
    for each, output in ((conn, "1"), (second, "2")):
        python_deployer.create_endpoint(
            each, "a", "doubles", eval("lambda xs: [%s] * len(xs)" % output),
            slo_micros=5000000)
    assert predict(conn, "a", [1.0])["output"] == 1
    assert predict(second, "a", [1.0])["output"] == 2
    found = ClipperConnection(LocalContainerManager(
        "other", state_dir=other.directory.path))
    found.connect()
    assert found.get_query_addr() == second.get_query_addr()
    second.stop_all()
    assert predict(conn, "a", [2.0])["output"] == 1


def test_nginx_that_does_not_start(make_cluster, tmp_path):
    manager = make_cluster("bad", zone_size="1k")
    conn = ClipperConnection(manager)
    with refused("nginx refuses the configuration"):
        conn.start_clipper()
    with pytest.raises(ClipperException, match="No running cluster"):
        conn.connect()
    with refused("CLIPPER_NGINX_MODULE"):
        LocalContainerManager(
            "none", state_dir=str(tmp_path / "n"), module="/no/module.so"
        ).start_clipper()


def test_memory_of_records(make_cluster):
    """Catches sizes and times of records that do not reach nginx."""
    manager = make_cluster("records", records_size="1m")
    conn = ClipperConnection(manager)
    conn.start_clipper()
    with open(manager.directory.file("nginx.conf")) as conf:
        assert "clipper_records 1m;" in conf.read()
    manager.stop_all()
    assert records_arguments(None, None, "h:1", "64m") == []
    assert records_arguments("2m", "1d", "h:1", "64m") == ["2m", "redis=1d"]
    assert records_arguments(None, "1d", "h:1", "64m") == ["4096k", "redis=1d"]
    with refused("needs a Redis"):
        make_cluster("late", records_time="1d")


def test_a_cluster_that_has_gone(make_cluster):
    manager = make_cluster("dead")
    conn = ClipperConnection(manager)
    conn.start_clipper()
    conn.deploy_model("m", 1, "doubles", "noop-container")
    session = ask(manager.directory.path, "state")["pid"]
    os.kill(session, signal.SIGKILL)
    wait_until(lambda: len(session_pids(session)) == 0)
    for call in (conn.inspect_instance, lambda: conn.get_num_replicas("m"),
                 lambda: conn.register_application("a", "d", "0", 1000)):
        with pytest.raises(ClipperException,
                           match="is not running|does not answer"):
            call()
    # Its files are no obstacle.
    conn.start_clipper()
    assert conn.get_all_models() == ["m:1"]
    conn.stop_all()
    with pytest.raises(ClipperException, match="does not exist any more"):
        ClipperConnection.get_all_apps(connected(conn))


def connected(conn):
    """A connection that does not know that the cluster was stopped."""
    conn.connected = True
    return conn


def test_logs(conn, tmp_path):
    conn.deploy_model("m", 1, "doubles", "noop-container")
    files = conn.get_clipper_logs(str(tmp_path / "logs"))
    assert all(os.path.exists(one) for one in files)
    names = [os.path.basename(one) for one in files]
    assert "test-error.log" in names
    assert any(name.startswith("test-m_1-") for name in names)


def test_programs_at_the_same_time_lose_no_change(conn):
    check_that_no_change_is_lost(
        conn,
        "LocalContainerManager('test', state_dir=%r)"
        % conn.cm.directory.path, 5)
