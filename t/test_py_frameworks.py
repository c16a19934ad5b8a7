"""Models of PyTorch, TensorFlow, Keras and Spark, trained and deployed.

`make test-models` runs this in an environment that has them; elsewhere it is
skipped. Each model is trained on a data set that ships with scikit-learn,
and its predictions over HTTP are compared with the library's own. The
containers of earlier tests are stopped first: each holds a whole library.
"""

import json
import os
import sys
import time

import numpy as np
import pytest

from clipper_admin import ClipperException
from clipper_admin.client import Client
from clipper_admin.deployers import keras as keras_deployer
from clipper_admin.deployers import onnx as onnx_deployer
from clipper_admin.deployers import pyspark as pyspark_deployer
from clipper_admin.deployers import pytorch as pytorch_deployer
from clipper_admin.deployers import tensorflow as tensorflow_deployer
from harness.cluster import local_cluster, outputs
from harness.util import session_pids, wait_until

pytestmark = [
    pytest.mark.skipif(not os.environ.get("CLIPPER_TEST_MODELS"),
                       reason="make test-models"),
    pytest.mark.timeout(580),
]

#: Seconds for the first answer of a library that compiles at its first call.
SLO = 20000000


@pytest.fixture(scope="module")
def shared(settings, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "cluster"
    with local_cluster(settings, path, "models") as made:
        yield made


@pytest.fixture
def conn(shared):
    yield shared
    shared.stop_all_model_containers()
    for name in shared.get_all_apps():
        shared.unregister_application(name)


@pytest.fixture(scope="module")
def wine():
    """178 wines of three kinds: standardized float32 (178 x 13), kinds."""
    from sklearn.datasets import load_wine

    data, target = load_wine(return_X_y=True)
    data = (data - data.mean(0)) / data.std(0)
    return data.astype(np.float32), target.astype(np.int32)


# PyTorch.


@pytest.fixture(scope="module")
def torch_model(wine):
    import torch

    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(13, 16), torch.nn.ReLU(), torch.nn.Dropout(0.5),
        torch.nn.Linear(16, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    inputs, labels = torch.tensor(wine[0]), torch.tensor(wine[1]).long()
    for _ in range(50):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
    # Dropout works: the container must switch it off.
    return model.train()


def classify_torch(model, xs):
    import torch

    with torch.no_grad():
        return model(torch.tensor(np.asarray(xs))).argmax(1).tolist()


def test_pytorch(conn, wine, torch_model):
    data, target = wine
    pytorch_deployer.create_endpoint(
        conn, "torch", "floats", classify_torch, torch_model,
        slo_micros=SLO, sample_input=data[0])
    assert conn.get_linked_models("torch") == ["torch"]
    got = outputs(conn, "torch", data)
    assert got == classify_torch(torch_model.eval(), data)
    assert np.mean(got == target) > 0.95


def test_pytorch_by_onnx(conn, wine, torch_model):
    import torch

    data, _ = wine
    onnx_deployer.create_pytorch_endpoint(
        conn, "by-onnx", "floats", torch.tensor(data[:1]),
        lambda session, xs: session.run(
            None, {"input": np.asarray(xs)})[0].argmax(1),
        torch_model.eval(), slo_micros=SLO, sample_input=data[0])
    assert outputs(conn, "by-onnx", data) == classify_torch(torch_model, data)


def test_pytorch_errors_of_saving_only(conn, wine, torch_model):
    """Catches an error of the deployment that is reported as one of saving."""
    with pytest.raises(ClipperException, match="Error saving torch model"):
        pytorch_deployer.deploy_pytorch_model(
            conn, "bad", 1, "floats", classify_torch, object())

    def fails(model, xs):
        raise RuntimeError("broken on purpose")

    with pytest.raises(ClipperException, match="broken on purpose") as caught:
        pytorch_deployer.create_endpoint(
            conn, "bad", "floats", fails, torch_model,
            sample_input=wine[0][0])
    assert "saving" not in str(caught.value)
    assert conn.get_all_apps() == [] and conn.get_all_models() == []
    with pytest.raises(ClipperException, match="Error converting torch"):
        onnx_deployer.deploy_pytorch_model(
            conn, "bad", 1, "floats", None, classify_torch, object())


# Keras.


@pytest.fixture(scope="module")
def keras_model(wine):
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.layers.Input((13,)), keras.layers.Dense(16, activation="relu"),
        keras.layers.Dropout(0.5), keras.layers.Dense(3)])
    model.compile(
        keras.optimizers.Adam(0.05),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(*wine, epochs=20, verbose=0)
    return model


def scores_keras(model, xs):
    return model(np.asarray(xs)).numpy()


@pytest.mark.parametrize("form", ["object", "model.h5"])
def test_keras(conn, wine, keras_model, tmp_path, form):
    data, target = wine
    model = keras_model
    if form != "object":
        model = str(tmp_path / form)
        keras_model.save(model)
    keras_deployer.create_endpoint(
        conn, "keras", "floats", scores_keras, model, slo_micros=SLO,
        sample_input=data[0])
    got = np.array(outputs(conn, "keras", data))
    np.testing.assert_allclose(
        got, scores_keras(keras_model, data), rtol=1e-4, atol=1e-5)
    assert np.mean(got.argmax(1) == target) > 0.95


def test_keras_without_a_usable_model(conn, tmp_path):
    (tmp_path / "model.txt").write_text("no model")
    for model, text in (
            (object(), "neither a Keras model nor the path of a file"),
            (str(tmp_path / "none.h5"),
             "neither a Keras model nor the path of a file"),
            (str(tmp_path / "model.txt"), "must end in .keras or .h5")):
        with pytest.raises(ClipperException, match=text):
            keras_deployer.deploy_keras_model(
                conn, "bad", 1, "floats", scores_keras, model)


def predict_keras(model, inputs):
    return [model.predict(x) for x in inputs]


def slo_of(original, call):
    """The original's SLO in microseconds, or five times what a call takes
    here, if that is longer: no server answers before its model does."""
    times = []
    for _ in range(4):
        began = time.monotonic()
        call()
        times.append(time.monotonic() - began)
    return max(original, int(5e6 * max(times[1:])))


def count_defaults(conn, app, inputs):
    """How many of the original's 25 queries get the default."""
    with Client(conn.get_query_addr()) as client:
        return sum(client.predict(app, one()).default
                   for one in [inputs] * 25)


def test_keras_as_the_original_has_it(conn, tmp_path):
    """C19: the original's model, function and inputs, without a sample, at
    once after the deployment; by object and by file. Fewer than half may be
    the default."""
    import keras

    inputs = keras.layers.Input(shape=(1,))
    model = keras.models.Model(
        inputs=inputs, outputs=keras.layers.multiply([inputs, inputs]))
    path = str(tmp_path / "model.h5")
    model.save(path)

    def point():
        return np.random.randint(20, size=100)

    conn.register_application(
        "keras-test", "ints", "default_pred",
        slo_of(100000, lambda: predict_keras(model, [point()])))
    assert count_defaults(conn, "keras-test", point) == 25
    for version, one in ((1, model), (2, path)):
        keras_deployer.deploy_keras_model(
            conn, "keras-model", version, "ints", predict_keras, one)
        if version == 1:
            conn.link_model_to_app("keras-test", "keras-model")
        assert count_defaults(conn, "keras-test", point) <= 12


# TensorFlow.


@pytest.fixture(scope="module")
def session(wine):
    """A trained session; its tensors are x and scores."""
    import tensorflow

    tf = tensorflow.compat.v1
    with tf.Graph().as_default() as graph, graph.device("cpu"):
        tf.set_random_seed(0)
        x = tf.placeholder(tf.float32, [None, 13], "x")
        kind = tf.placeholder(tf.int32, [None])
        weights = tf.get_variable("weights", [13, 3])
        bias = tf.get_variable("bias", [3])
        scores = tf.add(tf.matmul(x, weights), bias, "scores")
        loss = tf.losses.sparse_softmax_cross_entropy(kind, scores)
        step = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
        made = tf.Session(graph=graph)
        made.run(tf.global_variables_initializer())
        for _ in range(50):
            made.run(step, {x: wine[0], kind: wine[1]})
    yield made
    made.close()


def scores_in_session(sess, xs):
    return sess.run("scores:0", {"x:0": np.asarray(xs)})


def saved(session, form, path):
    """The session in one of the accepted forms."""
    import tensorflow

    tf = tensorflow.compat.v1
    if form == "session":
        return session
    with session.graph.as_default():
        if form == "checkpoint":
            for step in (1, 2):
                tf.train.Saver().save(session, str(path / "model"), step)
            return str(path)
        if form == "saved-model":
            tf.saved_model.simple_save(
                session, str(path / "saved"),
                {"x": session.graph.get_tensor_by_name("x:0")},
                {"scores": session.graph.get_tensor_by_name("scores:0")})
            return str(path / "saved")
        frozen = tf.graph_util.convert_variables_to_constants(
            session, session.graph.as_graph_def(), ["scores"])
        (path / "graph.pb").write_bytes(frozen.SerializeToString())
        return str(path / "graph.pb")


@pytest.mark.parametrize("form", [
    "session", "checkpoint", "saved-model", "graph"])
def test_tensorflow(conn, wine, session, tmp_path, form):
    data, target = wine
    tensorflow_deployer.create_endpoint(
        conn, "tf", "floats", scores_in_session,
        saved(session, form, tmp_path), slo_micros=SLO, sample_input=data[0])
    got = np.array(outputs(conn, "tf", data))
    np.testing.assert_allclose(
        got, scores_in_session(session, data), rtol=1e-4, atol=1e-5)
    assert np.mean(got.argmax(1) == target) > 0.95


def test_a_session_without_variables(conn):
    import tensorflow

    tf = tensorflow.compat.v1
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 2], "x")
        tf.reduce_sum(x, 1, name="scores")
        with tf.Session(graph=graph) as made:
            tensorflow_deployer.create_endpoint(
                conn, "sum", "floats", scores_in_session, made,
                slo_micros=SLO)
    assert outputs(conn, "sum", np.float32([[1, 2], [3, 4]])) == [3, 7]


