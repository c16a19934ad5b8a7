"""ClipperConnection on a local cluster, against the real server."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

from clipper_admin import (
    ClipperConnection,
    ClipperException,
    LocalContainerManager,
)
from clipper_admin.client import Client
from clipper_admin.deployers import python as python_deployer
from clipper_admin.docker import find_unbound_port
from harness import seed
from harness.cluster import check_that_no_change_is_lost, local_manager
from harness.util import session_pids, wait_until

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("CLIPPER_TEST_SANITIZER")),
    reason="the package starts nginx without the sanitizers' libraries")


@pytest.fixture(scope="module")
def make_cluster(settings, tmp_path_factory):
    """Makes managers of clusters; ends and checks all of them."""
    made = []

    def make(name="test", path=None, **kwargs):
        path = path or str(tmp_path_factory.mktemp("cluster") / name)
        manager = local_manager(settings, path, name, **kwargs)
        made.append(manager)
        return manager

    yield make
    for manager in made:
        manager.stop_all()
        log = manager.directory.file("logs", "error.log")
        if os.path.exists(log):
            with open(log, encoding="utf-8", errors="replace") as f:
                assert not re.findall(
                    r".*\[(?:alert|emerg|crit)\].*", f.read())


@pytest.fixture(scope="module")
def shared(make_cluster):
    conn = ClipperConnection(make_cluster())
    conn.start_clipper()
    return conn


@pytest.fixture
def conn(shared):
    """A connection to a cluster with nothing in it."""
    yield shared
    if shared.get_all_apps() or shared.get_all_models():
        shared._change(
            lambda catalog: (catalog.applications.clear(),
                             catalog.models.clear()))
    shared.cm.stop_all_model_containers()


def post(conn, path, body):
    """(status, answer) of a query."""
    request = urllib.request.Request(
        "http://%s%s" % (conn.get_query_addr(), path),
        json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def predict(conn, app, value, **more):
    status, answer = post(conn, "/%s/predict" % app, dict(more, input=value))
    assert status == 200, answer
    return answer


def deploy(conn, name, version, func, kind="doubles", **kwargs):
    python_deployer.deploy_python_closure(
        conn, name, version, kind, func, **kwargs)


def refused(text):
    return pytest.raises(ClipperException, match=re.escape(text))


# Applications, models and links without containers.


def test_applications(conn):
    assert conn.get_all_apps() == []
    conn.register_application("a", "integers", '{"x": "y;z"}', 20000)
    assert conn.get_all_apps() == ["a"]
    info = {"name": "a", "input_type": "integers", "linked_models": [],
            "default_output": '{"x": "y;z"}', "latency_slo_micros": 20000}
    assert conn.get_app_info("a") == info
    assert conn.get_all_apps(verbose=True) == [info]
    assert conn.get_app_info("b") is None
    assert conn.get_linked_models("a") == []
    answer = predict(conn, "a", [1])
    assert answer["default"] and answer["output"] == {"x": "y;z"}
    assert answer["default_explanation"] \
        == "No connected models found for query"
    with refused("Received error status code: 400 and message: application "
                 "'a' already exists"):
        conn.register_application("a", "ints", "0", 20000)
    conn.unregister_application("a")
    assert conn.get_all_apps() == []
    assert post(conn, "/a/predict", {"input": [1]})[0] == 404
    # The second life has nothing of the first.
    conn.register_application("a", "strings", "0", 30000)
    assert predict(conn, "a", "text")["output"] == 0
    with refused("Application 'b' does not exist"):
        conn.unregister_application("b")


@pytest.mark.parametrize("text", [
    "", "-1.0", 'q"uo\'te', "back\\slash\\n", "a;b{c}d#e $f ${g}",
    "line\nfeed\ttab\rreturn", "é ☃", "  blanks  "])
def test_any_default_reaches_the_client(conn, text):
    conn.register_application("a", "doubles", text, 20000)
    expected = text
    try:
        expected = json.loads(text)
    except ValueError:
        pass
    assert predict(conn, "a", [1.0])["output"] == expected
    assert conn.get_app_info("a")["default_output"] == text


def test_models_and_links(conn):
    conn.register_application("a", "doubles", "0", 100000)
    with refused("No model with name 'm' exists."):
        conn.link_model_to_app("a", "m")
    conn.register_model("m", "v1", "doubles")
    conn.register_model("m", 2, "double", labels=["x y"], batch_size=7)
    assert conn.get_all_models() == ["m:v1", "m:2"]
    assert conn.get_model_info("m", "v1")["is_current_version"] is False
    assert conn.get_model_info("m", 2) == {
        "model_name": "m", "model_version": "2", "input_type": "doubles",
        "labels": ["x y"], "container_name": "NO_CONTAINER",
        "model_data_path": "DEPRECATED", "is_current_version": True,
        "batch_size": 7}
    assert conn.get_model_info("m", 3) is None
    assert conn.get_current_model_version("m") == "2"
    conn.set_model_version("m", "v1")
    assert conn.get_model_info("m", "v1")["is_current_version"] is True
    assert conn.get_current_model_version("m") == "v1"
    with refused("No versions of model x registered with Clipper"):
        conn.get_current_model_version("x")
    conn.link_model_to_app("a", "m")
    assert conn.get_linked_models("a") == ["m"]
    with refused("The model with name 'm' is already linked to 'a'"):
        conn.link_model_to_app("a", "m")
    conn.unlink_model_from_app("a", "m")
    assert conn.get_linked_models("a") == []
    with refused("No application with name 'x' exists."):
        conn.get_linked_models("x")
    with refused("containerless model"):
        conn.set_num_replicas("m", 2)
    with refused("Cannot add container for non-registered model x:1"):
        conn.set_num_replicas("x", 2, 1)
    assert conn.get_num_replicas("m") == 0
    assert conn.get_all_model_replicas() == []


def test_status_shows_what_was_registered(conn):
    conn.register_application("a", "doubles", "0", 100000)
    conn.register_model("m", 1, "doubles", image="img", labels=["l", "k"])
    status = conn.inspect_instance()
    assert [one["name"] for one in status["applications"]] == ["a"]
    with urllib.request.urlopen(
            "http://%s/metrics" % conn.get_metric_addr()) as answer:
        assert b"# TYPE clipper_queries_total counter" in answer.read()
    model, = [one for one in status["models"] if one["declared"]]
    assert (model["name"], model["version"], model["current"],
            model["label"], model["image"]) == ("m", "1", True, "l,k", "img")


def test_a_refused_change_changes_nothing(conn):
    conn.register_application("a", "doubles", "0", 100000)
    before = conn.cm.read_fragments()
    generation = conn.inspect_instance()["generation"]
    with refused("nginx refuses the configuration") as caught:
        conn.register_application("b", "doubles", "x" * 10000, 100000)
    assert "apps/b.conf:" in str(caught.value)
    with refused('nginx refuses the configuration: invalid time "a;b"'):
        conn.deploy_model("m", 1, "doubles", "noop-container", num_replicas=0,
                          batch_wait="a;b")
    assert conn.cm.read_fragments() == before
    assert conn.inspect_instance()["generation"] == generation
    assert conn.get_all_apps() == ["a"] and conn.get_all_models() == []
    conn.register_application("c", "doubles", "0", 100000)
    assert predict(conn, "c", [1.0])["default"]


# Models with containers.


def test_the_seed_program(settings, tmp_path):
    """Clipper's own quickstart, with nothing changed but the manager."""
    if not all(find_unbound_port(one) == one for one in seed.PORTS):
        pytest.skip("somebody uses Clipper's ports")
    env = dict(os.environ, XDG_STATE_HOME=str(tmp_path),
               CLIPPER_NGINX=settings.nginx,
               CLIPPER_NGINX_MODULE=str(settings.module))
    seed.run("LocalContainerManager", env)
    assert sorted(os.listdir(tmp_path / "clipper/default-cluster")) \
        == ["locks", "logs", "supervisor.lock"]


