"""`import rpc`, as in containers of the original Clipper."""

from clipper_container.rpc import (
    ModelContainerBase,
    PredictionError,
    RPCService,
)

__all__ = ["ModelContainerBase", "PredictionError", "RPCService"]
