"""Run the model in the directory CLIPPER_MODEL_PATH.

    python -m clipper_container [MODEL:VERSION]

Environment:

    CLIPPER_MODEL_NAME, CLIPPER_MODEL_VERSION   required without an argument
    CLIPPER_INPUT_TYPE     default doubles
    CLIPPER_STRINGS        what the function gets for strings, bytes or str;
                           default what the deployer was told, else str
    CLIPPER_MODEL_PATH     default /model
    CLIPPER_MODEL_DIGEST   what `python -m clipper_container.seal DIRECTORY`
                           printed for the model that was deployed: a
                           directory with other files is not loaded
    CLIPPER_IP, CLIPPER_PORT   default 127.0.0.1 and 7000
    CLIPPER_ENDPOINT       replaces both: a ZeroMQ address, also ipc://…
    CLIPPER_RPC_VERSION    default 4; 3 for the original Clipper
    CLIPPER_REPLICA_TOKEN  32 hexadecimal digits; default random
    CLIPPER_CURVE_KEY      certificate with the container's own secret key:
                           the connection is encrypted
    CLIPPER_CURVE_SERVER   certificate with the server's public key, or a
                           directory with several; both variables or none
    CLIPPER_READY_FILE     file to write READY to just before connecting
    CLIPPER_METRICS_PORT   port on which the metrics of the model are served
    CLIPPER_METRICS_ADDRESS   address for it; default all
    CLIPPER_BATCH_TIMEOUT  the server's batch_timeout: auto (the default) or a
                           time such as 30s; off: no watchdog

Exit codes: 0 stopped by a signal; 1 the environment or the model is not
valid, or the model did not return from a batch (after a traceback); 2 the
arguments are not valid; 3 a module is missing; 4 the model failed on its
sample input.
"""

import os
import re
import sys
import traceback
from typing import List, Mapping, NamedTuple, Optional

from . import metrics
from .curve import Keys
from .errors import ModelDirectoryError
from .input_types import DTYPES, check_strings, code_of
from .loader import NO_SAMPLE, LoadedModel, load
from .log import identify, log
from .model import Model, message_of
from .session import Container
from .stamp import identity
from .watchdog import Watchdog, read_limit

EXIT_UNUSABLE = 1
EXIT_USAGE = 2
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
    strings: Optional[str]
    path: str
    seal: str
    endpoint: str
    rpc_version: int
    token: bytes
    ready_file: str
    metrics_port: Optional[int]
    metrics_address: str
    keys: Optional[Keys]
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
        strings=check_strings(env.get("CLIPPER_STRINGS") or None),
        path=env.get("CLIPPER_MODEL_PATH") or "/model",
        seal=_seal(env.get("CLIPPER_MODEL_DIGEST", "")),
        endpoint=endpoint,
        rpc_version=int(rpc_version),
        token=bytes.fromhex(token),
        ready_file=env.get("CLIPPER_READY_FILE", ""),
        metrics_port=_port(env.get("CLIPPER_METRICS_PORT", "")),
        metrics_address=env.get("CLIPPER_METRICS_ADDRESS", ""),
        keys=_keys(env),
        watched=batch_timeout != "off",
        limit=None if batch_timeout == "off" else read_limit(batch_timeout),
    )


def _keys(env: Mapping[str, str]) -> Optional[Keys]:
    own = env.get("CLIPPER_CURVE_KEY", "")
    server = env.get("CLIPPER_CURVE_SERVER", "")
    if bool(own) != bool(server):
        raise ValueError(
            "CLIPPER_CURVE_KEY and CLIPPER_CURVE_SERVER must be set together"
        )
    return Keys(own, server) if own else None


def _seal(text: str) -> str:
    if text and not re.fullmatch("[0-9A-Fa-f]{64}", text):
        raise ValueError(
            "CLIPPER_MODEL_DIGEST must be 64 hexadecimal digits"
        )
    return text


def _port(text: str) -> Optional[int]:
    if not text:
        return None
    if not text.isdigit() or int(text) > 65535:
        raise ValueError(
            "CLIPPER_METRICS_PORT must be a port number, not %s" % text
        )
    return int(text)


def read_arguments(arguments: List[str]) -> Mapping[str, str]:
    """Read the variables that the arguments of the command replace.

    Raises:
        ValueError: they are not MODEL:VERSION.
    """
    if not arguments:
        return {}
    name, _, version = arguments[0].partition(":")
    if len(arguments) > 1 or not name or not version:
        raise ValueError(
            "%s is not MODEL:VERSION; see --help"
            % " ".join(arguments)
        )
    return {"CLIPPER_MODEL_NAME": name, "CLIPPER_MODEL_VERSION": version}


def main() -> int:
    """Run a container; returns the exit code of the process."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print((__doc__ or "").rstrip())
        return 0
    try:
        given = read_arguments(sys.argv[1:])
    except ValueError as error:
        log("clipper_container: %s" % error)
        return EXIT_USAGE
    env = {**os.environ, **given}
    label, token = identity(env)
    if label:
        # The process that reads the output calls it the same.
        identify(label, token)
    try:
        settings = read_environment(env)
    except ValueError as error:
        log("clipper_container: %s" % error)
        return EXIT_UNUSABLE
    if settings.metrics_port is not None:
        metrics.serve(settings.metrics_port, settings.metrics_address)
    stage = "could not be loaded"
    code = EXIT_UNUSABLE
    try:
        loaded = load(settings.path, settings.seal)
        model = Model(
            loaded.func, settings.input_type,
            settings.strings or loaded.strings,
        )
        if loaded.sample is not NO_SAMPLE:
            stage, code = "failed on its sample input", EXIT_SAMPLE
            model.warm_up(loaded.sample)
        else:
            _warm_up(loaded, settings.input_type)
    except ImportError as error:
        _print_traceback()
        log(_MISSING % (" (%s)" % error.name if error.name else ""))
        return EXIT_IMPORT
    except ModelDirectoryError as error:
        log("clipper_container: %s" % error)
        return EXIT_UNUSABLE
    except KeyboardInterrupt:
        raise
    except BaseException:
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
            settings.keys,
        )
    except ValueError as error:
        log("clipper_container: %s" % error)
        return EXIT_UNUSABLE
    if settings.ready_file:
        with open(settings.ready_file, "w", encoding="utf-8") as f:
            f.write("READY")
    container.run()
    return 0


def _warm_up(loaded: LoadedModel, input_type: int) -> None:
    """Use the library's model once; a failure is only logged."""
    try:
        loaded.warm_up(DTYPES.get(input_type))
    except Exception as error:
        log("The model was not warmed up: %s: %s" % (
            type(error).__name__, message_of(error)
        ))


def _print_traceback() -> None:
    log(traceback.format_exc())


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.exit(main())
