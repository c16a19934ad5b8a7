"""Closures, data frames and models: the same with each manager.

With the engine's manager `make test-docker` runs them.
"""

import os
import signal
import sys
import time
import types

import numpy as np
import pandas as pd
import pytest
import requests
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from clipper_admin import ClipperConnection, DockerContainerManager
from clipper_admin.client import Client
from clipper_admin.deployers import python as python_deployer
from clipper_admin.exceptions import ClipperException
from clipper_admin.local.control import ask
from clipper_admin.nginx_cluster import NginxCluster
from harness.cluster import outputs, unsanitized
from harness.docker import LIBRARIES, needs_engine, needs_image
from harness.util import session_pids, wait_until

pytestmark = [unsanitized, pytest.mark.timeout(580)]


class Local:
    """A cluster on this host."""

    image = "default"

    def __init__(self, request):
        self._make = request.getfixturevalue("make_cluster")
        self.conn = ClipperConnection(self._make("managers"))

    def signal_worker(self, number, pid):
        os.kill(pid, number)

    def again(self):
        return ClipperConnection(self._make(
            "managers", path=self.conn.cm.directory.path))

    def reboot(self):
        """Nothing of the cluster runs afterwards."""
        session = ask(self.conn.cm.directory.path, "state")["pid"]
        os.kill(session, signal.SIGKILL)
        wait_until(lambda: session_pids(session) == [])


class Docker:
    """A cluster on an engine, with an image that has the libraries."""

    image = LIBRARIES

    def __init__(self, request):
        self._engine = request.getfixturevalue("engine")
        self._engine.wait_for(self.image)
        self.conn = ClipperConnection(
            request.getfixturevalue("make_docker_cluster")("managers"))

    def signal_worker(self, number, pid):
        code, out = self.conn.cm.frontend.container.exec_run(
            ["sh", "-c", "kill -%d %d" % (number, pid)])
        assert code == 0, out

    def again(self):
        return ClipperConnection(DockerContainerManager(
            "managers", docker_network="clipper_test"))

    def reboot(self):
        running = self.conn.cm.containers.find({})
        for one in running:
            one.kill()
        wait_until(lambda: self.conn.cm.containers.find({}) == [], 30)
        self._engine.restart()


@pytest.fixture(scope="module", params=[
    Local, pytest.param(
        Docker, marks=[needs_engine, needs_image(LIBRARIES)])])
def cluster(request):
    made = request.param(request)
    made.conn.start_clipper()
    return made


@pytest.fixture
def serve(cluster):
    """Deploys a function under a name that is free afterwards."""
    names = []

    def deploy(name, func, input_type="doubles", version=1, **options):
        conn = cluster.conn
        if name not in names:
            names.append(name)
            conn.register_application(name, input_type, "DEFAULT", 10000000)
        python_deployer.deploy_python_closure(
            conn, name, version, input_type, func,
            base_image=cluster.image, **options)
        if version == 1:
            conn.link_model_to_app(name, name)
        return conn

    yield deploy
    for name in names:
        cluster.conn.unregister_application(name)
    cluster.conn.stop_models(names)


def test_a_closure(serve, tmp_path, monkeypatch):
    """What it closes over, a module that it imports when it runs, and a batch
    that it changes before it fails."""
    (tmp_path / "travelling.py").write_text("from far import F\nN = F + 1\n")
    (tmp_path / "far.py").write_text("F = 41\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    table = {"offset": np.float32(0.5)}

    def predict(xs):
        from travelling import N
        xs *= 2
        if (xs < 0).any():
            raise ValueError("negative")
        return [{"sum": x.sum() + table["offset"], "n": N,
                 np.int64(1): float("nan")} for x in xs]

    conn = serve("closure", predict)
    assert outputs(conn, "closure", [[1.0, 2.0], [3.0]]) == [
        {"sum": 6.5, "n": 42, "1": None}, {"sum": 6.5, "n": 42, "1": None}]
    with Client(conn.get_query_addr()) as client:
        got = client.predict_batch("closure", [[1.5], [-1.0], [2.5]])
    assert [one.default for one in got] == [False, True, False]
    assert [got[0].output["sum"], got[2].output["sum"]] == [3.5, 5.5]


def test_a_closure_that_is_refused(serve, cluster):
    def predict(xs):
        import no_such_module
        return [no_such_module for x in xs]

    with pytest.raises(ClipperException, match="cannot be found"):
        python_deployer.deploy_python_closure(
            cluster.conn, "refused", 1, "doubles", predict)
    with pytest.raises(ClipperException, match="No module named"):
        serve("refused", predict, sample_input=[1.0], env={"PYTHONPATH": "/"})
    assert cluster.conn.get_model_info("refused", 1) is None


def test_data_frames(serve):
    def predict(xs):
        frame = pd.DataFrame({
            "tenth": np.full(len(xs), 0.1, np.float32),
            "length": [len(x) for x in xs],
            "when": pd.Timestamp(2020, 1, 2),
            "missing": [None if not len(x) else 1.5 for x in xs]})
        frame.index = range(7, 7 + len(xs))
        return frame

    row = {"tenth": 0.1, "length": 2, "when": "2020-01-02T00:00:00",
           "missing": 1.5}
    assert outputs(serve("frame", predict), "frame", [[1.0, 2.0], []]) \
        == [row, dict(row, length=0, missing=None)]
    conn = serve("series", lambda xs: pd.Series(
        [x.upper() for x in xs], index=[9] * len(xs)), "strings")
    assert outputs(conn, "series", ["a", "7"]) == ["A", 7]
    conn = serve("nested", lambda xs: [
        {"frame": pd.DataFrame({"x": x}), "sum": pd.Series(x).sum()}
        for x in xs])
    assert outputs(conn, "nested", [[1.5, 2.5]]) == [
        {"frame": [{"x": 1.5}, {"x": 2.5}], "sum": 4.0}]


def test_a_model_and_its_next_version(serve):
    """Probabilities of scikit-learn; the second version is deployed without
    switching, gets a part, all, and nothing again."""
    data, target = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=1000).fit(data, target)
    conn = serve("iris", model.predict_proba, sample_input=data[0])
    np.testing.assert_allclose(outputs(conn, "iris", data[::5]),
                               model.predict_proba(data[::5]), rtol=1e-12)
    serve("iris", lambda xs: [2] * len(xs), version=2, set_current=False)
    assert conn.get_current_model_version("iris") == "1"
    assert len(outputs(conn, "iris", [data[1]])[0]) == 3
    conn.set_model_version("iris", "2")
    assert outputs(conn, "iris", [data[2]]) == [2]
    conn.set_model_version("iris", "1")
    assert len(outputs(conn, "iris", [data[3]])[0]) == 3


