"""Containers played frame by frame.

``Sim3`` behaves as a container of the original (protocol version 3), ``Sim4``
as one of version 4. Both run a socket loop in a thread of their own and
record every message. The test decides what they do with a request:

    Sim3(server, "m", model=lambda values: [...])   answers by a function
    Sim3(server, "m", handler=lambda sim, request: …)  sends any frames
    Sim3(server, "m", manual=True)                  waits for the test:
        request = sim.next_request(); sim.reply(request, ["1"])
"""

import collections
import contextlib
import heapq
import itertools
import os
import queue
import threading
import time
import traceback

import zmq
from zmq.utils.monitor import recv_monitor_message

from . import rpc
from .util import SLOW, wait_until

Event = collections.namedtuple("Event", "time direction frames session")


def default_model(values):
    """The sum of numbers, or the length of anything else."""
    return [str(float(sum(v))) if isinstance(v, tuple) else str(len(v))
            for v in values]


class Sim:
    """The loop that both versions share. All sockets belong to the thread;
    other threads hand it work through ``call``."""

    version = None

    def __init__(self, server, name="m", version="1", input_type="doubles",
                 model=default_model, handler=None, manual=False, delay=0.0,
                 endpoint=None, start=True):
        self.server = server
        self.name = name
        self.model_version = str(version)
        self.kind = rpc.TYPES.get(input_type, input_type)
        self.model = model
        self.handler = handler
        self.manual = manual
        self.delay = delay
        self.endpoint = endpoint or server.rpc

        self.events = []
        self.requests = []
        self.error = None
        self.registered = threading.Event()
        self.arrived = queue.Queue()

        self._calls = queue.Queue()
        self._later = []
        self._count = itertools.count()
        self._wake_read, self._wake_write = os.pipe()
        self._running = True
        self._context = zmq.Context()
        self._poller = zmq.Poller()
        self._sockets = {}
        self._session = 0
        self._thread = threading.Thread(target=self._run, daemon=True,
                                        name=f"sim-{name}")
        if server is not None:
            server.containers.append(self)
        if start:
            self.start()

    # what a test calls

    def start(self):
        self._thread.start()
        return self

    def call(self, function, *args, after=0.0):
        """Runs function(*args) in the container's thread."""
        self._calls.put((time.monotonic() + after, function, args))
        os.write(self._wake_write, b"x")

    def send(self, frames, after=0.0, session=None):
        """Sends raw frames (with the delimiter) on the current session."""
        if threading.current_thread() is self._thread and after == 0.0:
            self._send(frames, session)
        else:
            self.call(self._send, frames, session, after=after)

    def next_request(self, timeout=10.0):
        """The next request that waits for the test (manual)."""
        try:
            return self.arrived.get(timeout=timeout * SLOW)
        except queue.Empty:
            raise AssertionError(f"no request within {timeout} s") from None

    def reply(self, request, outputs, after=0.0, **kw):
        self.send(self.encode_reply(request, outputs, **kw), after=after,
                  session=request.session)

    def answer(self, request):
        """Replies with the output of the model function."""
        self.reply(request, self.model(request.values), after=self.delay)

    def wait_registered(self, timeout=10.0):
        """Waits until the frontend confirms and its status shows it."""
        wait_until(self.registered.is_set, timeout, "registration")
        return self

    def wait_event(self, test, timeout=10.0, what="event"):
        """Waits until an event passes ``test``; returns it."""
        def find():
            for event in list(self.events):
                if test(event):
                    return event
            return None

        return wait_until(find, timeout, what)

    def received(self, kind):
        """The received messages of a type, without the version frame."""
        return [e for e in list(self.events) if e.direction == "in"
                and len(e.frames) > 2 and e.frames[2] == rpc.u32(kind)]

    def sent(self, kind):
        return [e for e in list(self.events) if e.direction == "out"
                and len(e.frames) > 1 and e.frames[1] == rpc.u32(kind)]

    def inputs_seen(self):
        return sum(len(r.inputs) for r in list(self.requests))

    def close(self):
        """Drops the connection without a word, as a killed process does."""
        if self._running:
            self._running = False
            os.write(self._wake_write, b"x")
            if self._thread.is_alive():
                self._thread.join(10 * SLOW)
                if self._thread.is_alive():
                    self.error = self.error or "the thread does not end"
            os.close(self._wake_read)
            os.close(self._wake_write)

    def check(self):
        if self.error is not None:
            raise AssertionError(f"container thread failed:\n{self.error}")

    # the thread

    def _run(self):
        try:
            self._poller.register(self._wake_read, zmq.POLLIN)
            self.connect()
            while self._running:
                self._turn()
        except Exception:
            self.error = traceback.format_exc()
        finally:
            for session in list(self._sockets):
                self._drop(session)
            self._context.destroy(linger=0)

    def _turn(self):
        now = time.monotonic()
        timeout = self.idle_timeout()

        if self._later:
            due = max(0.0, self._later[0][0] - now)
            timeout = due if timeout is None else min(timeout, due)

        ready = dict(self._poller.poll(None if timeout is None
                                       else timeout * 1000 + 0.5))

        if self._wake_read in ready:
            os.read(self._wake_read, 65536)

        while not self._calls.empty():
            when, function, args = self._calls.get()
            heapq.heappush(self._later,
                           (when, next(self._count), function, args))

        while self._later and self._later[0][0] <= time.monotonic():
            _, _, function, args = heapq.heappop(self._later)
            function(*args)

        for session, (sock, monitor) in list(self._sockets.items()):
            if monitor in ready:
                event = recv_monitor_message(monitor)["event"]
                if event == zmq.EVENT_DISCONNECTED:
                    self._record("lost", [], session)
                self.on_monitor(session, event)
            if session in self._sockets and sock in ready:
                self._drain(session, sock)

        self.on_idle()

    def _drain(self, session, sock):
        while session in self._sockets:
            try:
                frames = sock.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._record("in", frames, session)
            self.on_message(session, frames)

    def _record(self, direction, frames, session):
        self.events.append(Event(time.monotonic(), direction, list(frames),
                                 session))

    def _open(self):
        self._session += 1
        sock = self._context.socket(zmq.DEALER)
        sock.setsockopt(zmq.LINGER, 0)
        sock.setsockopt(zmq.RECONNECT_IVL, 10)
        self.socket_options(sock)
        monitor = sock.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED
                                          | zmq.EVENT_DISCONNECTED)
        self._poller.register(sock, zmq.POLLIN)
        self._poller.register(monitor, zmq.POLLIN)
        self._sockets[self._session] = (sock, monitor)
        sock.connect(self.endpoint)
        return self._session

    def _drop(self, session):
        sock, monitor = self._sockets.pop(session)
        self._poller.unregister(sock)
        self._poller.unregister(monitor)
        sock.disable_monitor()
        monitor.close(0)
        sock.close(0)

    def _send(self, frames, session=None):
        session = session or self._session
        if session in self._sockets:
            sock = self._sockets[session][0]
            # Without a peer a blocking send would hold the thread until one
            # connects. The poll makes libzmq handle the commands of its own
            # thread.
            if sock.poll(200, zmq.POLLOUT):
                self._record("out", frames, session)
                with contextlib.suppress(zmq.Again):
                    sock.send_multipart(frames, zmq.NOBLOCK)

    def _take(self, request, session):
        request.session = session
        request.time = time.monotonic()
        self.requests.append(request)

        if self.handler is not None:
            self.handler(self, request)
        elif self.manual:
            self.arrived.put(request)
        else:
            self.answer(request)

    # what the versions differ in

    def socket_options(self, sock):
        pass

    def connect(self):
        raise NotImplementedError

    def idle_timeout(self):
        return None

    def on_idle(self):
        pass

    def on_monitor(self, session, event):
        pass

    def on_message(self, session, frames):
        raise NotImplementedError

    def encode_reply(self, request, outputs, **kw):
        raise NotImplementedError


