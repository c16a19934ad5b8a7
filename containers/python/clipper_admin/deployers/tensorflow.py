"""Deploying TensorFlow models, which are called in a session."""

import os
import shutil
from typing import Any

from ..exceptions import ClipperException
from .frame import deploying, endpoint_of

MODEL_DIRECTORY = "tfmodel"


@deploying("tensorflow", "tf-container", packages=["tensorflow"])
def deploy_tensorflow_model(
    path: str, tf_sess_or_saved_model_path: Any
) -> None:
    """Deploy a TensorFlow model with a function that calls it.

    Args:
        func: called with a `tensorflow.compat.v1.Session` and a batch,
            returns a list with one output for each input. The session's
            graph is the model's; the tensors of a saved model have the
            names that its signature shows.
        tf_sess_or_saved_model_path: a `tensorflow.compat.v1.Session`, whose
            variables are saved; a directory with a saved model, a checkpoint
            or a frozen graph; or the ``.pb`` file of a frozen graph.
        options: and all others: see `python.deploy_python_closure`.

    Raises:
        ClipperException: there is no such model, something is not valid, or
            a container failed.
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
    """Write a session as a checkpoint; as a graph when it has no variables."""
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
