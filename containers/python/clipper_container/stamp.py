"""Put time, model and replica before each line of a container's output.

The output of a container is a pipe. Whoever prints there - the model, a
library in C, a child process, the interpreter that dies - another process
reads it and writes whole lines:

    YYYY-MM-DD HH:MM:SS MODEL:VERSION REPLICA text

REPLICA is the begin of the token's hash, as the server's status has it. A
line that begins so already stays as it is.

A line without an end is cut into pieces of 1 MiB, which are lines. The last
line gets an end when it has none. Lines that cannot be written, since the
disk is full, are lost; their number is written as soon as that works.

The file is run by its path, without the packages of the container:

    python -I -S stamp.py -- COMMAND [ARGUMENT ...]
        run a program, the main process of an image; its output is stamped
        and goes to the standard output, signals go to the program, and the
        exit code is its own (127: it cannot be started)

    python -I -S stamp.py FILE LIMIT [WHO]
        append the standard input to a file, which becomes FILE.1 when it is
        longer than LIMIT bytes (0: no limit)
"""

import contextlib
import os
import re
import select
import signal
import sys
import time
from typing import Any, List, Mapping, Optional, Tuple

#: Bytes of a line before it is cut.
LONGEST = 1 << 20

#: Bytes that are read at once.
_CHUNK = 1 << 16

#: Bytes that a pipe may have when its writer has ended.
_LEFT = 1 << 20

#: Seconds between two attempts to tell how many lines were lost.
_AGAIN = 1.0

_TOKEN = "CLIPPER_REPLICA_TOKEN"

#: What a program gets from the kernel for what it did itself, or what cannot
#: be caught; every other signal goes to the model.
_OWN_SIGNALS = frozenset((
    signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGPIPE,
    signal.SIGXFSZ, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE,
    signal.SIGILL, signal.SIGSYS, signal.SIGTRAP,
))


def who(label: str, token: bytes) -> str:
    """Model and replica as they stand in each line.

    Args:
        label: ``model:version``.
        token: the replica's token, empty when it is unknown.
    """
    if not token:
        return label
    # A reader of a pipe is told who; it does without this library.
    import hashlib

    hashed = hashlib.sha1(b"clipper replica " + token).hexdigest()
    return "%s %s" % (label, hashed[:8])


def identity(env: Mapping[str, str]) -> Tuple[str, bytes]:
    """``model:version`` and token in a container's environment.

    Both are empty when they are not there; a token that is not valid is
    none.
    """
    name = env.get("CLIPPER_MODEL_NAME")
    version = env.get("CLIPPER_MODEL_VERSION")
    try:
        token = bytes.fromhex(env.get(_TOKEN, ""))
    except ValueError:
        token = b""
    return "%s:%s" % (name, version) if name and version else "", token


class Output:
    """Where stamped lines go: a file with a limit, or a descriptor.

    Args:
        path: the file; it is opened anew after each failure to do so.
        limit: bytes after which it becomes ``PATH.1``; 0 for no limit.
        fd: the descriptor, when there is no file.
    """

    def __init__(
        self, path: str = "", limit: int = 0, fd: Optional[int] = None
    ) -> None:
        self._path = path
        self._limit = limit
        self._fd = fd
        self._why = ""
        # Whether the last line that was written has no end.
        self._cut = False
        self.lost = 0

    def write(self, head: bytes, lines: bytes) -> None:
        """Write whole lines; never fails, those that cannot be are counted.

        Args:
            head: what a line about lost lines begins with.
            lines: may be empty, to tell only what was lost.
        """
        if not self._tell(head):
            self.lost += lines.count(b"\n")
            return
        done = self._put(lines)
        if done < len(lines):
            self.lost = lines.count(b"\n", done)
            self._cut = lines[max(done - 1, 0):done] not in (b"", b"\n")
        elif self._path and self._limit:
            with contextlib.suppress(OSError):
                self._rotate()

    def _tell(self, head: bytes) -> bool:
        """Write the number of lost lines; whether that worked."""
        if not self.lost:
            return True
        text = b"%s%s%d lines are lost, the log could not be written: %s\n" % (
            b"\n" if self._cut else b"", head, self.lost, self._why.encode()
        )
        done = self._put(text)
        if done == len(text):
            self.lost, self._cut = 0, False
            return True
        if done:
            self._cut = text[done - 1:done] != b"\n"
        return False

    def _put(self, data: bytes) -> int:
        """Write bytes; returns how many were written."""
        done = 0
        try:
            if self._fd is None:
                self._fd = self._open()
            view = memoryview(data)
            while done < len(data):
                try:
                    done += os.write(self._fd, view[done:])
                except BlockingIOError:
                    select.select([], [self._fd], [])
        except OSError as error:
            self._why = error.strerror or "unknown error"
        return done

    def _open(self) -> int:
        return os.open(
            self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666
        )

    def _rotate(self) -> None:
        if self._fd is None:
            return
        own = os.fstat(self._fd)
        if own.st_size <= self._limit:
            return
        # A process of the container before may write to the same file.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(own, os.stat(self._path)):
                os.rename(self._path, self._path + ".1")
        os.close(self._fd)
        self._fd = None
        self._fd = self._open()