class Sim3(Sim):
    """A version 3 container. ``hello`` replaces its first message and
    ``metadata`` the message that announces it; ``heartbeats`` False keeps it
    silent after it has announced itself."""

    version = 3

    def __init__(self, *args, hello=None, metadata=None, heartbeats=True,
                 idle=5.0, **kw):
        self.hello = hello or rpc.heartbeat()
        self._metadata = metadata
        self.heartbeats = heartbeats
        self.idle = idle
        self._next = None
        super().__init__(*args, **kw)

    def socket_options(self, sock):
        # The original leaves the time between two attempts as libzmq has it.
        sock.setsockopt(zmq.RECONNECT_IVL, 100)

    def metadata(self):
        if self._metadata is not None:
            return self._metadata
        return rpc.metadata3(self.name, self.model_version, self.kind)

    def connect(self):
        self._open()
        self._heard = None
        self._next = None
        self._send(self.hello)

    def idle_timeout(self):
        return None if self._next is None else \
            max(0.0, self._next - time.monotonic())

    def on_idle(self):
        if self._next is None or time.monotonic() < self._next:
            return

        if time.monotonic() - self._heard >= 30:
            self._drop(self._session)
            self.registered.clear()
            self.connect()
            return

        self._next = time.monotonic() + self.idle
        if self.heartbeats:
            self._send(rpc.heartbeat())

    def on_message(self, session, frames):
        self._heard = time.monotonic()
        self._next = self._heard + self.idle

        assert frames[0] == b"" and rpc.read32(frames[1]) == 3, frames
        kind = rpc.read32(frames[2])

        if kind == rpc.HEARTBEAT:
            assert len(frames) == 4, frames
            if rpc.read32(frames[3]) == rpc.REQUEST_METADATA:
                self.on_unknown(session)
            else:
                self.registered.set()
        elif kind == rpc.CONTENT:
            self.registered.set()
            self._take(rpc.decode_request3(frames), session)
        else:
            raise AssertionError(f"message type {kind} for version 3")

    def on_unknown(self, session):
        """Announces itself, then asks at once whether that was accepted."""
        self._send(self.metadata(), session)
        if self.heartbeats:
            self._send(rpc.heartbeat(), session)

    def encode_reply(self, request, outputs, **kw):
        return rpc.reply3(request.message_id, outputs)