def test_tensorflow_without_a_usable_model(conn, tmp_path):
    with pytest.raises(ClipperException, match="^Frozen Tensorflow Model: "
                       ".*none.pb not found"):
        tensorflow_deployer.deploy_tensorflow_model(
            conn, "bad", 1, "floats", scores_in_session,
            str(tmp_path / "none.pb"))
    with pytest.raises(ClipperException,
                       match="must have one file .*.pb, not 0"):
        tensorflow_deployer.deploy_tensorflow_model(
            conn, "bad", 1, "floats", scores_in_session, str(tmp_path))
    assert conn.get_all_models() == []


# Spark.


@pytest.fixture(scope="module")
def spark():
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    made = (SparkSession.builder.master("local[1]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.sql.shuffle.partitions", "1").getOrCreate())
    made.sparkContext.setLogLevel("ERROR")
    yield made
    made.stop()


def classify_mllib(spark, model, xs):
    return [float(model.predict(x)) for x in xs]


def test_pyspark_mllib(conn, spark, wine):
    """C21: models of MLlib, each a new version of one name."""
    from pyspark.mllib.classification import (
        LogisticRegressionWithLBFGS,
        SVMWithSGD,
    )
    from pyspark.mllib.regression import LabeledPoint
    from pyspark.mllib.tree import RandomForest

    data, target = wine
    data = data.astype(np.float64)
    points = spark.sparkContext.parallelize([
        LabeledPoint(int(kind == 0), x) for x, kind in zip(data, target)])
    models = (LogisticRegressionWithLBFGS.train(points, iterations=5),
              SVMWithSGD.train(points, iterations=5),
              RandomForest.trainClassifier(points, 2, {}, 3, seed=0))
    data, target = data[::6], target[::6]
    pyspark_deployer.create_endpoint(
        conn, "spark", "doubles", classify_mllib, models[0],
        spark.sparkContext, slo_micros=SLO, sample_input=data[0])
    for version, model in enumerate(models, 1):
        if version > 1:
            pyspark_deployer.deploy_pyspark_model(
                conn, "spark", version, "doubles", classify_mllib, model,
                spark.sparkContext, sample_input=data[0])
            conn.stop_inactive_model_versions(["spark"])
        expected = classify_mllib(None, model, data)
        assert outputs(conn, "spark", data) == expected
        assert np.mean(expected == (target == 0)) > 0.9


