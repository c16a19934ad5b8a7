"""Deploy Keras models."""

import os
import shutil
from typing import Any

from ..exceptions import ClipperException
from .frame import deploying, endpoint_of

#: Name of the model's file without the suffix of its format.
MODEL_FILE = "keras_model"

_SUFFIXES = (".keras", ".h5", ".hdf5")


@deploying("keras", "keras-container", packages=["keras"], takes=2)
def deploy_keras_model(path: str, model_path_or_object: Any) -> None:
    """Deploy a Keras model with a function that calls it.

    Without `sample_input` each container calls the model (not the function)
    with zeros of the model's own shape before it is ready, so that the first
    query does not wait for TensorFlow.

    Args:
        func: called with the model and a batch, returns a list with one
            output for each input.
        model_path_or_object: a Keras model, or the path of one that was
            saved as ``.keras`` or ``.h5``.
        options: for these and all other arguments see
            `python.deploy_python_closure`.

    Raises:
        ClipperException: it is neither, an argument is not valid, or a
            container failed (with its last lines).
    """
    model = model_path_or_object
    if callable(getattr(model, "save", None)):
        model.save(os.path.join(path, MODEL_FILE + ".keras"))
        return
    if not isinstance(model, (str, os.PathLike)) or not os.path.isfile(model):
        raise ClipperException(
            "%r is neither a Keras model nor the path of a file" % (model,)
        )
    suffix = os.path.splitext(model)[1].lower()
    if suffix not in _SUFFIXES:
        raise ClipperException(
            "%s is not a file of a Keras model: its name must end in %s"
            % (model, " or ".join(_SUFFIXES))
        )
    shutil.copyfile(model, os.path.join(path, MODEL_FILE + suffix))


create_endpoint = endpoint_of(deploy_keras_model)
