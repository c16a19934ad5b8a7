"""Model containers for Clipper.

`python -m clipper_container` runs a deployed model; `serve` puts a function
behind Clipper from a program of one's own:

    from clipper_container import serve
    serve(lambda xs: [x.sum() for x in xs], "sum-model", 1, "doubles")
"""

from typing import Any

from .input_types import code_of
from .model import Model, ModelFunction, PredictionError
from .session import Container

__all__ = ["Container", "Model", "ModelFunction", "PredictionError", "serve"]

_NOTHING = object()


def serve(
    func: ModelFunction,
    name: str,
    version: Any,
    input_type: str = "doubles",
    endpoint: str = "tcp://127.0.0.1:7000",
    rpc_version: int = 4,
    sample_input: Any = _NOTHING,
    digest: bytes = b"",
    handle_signals: bool = True,
) -> None:
    """Answer queries to a model with a function, until SIGTERM or SIGINT.

    Args:
        func: called with a batch, returns a list with one output for each
            input. A batch of numbers or bytes is a 2-D array (inputs x
            elements; int8, int32, float32 or float64) when all inputs have
            the same length, else a list of 1-D arrays; strings are a list of
            `str`. An output that is `str` or `bytes` goes as it is,
            everything else as JSON. When it raises on a batch of several
            inputs, it is called with each of them alone, and only those that
            fail again get an error.
        name: model name.
        version: model version; any object, its `str` is used.
        input_type: bytes, integers, floats, doubles or strings.
        endpoint: ZeroMQ address of Clipper, `tcp://HOST:PORT` or `ipc://PATH`.
        rpc_version: 4; 3 for frontends that know no other. Version 3 cannot
            carry an error: the container then connects anew, so that the
            frontend notices at once. Strings are `bytes` there.
        sample_input: one input that is run through `func` before connecting.
        digest: at most 64 bytes that identify the model; answers that were
            cached from another digest are not used.
        handle_signals: False outside of the main thread.

    Raises:
        ValueError: unknown input type or RPC version, or a name or version
            that is not `[A-Za-z0-9][A-Za-z0-9._-]*`.
        PredictionError: `func` does not answer the sample.
        Exception: what `func` raised on the sample.
    """
    model = Model(func, code_of(input_type))
    if sample_input is not _NOTHING:
        model.warm_up(sample_input)
    Container(
        model, name, str(version), endpoint, rpc_version, digest
    ).run(handle_signals)