def classify_json(spark, model, texts):
    rows = spark.createDataFrame([json.loads(one) for one in texts])
    return [{"text": json.loads(one)["text"], "kind": row.prediction}
            for one, row in zip(texts, model.transform(rows).collect())]


def test_pyspark_pipeline(conn, spark, shared):
    """C22, C27: a pipeline of pyspark.ml with JSON as input and output."""
    from pyspark.ml import Pipeline
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.feature import HashingTF, Tokenizer

    texts = ["spark is a %s" % word for word in ("cluster", "flame")] * 5 \
        + ["nothing of the %s" % word for word in ("kind", "sort")] * 5
    rows = spark.createDataFrame([
        {"text": text, "label": float("spark" in text)} for text in texts])
    model = Pipeline(stages=[
        Tokenizer(inputCol="text", outputCol="words"),
        HashingTF(inputCol="words", outputCol="features", numFeatures=64),
        LogisticRegression(maxIter=5)]).fit(rows)
    inputs = [json.dumps({"text": text}) for text in texts]
    pyspark_deployer.create_endpoint(
        conn, "pipeline", "strings", classify_json, model,
        spark.sparkContext, slo_micros=SLO, sample_input=inputs[0])
    got = outputs(conn, "pipeline", inputs)
    assert got == classify_json(spark, model, inputs)
    assert [one["kind"] for one in got] == [1] * 10 + [0] * 10
    # The Spark of a container ends with it.
    before = len(session_pids(supervisor(shared)))
    conn.stop_models(["pipeline"])
    wait_until(lambda: len(session_pids(supervisor(shared))) < before - 1)


