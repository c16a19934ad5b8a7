"""The supervisor of a local cluster: the parent of all its processes.

It starts nginx and the model containers in its own session, restarts those
that end (after a longer wait each time), and outlives the program that
started the cluster. What a model's container prints is read by a process of
its own, see `output`. A service is started by the first connection to its
socket, `NAME.sock`. When it dies, its children die. It listens on a socket
in the cluster's directory; each line is a command as a JSON object, and each
answer is a line with a JSON object.

    python -m clipper_admin.local DIRECTORY

The directory has `supervisor.json`: {"nginx": [argument, ...], "log_size":
bytes, "services": {name: [argument, ...]}}.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import re
import secrets
import signal
import socket
import sys
import time
from typing import Any, Awaitable, Callable, Dict, List, Optional, Tuple

from clipper_container import stamp

from .output import Output
from .rotation import LIMIT, keep_rotating

CONTROL = "control.sock"
LOCK = "supervisor.lock"
SETTINGS = "supervisor.json"

#: Seconds before a child is restarted: doubled each time from the first to
#: the second value; from the first again after it ran for the third.
FIRST_WAIT = 0.1
LONGEST_WAIT = 10.0
STABLE_AFTER = 30.0

#: Seconds for a child to end before it is killed.
PATIENCE = 30.0

#: What the watchdog of a container prints before it ends it; its log has
#: time, model and replica before it.
_HUNG = re.compile(rb"^(?:[-\d]+ [:\d]+ \S+ \S+ )?Timeout \((\d+:\d\d:\d\d)[.\d]*\)!", re.MULTILINE)

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def log(text: str, *args: object) -> None:
    """Write a line to the supervisor's log (standard output)."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    # A full disk must not end the task that keeps a child running.
    with contextlib.suppress(OSError):
        print(stamp, text % args if args else text, flush=True)