def answers(conn, name, value):
    with Client(conn.get_query_addr()) as client:
        got = client.predict(name, [value])
    return not got.default and got.output == value


def test_a_function_that_hangs(serve):
    """The watchdog ends the process, and the manager starts it again."""
    def predict(xs):
        import time
        if any(x[0] < 0 for x in xs):
            time.sleep(3600)
        return [x[0] for x in xs]

    conn = serve("hangs", predict, batch_timeout="1s")
    assert answers(conn, "hangs", 1.0)
    with Client(conn.get_query_addr(), timeout=30) as client:
        assert client.predict("hangs", [-1.0]).default
    wait_until(lambda: answers(conn, "hangs", 2.0), 60)
    assert conn.get_num_replicas("hangs") == 1


def test_a_change_that_nginx_took_too_late(cluster, monkeypatch):
    """Catches a change that failed but is in force, and the next one, which
    seems to be in force because it has the same number."""
    conn = cluster.conn
    conn.register_application("first", "doubles", "DEFAULT", 100000)
    before = conn.cm.read_fragments()
    generation = conn.inspect_instance()["generation"]
    slow = conn.inspect_instance()["workers"][0]["pid"]
    cluster.signal_worker(signal.SIGSTOP, slow)
    try:
        monkeypatch.setattr(
            sys.modules[type(conn.cm).__module__], "RELOAD_TIMEOUT", 2.0)
        with pytest.raises(ClipperException, match="did not take the "
                           r"configuration within 2 seconds; its workers have "
                           rf"the generations .*{generation} \(accepting\)"):
            conn.register_application("late", "doubles", "DEFAULT", 100000)
        monkeypatch.undo()
    finally:
        cluster.signal_worker(signal.SIGCONT, slow)
    assert conn.cm.read_fragments() == before

    def status(app):
        return requests.post(
            "http://%s/%s/predict" % (conn.get_query_addr(), app),
            json={"input": [1.0]}, timeout=30).status_code

    wait_until(lambda: [status("late") for _ in range(5)] == [404] * 5, 30)
    conn.register_application("next", "doubles", "DEFAULT", 100000)
    assert [status(one) for one in ("first", "next", "late")] \
        == [200, 200, 404]
    assert int(conn.inspect_instance()["generation"]) == int(generation) + 2
    for name in ("first", "next"):
        conn.unregister_application(name)


def test_an_engine_that_answers_late():
    """Catches a change that is in force, but given up because the question
    why it is not yet took longer than the time for it."""
    workers = [{"generation": "4", "state": "accepting"}]
    manager = types.SimpleNamespace(get_status=lambda: {"workers": workers})

    def check():
        workers[0]["generation"] = "5"
        time.sleep(0.2)

    NginxCluster._wait_in_force(manager, 5, 0.1, check, "late")


def test_a_host_that_starts_again(serve, cluster, caplog):
    """`start_clipper` brings back what was there, and says so."""
    conn = serve("stays", lambda xs: [x[0] for x in xs], num_replicas=2)
    serve("other", lambda xs: ["there"] * len(xs))
    before = conn.cm.read_fragments()
    for _ in range(2):
        cluster.reboot()
        again = cluster.again()
        caplog.clear()
        with pytest.raises(ClipperException, match="It was not stopped: "
                           "start_clipper.. starts it again"):
            again.connect()
        with caplog.at_level("INFO"):
            again.start_clipper()
        assert "was not stopped: starting it again" in caplog.text
        assert "stays:1 has 2 of 2 replicas again" in caplog.text
        assert "Restored the applications other, stays and the models " \
            "other, stays" in caplog.text
        cluster.conn = again
        assert again.cm.read_fragments() == before
        assert again.get_num_replicas("stays") == 2
        assert answers(again, "stays", 3.0)
        assert outputs(again, "other", [[1.0]]) == ["there"]
    again.set_num_replicas("stays", 1)
    assert again.get_num_replicas("stays") == 1
