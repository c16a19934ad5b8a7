"""Names of a retired library: MXNet models cannot be deployed."""

from typing import Any

from ..exceptions import ClipperException

_TEXT = (
    "Apache MXNet was retired in 2023 and does not run on the Python "
    "versions that are supported today. Convert the model to ONNX and use "
    "clipper_admin.deployers.onnx instead."
)


def create_endpoint(*args: Any, **kwargs: Any) -> None:
    """Raises a ClipperException that says what to use instead."""
    raise ClipperException(_TEXT)


def deploy_mxnet_model(*args: Any, **kwargs: Any) -> None:
    """Raises a ClipperException that says what to use instead."""
    raise ClipperException(_TEXT)
