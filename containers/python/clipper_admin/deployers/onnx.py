"""Deploying ONNX models, run by onnxruntime."""

import os
import shutil
from typing import Any, Callable, Iterable, List, Optional

from ..clipper_admin import ClipperConnection
from ..exceptions import ClipperException
from ..version import __registry__, __version__
from .deployer_utils import NO_SAMPLE, model_directory, register_and_link

MODEL_FILE = "model.onnx"


def create_endpoint(
    clipper_conn: ClipperConnection,
    name: str,
    input_type: str,
    func: Callable[[Any, Any], Any],
    onnx_model: Any,
    default_output: str = "None",
    version: Any = 1,
    slo_micros: int = 3000000,
    **options: Any,
) -> None:
    """Register an application, deploy an ONNX model, and link them.

    Args:
        name: of the application and of the model.
        default_output: answered when there is no better answer in time.
        slo_micros: microseconds to answer.
        options: and all others: see `deploy_onnx_model`.
    """

    def deploy() -> None:
        deploy_onnx_model(
            clipper_conn, name, version, input_type, func, onnx_model,
            **options,
        )

    register_and_link(
        clipper_conn, name, input_type, default_output, slo_micros, deploy
    )


def create_pytorch_endpoint(
    clipper_conn: ClipperConnection,
    name: str,
    input_type: str,
    inputs: Any,
    func: Callable[[Any, Any], Any],
    pytorch_model: Any,
    default_output: str = "None",
    version: Any = 1,
    slo_micros: int = 3000000,
    labels: Optional[List[str]] = None,
    registry: Optional[str] = None,
    base_image: Optional[str] = None,
    num_replicas: int = 1,
    onnx_backend: str = "onnxruntime",
    batch_size: int = -1,
    pkgs_to_install: Optional[List[str]] = None,
    **options: Any,
) -> None:
    """Register an application, deploy a PyTorch model by ONNX, link them.

    Args:
        name: of the application and of the model.
        default_output: answered when there is no better answer in time.
        slo_micros: microseconds to answer.
        options: and all others: see `deploy_pytorch_model`.
    """

    def deploy() -> None:
        deploy_pytorch_model(
            clipper_conn, name, version, input_type, inputs, func,
            pytorch_model, base_image, labels, registry, num_replicas,
            onnx_backend, batch_size, pkgs_to_install, **options,
        )

    register_and_link(
        clipper_conn, name, input_type, default_output, slo_micros, deploy
    )


def deploy_onnx_model(
    clipper_conn: ClipperConnection,
    name: str,
    version: Any,
    input_type: str,
    func: Callable[[Any, Any], Any],
    onnx_model: Any,
    base_image: Optional[str] = None,
    labels: Optional[List[str]] = None,
    registry: Optional[str] = None,
    num_replicas: int = 1,
    batch_size: int = -1,
    pkgs_to_install: Optional[List[str]] = None,
    sample_input: Any = NO_SAMPLE,
    modules: Optional[Iterable[Any]] = None,
    **options: Any,
) -> None:
    """Deploy an ONNX model with a function that calls it.

    Args:
        func: called with the `onnxruntime.InferenceSession` and a batch,
            returns a list with one output for each input.
        onnx_model: path of a file, its bytes, or an `onnx.ModelProto`.
        options: and all others: see `python.deploy_python_closure`.

    Raises:
        ClipperException: there is no such file, something is not valid, or
            a container failed.
    """
    with model_directory(func, "onnx", sample_input, modules) as path:
        _write(onnx_model, os.path.join(path, MODEL_FILE))
        clipper_conn.build_and_deploy_model(
            name, version, input_type, path, base_image or _base_image(),
            labels, registry, num_replicas, batch_size, pkgs_to_install,
            **options,
        )


def deploy_pytorch_model(
    clipper_conn: ClipperConnection,
    name: str,
    version: Any,
    input_type: str,
    inputs: Any,
    func: Callable[[Any, Any], Any],
    pytorch_model: Any,
    base_image: Optional[str] = None,
    labels: Optional[List[str]] = None,
    registry: Optional[str] = None,
    num_replicas: int = 1,
    onnx_backend: str = "onnxruntime",
    batch_size: int = -1,
    pkgs_to_install: Optional[List[str]] = None,
    sample_input: Any = NO_SAMPLE,
    modules: Optional[Iterable[Any]] = None,
    **options: Any,
) -> None:
    """Convert a PyTorch model to ONNX and deploy it.

    Args:
        inputs: example arguments of the model, to trace it with.
        func: called with the `onnxruntime.InferenceSession` and a batch.
        pytorch_model: a `torch.nn.Module`.
        onnx_backend: onnxruntime. Caffe2 is retired; its name is taken for
            onnxruntime, which calls `func` with another kind of model.
        options: and all others: see `python.deploy_python_closure`.

    Raises:
        ClipperException: the model cannot be converted, another backend,
            something is not valid, or a container failed.
    """
    if onnx_backend not in ("onnxruntime", "caffe2"):
        raise ClipperException(
            "Unknown ONNX backend %s: onnxruntime is the one there is"
            % onnx_backend
        )
    with model_directory(func, "onnx", sample_input, modules) as path:
        _export(pytorch_model, inputs, os.path.join(path, MODEL_FILE))
        clipper_conn.build_and_deploy_model(
            name, version, input_type, path, base_image or _base_image(),
            labels, registry, num_replicas, batch_size, pkgs_to_install,
            **options,
        )


def _base_image() -> str:
    return "%s/onnx-container:%s" % (__registry__, __version__)


def _write(onnx_model: Any, path: str) -> None:
    if hasattr(onnx_model, "SerializeToString"):
        onnx_model = onnx_model.SerializeToString()
    if isinstance(onnx_model, (bytes, bytearray)):
        with open(path, "wb") as f:
            f.write(onnx_model)
        return
    try:
        shutil.copyfile(onnx_model, path)
    except OSError as error:
        raise ClipperException(
            "Error reading ONNX model: %s" % error
        ) from error


def _export(pytorch_model: Any, inputs: Any, path: str) -> None:
    import torch

    try:
        torch.onnx.export(
            pytorch_model,
            inputs,
            path,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}},
        )
    except Exception as error:
        raise ClipperException(
            "Error converting torch model to ONNX: %s" % error
        ) from error
