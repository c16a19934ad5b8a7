"""End a process whose model does not return.

`faulthandler` waits in a thread of its own that needs no lock of the
interpreter, so it also sees a function that holds it. When the time is over
it prints the traceback of every thread and ends the process with code 1.

The time is what `batch_timeout` of the server gives a batch, and one or two
seconds more: by then the server has closed the connection.
"""

import faulthandler
import re
import time
from typing import Optional

#: Longest time for a batch when it is not set, in seconds: before the first
#: answer on a connection, after it, and as a multiple of the longest batch.
FIRST_LIMIT = 60.0
LEAST_LIMIT = 10.0
LIMIT_FACTOR = 30.0

#: Seconds from the server's limit to the end of the process, at least, and
#: how much longer it may take: a timer serves the batches of that time.
GRACE = 1.0
SLACK = 1.0

#: A part of a time in nginx's language, such as `1h 30m`.
_PART = re.compile(r"(\d+)(ms|[yMwdhms]|\Z) *")
_UNITS = {
    "ms": 1e-3, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0,
    "w": 7 * 86400.0, "M": 30 * 86400.0, "y": 365 * 86400.0,
}


def read_limit(text: str) -> Optional[float]:
    """Seconds of a `batch_timeout`; None for `auto` and an empty text.

    Raises:
        ValueError: it is not a time.
    """
    if text in ("", "auto"):
        return None
    parts = list(_PART.finditer(text))
    seconds = sum(int(one.group(1)) * _UNITS[one.group(2)] for one in parts)
    if "".join(one.group() for one in parts) != text or seconds == 0:
        raise ValueError(
            "CLIPPER_BATCH_TIMEOUT must be auto or a time such as 30s"
        )
    return seconds


class Watchdog:
    """Watches the batches of one model; a process has one.

    Starting its thread for each batch would take longer than small batches
    do. So it runs on from one batch to the next, and stops when none comes.

    Args:
        limit: seconds for a batch; None: by the batches so far.
    """

    def __init__(self, limit: Optional[float] = None) -> None:
        self._fixed = limit
        self._answered = False
        self._longest = 0.0
        self._began = 0.0
        self._until: Optional[float] = None

    @property
    def runs(self) -> bool:
        """Whether it ends the process unless `begin` or `idle` is called."""
        return self._until is not None

    def connected(self) -> None:
        """The next answer is the first one of a new connection."""
        self._answered = False

    def limit(self) -> float:
        """Seconds that a batch has now."""
        if self._fixed is not None:
            return self._fixed
        least = LEAST_LIMIT if self._answered else FIRST_LIMIT
        return max(least, LIMIT_FACTOR * self._longest)

    def begin(self) -> None:
        """A batch goes to the model."""
        self._began = time.monotonic()
        end = self._began + self.limit() + GRACE
        if self._until is None or not end <= self._until <= end + SLACK:
            self._until = end + SLACK
            faulthandler.dump_traceback_later(
                self._until - self._began, exit=True, file=2
            )

    def end(self) -> None:
        """The model has returned or raised."""
        self._answered = True
        self._longest = max(self._longest, time.monotonic() - self._began)

    def idle(self) -> None:
        """No batch is there."""
        if self._until is not None:
            faulthandler.cancel_dump_traceback_later()
            self._until = None
