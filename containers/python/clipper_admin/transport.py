"""Send requests of clients over HTTP/1.1, with or without TLS.

Connections stay open. The server may close one that is idle, so each is
looked at before it is used again. A request whose connection ends without a
byte of the answer is sent once more if a repeat does no harm.
"""

import asyncio
import contextlib
import http.client
import re
import select
import ssl
from typing import (
    Any,
    Dict,
    Iterable,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Tuple,
)

from .address import Target, target
from .exceptions import ClipperException
from .tls import Tls, explain, make_context

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")

#: Headers that describe the request itself.
_OWN = ("connection", "content-length", "content-type", "transfer-encoding")


class Exchange(NamedTuple):
    """A request to send.

    Attributes:
        path: quoted path.
        body: JSON.
        repeatable: whether it may reach the server twice.
    """

    path: str
    body: bytes
    repeatable: bool


class _NoAnswer(ConnectionResetError):
    """The connection ended before the first byte of the answer."""


def _no_answer() -> _NoAnswer:
    return _NoAnswer("The server closed the connection without an answer")


def _incomplete() -> ConnectionResetError:
    return ConnectionResetError(
        "The server closed the connection before the answer was complete, or "
        "the answer is not HTTP"
    )


class Route(NamedTuple):
    """Where requests go and what goes with each.

    Attributes:
        to: the server.
        context: for TLS; None without.
        headers: headers of each request by name.
    """

    to: Target
    context: Optional[ssl.SSLContext]
    headers: Dict[str, str]

    @classmethod
    def make(
        cls, address: str, tls: Tls, headers: Optional[Mapping[str, str]]
    ) -> "Route":
        """A route of a client's arguments.

        Raises:
            ClipperException: one of them is not valid.
        """
        to = target(address)
        own = {"Content-Type": "application/json"}
        for name, value in (headers or {}).items():
            _check_header(name, value)
            own[name] = value
        if "host" not in [name.lower() for name in own]:
            # A zone means nothing to the server.
            own["Host"] = to._replace(host=to.host.partition("%")[0]).text
        return cls(to, make_context(to, tls), own)


def _check_header(name: Any, value: Any) -> None:
    if not isinstance(name, str) or not _HEADER_NAME.match(name):
        raise ClipperException("%r is not the name of a header" % (name,))
    if name.lower() in _OWN:
        raise ClipperException("The client sets the header %s itself" % name)
    if not isinstance(value, str) or not _HEADER_VALUE.match(value):
        # The message must not have the value, which may be a password.
        raise ClipperException(
            "The value of the header %s must be a str of one line" % name
        )


def _is_stale(sock: Any) -> bool:
    """Whether an idle connection was closed, or has bytes left over."""
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class BlockingTransport:
    """One connection, which is opened when it is needed.

    Args:
        route: where requests go.
        timeout: seconds to wait for the server.
    """

    def __init__(self, route: Route, timeout: float) -> None:
        to = route.to
        self._route = route
        self._connection: http.client.HTTPConnection
        if route.context is not None:
            self._connection = http.client.HTTPSConnection(
                to.host, to.port, timeout=timeout, context=route.context
            )
        else:
            self._connection = http.client.HTTPConnection(
                to.host, to.port, timeout=timeout
            )

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()

    def send(self, exchange: Exchange) -> Tuple[int, bytes]:
        """Send a request and return status and body of the answer."""
        sock = self._connection.sock
        if sock is not None and _is_stale(sock):
            self._connection.close()
        reused = self._connection.sock is not None
        try:
            try:
                return self._send_once(exchange)
            except _NoAnswer:
                self._connection.close()
                if not (reused and exchange.repeatable):
                    raise
                return self._send_once(exchange)
        except BaseException as error:
            # The rest of this answer must not be read as the next one.
            self._connection.close()
            if isinstance(error, ssl.SSLError):
                raise explain(error, self._route.to) from error
            raise

    def _send_once(self, exchange: Exchange) -> Tuple[int, bytes]:
        connection = self._connection
        if connection.sock is None:
            connection.connect()
        whole = False
        # A server that refuses a body answers before it has read all of it.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request(
                "POST", self._route.to.path + exchange.path, exchange.body,
                self._route.headers,
            )
            whole = True
        try:
            response = connection.getresponse()
        except http.client.RemoteDisconnected as error:
            raise _no_answer() from error
        except http.client.HTTPException as error:
            raise _incomplete() from error
        except ConnectionError as error:
            raise _no_answer() from error
        try:
            answer = response.status, response.read()
        except http.client.HTTPException as error:
            raise _incomplete() from error
        if not whole:
            connection.close()
        return answer


