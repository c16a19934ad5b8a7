"""Deploy TensorFlow models, which run in a session."""

import os
import shutil
from typing import Any

from ..exceptions import ClipperException
from .frame import deploying, endpoint_of

MODEL_DIRECTORY = "tfmodel"


@deploying("tensorflow", "tf-container", packages=["tensorflow"], takes=2)
def deploy_tensorflow_model(
    path: str, tf_sess_or_saved_model_path: Any
) -> None:
    """Deploy a TensorFlow model with a function that calls it.

    Args:
        func: called with a `tensorflow.compat.v1.Session` and a batch,
            returns a list with one output for each input. The session has
            the model's graph; the tensors of a saved model have the names
            in its signature.
        tf_sess_or_saved_model_path: a `tensorflow.compat.v1.Session`, whose
            variables are saved; a directory with a saved model, a checkpoint
            or a frozen graph; or the ``.pb`` file of a frozen graph.
        options: for these and all other arguments see
            `python.deploy_python_closure`.

    Raises:
        ClipperException: the model does not exist, an argument is not valid,
            or a container failed (with its last lines).
    """
    model = tf_sess_or_saved_model_path
    target = os.path.join(path, MODEL_DIRECTORY)
    if hasattr(model, "graph") and hasattr(model, "run"):
        _save(model, target)
    elif os.path.isdir(model):
        shutil.copytree(model, target)
    elif os.path.isfile(model):
        os.mkdir(target)
        shutil.copy(model, target)
    else:
        raise ClipperException(
            "Frozen Tensorflow Model: %s not found" % (model,)
        )


def _save(session: Any, target: str) -> None:
    """Save a session as a checkpoint, or as a graph without variables."""
    import tensorflow

    with session.graph.as_default():
        if not tensorflow.compat.v1.global_variables():
            tensorflow.io.write_graph(
                session.graph, target, "graph.pb", as_text=False
            )
            return
        os.mkdir(target)
        tensorflow.compat.v1.train.Saver().save(
            session, os.path.join(target, "model.ckpt")
        )


create_endpoint = endpoint_of(deploy_tensorflow_model)