class Child:
    """A process that the supervisor keeps running.

    Args:
        name: name in the log and in answers.
        command: program and arguments.
        env: variables added to the supervisor's environment.
        log_path: file for its output.
        keep: whether it is restarted when it ends.
        on_death: signal that it gets when the supervisor dies.
        quit_signal: signal that lets it finish and end.
        with_token: whether each start gets a new CLIPPER_REPLICA_TOKEN.
        listener: socket that it inherits as CLIPPER_LISTENER.
        log_size: bytes of the log of a container of a model, whose lines
            are stamped by a reader of its output; 0 for no limit.
    """

    def __init__(
        self,
        name: str,
        command: List[str],
        env: Dict[str, str],
        log_path: str,
        keep: bool,
        on_death: int = signal.SIGKILL,
        quit_signal: int = signal.SIGTERM,
        with_token: bool = False,
        listener: Optional[socket.socket] = None,
        log_size: int = 0,
    ) -> None:
        self.name = name
        self.keep = keep
        self.exit_code: Optional[int] = None
        self.starts = 0
        self.token = ""
        self._command = command
        self._env = env
        self.log_path = log_path
        self._on_death = on_death
        self._quit_signal = quit_signal
        self._with_token = with_token
        self._listener = listener
        self._log_size = log_size
        self._process: Optional[asyncio.subprocess.Process] = None
        self._ending = False
        self._restart_now = asyncio.Event()
        self._task: Optional["asyncio.Task[None]"] = None

    @property
    def is_stamped(self) -> bool:
        """Whether its output is that of a model, which a reader stamps."""
        return self._with_token and stamp.identity(self._env)[0] != ""

    @property
    def pid(self) -> Optional[int]:
        """Process id; None when it does not run."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it and keep it running."""
        self._task = asyncio.ensure_future(self._live())

    async def stop(self, graceful: bool = True) -> None:
        """Stop it for good; returns when it has ended."""
        self._ending = True
        self._restart_now.set()
        if self._process is not None:
            self._signal(self._quit_signal if graceful else signal.SIGKILL)
        if self._task is None:
            return
        try:
            await asyncio.wait_for(asyncio.shield(self._task), PATIENCE)
        except asyncio.TimeoutError:
            log("%s does not end, killing it", self.name)
            self._signal(signal.SIGKILL)
            await self._task

    def reload(self) -> bool:
        """Send SIGHUP; False when it does not run."""
        if self._process is None:
            return False
        os.kill(self._process.pid, signal.SIGHUP)
        return True

    def describe(self) -> Dict[str, Any]:
        """Its state, for the control socket."""
        return {
            "id": self.name,
            "pid": self.pid,
            "token": self.token,
            "exit_code": self.exit_code,
            "starts": self.starts,
            "log": self.log_path,
            "metrics_port": int(self._env.get("CLIPPER_METRICS_PORT") or 0),
        }

    def _signal(self, number: int) -> None:
        if self._process is None:
            return
        try:
            if number == signal.SIGKILL:
                os.killpg(self._process.pid, number)
            else:
                os.kill(self._process.pid, number)
        except ProcessLookupError:
            pass

    async def _live(self) -> None:
        wait = FIRST_WAIT
        while True:
            began = time.monotonic()
            try:
                await self._run_once()
            except OSError as error:
                log("%s: %s", self.name, error)
                self.exit_code = 127
            if self._ending:
                return
            while not self.keep:
                # Whoever started it decides, by its exit code.
                await self._wait_for_word(None)
                if self._ending:
                    return
            if time.monotonic() - began > STABLE_AFTER:
                wait = FIRST_WAIT
            await self._wait_for_word(wait)
            if self._ending:
                return
            wait = min(2 * wait, LONGEST_WAIT)

    async def _wait_for_word(self, seconds: Optional[float]) -> None:
        self._restart_now.clear()
        if self._ending:
            return
        try:
            await asyncio.wait_for(self._restart_now.wait(), seconds)
        except asyncio.TimeoutError:
            pass

    async def _run_once(self) -> None:
        env = dict(os.environ, **self._env)
        if self._with_token:
            self.token = secrets.token_hex(16)
            env["CLIPPER_REPLICA_TOKEN"] = self.token
        inherited = []
        if self._listener is not None:
            inherited = [self._listener.fileno()]
            env["CLIPPER_LISTENER"] = str(inherited[0])
        self.starts += 1
        with contextlib.ExitStack() as opened:
            log_file = opened.enter_context(open(self.log_path, "ab"))
            start = log_file.seek(0, os.SEEK_END)
            reader, output = self._open_output(env, log_file.fileno(), opened)
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    env=env,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    preexec_fn=_prepare(self._on_death),
                    pass_fds=inherited,
                )
            except OSError as error:
                log("%s could not be started: %s", self.name, error)
                os.write(output, ("%s\n" % error).encode())
                self.exit_code = 127
                return
        if self._ending:
            self._signal(self._quit_signal)
        pid = self._process.pid
        log("%s started, process %d", self.name, pid)
        self.exit_code = None
        code = await self._process.wait()
        self._process = None
        try:
            # nginx's workers outlive a master that was killed and keep its
            # ports open.
            os.killpg(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        if reader is not None:
            # Whoever sees the exit code finds the last words in the log.
            await reader.ended()
        self.exit_code = code
        log("%s ended with %d", self.name, code)
        self._report_hung(start)

    def _open_output(
        self, env: Dict[str, str], log_file: int, opened: contextlib.ExitStack
    ) -> Tuple[Optional[Output], int]:
        """Where a process that starts prints: the log, or a reader's pipe.

        Args:
            env: its environment.
            log_file: descriptor of the log.
            opened: closes the descriptor that is returned.
        """
        label, token = stamp.identity(env)
        if not self.is_stamped:
            return None, log_file
        try:
            reader = Output(
                self.name, self.log_path, self._log_size,
                stamp.who(label, token), env.get("TZ"), log,
            )
        except OSError as error:
            log("%s: its output cannot be read: %s", self.name, error)
            return None, log_file
        opened.callback(os.close, reader.write_end)
        return reader, reader.write_end

    def _report_hung(self, start: int) -> None:
        """Log if the watchdog has ended it.

        Args:
            start: bytes that its log had when it began.
        """
        if not self._with_token or self.exit_code != 1:
            return
        try:
            with open(self.log_path, "rb") as f:
                size = f.seek(0, os.SEEK_END)
                # A log that is shorter than before was rotated.
                f.seek(max(start if start <= size else 0, size - (1 << 16)))
                found = _HUNG.findall(f.read())
        except OSError:
            return
        if found:
            log(
                "%s: model %s:%s did not return from a batch for %s (h:mm:ss)",
                self.name,
                self._env.get("CLIPPER_MODEL_NAME", "?"),
                self._env.get("CLIPPER_MODEL_VERSION", "?"),
                found[-1].decode(),
            )


def _prepare(on_death: int) -> Callable[[], None]:
    parent = os.getpid()

    def prepare() -> None:
        # Background programs of a shell ignore these two signals.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        os.setpgid(0, 0)
        _LIBC.prctl(_PR_SET_PDEATHSIG, on_death, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(127)

    return prepare


class Supervisor:
    """The children of a cluster and the commands for them.

    Args:
        directory: the cluster's directory.
        settings: contents of `supervisor.json`.
    """

    def __init__(self, directory: str, settings: Dict[str, Any]) -> None:
        self._directory = directory
        self._nginx = Child(
            "nginx",
            settings["nginx"],
            {},
            os.path.join(directory, "logs", "nginx.log"),
            keep=False,
            on_death=signal.SIGTERM,
            quit_signal=signal.SIGQUIT,
        )
        self._log_size = int(settings.get("log_size", LIMIT))
        self._wanted: Dict[str, List[str]] = settings.get("services", {})
        self._services: List[Child] = []
        self._replicas: Dict[str, Child] = {}
        self._stopped = asyncio.Event()
        self._commands: Dict[
            str, Callable[[Dict[str, Any]], Awaitable[Dict[str, Any]]]
        ] = {
            "state": self._state,
            "reload": self._reload,
            "add": self._add,
            "keep": self._keep,
            "remove": self._remove,
            "stop": self._stop,
        }

    async def run(self) -> None:
        """Serve commands until `stop`, SIGTERM or SIGINT."""
        path = os.path.join(self._directory, CONTROL)
        if os.path.exists(path):
            os.unlink(path)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(
                number, lambda: asyncio.ensure_future(self._stop({}))
            )
        # A socket's path has at most 107 bytes; the directory's may be
        # longer.
        os.chdir(self._directory)
        server = await asyncio.start_unix_server(
            self._serve, CONTROL, limit=1 << 24
        )
        os.chmod(CONTROL, 0o600)
        for name, command in self._wanted.items():
            self._serve_on_demand(name, command)
        self._nginx.start()
        rotation = asyncio.ensure_future(keep_rotating(
            os.path.join(self._directory, "logs"), self._log_size, log,
            self._read_logs,
        ))
        await self._stopped.wait()
        rotation.cancel()
        server.close()
        # Newer versions of Python have removed it already.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(CONTROL)

    def _read_logs(self) -> List[str]:
        """Logs that the readers of the containers' output rotate."""
        return [
            one.log_path for one in self._replicas.values() if one.is_stamped
        ]

    def _serve_on_demand(self, name: str, command: List[str]) -> None:
        loop = asyncio.get_running_loop()
        path = name + ".sock"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen(128)
        child = Child(
            name, command, {},
            os.path.join(self._directory, "logs", name + ".log"), keep=True,
            listener=listener,
        )

        def start() -> None:
            loop.remove_reader(listener)
            self._services.append(child)
            child.start()

        loop.add_reader(listener, start)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            line = await reader.readline()
            while line:
                answer = await self._answer(line)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
                line = await reader.readline()
        except (ConnectionError, ValueError) as error:
            log("control connection: %s", error)
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Dict[str, Any]:
        try:
            command = json.loads(line)
            return await self._commands[command["do"]](command)
        except Exception as error:
            log("command failed: %r", error)
            return {"error": "%s: %s" % (type(error).__name__, error)}

    async def _state(self, command: Dict[str, Any]) -> Dict[str, Any]:
        return {
            "pid": os.getpid(),
            "nginx": self._nginx.describe(),
            "replicas": [one.describe() for one in self._replicas.values()],
        }

    async def _reload(self, command: Dict[str, Any]) -> Dict[str, Any]:
        return {"ok": self._nginx.reload()}

    async def _add(self, command: Dict[str, Any]) -> Dict[str, Any]:
        for spec in command["replicas"]:
            if spec["id"] in self._replicas:
                raise ValueError("replica %s exists" % spec["id"])
        for spec in command["replicas"]:
            child = Child(
                spec["id"],
                spec["command"],
                spec["env"],
                spec["log"],
                keep=False,
                with_token=True,
                log_size=self._log_size,
            )
            self._replicas[spec["id"]] = child
            child.start()
        return {"ok": True}

    async def _keep(self, command: Dict[str, Any]) -> Dict[str, Any]:
        for name in command["ids"]:
            child = self._nginx if name == "nginx" else self._replicas[name]
            child.keep = True
            child._restart_now.set()
        return {"ok": True}

    async def _remove(self, command: Dict[str, Any]) -> Dict[str, Any]:
        graceful = command.get("graceful", True)
        children = [
            self._replicas[name]
            for name in command["ids"]
            if name in self._replicas
        ]
        await asyncio.gather(*(child.stop(graceful) for child in children))
        for name in command["ids"]:
            self._replicas.pop(name, None)
        return {"ok": True}

    async def _stop(self, command: Dict[str, Any]) -> Dict[str, Any]:
        graceful = command.get("graceful", True)
        log("stopping")
        children = [*self._services, *self._replicas.values(), self._nginx]
        await asyncio.gather(*(child.stop(graceful) for child in children))
        self._replicas.clear()
        asyncio.get_running_loop().call_later(0.05, self._stopped.set)
        return {"ok": True}


def hold_lock(directory: str) -> Optional[int]:
    """Take the lock of a running cluster; None when a supervisor holds it."""
    lock = os.open(
        os.path.join(directory, LOCK), os.O_CREAT | os.O_RDWR, 0o600
    )
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def main() -> int:
    """Run the supervisor of the cluster in a directory."""
    directory = os.path.abspath(sys.argv[1])
    lock = hold_lock(directory)
    if lock is None:
        log("another supervisor runs the cluster in %s", directory)
        return 1
    os.ftruncate(lock, 0)
    os.write(lock, b"%d" % os.getpid())
    with open(os.path.join(directory, SETTINGS), encoding="utf-8") as f:
        settings = json.load(f)
    log("supervising %s, process %d", directory, os.getpid())
    asyncio.run(_main(directory, settings))
    log("all processes have ended")
    return 0


async def _main(directory: str, settings: Dict[str, Any]) -> None:
    await Supervisor(directory, settings).run()
