"""Names of a retired library: MXNet models cannot be deployed."""

from ..absent import absent

_TEXT = (
    "Apache MXNet was retired in 2023 and does not run on the Python "
    "versions that are supported today. Convert the model to ONNX and use "
    "clipper_admin.deployers.onnx instead."
)


create_endpoint = absent(__name__, "create_endpoint", _TEXT)
deploy_mxnet_model = absent(__name__, "deploy_mxnet_model", _TEXT)
