"""Limits: threads and memory of containers, sizes of requests and outputs."""

import os
from typing import Any, Dict, List, Mapping, Optional

from .containers import ContainerOptions
from .exceptions import ClipperException, refused
from .nginxconf import Directive, directive

#: Variables that numeric libraries read their number of threads from.
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)

#: Arguments of `clipper_limits`, and the highest value of each.
_REQUEST = {
    "batch": 1000000, "elements": 1 << 30, "depth": 1024, "output": 1 << 30,
}

#: What a cluster allows by default. The original Clipper had no limits.
DEFAULT_LIMITS: Mapping[str, Any] = {
    "batch": 20000, "elements": "64m", "output": "64m", "body": "256m",
}


def thread_environment(
    options: ContainerOptions, total: int, given: Mapping[str, str] = {}
) -> Dict[str, str]:
    """Environment that limits the threads of numeric libraries.

    Without a limit each replica would start a thread for every core.

    Args:
        options: of the containers.
        total: number of replicas that share this host.
        given: variables that are set already; they stay as they are.
    """
    cores = options.cpus or max(1, (os.cpu_count() or 1) // max(1, total))
    threads = str(max(1, int(cores)))
    return {name: threads for name in _THREADS if name not in given}


def check_count(count: Any) -> int:
    """Return a number of replicas.

    Raises:
        ClipperException: it is not an integer of 0 or more.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise ClipperException(
            "The number of replicas must be 0 or more, not %r"
            % (count,)
        )
    return count


def memory_bytes(memory: Any) -> int:
    """Bytes of a number, or of a text such as ``"512m"`` or ``"2g"``.

    Raises:
        ClipperException: it is neither.
    """
    if isinstance(memory, int) and not isinstance(memory, bool):
        return memory
    text = str(memory).strip().lower()
    units = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
    factor = units.get(text[-1:], 0)
    number = text[:-1] if factor else text
    if not number.isdigit():
        raise ClipperException(
            "Invalid amount of memory: %r. It is a number of bytes or a text "
            "such as '512m' or '2g'" % (memory,)
        )
    return int(number) * (factor or 1)


def make_limits(limits: Optional[Mapping[str, Any]]) -> List[Directive]:
    """The directives of limits of requests and outputs.

    Args:
        limits: numbers or texts such as ``"64m"``: batch, elements, depth,
            output, body; None for none.

    Raises:
        ClipperException: there is no such limit, or a value is not valid.
    """
    found: List[str] = []
    made: List[Directive] = []
    if limits is not None and not isinstance(limits, Mapping):
        raise refused(
            "limits must be a dict such as {'output': '64m'}, not %r"
            % (limits,)
        )
    for name, value in (limits or {}).items():
        if name not in (*_REQUEST, "body"):
            raise refused(
                "Unknown limit %r. It is one of %s"
                % (name, ", ".join((*_REQUEST, "body")))
            )
        try:
            number = memory_bytes(value)
        except ClipperException:
            number = 0
        if not 0 < number <= _REQUEST.get(name, 1 << 40):
            raise refused(
                "The limit %s must be a number from 1 to %d, or a text such "
                "as '64m', not %r"
                % (name, _REQUEST.get(name, 1 << 40), value)
            )
        if name == "body":
            made.append(directive("client_max_body_size", number))
        else:
            found.append("%s=%d" % (name, number))
    if found:
        made.insert(0, directive("clipper_limits", *found))
    return made


def describe_limits(directives: List[Directive]) -> Dict[str, Any]:
    """Limits by name, as `get_app_info` shows them."""
    shown: Dict[str, Any] = {}
    for one in directives:
        for arg in one.args:
            name, _, value = arg.rpartition("=")
            number = memory_bytes(value) if _is_size(value) else value
            shown[name or "body"] = number
    return shown


def _is_size(text: str) -> bool:
    return text.rstrip("kmgKMG").isdigit()
