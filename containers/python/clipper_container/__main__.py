"""`python -m clipper_container`: run the model of `CLIPPER_MODEL_PATH`.

Environment:

    CLIPPER_MODEL_NAME, CLIPPER_MODEL_VERSION   required
    CLIPPER_INPUT_TYPE     default doubles
    CLIPPER_MODEL_PATH     default /model
    CLIPPER_IP, CLIPPER_PORT   default 127.0.0.1 and 7000
    CLIPPER_ENDPOINT       replaces both: a ZeroMQ address, also ipc://…
    CLIPPER_RPC_VERSION    default 4; 3 for the original Clipper
    CLIPPER_REPLICA_TOKEN  32 hexadecimal digits; default random
    CLIPPER_READY_FILE     file to write READY to just before connecting
    CLIPPER_BATCH_TIMEOUT  the server's batch_timeout: auto (the default) or a
                           time such as 30s; off: no watchdog

Exit codes: 0 stopped by a signal; 1 the environment or the model is not
valid, or the model did not return from a batch (after a traceback); 3 a module is missing; 4 the model failed on its sample input.
"""

import os
import sys
import traceback
from typing import Mapping, NamedTuple, Optional

from .input_types import code_of
from .loader import NO_SAMPLE, ModelDirectoryError, load
from .log import identify, log
from .model import Model
from .session import Container
from .watchdog import Watchdog, read_limit

EXIT_UNUSABLE = 1
EXIT_IMPORT = 3
EXIT_SAMPLE = 4

_MISSING = (
    "A module is missing in this container%s. Name its package in "
    "pkgs_to_install=[...] when you deploy the model."
)


class Settings(NamedTuple):
    """The settings in a container's environment."""

    name: str
    version: str
    input_type: int
    path: str
    endpoint: str
    rpc_version: int
    token: bytes
    ready_file: str
    watched: bool
    limit: Optional[float]


def read_environment(env: Mapping[str, str]) -> Settings:
    """Read and check the environment of a container.

    Raises:
        ValueError: a variable is missing or not valid; the message names it.
    """
    for variable in ("CLIPPER_MODEL_NAME", "CLIPPER_MODEL_VERSION"):
        if not env.get(variable):
            raise ValueError("%s must be set" % variable)
    rpc_version = env.get("CLIPPER_RPC_VERSION") or "4"
    if rpc_version not in ("3", "4"):
        raise ValueError("CLIPPER_RPC_VERSION must be 3 or 4")
    token = env.get("CLIPPER_REPLICA_TOKEN", "")
    if token and len(token) != 32:
        raise ValueError("CLIPPER_REPLICA_TOKEN must be 32 hexadecimal digits")
    host = env.get("CLIPPER_IP") or "127.0.0.1"
    if ":" in host and not host.startswith("["):
        host = "[%s]" % host
    endpoint = env.get("CLIPPER_ENDPOINT") or "tcp://%s:%s" % (
        host, env.get("CLIPPER_PORT") or "7000",
    )
    batch_timeout = env.get("CLIPPER_BATCH_TIMEOUT", "")
    return Settings(
        name=env["CLIPPER_MODEL_NAME"],
        version=env["CLIPPER_MODEL_VERSION"],
        input_type=code_of(env.get("CLIPPER_INPUT_TYPE") or "doubles"),
        path=env.get("CLIPPER_MODEL_PATH") or "/model",
        endpoint=endpoint,
        rpc_version=int(rpc_version),
        token=bytes.fromhex(token),
        ready_file=env.get("CLIPPER_READY_FILE", ""),
        watched=batch_timeout != "off",
        limit=None if batch_timeout == "off" else read_limit(batch_timeout),
    )


def main() -> int:
    """Run a container; returns the exit code of the process."""
    try:
        settings = read_environment(os.environ)
    except ValueError as error:
        log("clipper_container: %s" % error)
        return EXIT_UNUSABLE
    identify("%s:%s" % (settings.name, settings.version), settings.token)
    stage = "could not be loaded"
    code = EXIT_UNUSABLE
    try:
        loaded = load(settings.path)
        model = Model(loaded.func, settings.input_type)
        if loaded.sample is not NO_SAMPLE:
            stage, code = "failed on its sample input", EXIT_SAMPLE
            model.warm_up(loaded.sample)
    except ImportError as error:
        _print_traceback()
        log(_MISSING % (" (%s)" % error.name if error.name else ""))
        return EXIT_IMPORT
    except ModelDirectoryError as error:
        log("clipper_container: %s" % error)
        return EXIT_UNUSABLE
    except Exception:
        _print_traceback()
        log("The model %s." % stage)
        return code
    try:
        container = Container(
            model,
            settings.name,
            settings.version,
            settings.endpoint,
            settings.rpc_version,
            loaded.digest,
            settings.token,
            Watchdog(settings.limit) if settings.watched else None,
        )
    except ValueError as error:
        log("clipper_container: %s" % error)
        return EXIT_UNUSABLE
    if settings.ready_file:
        with open(settings.ready_file, "w", encoding="utf-8") as f:
            f.write("READY")
    container.run()
    return 0


def _print_traceback() -> None:
    log(traceback.format_exc())


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.exit(main())
