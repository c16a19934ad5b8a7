"""A container's session: connect, register, answer, move, leave.

One thread runs one loop. It also calls the model, and nothing else happens
meanwhile; the frontend knows that a batch is in flight and waits. The loop
answers the requests of all connections one after the other.
"""

import os
import signal
import socket
import time
from typing import Any, Callable, Dict, List, Optional

import zmq
from zmq.utils.monitor import parse_monitor_message

from . import wire
from .curve import RETRY, Keys
from .log import identify, log
from .model import Model
from .watchdog import Watchdog

#: Seconds without traffic after which a heartbeat is sent.
HEARTBEAT_INTERVAL = 5.0
#: Seconds of silence after which the container reconnects.
SILENCE_LIMIT = 30.0
#: Seconds from a refusal to the next announcement.
REFUSED_WAIT = 5.0
#: Seconds from meeting a retiring worker to the next connection.
RETIRING_WAIT = 0.02
#: Seconds without traffic that a connection stays open after LEAVING, for a
#: request that the frontend sent before it read LEAVING.
LEAVING_GRACE = 0.1
#: Seconds from the answer to the new worker's probe to LEAVING for the old
#: one. That answer makes the replica eligible there, so at no time is it
#: eligible nowhere.
MOVED_GRACE = 0.05
#: The same when the new worker sends no probe.
UNPROBED_GRACE = 1.0
#: Seconds without a registration after which closed connections are logged.
UNREGISTERED_LIMIT = 5.0

#: Seconds without a message after which the watchdog rests.
QUIET = 0.2

_EVENTS = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED

# Plain numbers: combining pyzmq's enumerations takes longer than sending.
_NOWAIT = int(zmq.DONTWAIT)
_PART = int(zmq.DONTWAIT | zmq.SNDMORE)


class Connection:
    """One DEALER socket to the frontend and its state.

    libzmq reconnects it. The frontend does not recognise a connection that
    returns, so the container announces itself after every handshake.
    """

    def __init__(
        self,
        context: "zmq.Context[Any]",
        endpoint: str,
        poller: zmq.Poller,
        keys: Optional[Keys] = None,
    ) -> None:
        self.opened = time.monotonic()
        self.connected = False
        self.registered = False
        self.leaving = False
        self.closed = False
        self.last_received = time.monotonic()
        self.last_traffic = self.last_received
        self.announce_at: Optional[float] = None
        self._poller = poller
        self.socket = context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 1000)
        # Messages must not queue up while no frontend is connected, and a
        # frontend that reloads must be found again at once.
        self.socket.setsockopt(zmq.IMMEDIATE, 1)
        self.socket.setsockopt(zmq.IPV6, "[" in endpoint)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 10)
        self.socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
        self.socket.setsockopt(zmq.HEARTBEAT_IVL, 5000)
        self.socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 15000)
        if keys is not None:
            keys.use(self.socket)
        self.monitor = self.socket.get_monitor_socket(_EVENTS)
        self.monitor.setsockopt(zmq.LINGER, 0)
        self.socket.connect(endpoint)
        poller.register(self.socket, zmq.POLLIN)
        poller.register(self.monitor, zmq.POLLIN)

    def send(self, frames: List[bytes]) -> None:
        """Send a message, or drop it when no frontend is connected."""
        send = self.socket.send
        try:
            # send_multipart would check the type of each frame.
            for frame in frames[:-1]:
                send(frame, _PART)
            send(frames[-1], _NOWAIT)
            self.last_traffic = time.monotonic()
        except zmq.Again:
            self.registered = False

    def receive(self, rpc_version: int) -> List[wire.Buffer]:
        """The frames of the next message.

        Raises:
            zmq.Again: there is none.
        """
        recv, get = self.socket.recv, self.socket.get
        frames: List[wire.Buffer] = [recv(_NOWAIT)]
        while get(zmq.RCVMORE):
            if len(frames) == 4 and rpc_version >= 4:
                # The frame with all inputs is not copied.
                frames.append(recv(_NOWAIT, copy=False).buffer)
                continue
            frames.append(recv(_NOWAIT))
            if len(frames) == 7 and rpc_version < 4:
                self._receive_inputs(frames)
        return frames

    def _receive_inputs(self, frames: List[wire.Buffer]) -> None:
        """Append the inputs that the seventh frame of version 3 announces.

        Asking for more before each frame takes three times as long. When
        there are fewer, `wire.request` refuses the message and the container
        reconnects.
        """
        recv = self.socket.recv
        try:
            for _ in range(wire.inputs_ahead(frames)):
                frames.append(recv(_NOWAIT))
        except zmq.Again:
            pass

    def close(self) -> None:
        """Close the socket; messages may leave for another second."""
        if self.closed:
            return
        self.closed = True
        self._poller.unregister(self.socket)
        self._poller.unregister(self.monitor)
        self.socket.disable_monitor()
        self.monitor.close()
        self.socket.close()


