"""The output of a container: a pipe, and the process that reads it.

The reader, `clipper_container.stamp`, has a session of its own and ends when
nobody can write to the pipe any more. So it writes the last words of a
container that was killed, also when the supervisor was killed with it, and
of a process that the container left behind: none of them ever waits for a
full pipe or gets SIGPIPE.

The supervisor keeps the reading end as well, and starts a reader again that
was killed: the container does not notice.
"""

import asyncio
import os
import subprocess
import sys
from typing import Callable, Optional

from clipper_container import stamp

#: Seconds before a reader that was killed is started again.
_PAUSE = 0.1

#: Seconds in which a reader writes what is left when the container has ended.
#: Longer, another process keeps the pipe open.
_PATIENCE = 5.0


class Output:
    """The output of one start of a container; made in the event loop.

    Args:
        name: of the container, for the log.
        path: its log.
        limit: bytes of the log; 0 for no limit.
        who: model and replica, for each line.
        zone: its TZ; None for the supervisor's.
        log: writes a line to the supervisor's log.

    Raises:
        OSError: there is no pipe or no process for it.
    """

    def __init__(
        self,
        name: str,
        path: str,
        limit: int,
        who: str,
        zone: Optional[str],
        log: Callable[..., None],
    ) -> None:
        self._name = name
        self._command = [
            sys.executable, "-I", "-S", stamp.__file__, path, str(limit), who
        ]
        self._env = dict(os.environ)
        if zone is not None:
            self._env["TZ"] = zone
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._pipe, self.write_end = os.pipe()
        try:
            self._start()
        except OSError:
            os.close(self._pipe)
            os.close(self.write_end)
            raise

    async def ended(self) -> None:
        """Wait until all is written, or another process goes on to print."""
        try:
            await asyncio.wait_for(self._ended.wait(), _PATIENCE)
        except asyncio.TimeoutError:
            self._log("%s: a process of it is left and may print", self._name)

    def _start(self) -> None:
        # Its standard output, which nobody writes to, ends with it.
        end, own = os.pipe()
        try:
            reader = subprocess.Popen(
                self._command, env=self._env, stdin=self._pipe, stdout=own,
                start_new_session=True,
            )
        except OSError:
            os.close(end)
            raise
        finally:
            os.close(own)
        self._loop.add_reader(end, self._has_ended, end, reader)

    def _has_ended(
        self, end: int, reader: "subprocess.Popen[bytes]"
    ) -> None:
        self._loop.remove_reader(end)
        os.close(end)
        code = reader.wait()
        if code == 0:
            os.close(self._pipe)
            self._ended.set()
            return
        self._log("%s: the reader of its output ended with %d", self._name, code)
        self._loop.call_later(_PAUSE, self._start_again)

    def _start_again(self) -> None:
        try:
            self._start()
        except OSError as error:
            self._log("%s: its output cannot be read: %s", self._name, error)
            self._loop.call_later(10 * _PAUSE, self._start_again)
