"""Use a library's model once, before the first query needs it.

Libraries compile, or load parts of themselves, at their first call. A model
whose inputs are known from the model itself is called with zeros; the
deployed function is not called, for nobody knows what it does with them.
"""

import importlib
from typing import Any, Callable, Dict, Optional, Tuple


def _keras(dtype: Optional[str], model: Any) -> None:
    """Call the model as functions do: directly and by `predict`."""
    numpy = importlib.import_module("numpy")
    inputs = list(model.inputs or ())
    shapes = [tuple(one.shape)[1:] for one in inputs]
    if not inputs or any(size is None for one in shapes for size in one):
        return
    zeros = [
        numpy.zeros(
            (1,) + shape,
            dtype if dtype and len(inputs) == 1 else _name(one.dtype),
        )
        for one, shape in zip(inputs, shapes)
    ]
    batch = zeros[0] if len(zeros) == 1 else zeros
    model(batch)
    model.predict(batch, verbose=0)
    # It is compiled for this rank, and compiling it for another one, too,
    # fails: a function may have inputs of one dimension less.
    model.predict_function = None


def _name(dtype: Any) -> str:
    """The name of a type; TensorFlow's own types are objects."""
    return str(getattr(dtype, "name", dtype))


def _pyspark(dtype: Optional[str], spark: Any, model: Any) -> None:
    """Start Spark's workers, and its planner and compiler for data frames.

    A model of pyspark.ml that knows its number of features gets a row of
    zeros.
    """
    context = spark.sparkContext
    context.parallelize([0]).map(lambda one: (one,)).count()
    features = getattr(model, "numFeatures", None)
    if not isinstance(features, int) or not hasattr(model, "transform"):
        spark.createDataFrame([(0,)], ["zero"]).collect()
        return
    linalg = importlib.import_module("pyspark.ml.linalg")
    row = (linalg.Vectors.dense([0.0] * features),)
    frame = context.parallelize([row]).toDF([model.getFeaturesCol()])
    model.transform(frame).collect()


#: Kind of model -> what uses it once. It gets the NumPy type of the inputs
#: (None for strings) and what the kind's loader returns.
WARM_UPS: Dict[str, Callable[..., None]] = {
    "keras": _keras,
    "pyspark": _pyspark,
}


def warm_up(kind: str, model: Tuple[Any, ...], dtype: Optional[str]) -> None:
    """Use a model once, if its kind can be.

    Args:
        kind: of the model, see `loader.kinds`.
        model: what the kind's loader returned.
        dtype: NumPy type of the inputs; None for strings.

    Raises:
        Exception: what the library raises.
    """
    known = WARM_UPS.get(kind)
    if known is not None:
        known(dtype, *model)