def test_hello_world(conn):
    def feature_sum(xs):
        return [str(sum(x)) for x in xs]

    conn.register_application(
        name="hello-world", input_type="doubles", default_output="-1.0",
        slo_micros=5000000)
    deploy(conn, "sum-model", 1, feature_sum)
    assert conn.get_all_model_replicas() != []
    conn.link_model_to_app("hello-world", "sum-model")
    status, answer = post(conn, "/hello-world/predict/",
                          {"input": [1.1, 2.2, 3.3]})
    assert status == 200 and not answer["default"]
    local = conn.test_predict_function(
        {"input": [1.1, 2.2, 3.3]}, feature_sum, "doubles")
    assert answer["output"] == float(local[0])
    _, answer = post(conn, "/hello-world/predict",
                     {"input_batch": [[1.0, 2.0], [3.0]]})
    assert [one["output"] for one in answer["batch_predictions"]] == [3, 3]


@pytest.mark.parametrize("kind, value, func, output", [
    ("bytes", "AP8=", lambda xs: [str(x.dtype) + str(x.tolist())
                                  for x in xs], "int8[0, -1]"),
    ("ints", [1, -2], lambda xs: [str(x.dtype) for x in xs], "int32"),
    ("floats", [0.5], lambda xs: xs.sum(axis=1), 0.5),
    ("doubles", [], lambda xs: [x.shape[0] for x in xs], 0),
    ("strings", "hé", lambda xs: [{"s": x + "!"} for x in xs],
     {"s": "hé!"}),
])
def test_input_types(conn, kind, value, func, output):
    python_deployer.create_endpoint(
        conn, "endpoint", kind, func, slo_micros=5000000)
    assert conn.get_linked_models("endpoint") == ["endpoint"]
    assert conn.get_model_info("endpoint", 1)["is_current_version"]
    answer = predict(conn, "endpoint", value)
    assert (answer["output"], answer["default"]) == (output, False)