def supervisor(conn):
    from clipper_admin.local.control import ask

    return ask(conn.cm.directory.path, "state")["pid"]


def predict_sparkml(spark, model, xs):
    from pyspark.ml.linalg import Vectors
    from pyspark.sql import Row

    df = spark.sparkContext.parallelize(
        [Row(features=Vectors.dense(x)) for x in xs]).toDF()
    result = model.transform(df).select("prediction").collect()
    return [str(x[0]) for x in result]


def test_pyspark_ml_as_the_original_has_it(conn, spark):
    """C22: the original's kind of model, function and inputs, without a
    sample, at once after the deployment. Fewer than half may be the
    default."""
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.linalg import Vectors

    random = np.random.default_rng(0)
    model = LogisticRegression(maxIter=100, regParam=0.03).fit(
        spark.createDataFrame(
            [(kind, Vectors.dense(random.random(784) + kind / 10))
             for kind in (0, 1) * 20], ["label", "features"]))

    def point():
        return random.integers(255, size=784)

    conn.register_application(
        "sparkml", "integers", "default_pred",
        slo_of(2000000, lambda: predict_sparkml(spark, model, [point()])))
    pyspark_deployer.deploy_pyspark_model(
        conn, "sparkml-model", 1, "integers", predict_sparkml, model,
        spark.sparkContext)
    conn.link_model_to_app("sparkml", "sparkml-model")
    assert count_defaults(conn, "sparkml", point) <= 12


def test_pyspark_errors_of_saving(conn, spark):
    with pytest.raises(ClipperException, match="Error saving Spark model"):
        pyspark_deployer.deploy_pyspark_model(
            conn, "bad", 1, "doubles", classify_mllib, object(),
            spark.sparkContext)
