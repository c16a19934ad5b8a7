"""Deploying PyTorch models."""

import logging
import os
import pickle
from typing import Any, Callable, Iterable, List, Optional

import cloudpickle  # type: ignore[import-untyped]

from ..clipper_admin import ClipperConnection
from ..exceptions import ClipperException
from ..version import __registry__, __version__
from .deployer_utils import (
    NO_SAMPLE,
    local_modules_by_value,
    model_directory,
    register_and_link,
)

logger = logging.getLogger(__name__)

PYTORCH_WEIGHTS_RELATIVE_PATH = "pytorch_weights.pkl"
PYTORCH_MODEL_RELATIVE_PATH = "pytorch_model.pkl"


def create_endpoint(
    clipper_conn: ClipperConnection,
    name: str,
    input_type: str,
    func: Callable[[Any, Any], Any],
    pytorch_model: Any,
    default_output: str = "None",
    version: Any = 1,
    slo_micros: int = 3000000,
    labels: Optional[List[str]] = None,
    registry: Optional[str] = None,
    base_image: str = "default",
    num_replicas: int = 1,
    batch_size: int = -1,
    pkgs_to_install: Optional[List[str]] = None,
    **options: Any,
) -> None:
    """Register an application, deploy a PyTorch model, and link them.

    Args:
        name: of the application and of the model.
        default_output: answered when there is no better answer in time.
        slo_micros: microseconds to answer.
        options: and all others: see `deploy_pytorch_model`.
    """

    def deploy() -> None:
        deploy_pytorch_model(
            clipper_conn,
            name,
            version,
            input_type,
            func,
            pytorch_model,
            base_image,
            labels,
            registry,
            num_replicas,
            batch_size,
            pkgs_to_install,
            **options,
        )

    register_and_link(
        clipper_conn, name, input_type, default_output, slo_micros, deploy
    )


def deploy_pytorch_model(
    clipper_conn: ClipperConnection,
    name: str,
    version: Any,
    input_type: str,
    func: Callable[[Any, Any], Any],
    pytorch_model: Any,
    base_image: str = "default",
    labels: Optional[List[str]] = None,
    registry: Optional[str] = None,
    num_replicas: int = 1,
    batch_size: int = -1,
    pkgs_to_install: Optional[List[str]] = None,
    sample_input: Any = NO_SAMPLE,
    modules: Optional[Iterable[Any]] = None,
    **options: Any,
) -> None:
    """Deploy a PyTorch model with a function that calls it.

    The container loads the model in evaluation mode.

    Args:
        func: called with the model and a batch, returns a list with one
            output for each input.
        pytorch_model: a `torch.nn.Module`.
        options: and all others: see `python.deploy_python_closure`.

    Raises:
        ClipperException: the model cannot be saved ("Error saving torch
            model: ..."), something is not valid, or a container failed.
    """
    if base_image == "default":
        base_image = "%s/pytorch-container:%s" % (__registry__, __version__)
    with model_directory(func, "pytorch", sample_input, modules) as path:
        _save(pytorch_model, path, modules)
        clipper_conn.build_and_deploy_model(
            name,
            version,
            input_type,
            path,
            base_image,
            labels,
            registry,
            num_replicas,
            batch_size,
            pkgs_to_install,
            **options,
        )


def _save(
    pytorch_model: Any, path: str, modules: Optional[Iterable[Any]]
) -> None:
    """Write weights and structure, nothing else can be called an error of
    saving."""
    try:
        import torch

        torch.save(
            pytorch_model.state_dict(),
            os.path.join(path, PYTORCH_WEIGHTS_RELATIVE_PATH),
        )
        with local_modules_by_value(modules):
            pickled = cloudpickle.dumps(pytorch_model)
        with open(os.path.join(path, PYTORCH_MODEL_RELATIVE_PATH), "wb") as f:
            f.write(pickled)
    except (
        ImportError, AttributeError, OSError, RuntimeError, TypeError,
        pickle.PicklingError,
    ) as error:
        raise ClipperException(
            "Error saving torch model: %s" % error
        ) from error
    logger.info("Torch model saved")
