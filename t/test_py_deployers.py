"""Model directories of deployers, and trial calls without a cluster."""

import importlib.metadata
import json
import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

from clipper_admin import (
    ClipperConnection,
    ClipperException,
    KubernetesContainerManager,
    LocalContainerManager,
    UnconnectedException,
    __registry__,
    __version__,
)
from clipper_admin import metrics
from clipper_admin.containers import ImageSource
from clipper_admin.deployers import mxnet, onnx, python
from clipper_admin.deployers.deployer_utils import model_directory
from clipper_admin.local import images
from clipper_admin.local.directory import ClusterDirectory
from clipper_admin.limits import memory_bytes
from clipper_container.loader import (
    NO_SAMPLE,
    ModelDirectoryError,
    digest_of,
    load,
)


def test_model_directory_holds_what_a_container_needs():
    model = np.array([1.0, 2.0])
    with model_directory(lambda xs: [x @ model for x in xs], "closure",
                         sample_input=[3.0, 4.0]) as path:
        loaded = load(path)
        assert loaded.func([np.array([1.0, 1.0])]) == [3.0]
        assert loaded.sample == [3.0, 4.0]
        assert len(loaded.digest) == 32
        with open(os.path.join(path, "clipper_model.json")) as f:
            recorded = json.load(f)
        assert recorded["python"] == "%d.%d.%d" % sys.version_info[:3]
        assert recorded["packages"]["numpy"] == np.__version__
    assert not os.path.exists(path)


def test_no_sample_is_not_none():
    with model_directory(len, "closure") as path:
        assert load(path).sample is NO_SAMPLE
    with model_directory(len, "closure", sample_input=None) as path:
        assert load(path).sample is None


