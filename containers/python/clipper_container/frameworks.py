"""Load models of libraries, which are imported only when needed.

Each loader returns the arguments that the deployed function gets before its
inputs, such as the model or a session.
"""

import glob
import importlib
import json
import os
import pickle
import sys
from typing import Any, Callable, Dict, Tuple

from .errors import ModelDirectoryError


def _pytorch(path: str) -> Tuple[Any, ...]:
    torch = importlib.import_module("torch")
    with open(os.path.join(path, "pytorch_model.pkl"), "rb") as f:
        model = pickle.load(f)
    state = torch.load(
        os.path.join(path, "pytorch_weights.pkl"), map_location="cpu"
    )
    model.load_state_dict(state)
    model.eval()
    return (model,)


def _onnx(path: str) -> Tuple[Any, ...]:
    onnxruntime = importlib.import_module("onnxruntime")
    return (
        onnxruntime.InferenceSession(
            os.path.join(path, "model.onnx"),
            providers=onnxruntime.get_available_providers(),
        ),
    )


def _keras(path: str) -> Tuple[Any, ...]:
    keras = importlib.import_module("keras")
    file = _only(path, "keras_model.*")
    return (keras.models.load_model(file, compile=False),)


def _tensorflow(path: str) -> Tuple[Any, ...]:
    tf = importlib.import_module("tensorflow").compat.v1
    place = os.path.join(path, "tfmodel")
    graph = tf.Graph()
    session = tf.Session(graph=graph)
    with graph.as_default():
        if glob.glob(os.path.join(place, "saved_model.pb*")):
            tf.saved_model.load(session, ["serve"], place)
        elif glob.glob(os.path.join(place, "*.meta")):
            state = tf.train.get_checkpoint_state(place)
            # The state may have the path where it was written.
            prefix = (
                os.path.join(
                    place, os.path.basename(state.model_checkpoint_path)
                )
                if state
                else os.path.splitext(_only(place, "*.meta"))[0]
            )
            tf.train.import_meta_graph(prefix + ".meta").restore(
                session, prefix
            )
        else:
            definition = tf.GraphDef()
            with open(_only(place, "*.pb"), "rb") as f:
                definition.ParseFromString(f.read())
            tf.import_graph_def(definition, name="")
    return (session,)


def _pyspark(path: str) -> Tuple[Any, ...]:
    sql = importlib.import_module("pyspark.sql")
    with open(os.path.join(path, "metadata.json"), encoding="utf-8") as f:
        module, _, name = json.load(f)["model_class"].rpartition(".")
    made_by = getattr(importlib.import_module(module), name)
    # Spark's workers need the packages of this Python. Only this process
    # needs to reach Spark.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    spark = (
        sql.SparkSession.builder
        .master("local[%s]" % os.environ.get("OMP_NUM_THREADS", "*"))
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )
    data = "file://" + os.path.abspath(
        os.path.join(path, "pyspark_model_data")
    )
    if hasattr(made_by, "read"):
        return (spark, made_by.load(data))
    return (spark, made_by.load(spark.sparkContext, data))


def _only(directory: str, pattern: str) -> str:
    """The only file that matches a pattern.

    Raises:
        ModelDirectoryError: none or several files match.
    """
    found = glob.glob(os.path.join(directory, pattern))
    if len(found) != 1:
        raise ModelDirectoryError(
            "The model directory must have one file %s, not %d"
            % (pattern, len(found))
        )
    return found[0]


#: Kind of model -> its loader.
LOADERS: Dict[str, Callable[[str], Tuple[Any, ...]]] = {
    "keras": _keras,
    "onnx": _onnx,
    "pyspark": _pyspark,
    "pytorch": _pytorch,
    "tensorflow": _tensorflow,
}