def test_versions(conn):
    conn.register_application("a", "doubles", "0", 5000000)
    deploy(conn, "m", "v1", lambda xs: ["1"] * len(xs))
    conn.link_model_to_app("a", "m")
    deploy(conn, "m", "v2", lambda xs: ["2"] * len(xs))
    assert predict(conn, "a", [1.0], version="v1")["output"] == 1
    assert predict(conn, "a", [1.0])["output"] == 2
    status, answer = post(conn, "/a/predict",
                          {"input": [1.0], "version": "v9"})
    assert status == 400 and answer["cause"] \
        == "Requested version: v9 does not exist for model: m"
    conn.set_model_version("m", "v1", num_replicas=2)
    assert predict(conn, "a", [1.0])["output"] == 1
    assert conn.get_num_replicas("m", "v1") == 2
    # Without its current version a model answers nothing new by itself.
    conn.stop_versioned_models({"m": ["v1"]})
    assert predict(conn, "a", [3.0])["default"]
    conn.set_model_version("m", "v2")
    assert predict(conn, "a", [1.0])["output"] == 2


def test_replicas_up_and_down(conn):
    conn.register_application("a", "doubles", "0", 5000000)
    deploy(conn, "m", 1, lambda xs: [str(len(x)) for x in xs])
    conn.link_model_to_app("a", "m")
    first = conn.cm.replicas.of("m", "1")[0]["pid"]
    conn.set_num_replicas("m", 3)
    assert conn.get_num_replicas("m") == 3
    assert len(conn.get_all_model_replicas()) == 3
    conn.set_num_replicas("m", 1, version=1)
    assert conn.get_num_replicas("m", 1) == 1
    # The newest go first.
    assert [one["pid"] for one in conn.cm.replicas.of("m", "1")] == [first]
    replica, = conn.get_all_model_replicas(verbose=True)
    assert replica["model_id"] == "m:1"
    assert replica["input_type"] == "doubles"
    assert conn.get_model_replica_info(
        "m", 1, replica["model_replica_id"]) == replica
    assert conn.get_model_replica_info("m", 1, 10**6) is None
    assert not predict(conn, "a", [1.5])["default"]
    conn.set_num_replicas("m", 0)
    answer = predict(conn, "a", [2.5])
    assert answer["default_explanation"] \
        == "No connected models found for query"
    with refused("must be 0 or more"):
        conn.set_num_replicas("m", -1)


def test_stopping_models(conn):
    for name in ("m", "n"):
        for version in (1, 2):
            conn.deploy_model(name, version, "doubles", "noop-container")
    conn.stop_inactive_model_versions(["m"])
    assert conn.get_all_models() == ["m:2", "n:1", "n:2"]
    assert len(conn.get_all_model_replicas()) == 3
    conn.stop_models(["m"])
    conn.stop_versioned_models({"n": [1]})
    assert conn.get_all_models() == ["n:2"]
    assert [one.rpartition(":")[0]
            for one in conn.get_all_model_replicas()] == ["n:2"]
    conn.stop_all_model_containers()
    assert conn.get_all_models() == []
    assert conn.get_all_model_replicas() == []


