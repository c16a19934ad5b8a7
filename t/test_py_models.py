"""Models of small libraries, trained on real data and deployed.

Each is trained on a data set that ships with scikit-learn, and its
predictions over HTTP are compared with the library's own. Libraries that
take minutes to install are tested in `test_py_frameworks.py`.
"""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_wine

from clipper_admin import ClipperException
from clipper_admin.deployers import onnx as onnx_deployer
from clipper_admin.deployers import python as python_deployer
from harness.cluster import local_cluster, outputs, unsanitized

pytestmark = unsanitized


@pytest.fixture(scope="module")
def conn(settings, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "cluster"
    with local_cluster(settings, path, "models") as made:
        yield made


def test_xgboost(conn):
    """C26: one input in a batch, and the package named."""
    xgboost = pytest.importorskip("xgboost")
    data, target = load_breast_cancer(return_X_y=True)
    model = xgboost.XGBClassifier(n_estimators=20, n_jobs=1)
    model.fit(data, target)
    python_deployer.create_endpoint(
        conn, "xgboost", "doubles", lambda xs: model.predict(np.asarray(xs)),
        slo_micros=10000000, sample_input=data[0], batch_size=1,
        pkgs_to_install=["xgboost-cpu"])
    assert outputs(conn, "xgboost", data[:50]) \
        == model.predict(data[:50]).tolist()


def test_lightgbm(conn):
    lightgbm = pytest.importorskip("lightgbm")
    data, target = load_breast_cancer(return_X_y=True)
    model = lightgbm.LGBMClassifier(n_estimators=20, n_jobs=1, verbose=-1)
    model.fit(data, target)
    python_deployer.create_endpoint(
        conn, "lightgbm", "doubles",
        lambda xs: model.predict_proba(np.asarray(xs)),
        slo_micros=10000000, sample_input=data[0])
    np.testing.assert_array_equal(
        outputs(conn, "lightgbm", data[:50]), model.predict_proba(data[:50]))


def linear_onnx(coefficients, intercept):
    """An ONNX model of a trained linear classifier."""
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["input", "w"], ["scores"]),
         helper.make_node("Add", ["scores", "b"], ["biased"]),
         helper.make_node("ArgMax", ["biased"], ["output"], axis=1,
                          keepdims=0)],
        "linear",
        [helper.make_tensor_value_info(
            "input", onnx.TensorProto.FLOAT,
            [None, coefficients.shape[1]])],
        [helper.make_tensor_value_info(
            "output", onnx.TensorProto.INT64, [None])],
        [numpy_helper.from_array(
            coefficients.T.astype(np.float32).copy(), "w"),
         numpy_helper.from_array(intercept.astype(np.float32), "b")])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def classify(session, xs):
    return session.run(None, {"input": np.asarray(xs)})[0]


@pytest.mark.parametrize("form", ["file", "proto"])
def test_onnx(conn, tmp_path, form):
    onnxruntime = pytest.importorskip("onnxruntime")
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    data, target = load_wine(return_X_y=True)
    data = StandardScaler().fit_transform(data).astype(np.float32)
    trained = LogisticRegression().fit(data, target)
    model = linear_onnx(trained.coef_, trained.intercept_)
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    name = "onnx-" + form
    onnx_deployer.create_endpoint(
        conn, name, "floats", classify,
        str(path) if form == "file" else model,
        slo_micros=10000000, sample_input=data[0])
    expected = classify(onnxruntime.InferenceSession(str(path)), data)
    assert outputs(conn, name, data) == expected.tolist()
    assert expected.tolist() == trained.predict(data).tolist()


def test_onnx_without_a_usable_model(conn, tmp_path):
    with pytest.raises(ClipperException, match="Error reading ONNX model"):
        onnx_deployer.deploy_onnx_model(
            conn, "bad", 1, "floats", classify, str(tmp_path / "none.onnx"))
    with pytest.raises(ClipperException, match="Unknown ONNX backend"):
        onnx_deployer.deploy_pytorch_model(
            conn, "bad", 1, "floats", None, classify, None,
            onnx_backend="magic")
    pytest.importorskip("onnxruntime")
    with pytest.raises(ClipperException, match="exit code 1"):
        onnx_deployer.deploy_onnx_model(
            conn, "bad", 1, "floats", classify, b"no model")
    assert conn.get_model_info("bad", 1) is None
