"""Limits of containers: threads, memory, replicas."""

import os
from typing import Any, Dict, Mapping

from .containers import ContainerOptions
from .exceptions import ClipperException

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
