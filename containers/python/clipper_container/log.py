"""The log of a container: lines with time, model and replica.

What others print gets the same from the process that reads the output, see
`stamp`.
"""

import itertools
import sys
import threading
import time
import traceback
from typing import Callable, Dict, List, Optional, Tuple

from . import stamp

#: Seconds in which equal errors are logged once.
INTERVAL = 60.0

#: Different errors that are told apart.
_MOST = 100

_thread = threading.local()
_process = ""


def identify(label: str, token: bytes) -> None:
    """Set what the lines of this thread are about.

    Threads without an identity use the first one of the process.

    Args:
        label: ``model:version``.
        token: the replica's token, empty when it is unknown. The lines have
            the begin of its hash, as the server's status has it.
    """
    global _process
    _thread.who = stamp.who(label, token)
    _process = _process or _thread.who


def log(text: str) -> None:
    """Write a line to the container's log (standard output).

    Args:
        text: each of its lines gets time, model and replica.
    """
    who = getattr(_thread, "who", "") or _process
    head = time.strftime("%Y-%m-%d %H:%M:%S ") + (who and who + " ")
    # One write, so lines of several threads do not mix.
    lines = "".join(
        "%s%s\n" % (head, line) for line in text.splitlines() or [""]
    )
    # A model's error may have characters that the log's encoding lacks.
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(
        lines.encode(encoding, "backslashreplace").decode(encoding)
    )
    sys.stdout.flush()


class Failures:
    """Logs errors, equal ones once a minute with their number.

    Errors are equal when they have the same type and come from the same
    lines; their messages may differ.

    Args:
        clock: returns monotonic seconds.
        write: writes a text to the log.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        write: Callable[[str], None] = log,
    ) -> None:
        self._clock = clock
        self._write = write
        self._seen: Dict[Tuple[object, ...], "_Failure"] = {}

    def add(self, error: BaseException) -> None:
        """Log an error with its traceback, or count it."""
        key = _place(error)
        if not self._is_known(key):
            self._begin(key, "".join(traceback.format_exception(
                type(error), error, error.__traceback__
            )))

    def note(self, text: str) -> None:
        """Log a text, or count it when it was logged within the minute."""
        if not self._is_known((text,)):
            self._begin((text,), text)

    def _is_known(self, key: Tuple[object, ...]) -> bool:
        known = self._seen.get(key)
        if known is not None:
            known.count += 1
            self.flush()
        return known is not None

    def _begin(self, key: Tuple[object, ...], text: str) -> None:
        self._write(text)
        if len(self._seen) >= _MOST:
            self._tell(self._seen.pop(next(iter(self._seen))))
        self._seen[key] = _Failure(self._clock(), text)

    def flush(self, end: bool = False) -> None:
        """Log the number of errors whose minute is over.

        Args:
            end: of all errors.
        """
        if not self._seen:
            return
        now = self._clock()
        for key, one in list(self._seen.items()):
            if not end and now - one.since < INTERVAL:
                continue
            if one.count:
                self._tell(one)
                one.since, one.count = now, 0
            else:
                del self._seen[key]

    def _tell(self, one: "_Failure") -> None:
        if one.count:
            self._write("The same %d more times in %d s:\n%s" % (
                one.count, self._clock() - one.since, one.text
            ))


class _Failure:
    """An error that was logged."""

    def __init__(self, since: float, text: str) -> None:
        self.since = since
        self.text = text
        self.count = 0


def _place(error: BaseException) -> Tuple[object, ...]:
    """The type of an error and of its causes, with their lines."""
    found: List[object] = []
    one: Optional[BaseException] = error
    while one is not None and len(found) < _MOST:
        found.append(type(one))
        found += [
            (frame.f_code.co_filename, line)
            for frame, line in itertools.islice(
                traceback.walk_tb(one.__traceback__), _MOST
            )
        ]
        one = one.__cause__ or one.__context__
    return tuple(found)
