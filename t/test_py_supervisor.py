"""The supervisor of a local cluster, with a sleeping program for nginx."""

import os
import signal
import subprocess
import sys
import time

import pytest

from clipper_admin.exceptions import ClipperException
from clipper_admin.local.control import is_running
from clipper_admin.local.programs import stop, tail
from harness.supervised import Cluster, alive, wait_until


SLEEP = [sys.executable, "-c", "import time; time.sleep(1000)"]
STUBBORN = [sys.executable, "-c",
            "import signal, time\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "print('deaf', flush=True)\n"
            "time.sleep(1000)"]


@pytest.fixture
def cluster(tmp_path):
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.process.kill()
    cluster.process.wait()


def test_starts_again_what_dies(cluster):
    cluster.add("r", SLEEP)
    cluster.ask("keep", ids=["nginx", "r"])
    before = {"nginx": cluster.nginx(), "r": cluster.replica("r")}
    for one in before.values():
        os.kill(one["pid"], signal.SIGKILL)
    wait_until(lambda: cluster.nginx()["starts"] == 2)
    wait_until(lambda: cluster.replica("r")["starts"] == 2)
    wait_until(lambda: cluster.replica("r")["pid"])
    # To the server, another process is another replica.
    assert cluster.replica("r")["token"] != before["r"]["token"]


def test_waits_longer_each_time(cluster):
    cluster.add("r", [sys.executable, "-S", "-c", "pass"])
    cluster.ask("keep", ids=["r"])
    time.sleep(1.5)
    assert 2 <= cluster.replica("r")["starts"] <= 5


def test_what_is_not_kept_is_left_dead_with_its_log(cluster):
    log = cluster.add("r", [sys.executable, "-c",
                            "import os; print(os.environ['X']); exit(5)"],
                      {"X": "last words"})
    wait_until(lambda: cluster.replica("r")["exit_code"] == 5)
    time.sleep(0.3)
    assert cluster.replica("r")["starts"] == 1
    assert tail(log) == "last words"
    cluster.ask("remove", ids=["r"])
    assert cluster.ask("state")["replicas"] == []


def test_a_program_that_does_not_exist(cluster):
    log = cluster.add("r", ["/no/such/program"])
    wait_until(lambda: cluster.replica("r")["exit_code"] == 127)
    assert "No such file" in tail(log)


def test_remove_waits_until_it_is_gone(cluster):
    cluster.add("a", SLEEP)
    cluster.add("b", SLEEP)
    wait_until(lambda: cluster.replica("a")["pid"])
    pids = [cluster.replica(name)["pid"] for name in "ab"]
    cluster.ask("remove", ids=["a", "unknown"])
    assert not alive(pids[0]) and alive(pids[1])


def test_remove_without_grace_kills(cluster):
    log = cluster.add("r", STUBBORN)
    wait_until(lambda: tail(log) == "deaf")
    pid = cluster.replica("r")["pid"]
    started = time.monotonic()
    cluster.ask("remove", ids=["r"], graceful=False)
    assert not alive(pid) and time.monotonic() - started < 5


@pytest.mark.parametrize("graceful", [True, False])
def test_stop_leaves_nothing(cluster, graceful):
    cluster.add("r", SLEEP)
    cluster.ask("keep", ids=["nginx", "r"])
    wait_until(lambda: cluster.replica("r")["pid"])
    pids = [cluster.nginx()["pid"], cluster.replica("r")["pid"]]
    stop(cluster.path, graceful)
    cluster.process.wait(5)
    assert not any(map(alive, pids))
    assert not is_running(cluster.path)


def test_sigterm_leaves_nothing(cluster):
    cluster.add("r", SLEEP)
    wait_until(lambda: cluster.replica("r")["pid"])
    pids = [cluster.nginx()["pid"], cluster.replica("r")["pid"]]
    cluster.process.terminate()
    assert cluster.process.wait(10) == 0
    assert not any(map(alive, pids))


def test_children_die_with_a_killed_supervisor(cluster):
    cluster.add("r", STUBBORN)
    cluster.ask("keep", ids=["r"])
    wait_until(lambda: cluster.replica("r")["pid"])
    pids = [cluster.nginx()["pid"], cluster.replica("r")["pid"]]
    cluster.process.kill()
    cluster.process.wait()
    wait_until(lambda: not any(map(alive, pids)))
    # Stopping a cluster that has died is not an error.
    stop(cluster.path, True)


def test_one_supervisor_for_a_directory(cluster):
    second = subprocess.run(
        [sys.executable, "-m", "clipper_admin.local",
         cluster.path], stdout=subprocess.PIPE, timeout=20)
    assert second.returncode == 1 and b"another supervisor" in second.stdout
    assert is_running(cluster.path)


def test_bad_commands_are_answered(cluster):
    with pytest.raises(ClipperException, match="KeyError"):
        cluster.ask("dance")
    with pytest.raises(ClipperException, match="exists"):
        cluster.add("r", SLEEP)
        cluster.add("r", SLEEP)
    assert is_running(cluster.path)
