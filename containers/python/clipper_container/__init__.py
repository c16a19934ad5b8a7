"""Model containers for Clipper.

`python -m clipper_container` runs a deployed model; `serve` runs a function of
your own program:

    from clipper_container import serve
    serve(lambda xs: [x.sum() for x in xs], "sum-model", 1, "doubles")
"""

from typing import Any, Optional

from .curve import Keys
from .errors import PredictionError
from .functions import check_function
from .input_types import code_of
from .model import Model, ModelFunction
from .session import Container

__all__ = ["Container", "Model", "ModelFunction", "PredictionError", "serve"]

_NOTHING = object()


def _keys(own: Optional[str], server: Optional[str]) -> Optional[Keys]:
    if bool(own) != bool(server):
        raise ValueError("curve_key and curve_server must be given together")
    return Keys(own, server) if own and server else None


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
    strings: Optional[str] = None,
    curve_key: Optional[str] = None,
    curve_server: Optional[str] = None,
) -> None:
    """Serve a function as a model until SIGTERM or SIGINT.

    Args:
        func: called with a batch, returns a list with one output for each
            input. A batch of numbers or bytes is a 2-D array (inputs x
            elements; int8, int32, float32 or float64) when all inputs have
            the same length, else a list of 1-D arrays; strings are a list of
            `str`. An output that is `str` or `bytes` is sent as it is,
            everything else as JSON (see `docs/models.md`). When the function
            raises on a batch of several inputs, it is called again with each
            input alone; only inputs that fail again get an error.
        name: name of the model.
        version: version of the model; any object, its `str` is used.
        input_type: bytes, integers, floats, doubles or strings.
        endpoint: ZeroMQ address of Clipper, `tcp://HOST:PORT` or `ipc://PATH`.
        rpc_version: 4, or 3 for the original Clipper. In version 3 strings
            are `bytes`, and on an error the container reconnects, because
            the protocol cannot carry it.
        sample_input: one input that `func` is called with before the
            container connects.
        digest: up to 64 bytes that identify the model; the server does not
            use cached outputs of another digest.
        handle_signals: False outside of the main thread.
        strings: what `func` gets for strings, ``"str"`` or ``"bytes"`` (as
            in the original Clipper); None for the usual.
        curve_key: certificate with the container's own secret key, to
            encrypt the connection; with `curve_server`.
        curve_server: certificate with the server's public key, or a
            directory with several, which are tried in turn.

    Raises:
        ValueError: unknown input type, RPC version or `strings`, a name or
            version that is not `[A-Za-z0-9][A-Za-z0-9._-]*`, or a key that
            cannot be read.
        TypeError: `func` cannot be called with one argument, or is a class
            or a coroutine function.
        PredictionError: `func` does not return one output for the sample.
        Exception: what `func` raised on the sample.
    """
    check_function(func)
    model = Model(func, code_of(input_type), strings)
    if sample_input is not _NOTHING:
        model.warm_up(sample_input)
    Container(
        model, name, str(version), endpoint, rpc_version, digest,
        keys=_keys(curve_key, curve_server),
    ).run(handle_signals)
