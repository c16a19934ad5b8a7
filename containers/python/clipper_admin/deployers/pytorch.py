"""Deploy PyTorch models."""

import logging
import os
import pickle
from typing import Any

import cloudpickle

from ..exceptions import ClipperException
from .frame import deploying, endpoint_of

logger = logging.getLogger(__name__)

PYTORCH_WEIGHTS_RELATIVE_PATH = "pytorch_weights.pkl"
PYTORCH_MODEL_RELATIVE_PATH = "pytorch_model.pkl"


@deploying("pytorch", "pytorch-container", packages=["torch"], takes=2)
def deploy_pytorch_model(path: str, pytorch_model: Any) -> None:
    """Deploy a PyTorch model with a function that calls it.

    The container loads the model in evaluation mode.

    Args:
        func: called with the model and a batch, returns a list with one
            output for each input.
        pytorch_model: a `torch.nn.Module`.
        options: for these and all other arguments see
            `python.deploy_python_closure`.

    Raises:
        ClipperException: the model cannot be saved ("Error saving torch
            model: ..."), an argument is not valid, or a container failed
            (with its last lines).
    """
    try:
        import torch

        torch.save(
            pytorch_model.state_dict(),
            os.path.join(path, PYTORCH_WEIGHTS_RELATIVE_PATH),
        )
        with open(os.path.join(path, PYTORCH_MODEL_RELATIVE_PATH), "wb") as f:
            f.write(cloudpickle.dumps(pytorch_model))
    except (
        ImportError, AttributeError, OSError, RuntimeError, TypeError,
        pickle.PicklingError,
    ) as error:
        raise ClipperException(
            "Error saving torch model: %s" % error
        ) from error
    logger.info("Torch model saved")


create_endpoint = endpoint_of(deploy_pytorch_model)