def test_bench_images(conn, tmp_path):
    (tmp_path / "data").write_text("x")
    conn.build_and_deploy_model(
        "noop", 1, "doubles", str(tmp_path), "clipper/noop-container:develop")
    assert conn.get_model_info("noop", 1)["container_name"] == "test-noop:1"
    assert conn.get_num_replicas("noop") == 1
    python = conn.cm.replicas.of("noop", "1")
    assert len(python) == 1


def test_fixed_batch_size(conn):
    def sizes(xs):
        import time
        time.sleep(0.05)
        return [len(xs)] * len(xs)

    conn.register_application("a", "doubles", "0", 30000000)
    deploy(conn, "m", 1, sizes, batch_size=9)
    conn.link_model_to_app("a", "m")
    _, answer = post(conn, "/a/predict", {
        "input_batch": [[float(i)] for i in range(180)]})
    outputs = [one["output"] for one in answer["batch_predictions"]]
    assert len(outputs) == 180 and max(outputs) == 9
    assert outputs.count(9) >= 0.7 * 180


def test_one_bad_input_costs_one_default(conn):
    def fussy(xs):
        if min(x[0] for x in xs) < 0:
            raise ValueError("negative")
        return [x[0] for x in xs]

    conn.register_application("a", "doubles", '"none"', 5000000)
    deploy(conn, "m", 1, fussy)
    conn.link_model_to_app("a", "m")
    _, answer = post(conn, "/a/predict",
                     {"input_batch": [[1.0], [-1.0], [2.0]]})
    assert [(one["output"], one["default"])
            for one in answer["batch_predictions"]] \
        == [(1.0, False), ("none", True), (2.0, False)]
    assert conn.cm.replicas.of("m", "1")[0]["starts"] == 1


def test_options_reach_the_container(conn):
    def settings(xs):
        import os
        import resource
        return [[os.environ["X"], os.environ["OMP_NUM_THREADS"],
                 resource.getrlimit(resource.RLIMIT_AS)[0]]] * len(xs)

    conn.register_application("a", "doubles", "0", 5000000)
    deploy(conn, "m", 1, settings, env={"X": "y"}, cpus=3, memory="8g",
           batch_wait="1ms", queue=5000, hedge="off", replica_timeout="20s")
    conn.link_model_to_app("a", "m")
    assert predict(conn, "a", [1.0])["output"] == ["y", "3", 8 << 30]
    fragment = conn.cm.read_fragments()["models/m.conf"]
    assert "queue 5000;" in fragment and "batch_wait 1ms;" in fragment
    with pytest.raises(TypeError, match="speed"):
        deploy(conn, "m", 2, settings, speed="high")


def test_scikit_learn(conn):
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier

    data, target = load_iris(return_X_y=True)
    model = RandomForestClassifier(10, random_state=0).fit(data, target)
    python_deployer.create_endpoint(
        conn, "iris", "doubles", lambda xs: model.predict(xs),
        slo_micros=5000000, sample_input=data[0], pkgs_to_install=["numpy"])
    with Client(conn.get_query_addr(), raise_on_default=True) as client:
        answers = client.predict_batch("iris", data)
    assert [one.output for one in answers] == model.predict(data).tolist()


# Deployments that fail.


def raises(xs):
    raise RuntimeError("broken on purpose")


@pytest.mark.parametrize("func, texts", [
    (raises, ["exit code 4", "RuntimeError: broken on purpose"]),
    (lambda xs: ["a", "b"], ["exit code 4", "2 outputs for 1 inputs"]),
])
def test_a_failing_sample_fails_the_deployment(conn, func, texts):
    before = conn.cm.read_fragments()
    started = time.monotonic()
    with pytest.raises(ClipperException) as caught:
        deploy(conn, "m", 1, func, sample_input=[1.0], num_replicas=2)
    assert time.monotonic() - started < 10
    for text in texts:
        assert text in str(caught.value)
    assert conn.cm.read_fragments() == before
    assert conn.cm.replicas.of("m", "1") == []
    # The version is free for another try.
    deploy(conn, "m", 1, lambda xs: ["x"] * len(xs), sample_input=[1.0])
    assert conn.get_all_models() == ["m:1"]