class Container:
    """Serves one model to one frontend until it is stopped.

    Args:
        model: the model.
        name: name of the model.
        version: version of the model.
        endpoint: ZeroMQ address of the frontend.
        rpc_version: 4, or 3 for the original Clipper.
        digest: up to 64 bytes that identify the model's contents.
        token: 16 bytes that identify the container; random when empty.
        watchdog: ends the process when the model does not return; None for
            none.
        keys: with which the connection is encrypted; None for a connection
            without encryption.

    Raises:
        ValueError: the RPC version is unknown, or version 4 does not allow
            the name or version.
    """

    def __init__(
        self,
        model: Model,
        name: str,
        version: str,
        endpoint: str,
        rpc_version: int = 4,
        digest: bytes = b"",
        token: bytes = b"",
        watchdog: Optional[Watchdog] = None,
        keys: Optional[Keys] = None,
    ) -> None:
        if rpc_version not in (3, 4):
            raise ValueError(
                "Unknown RPC version %r. It is 3 or 4" % (rpc_version,)
            )
        self.model = model
        self._watchdog = watchdog
        self._keys = keys
        self.endpoint = endpoint
        self.rpc_version = rpc_version
        self.label = "%s:%s" % (name, version)
        self._token = token or os.urandom(16)
        self._metadata = wire.metadata(
            name,
            version,
            model.input_type,
            rpc_version,
            self._token,
            digest,
        )
        self._context = zmq.Context()
        self._poller = zmq.Poller()
        self._connections: List[Connection] = []
        self._by_socket: Dict[object, Connection] = {}
        self._current: Optional[Connection] = None
        self._next: Optional[Connection] = None
        self._next_at: Optional[float] = None
        self._moved_at: Optional[float] = None
        self._registered_at = time.monotonic()
        self._stopping = False
        self._wake_r, self._wake_w = socket.socketpair()
        self._wake_r.setblocking(False)
        self._wake_w.setblocking(False)
        self._poller.register(self._wake_r, zmq.POLLIN)
        self._handlers: Dict[int, Callable[[Connection, List[Any]], None]] = {
            wire.CONTENT: self._on_request,
            wire.HEARTBEAT: self._on_heartbeat,
            wire.MOVE: self._on_move,
            wire.REFUSED: self._on_refused,
        }

    def stop(self) -> None:
        """Finish the batches in flight, then let `run` return.

        Other threads and signal handlers may call it.
        """
        self._stopping = True
        try:
            self._wake_w.send(b"s")
        except OSError:
            pass

    def run(self, handle_signals: bool = True) -> None:
        """Serve until `stop`, or until SIGTERM or SIGINT.

        Args:
            handle_signals: False outside of the main thread.
        """
        if handle_signals:
            signal.set_wakeup_fd(self._wake_w.fileno())
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: self.stop())
        identify(self.label, self._token)
        log("Serving %s to %s" % (self.label, self.endpoint))
        self._current = self._open()
        try:
            while not self._done():
                self._turn()
        finally:
            if self._watchdog is not None:
                self._watchdog.idle()
            for connection in self._connections:
                connection.close()
            if handle_signals:
                signal.set_wakeup_fd(-1)
            self._wake_r.close()
            self._wake_w.close()
            self._context.term()
        self.model.failures.flush(end=True)
        log("Stopped %s" % self.label)

    # One turn of the loop.

    def _turn(self) -> None:
        ready = self._wait()
        for sock, _ in ready:
            if sock == self._wake_r.fileno() or sock is self._wake_r:
                self._drain_wake()
                continue
            connection = self._by_socket.get(sock)
            if connection is None or connection.closed:
                continue
            if sock is connection.monitor:
                self._on_monitor(connection)
            else:
                self._receive(connection)
        self._tend()

    def _wait(self) -> List[Any]:
        """What is ready, after a pause if need be."""
        timeout = self._timeout_ms()
        if self._watchdog is not None and self._watchdog.runs:
            ready = self._poller.poll(min(timeout, int(QUIET * 1000)))
            if ready:
                return ready
            self._watchdog.idle()
        return self._poller.poll(timeout)

    def _drain_wake(self) -> None:
        try:
            while self._wake_r.recv(64):
                pass
        except (BlockingIOError, InterruptedError):
            pass

    def _timeout_ms(self) -> int:
        now = time.monotonic()
        due = now + HEARTBEAT_INTERVAL
        for moment in (self._next_at, self._moved_at):
            if moment is not None:
                due = min(due, moment)
        for connection in self._connections:
            if connection.leaving:
                due = min(due, connection.last_traffic + LEAVING_GRACE)
            elif connection.announce_at is not None:
                due = min(due, connection.announce_at)
            elif connection.connected:
                due = min(due, connection.last_traffic + HEARTBEAT_INTERVAL)
            elif self._keys:
                due = min(due, connection.opened + RETRY)
        return max(0, int((due - now) * 1000) + 1)

    def _tend(self) -> None:
        """Do what is due: heartbeats, announcements, closing, retries."""
        now = time.monotonic()
        self.model.failures.flush()
        if self._stopping:
            self._begin_stop()
        for connection in list(self._connections):
            if connection.leaving:
                if now - connection.last_traffic >= LEAVING_GRACE:
                    self._close(connection)
            elif now - connection.last_received > SILENCE_LIMIT:
                self._renew(connection)
            elif not connection.connected:
                # libzmq keeps trying; a new socket helps only with keys.
                connection.last_received = now
                if self._keys and now - connection.opened >= RETRY:
                    self._keys.failed()
                    self._renew(connection)
            elif connection.announce_at is not None:
                if now >= connection.announce_at:
                    self._announce(connection)
            elif now - connection.last_traffic >= HEARTBEAT_INTERVAL:
                connection.send(wire.heartbeat())
        if self._next_at is not None and now >= self._next_at:
            self._next_at = None
            self._next = self._open()
        if self._moved_at is not None and now >= self._moved_at:
            self._finish_move()

    # Connections.

    def _open(self) -> Connection:
        connection = Connection(
            self._context, self.endpoint, self._poller, self._keys
        )
        self._connections.append(connection)
        self._by_socket[connection.socket] = connection
        self._by_socket[connection.monitor] = connection
        return connection

    def _close(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
        self._by_socket.pop(connection.socket, None)
        self._by_socket.pop(connection.monitor, None)
        connection.close()
        if connection is self._current:
            self._current = None
        if connection is self._next:
            self._next = None
            self._moved_at = None

    def _renew(self, connection: Connection) -> None:
        """Replace a connection with a new one."""
        was_current = connection is self._current
        was_next = connection is self._next
        self._close(connection)
        if self._stopping:
            return
        if was_current:
            self._current = self._open()
        elif was_next:
            self._next = self._open()

    def _leave(self, connection: Connection) -> None:
        connection.leaving = True
        connection.registered = False
        connection.last_traffic = time.monotonic()
        if self.rpc_version >= 4 and connection.connected:
            connection.send(wire.leaving())

    def _begin_stop(self) -> None:
        self._next_at = None
        for connection in list(self._connections):
            if connection.leaving:
                continue
            if connection.registered:
                self._leave(connection)
            else:
                self._close(connection)

    def _done(self) -> bool:
        return self._stopping and not self._connections

    # Events.

    def _on_monitor(self, connection: Connection) -> None:
        try:
            frames = connection.monitor.recv_multipart(zmq.DONTWAIT)
        except zmq.ZMQError:
            return
        event = parse_monitor_message(frames)["event"]
        if event == zmq.EVENT_DISCONNECTED:
            registered = connection.registered
            connection.connected = False
            connection.registered = False
            moving = self._next is not None or self._next_at is not None
            if connection.leaving or (
                connection is self._current and moving
            ):
                self._close(connection)
                if self._next is not None and self._next.registered:
                    self._finish_move()
            else:
                self._lost(connection, registered)
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            connection.connected = True
            if self._watchdog is not None:
                self._watchdog.connected()
            connection.last_received = time.monotonic()
            if not connection.leaving:
                self._announce(connection)

    def _lost(self, connection: Connection, registered: bool) -> None:
        """Log that a connection has ended; libzmq opens it again.

        A worker that retires ends connections that have not registered yet:
        nothing is lost by that.
        """
        if registered:
            log("Lost the connection to %s, connecting again" % self.endpoint)
        elif connection is not self._next and (
            time.monotonic() - self._registered_at > UNREGISTERED_LIMIT
        ):
            self.model.failures.note(
                "%s closes connections before %s is registered: does its "
                "clipper_rpc allow this host%s? Trying again" % (
                    self.endpoint, self.label,
                    " and know its key" if self._keys else "",
                )
            )

    def _announce(self, connection: Connection) -> None:
        connection.announce_at = None
        if self.rpc_version >= 4:
            connection.send(self._metadata)
        else:
            # A version 3 frontend answers with a request for the metadata.
            connection.send(wire.heartbeat())

    def _receive(self, connection: Connection) -> None:
        try:
            buffers = connection.receive(self.rpc_version)
        except zmq.Again:
            return
        connection.last_received = time.monotonic()
        connection.last_traffic = connection.last_received
        try:
            kind = wire.message_type(buffers)
            handler = self._handlers.get(kind)
            if handler is None:
                self.model.failures.note(
                    "Ignored a message of unknown type %d" % kind
                )
            else:
                handler(connection, buffers)
        except wire.ProtocolError as error:
            self.model.failures.note("Dropped a message: %s" % error)

    def _on_heartbeat(self, connection: Connection, frames: List[Any]) -> None:
        if wire.heartbeat_kind(frames) == wire.REQUEST_METADATA:
            if not connection.leaving:
                connection.registered = False
                connection.send(self._metadata)
            return
        if not connection.registered and not connection.leaving:
            connection.registered = True
            self._registered_at = time.monotonic()
            log("Registered %s" % self.label)
        if connection is self._next:
            if self._current is None:
                self._finish_move()
            elif self._moved_at is None:
                self._moved_at = time.monotonic() + UNPROBED_GRACE

    def _finish_move(self) -> None:
        """Make the next connection the current one."""
        old, self._current = self._current, self._next
        self._next = None
        self._moved_at = None
        if old is not None:
            self._leave(old)

    def _on_move(self, connection: Connection, frames: List[Any]) -> None:
        if connection is self._next and connection.registered:
            self._finish_move()
        if connection is self._next:
            self._close(connection)
            self._next_at = time.monotonic() + RETIRING_WAIT
        elif connection.leaving or self._stopping:
            return
        elif not connection.registered:
            # The first connection met a worker that retires.
            self._close(connection)
            self._next_at = time.monotonic() + RETIRING_WAIT
        elif self._next is None and self._next_at is None:
            log("Moving to another worker")
            self._next = self._open()

    def _on_refused(self, connection: Connection, frames: List[Any]) -> None:
        self.model.failures.note("The frontend refused %s: %s" % (
            self.label, wire.refusal(frames)
        ))
        connection.registered = False
        connection.announce_at = time.monotonic() + REFUSED_WAIT

    def _on_request(self, connection: Connection, frames: List[Any]) -> None:
        # Without a reply the frontend would wait. When the request cannot be
        # read or version 3 cannot carry the reply, closing the connection
        # tells it at once.
        try:
            request = wire.request(frames, self.rpc_version)
        except wire.ProtocolError as error:
            self.model.failures.note(
                "Reconnecting after a bad request: %s" % error
            )
            self._renew(connection)
            return
        if self._watchdog is not None and len(request.lengths):
            self._watchdog.begin()
        outputs, statuses = self.model.answer(request)
        if self._watchdog is not None and len(request.lengths):
            self._watchdog.end()
        # Nothing was received while the model ran: that was not silence.
        now = time.monotonic()
        for other in self._connections:
            other.last_received = now
        if self.rpc_version < 4 and statuses is not None:
            self.model.failures.note(
                "Reconnecting: version 3 cannot carry an error"
            )
            self._renew(connection)
            return
        connection.send(
            wire.reply(
                request.message_id, outputs, statuses, self.rpc_version
            )
        )
        if connection is self._next and connection.registered:
            self._moved_at = time.monotonic() + MOVED_GRACE