def test_local_modules_travel_with_the_function(tmp_path, monkeypatch):
    (tmp_path / "helper_module_a.py").write_text(
        "import helper_module_b\n"
        "def add(x): return x + helper_module_b.ONE\n")
    (tmp_path / "helper_module_b.py").write_text("ONE = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import helper_module_a

    with model_directory(lambda xs: [helper_module_a.add(x) for x in xs],
                         "closure") as path:
        program = ("from clipper_container.loader import load; "
                   "print(load(%r).func([1, 2]))" % path)
        done = subprocess.run([sys.executable, "-c", program], cwd="/",
                              capture_output=True, text=True)
    assert done.stdout == "[2, 3]\n", done.stderr


def test_modules_by_name():
    with model_directory(len, "closure", modules=["json", json]):
        pass
    with pytest.raises(ClipperException, match="no_such"):
        with model_directory(len, "closure", modules=["no_such"]):
            pass


def test_a_function_that_cannot_be_pickled():
    lock = threading.Lock()
    with pytest.raises(ClipperException, match="cannot be pickled"):
        with model_directory(lambda xs: lock, "closure"):
            pass


def test_digest_tells_contents_apart(tmp_path):
    (tmp_path / "a").write_text("1")
    first = digest_of(str(tmp_path))
    assert digest_of(str(tmp_path)) == first
    (tmp_path / "a").write_text("2")
    second = digest_of(str(tmp_path))
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({first, second, digest_of(str(tmp_path))}) == 3


def test_unusable_model_directories(tmp_path):
    with pytest.raises(ModelDirectoryError, match="no model directory"):
        load(str(tmp_path / "none"))
    (tmp_path / "clipper_model.json").write_text('{"kind": "magic"}')
    with pytest.raises(ModelDirectoryError, match="magic"):
        load(str(tmp_path))


def test_images(tmp_path):
    directory = ClusterDirectory(str(tmp_path / "cluster"))
    with model_directory(len, "closure") as path:
        source = ImageSource("m", "1", path, "clipper/x:1")
        assert images.build(directory, "c", source) == "c-m:1"
        images.build(directory, "c", source._replace(packages=["numpy"]))
    built = images.find(directory, "c-m:1")
    assert load(built).func is len
    assert os.listdir(directory.file("images")) == ["c-m@1"]
    assert load(images.find(directory, built)).func is len
    noop = images.find(directory, "clipper/noop-container:develop")
    assert load(noop).func([1, 2]) == ["1.0", "1.0"]
    total = images.find(directory, "sum-container")
    assert load(total).func([np.ones(3)]) == ["3.0"]
    assert load(total).func(["four"]) == ["4.0"]
    with pytest.raises(ClipperException, match="No image other"):
        images.find(directory, "other:1")


def test_a_model_of_another_python_is_refused_with_both_versions(tmp_path):
    (tmp_path / "clipper_model.json").write_text('{"python": "3.1.4"}')
    (tmp_path / "func.pkl").write_bytes(pickle.dumps(len))
    here = "%d.%d" % sys.version_info[:2]
    with pytest.raises(ClipperException, match="3.1.4.*" + here):
        images.build(ClusterDirectory(str(tmp_path / "c")), "c",
                     ImageSource("m", "1", str(tmp_path), "x"))


def test_other_versions_of_packages_are_refused(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "func.pkl").write_bytes(pickle.dumps(len))

    def record(**packages):
        (path / "clipper_model.json").write_text(
            json.dumps({"packages": packages}))

    def build():
        images.build(ClusterDirectory(str(tmp_path / "c")), "c",
                     ImageSource("m", "1", str(path), "x"))

    series = ".".join(np.__version__.split(".")[:2])
    # A different third number is the same package, and a missing package is
    # reported by the import that needs it.
    record(numpy=series + ".999", cloudpickle="0.1", nowhere="1.0")
    build()
    record(numpy="0.9.1")
    with pytest.raises(ClipperException) as error:
        build()
    assert "saved with numpy 0.9.1, this container has %s" \
        % np.__version__ in str(error.value)
    assert 'pkgs_to_install=["numpy==0.9.1"]' in str(error.value)
    # Packages in the model directory come first.
    beside = path / "site-packages" / "numpy-0.9.1.dist-info"
    beside.mkdir(parents=True)
    (beside / "METADATA").write_text("Name: numpy\nVersion: 0.9.1\n")
    build()


def test_requirements_that_are_met():
    assert images.is_met("numpy")
    assert images.is_met("numpy==" + np.__version__)
    assert not images.is_met("numpy==0.1")
    assert not images.is_met("no-such-package-here")
    assert images.is_met("numpy>=1")


def test_a_requirement_that_does_not_exist(tmp_path):
    with pytest.raises(ClipperException, match="Could not install") as error:
        images.install([str(tmp_path / "missing.whl")], str(tmp_path / "t"))
    assert "missing.whl" in str(error.value)


@pytest.mark.parametrize("given, got", [
    (5, 5), ("512m", 512 << 20), ("2g", 2 << 30), ("7", 7), ("1K", 1024)])
def test_memory(given, got):
    assert memory_bytes(given) == got


def test_memory_that_is_none():
    for wrong in ("much", "1.5g", "", True):
        with pytest.raises(ClipperException):
            memory_bytes(wrong)


class Recorder:
    """A connection that records the calls of a deployer, and may fail."""

    def __init__(self, failure=None):
        self.failure = failure
        self.calls = []

    def __getattr__(self, name):
        return lambda *args, **kwargs: self.calls.append((name, *args))

    def build_and_deploy_model(self, name, version, input_type, path, image,
                               *args, **options):
        with open(os.path.join(path, "clipper_model.json")) as f:
            self.recorded = json.load(f)
        self.calls.append(("deploy", name, version, image, options))
        if self.failure:
            raise self.failure


def test_what_runs_a_model_is_recorded():
    """Catches a library whose version is not compared."""
    conn = Recorder()
    onnx.create_endpoint(conn, "m", "floats", lambda session, xs: [],
                         b"model", version=2, env={"A": "b"})
    assert [one[0] for one in conn.calls] == [
        "register_application", "deploy", "link_model_to_app"]
    image = "%s/onnx-container:%s" % (__registry__, __version__)
    assert conn.calls[1] == ("deploy", "m", 2, image, {"env": {"A": "b"}})
    assert conn.recorded["kind"] == "onnx"
    assert conn.recorded["packages"]["onnxruntime"] \
        == importlib.metadata.version("onnxruntime")


def test_an_endpoint_that_fails_leaves_no_application():
    conn = Recorder(failure=ClipperException("no"))
    with pytest.raises(ClipperException, match="no"):
        python.create_endpoint(conn, "m", "floats", len)
    assert [one[0] for one in conn.calls] == [
        "register_application", "deploy", "unregister_application"]


def test_mxnet_says_that_it_is_retired():
    with pytest.raises(ClipperException, match="retired"):
        mxnet.deploy_mxnet_model(None, "m", 1, "doubles", None, None, None)


def test_kubernetes_says_what_there_is():
    with pytest.raises(ClipperException, match="cannot run a cluster on Kub"):
        KubernetesContainerManager("c", useInternalIP=True)


# ClipperConnection without a cluster.


@pytest.fixture
def unconnected(tmp_path):
    return ClipperConnection(
        LocalContainerManager("c", state_dir=str(tmp_path / "c")))


@pytest.mark.parametrize("method, args", [
    ("register_application", ("a", "doubles", "0", 1000)),
    ("unregister_application", ("a",)), ("delete_application", ("a",)),
    ("link_model_to_app", ("a", "m")), ("unlink_model_from_app", ("a", "m")),
    ("deploy_model", ("m", 1, "doubles", "i")),
    ("build_and_deploy_model", ("m", 1, "doubles", "/p", "i")),
    ("register_model", ("m", 1, "doubles")), ("set_model_version", ("m", 1)),
    ("get_current_model_version", ("m",)), ("get_num_replicas", ("m",)),
    ("set_num_replicas", ("m", 1)), ("get_all_apps", ()),
    ("get_all_models", ()), ("get_all_model_replicas", ()),
    ("get_app_info", ("a",)), ("get_model_info", ("m", 1)),
    ("get_model_replica_info", ("m", 1, 0)), ("get_linked_models", ("a",)),
    ("get_clipper_logs", ()), ("inspect_instance", ()),
    ("get_query_addr", ()), ("get_metric_addr", ()), ("stop_models", ([],)),
    ("stop_versioned_models", ({},)), ("stop_inactive_model_versions", ([],)),
    ("stop_all_model_containers", ()),
])
def test_methods_need_a_connection(unconnected, method, args):
    with pytest.raises(UnconnectedException, match="No connection to Clipper"):
        getattr(unconnected, method)(*args)


def test_connect_without_a_cluster(unconnected):
    with pytest.raises(ClipperException, match="No running cluster c"):
        unconnected.connect()
    unconnected.stop_all()


@pytest.mark.parametrize("name", ["A", "a.b", "a_b", "-a", "a-", "", "é"])
def test_names_of_containers(unconnected, name, tmp_path):
    for args in ((name, "1"), ("ok", name)):
        with pytest.raises(ClipperException, match="^Invalid value: .*: a "
                           "model (name|version) must be a valid DNS-1123"):
            unconnected.build_model(*args, str(tmp_path), "i")


def test_build_model_needs_no_connection(unconnected, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "func.pkl").write_bytes(pickle.dumps(len))
    assert unconnected.build_model("m", 1, str(model), "i") == "c-m:1"


def test_python_closure_of_one_input_type_each(unconnected):
    def predict(query, func, input_type):
        return unconnected.test_predict_function(query, func, input_type)

    def kinds(xs):
        return [(str(x.dtype), x.tolist()) for x in xs]

    assert predict({"input": [1, 2]}, kinds, "ints") == [("int32", [1, 2])]
    assert predict({"input": [1, 2]}, kinds, "integers") \
        == [("int32", [1, 2])]
    assert predict({"input": [1.5]}, kinds, "floats") == [("float32", [1.5])]
    assert predict({"input_batch": [[1.5], [2.0, 3.0]]}, kinds, "doubles") \
        == [("float64", [1.5]), ("float64", [2.0, 3.0])]
    assert predict({"input": b"\x01\xff"}, kinds, "bytes") \
        == [("int8", [1, -1])]
    assert predict({"input": [b"\x01", b"\x02"]}, kinds, "bytes") \
        == [("int8", [1, 2])]
    for name in ("strings", "string", "str"):
        assert predict({"input_batch": ["a", "bc"]},
                       lambda xs: [len(x) for x in xs], name) == [1, 2]


@pytest.mark.parametrize("query, kind, text", [
    ({"input": [1.5]}, "ints", "Invalid input type"),
    ({"input": ["a"]}, "doubles", "Invalid input type"),
    ({"input": "a"}, "doubles", "Invalid input type"),
    ({"input": [True]}, "ints", "Invalid input type"),
    ({"input": 5}, "strings", "Invalid input type"),
    ({"input": "a"}, "bytes", "Invalid input type"),
    ({"input": [1.5]}, "complex", "Invalid input type"),
    ({"input": 5}, "doubles", "Invalid input type or JSON key"),
    ({"input_batch": 5}, "strings", "Invalid input type or JSON key"),
    ({}, "strings", "Invalid input type or JSON key"),
])
def test_trial_of_what_does_not_fit(unconnected, query, kind, text):
    assert unconnected.test_predict_function(query, len, kind) == text


def test_trial_pickles_the_function(unconnected):
    calls = []
    assert unconnected.test_predict_function(
        {"input": [1.0]}, lambda xs: calls.append(1) or ["x"], "d") == ["x"]
    assert calls == []


# Metrics of a model.


def test_metrics():
    metrics.add_metric("t_gauge", "Gauge", "a\nb")
    metrics.add_metric("t_histogram", "Histogram", "h", [1, 2])
    metrics.add_metric("t_counter", "Counter", "c")
    metrics.add_metric("t_counter", "Gauge", "ignored")
    metrics.report_metric("t_gauge", 3)
    metrics.report_metric("t_counter", 2)
    metrics.report_metric("t_counter", 2)
    for value in (0.5, 1.5, 9):
        metrics.report_metric("t_histogram", value)
    text = metrics.exposition()
    assert "# HELP t_gauge a\\nb\n# TYPE t_gauge gauge\nt_gauge 3.0\n" in text
    assert "t_counter_total 4.0\n" in text
    assert ('t_histogram_bucket{le="1.0"} 1.0\n'
            't_histogram_bucket{le="2.0"} 2.0\n'
            't_histogram_bucket{le="+Inf"} 3.0\n'
            "t_histogram_count 3.0\nt_histogram_sum 11.0\n") in text
    with pytest.raises(ClipperException):
        metrics.add_metric("x", "Meter", "")
    with pytest.raises(ClipperException):
        metrics.report_metric("unknown", 1)
    with pytest.raises(ClipperException):
        metrics.report_metric("t_counter", -1)
