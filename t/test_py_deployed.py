"""Models with containers, through ClipperConnection on a local cluster:
deployed, scaled, stopped, and deployments that fail."""

import os
import threading
import time

import pytest

from clipper_admin import ClipperException
from clipper_admin.client import Client
from clipper_admin.deployers import python as python_deployer
from clipper_admin.docker import find_unbound_port
from harness import seed
from harness.cluster import unsanitized
from harness.local import deploy, post, predict, refused
from harness.util import wait_until

pytestmark = unsanitized


def test_the_seed_program(settings, tmp_path):
    """Clipper's own quickstart; only the manager is another."""
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
