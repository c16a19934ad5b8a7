"""Deploy ONNX models, which onnxruntime runs."""

import io
import os
import shutil
from typing import Any, Callable, List, Optional

from ..clipper_admin import ClipperConnection
from ..exceptions import ClipperException
from .frame import deploying, endpoint_of

MODEL_FILE = "model.onnx"


@deploying("onnx", "onnx-container", packages=["onnxruntime"], takes=2)
def deploy_onnx_model(path: str, onnx_model: Any) -> None:
    """Deploy an ONNX model with a function that calls it.

    Args:
        func: called with the `onnxruntime.InferenceSession` and a batch,
            returns a list with one output for each input.
        onnx_model: path of a file, its bytes, or an `onnx.ModelProto`.
        options: for these and all other arguments see
            `python.deploy_python_closure`.

    Raises:
        ClipperException: the file cannot be read, an argument is not valid,
            or a container failed (with its last lines).
    """
    target = os.path.join(path, MODEL_FILE)
    if hasattr(onnx_model, "SerializeToString"):
        onnx_model = onnx_model.SerializeToString()
    if isinstance(onnx_model, (bytes, bytearray)):
        with open(target, "wb") as f:
            f.write(onnx_model)
        return
    try:
        shutil.copyfile(onnx_model, target)
    except OSError as error:
        raise ClipperException(
            "Error reading ONNX model: %s" % error
        ) from error


create_endpoint = endpoint_of(deploy_onnx_model)


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
    """Register an application, deploy a PyTorch model as ONNX, link them.

    Args:
        inputs: example arguments of the model, to trace it with.
        pytorch_model: a `torch.nn.Module`.
        onnx_backend: see `deploy_pytorch_model`.
        options: for these and all other arguments see `create_endpoint`.
    """
    create_endpoint(
        clipper_conn, name, input_type, func,
        _exported(pytorch_model, inputs, onnx_backend), default_output,
        version, slo_micros, labels, registry, base_image, num_replicas,
        batch_size, pkgs_to_install, **options,
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
    **options: Any,
) -> None:
    """Convert a PyTorch model to ONNX and deploy it.

    Args:
        inputs: example arguments of the model, to trace it with.
        func: called with the `onnxruntime.InferenceSession` and a batch.
        pytorch_model: a `torch.nn.Module`.
        onnx_backend: ``onnxruntime``. Caffe2 is retired: ``caffe2`` means
            onnxruntime, which gives `func` another kind of model.
        options: for these and all other arguments see
            `python.deploy_python_closure`.

    Raises:
        ClipperException: the model cannot be converted, an argument is not
            valid, or a container failed (with its last lines).
    """
    deploy_onnx_model(
        clipper_conn, name, version, input_type, func,
        _exported(pytorch_model, inputs, onnx_backend), base_image, labels,
        registry, num_replicas, batch_size, pkgs_to_install, **options,
    )


def _exported(pytorch_model: Any, inputs: Any, backend: str) -> bytes:
    """Bytes of the ONNX model of a PyTorch model.

    Raises:
        ClipperException: the backend is unknown, or the model cannot be
            converted.
    """
    if backend not in ("onnxruntime", "caffe2"):
        raise ClipperException(
            "Unknown ONNX backend %s. It must be onnxruntime"
            % backend
        )
    written = io.BytesIO()
    try:
        import torch

        torch.onnx.export(
            pytorch_model,
            inputs,
            written,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}},
        )
    except Exception as error:
        raise ClipperException(
            "Error converting torch model to ONNX: %s" % error
        ) from error
    return written.getvalue()
