"""A redis-server for a test, and its content."""

import contextlib
import os
import signal
import socket
import subprocess
import threading

from .util import free_port, wait_until


class Redis:
    """A redis-server on a random port; its data survive its death."""

    def __init__(self, directory, *options):
        self.dir = directory
        self.dir.mkdir()
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.options = options
        self.password = None
        self.environment = {}
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
             "--dir", str(self.dir), "--save", "", "--appendonly", "yes",
             "--appendfsync", "always", *map(str, self.options)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env={**os.environ, **self.environment})
        wait_until(lambda: self("PING") == "PONG", 10, "Redis")
        return self

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def __call__(self, *args, db=None):
        with socket.create_connection(("127.0.0.1", self.port), 5) as sock:
            stream = sock.makefile("rb")
            answer = None
            for command in ([("AUTH", self.password)] * bool(self.password)
                            + [("SELECT", db)] * bool(db) + [args]):
                parts = [str(a).encode() for a in command]
                sock.sendall(b"*%d\r\n" % len(parts) + b"".join(
                    b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
                answer = self.read(stream)
            return answer

    def read(self, stream):
        line = stream.readline()[:-2]
        if not line:
            raise OSError("closed")
        kind, rest = line[:1], line[1:].decode()
        if kind == b"-":
            raise OSError(rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if rest == "-1":
                return None
            return stream.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self.read(stream) for _ in range(int(rest))]
        return rest

    def state(self, key, **kw):
        values = self("HGETALL", key, **kw)
        return dict(zip(values[::2], values[1::2]))

    def sums(self, key="clipper:state:a:epsilon_greedy", **kw):
        """Counts and losses of the models m and n."""
        state = self.state(key, **kw)
        return {f: float(v) for f, v in state.items() if "/" in f}

    def feedbacks(self, key="clipper:state:a:epsilon_greedy", **kw):
        return sum(v for f, v in self.sums(key, **kw).items()
                   if f.endswith("/count"))


class Way:
    """A proxy to Redis that the test can hold or close.

    held      set when ``text`` passes; ``go`` lets it continue
    answered  connections with an answer of Redis
    """

    def __init__(self, store, text=None):
        self.store = store.port
        self.text = text
        self.held = threading.Event()
        self.go = threading.Event()
        self.answered = set()
        self._muted = set()
        self._clients = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def mute(self):
        """Present connections no longer reach Redis."""
        self._muted |= set(self._clients)

    def refuse(self):
        """New connections are refused."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def close(self):
        self.refuse()
        self.go.set()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                store = socket.create_connection(("127.0.0.1", self.store))
                self._clients.append(client)
                for ends in ((client, store), (store, client)):
                    threading.Thread(target=self._pump, args=ends,
                                     daemon=True).start()

    def _pump(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.text and self.text in data:
                    self.held.set()
                    self.go.wait()
                if source not in self._muted:
                    target.sendall(data)
                if target in self._clients:
                    self.answered.add(target)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
