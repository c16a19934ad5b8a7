"""Deploy Spark models of MLlib and pyspark.ml."""

import json
import os
from typing import Any

from ..exceptions import ClipperException
from .frame import deploying, endpoint_of

MODEL_DIRECTORY = "pyspark_model_data"
MODEL_METADATA = "metadata.json"


@deploying("pyspark", "pyspark-container", packages=["pyspark"], takes=3)
def deploy_pyspark_model(path: str, pyspark_model: Any, sc: Any) -> None:
    """Deploy a Spark model with a function that calls it.

    The container runs its own Spark, which needs Java. Without
    `sample_input` it runs a small job before it is ready, so that the first
    query does not wait for Spark's workers and compilers.

    Args:
        func: called with a `SparkSession`, the model and a batch, returns a
            list with one output for each input.
        pyspark_model: a model that can be saved.
        sc: the `SparkContext` of the model.
        options: for these and all other arguments see
            `python.deploy_python_closure`.

    Raises:
        ClipperException: the model cannot be saved, an argument is not valid,
            or a container failed (with its last lines).
    """
    target = "file://" + os.path.join(path, MODEL_DIRECTORY)
    try:
        if hasattr(pyspark_model, "write"):
            pyspark_model.save(target)
        else:
            pyspark_model.save(sc, target)
    except Exception as error:
        raise ClipperException(
            "Error saving Spark model: %s" % error
        ) from error
    made_by = type(pyspark_model)
    with open(
        os.path.join(path, MODEL_METADATA), "w", encoding="utf-8"
    ) as f:
        json.dump({
            "model_class": "%s.%s" % (made_by.__module__, made_by.__qualname__)
        }, f)


create_endpoint = endpoint_of(deploy_pyspark_model)