class AsyncTransport:
    """Connections of one event loop.

    Args:
        route: where requests go.
        timeout: seconds to wait for an answer.
        connections: maximum number of open connections.
    """

    def __init__(self, route: Route, timeout: float, connections: int) -> None:
        self._route = route
        self._timeout = timeout
        self._connections = connections
        self._free: Optional[asyncio.Semaphore] = None
        self._idle: List["_AsyncConnection"] = []

    def close(self) -> None:
        """Close the connections that no request uses."""
        while self._idle:
            self._idle.pop().close()

    async def send(self, exchange: Exchange) -> Tuple[int, bytes]:
        """See `BlockingTransport.send`; it waits for a free connection."""
        if self._free is None:
            # A semaphore belongs to the event loop that runs here.
            self._free = asyncio.Semaphore(self._connections)
        async with self._free:
            try:
                return await asyncio.wait_for(
                    self._send(exchange), self._timeout
                )
            except ssl.SSLError as error:
                raise explain(error, self._route.to) from error
            except asyncio.TimeoutError as error:
                # Before Python 3.11 it is no OSError.
                raise TimeoutError(
                    "No answer within %g seconds" % self._timeout
                ) from error

    async def _send(self, exchange: Exchange) -> Tuple[int, bytes]:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_stale():
                connection.close()
                continue
            try:
                return await self._use(connection, exchange)
            except _NoAnswer:
                if not exchange.repeatable:
                    raise
                break
        to = self._route.to
        reader, writer = await asyncio.open_connection(
            to.host, to.port, ssl=self._route.context
        )
        return await self._use(
            _AsyncConnection(reader, writer, self._route), exchange
        )

    async def _use(
        self, connection: "_AsyncConnection", exchange: Exchange
    ) -> Tuple[int, bytes]:
        try:
            status, body, reusable = await connection.send(exchange)
        except (
            asyncio.IncompleteReadError, asyncio.LimitOverrunError,
            ValueError, IndexError,
        ) as error:
            connection.close()
            raise _incomplete() from error
        except BaseException:
            connection.close()
            raise
        if reusable:
            self._idle.append(connection)
        else:
            connection.close()
        return status, body


class _AsyncConnection:
    """One HTTP/1.1 connection; it reads what nginx's answers may have."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
        route: Route,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._route = route

    def close(self) -> None:
        self._writer.close()

    def is_stale(self) -> bool:
        if (
            self._writer.is_closing() or self._reader.at_eof()
            or self._reader.exception() is not None
        ):
            return True
        # Before Python 3.11 TLS has no socket after the connection's end.
        sock = self._writer.get_extra_info("socket")
        return sock is None or sock.fileno() < 0 or _is_stale(sock)

    async def send(self, exchange: Exchange) -> Tuple[int, bytes, bool]:
        """Status, body, and whether the connection stays open.

        The answer is read while the body is sent: a server that refuses it
        answers before it has read all of it.
        """
        lines = ["POST %s%s HTTP/1.1" % (self._route.to.path, exchange.path)]
        lines += ["%s: %s" % one for one in self._route.headers.items()]
        lines += ["Content-Length: %d" % len(exchange.body), "", ""]
        self._writer.write("\r\n".join(lines).encode("latin-1"))
        self._writer.write(exchange.body)
        head = (await self._read_head()).split(b"\r\n")
        status = int(head[0].split(b" ")[1])
        headers = dict(_headers(head[1:]))
        body = await self._body(headers)
        return status, body, headers.get(b"connection") != b"close"

    async def _read_head(self) -> bytes:
        try:
            return await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            raise _no_answer() from error
        except ConnectionError as error:
            raise _no_answer() from error

    async def _body(self, headers: Dict[bytes, bytes]) -> bytes:
        if headers.get(b"transfer-encoding") == b"chunked":
            body = b""
            while True:
                size = int(await self._reader.readline(), 16)
                chunk = await self._reader.readexactly(size + 2)
                if size == 0:
                    return body
                body += chunk[:-2]
        return await self._reader.readexactly(
            int(headers.get(b"content-length", b"0"))
        )


def _headers(lines: Iterable[bytes]) -> Iterable[Tuple[bytes, bytes]]:
    for line in lines:
        name, colon, value = line.partition(b":")
        if colon:
            yield name.strip().lower(), value.strip().lower()