class Sim3Silent(Sim3):
    """A version 3 container as it is after its frontend has gone: it connects
    and says nothing until it is spoken to, for as long as that takes. Its
    ``identity`` is libzmq's to choose unless it is given."""

    def __init__(self, *args, identity=None, **kw):
        self.identity = identity
        super().__init__(*args, **kw)

    def socket_options(self, sock):
        super().socket_options(sock)
        if self.identity is not None:
            sock.setsockopt(zmq.IDENTITY, self.identity)

    def connect(self):
        self._open()
        self._heard = None
        self._next = None


class Sim4(Sim):
    """A version 4 container: announces itself on every (re)connection,
    answers probes, follows MOVE, and sends LEAVING before it closes."""

    version = 4

    def __init__(self, *args, token=None, digest=b"", metadata=None,
                 probes=True, idle=5.0, **kw):
        self.token = token or os.urandom(16)
        self.digest = digest
        self._metadata = metadata
        self.probes = probes
        self.idle = idle
        self.refused = []
        self.moves = 0
        self.probed = threading.Event()
        self._up = set()
        self._confirmed = set()
        self._leave = set()
        self._busy = collections.Counter()
        self._next = None
        super().__init__(*args, **kw)

    def socket_options(self, sock):
        sock.setsockopt(zmq.IMMEDIATE, 1)

    def metadata(self):
        if self._metadata is not None:
            return self._metadata
        return rpc.metadata4(self.name, self.model_version, self.kind,
                             self.token, self.digest)

    def wait_registered(self, timeout=10.0):
        super().wait_registered(timeout)
        if self.probes:
            wait_until(self.probed.is_set, timeout, "probe")
        return self

    def leave(self):
        """Does what a container does on SIGTERM, except for the exit."""
        self.call(lambda: self._say_leaving(self._session))

    def connect(self):
        self._open()

    def idle_timeout(self):
        return None if self._next is None else \
            max(0.0, self._next - time.monotonic())

    def on_idle(self):
        if self._next is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + self.idle
            self._send(rpc.heartbeat())

    def on_monitor(self, session, event):
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._send(self.metadata(), session)
        elif event == zmq.EVENT_DISCONNECTED:
            self._confirmed.discard(session)

    def on_message(self, session, frames):
        self._next = time.monotonic() + self.idle
        assert frames[0] == b"", frames
        version, kind = rpc.read32(frames[1]), rpc.read32(frames[2])
        assert version == 4 or kind == rpc.HEARTBEAT, frames

        if kind == rpc.HEARTBEAT:
            if rpc.read32(frames[3]) == rpc.REQUEST_METADATA:
                self._send(self.metadata(), session)
            else:
                self._confirmed.add(session)
                if not self.probes:
                    self._retire_older(session)
                self.registered.set()
        elif kind == rpc.CONTENT:
            self._on_request(session, rpc.decode_request4(frames))
        elif kind == rpc.MOVE:
            self._on_move(session)
        elif kind == rpc.REFUSED:
            self.refused.append(frames[3].decode("utf-8"))
            self.call(self._send, self.metadata(), session, after=5.0)
        else:
            raise AssertionError(f"message type {kind} for version 4")

    def _on_request(self, session, request):
        if request.request_type == rpc.PROBE and self.probes:
            outputs = self.model(request.values) if request.inputs else []
            self._send(rpc.reply4(request.message_id, outputs), session)
            self.probed.set()
            # The new place counts once the frontend has read the answer.
            self.call(self._retire_older, session, after=0.05)
            return

        self._busy[session] += 1
        self._take(request, session)

    def _on_move(self, session):
        self.moves += 1

        if session not in self._confirmed:
            # A frontend that retires too: look for another a little later.
            self._drop(session)
            self.call(self.connect, after=0.02)
            return

        self._leave.add(session)
        self.connect()

    def _retire_older(self, session):
        for old in list(self._leave):
            if old < session and old in self._sockets:
                self._leave.discard(old)
                self._say_leaving(old)

    def _say_leaving(self, session):
        self._send(rpc.leaving(), session)
        self._up.add(session)
        self._close_when_done(session)

    def _close_when_done(self, session):
        if session in self._up and session in self._sockets \
                and self._busy[session] <= 0:
            self._up.discard(session)
            # The socket has no linger: give the last frames time to go.
            self.call(self._drop_quietly, session, after=0.2)

    def _drop_quietly(self, session):
        if session in self._sockets:
            self._drop(session)

    def _send(self, frames, session=None):
        super()._send(frames, session)
        session = session or self._session
        if frames[1] == rpc.u32(rpc.CONTENT) and self._busy[session] > 0:
            self._busy[session] -= 1
            self._close_when_done(session)

    def encode_reply(self, request, outputs, statuses=None):
        return rpc.reply4(request.message_id, outputs, statuses)