class Stamper:
    """Cuts what it gets into lines and stamps them.

    Args:
        text: model and replica; may be empty.
        output: where the lines go.
    """

    def __init__(self, text: str, output: Output) -> None:
        self._who = (text + " ").encode() if text else b""
        self._has_it = re.compile(
            rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d " + re.escape(self._who)
        ).match
        self._rest = b""
        self._output = output

    @property
    def wait(self) -> Optional[float]:
        """Seconds until `again` should be called; None: not at all."""
        return _AGAIN if self._output.lost else None

    def feed(self, data: bytes) -> None:
        """Write the lines that are whole now."""
        data = self._rest + data
        end = data.rfind(b"\n") + 1
        if end:
            self._write(data[:end])
        self._rest = data[end:]
        while len(self._rest) >= LONGEST:
            end = _end_of_character(self._rest, LONGEST)
            self._write(self._rest[:end] + b"\n")
            self._rest = self._rest[end:]

    def again(self) -> None:
        """Try to tell what was lost."""
        self._output.write(self._head(), b"")

    def end(self) -> None:
        """Write the last line."""
        if self._rest:
            self._write(self._rest + b"\n")
            self._rest = b""
        self.again()

    def _head(self) -> bytes:
        return time.strftime("%Y-%m-%d %H:%M:%S ").encode() + self._who

    def _write(self, lines: bytes) -> None:
        head, has_it = self._head(), self._has_it
        self._output.write(head, b"".join([
            line + b"\n" if has_it(line) else head + line + b"\n"
            for line in lines[:-1].split(b"\n")
        ]))


def _end_of_character(data: bytes, end: int) -> int:
    """The place to cut at that does not divide a character of UTF-8."""
    for place in range(end, end - 4, -1):
        if place >= len(data) or data[place] & 0xC0 != 0x80:
            return place
    return end


def copy(source: int, stamper: Stamper) -> None:
    """Stamp what comes from a descriptor until its end."""
    while True:
        ready, _, _ = select.select([source], [], [], stamper.wait)
        if not ready:
            stamper.again()
            continue
        data = os.read(source, _CHUNK)
        if not data:
            stamper.end()
            return
        stamper.feed(data)


class Program:
    """A program whose output is stamped, and the process before it.

    Args:
        command: program and arguments.
        env: its environment; it gets a token when there is none, so that
            its lines name the replica.
    """

    def __init__(self, command: List[str], env: Mapping[str, str]) -> None:
        self._command = command
        self._env = dict(env)
        if not self._env.get(_TOKEN):
            self._env[_TOKEN] = os.urandom(16).hex()
        label, token = identity(self._env)
        if not label and ":" in command[-1]:
            label = command[-1]
        self._stamper = Stamper(
            who(label, token) if label else "", Output(fd=1)
        )
        self._pid = 0
        self._status: Optional[int] = None

    def run(self) -> int:
        """Run it; returns its exit code, or ends by the signal it got."""
        blocked = signal.valid_signals() - _OWN_SIGNALS
        signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
        wakes, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        output, write_end = os.pipe2(os.O_CLOEXEC)
        try:
            self._pid = os.posix_spawnp(
                self._command[0], self._command, self._env,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, write_end, 1),
                    (os.POSIX_SPAWN_DUP2, write_end, 2),
                ],
                # A terminal's signals go to this process alone, which passes
                # them on.
                setpgroup=0, setsigmask=[],
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
            )
        except OSError as error:
            self._stamper.feed(("%s: %s\n" % (
                self._command[0], error.strerror
            )).encode())
            return 127
        for number in blocked:
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, self._pass_on)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.close(write_end)
        self._copy(output, wakes)
        return self._end()

    def _pass_on(self, number: int, frame: Any) -> None:
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)

    def _copy(self, output: int, wakes: int) -> None:
        """Stamp its output until it has ended and nothing is left."""
        sources, left = [output, wakes], _LEFT
        while self._status is None or (output in sources and left > 0):
            # Another process that goes on to print does not keep this one.
            wait = self._stamper.wait if self._status is None else 0.0
            ready, _, _ = select.select(sources, [], [], wait)
            if wakes in ready:
                os.read(wakes, _CHUNK)
                self._reap()
            if output in ready:
                data = os.read(output, _CHUNK)
                if not data:
                    sources.remove(output)
                if self._status is not None:
                    left -= len(data)
                self._stamper.feed(data)
            elif self._status is not None and not ready:
                break
            elif not ready:
                self._stamper.again()
        self._stamper.end()

    def _reap(self) -> None:
        """Collect what has ended: as process 1 also what is not a child."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if pid == self._pid:
                    self._status = status

    def _end(self) -> int:
        assert self._status is not None
        if not os.WIFSIGNALED(self._status):
            return os.WEXITSTATUS(self._status)
        number = os.WTERMSIG(self._status)
        if os.getpid() != 1:
            import resource

            # The program has written its core already.
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if number != signal.SIGKILL:
                signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        # The kernel keeps signals of its own namespace from process 1.
        return 128 + number


def main(arguments: List[str]) -> int:
    """Run as the main process of an image, or as the reader of a pipe."""
    if {"-h", "--help"} & set(arguments[:1]):
        print((__doc__ or "").rstrip())
        return 0
    if arguments[:1] == ["--"] and len(arguments) > 1:
        return Program(arguments[1:], os.environ).run()
    if len(arguments) not in (2, 3) or not arguments[1].isdigit():
        print(__doc__, file=sys.stderr)
        return 2
    path, limit = arguments[0], int(arguments[1])
    copy(0, Stamper("".join(arguments[2:]), Output(path, limit)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