def test_a_container_that_is_stopped_while_it_loads(conn):
    def load():
        import time
        time.sleep(60)

    class Slow:
        """Takes a minute to be unpickled."""

        def __reduce__(self):
            return load, ()

    slow = Slow()
    errors = []

    def attempt():
        try:
            deploy(conn, "slow", 1, lambda xs: slow)
        except ClipperException as error:
            errors.append(str(error))

    thread = threading.Thread(target=attempt)
    thread.start()
    wait_until(lambda: conn.cm.replicas.of("slow", "1"))
    conn.stop_all_model_containers()
    thread.join(20)
    assert errors == [
        "A container of slow:1 was stopped before it was ready"]
    assert conn.get_all_models() == []


def test_a_missing_module_fails_the_deployment(conn, tmp_path):
    (tmp_path / "func.pkl").write_bytes(b"cno_such_module_here\nf\n.")
    with pytest.raises(ClipperException) as caught:
        conn.build_and_deploy_model(
            "m", 1, "doubles", str(tmp_path), "python-closure-container")
    for text in ("exit code 3", "no_such_module_here", "pkgs_to_install"):
        assert text in str(caught.value)
    assert conn.get_all_models() == []


def test_what_is_checked_before_anything_starts(conn):
    conn.register_application("a", "ints", "0", 100000)
    conn.register_model("m", 1, "ints")
    conn.link_model_to_app("a", "m")
    with refused("model with name 'm' and version '1' already exists"):
        deploy(conn, "m", 1, len, kind="ints")
    with refused("is already linked to app 'a' using input type 'integers'"):
        deploy(conn, "m", 2, len)
    with refused("The batch size must be positive"):
        deploy(conn, "m", 2, len, kind="ints", batch_size=0)
    with refused("Contains one of: ',', ':'"):
        deploy(conn, "m", 2, len, kind="ints", labels=["a:b"])
    with refused("Invalid value: M"):
        deploy(conn, "M", 2, len)
    with refused("No image nothing"):
        conn.deploy_model("m", 2, "ints", "nothing")
    assert conn.get_all_models() == ["m:1"]


# The cluster itself.


def test_what_dies_comes_back(conn):
    conn.register_application("a", "doubles", "0", 5000000)
    deploy(conn, "m", 1, lambda xs: [str(x[0]) for x in xs])
    conn.link_model_to_app("a", "m")
    os.kill(conn.cm.replicas.of("m", "1")[0]["pid"], signal.SIGKILL)
    wait_until(lambda: predict(conn, "a", [1.5])["default"] is False)
    from clipper_admin.local.control import ask
    path = conn.cm.directory.path
    pid = ask(path, "state")["nginx"]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: ask(path, "state")["nginx"]["pid"] not in (pid, None))
    wait_until(lambda: predict(conn, "a", [2.5])["default"] is False)


def test_nothing_of_a_cluster_is_left(make_cluster, caplog):
    manager = make_cluster("gone")
    conn = ClipperConnection(manager)
    conn.start_clipper(cache_size=0)
    conn.deploy_model("m", 1, "doubles", "noop-container", num_replicas=2)
    from clipper_admin.local.control import ask
    session = ask(manager.directory.path, "state")["pid"]
    assert len(session_pids(session)) >= 5
    conn.stop_all()
    assert session_pids(session) == []
    assert not conn.connected
    assert sorted(os.listdir(manager.directory.path)) \
        == ["locks", "logs", "supervisor.lock"]
    # Again, with nothing left from before, and with what has no use now.
    with caplog.at_level("WARNING"):
        conn.start_clipper(mgmt_frontend_image="clipper/old:1",
                           qf_http_thread_pool_size=4)
    assert "clipper/old:1 is not used: nginx's configuration" in caplog.text
    assert "qf_http_thread_pool_size=4 is not used: nginx"  in caplog.text
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
    # The same ports are wanted: the second takes the next free ones.
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


def test_a_cluster_that_has_gone(make_cluster):
    from clipper_admin.local.control import ask
    manager = make_cluster("dead")
    conn = ClipperConnection(manager)
    conn.start_clipper()
    conn.deploy_model("m", 1, "doubles", "noop-container")
    session = ask(manager.directory.path, "state")["pid"]
    os.kill(session, signal.SIGKILL)
    wait_until(lambda: len(session_pids(session)) == 0)
    for call in (conn.inspect_instance, lambda: conn.get_num_replicas("m"),
                 lambda: conn.register_application("a", "d", "0", 1000)):
        with pytest.raises(ClipperException, match="does not (run|answer)"):
            call()
    # What it has left is no obstacle.
    conn.start_clipper()
    assert conn.get_all_models() == []
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
