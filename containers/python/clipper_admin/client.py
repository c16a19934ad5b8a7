"""Clients: send queries and feedback to applications.

    from clipper_admin.client import Client

    with Client("localhost:1337") as client:
        prediction = client.predict("hello-world", [1.1, 2.2, 3.3])
        print(prediction.output)

`AsyncClient` has the same methods as coroutines. Both keep connections open.
A `Client` belongs to one thread.
"""

import asyncio
import base64
import http.client
import json
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple
from urllib.parse import quote

from .exceptions import ClipperException
from .feedback_log import FeedbackLog


class Prediction(NamedTuple):
    """The answer to one input.

    Attributes:
        output: any JSON value.
        default: whether the output is the application's default.
        reason: why it is the default (`no_replica`, `deadline`, ...); None
            when it is not.
        query_id: identifies the query in feedback.
        confidence: confidence of an ensemble, 0 to 1; None otherwise.
    """

    output: Any
    default: bool
    reason: Optional[str]
    query_id: Optional[int]
    confidence: Optional[float]


class DefaultOutput(ClipperException):
    """The output is the default and the client has `raise_on_default`.

    Attributes:
        prediction: the prediction with that output.
    """

    def __init__(self, prediction: Prediction) -> None:
        self.prediction = prediction
        super().__init__("The default was answered: %s" % prediction.reason)


class _Exchange(NamedTuple):
    """A request to send."""

    path: str
    body: bytes


def _value(one: Any) -> Any:
    """The JSON form of an input.

    Sequences of numbers, NumPy arrays and pandas Series become lists of
    numbers, `bytes` become base64, `str` stays.
    """
    if isinstance(one, str):
        return one
    if isinstance(one, (bytes, bytearray, memoryview)):
        return base64.b64encode(bytes(one)).decode("ascii")
    for method in ("to_numpy", "ravel", "tolist"):
        if hasattr(one, method):
            one = getattr(one, method)()
    return one if isinstance(one, list) else list(one)


def _rows(inputs: Any) -> List[Any]:
    if isinstance(inputs, (str, bytes)):
        raise TypeError("A batch must be a sequence of inputs")
    if hasattr(inputs, "to_numpy"):
        # A DataFrame iterates over its columns' names.
        inputs = inputs.to_numpy()
    return [_value(one) for one in inputs]


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError("%s has no JSON form" % type(value).__name__)


def _plain_label(label: Any) -> Any:
    return label.tolist() if hasattr(label, "tolist") else label


def _exchange(app: str, action: str, members: Dict[str, Any]) -> _Exchange:
    given = {key: one for key, one in members.items() if one is not None}
    return _Exchange(
        "/%s/%s" % (quote(app, safe=""), action),
        json.dumps(given, default=_plain, allow_nan=False).encode("utf-8"),
    )


def _query(app: str, version: Any, uid: Any, **inputs: Any) -> _Exchange:
    return _exchange(
        app,
        "predict",
        {
            **inputs,
            "version": None if version is None else str(version),
            "uid": uid,
        },
    )


def _feedback(
    app: str, label: Any, query_id: Optional[int], one: Any, uid: Any
) -> _Exchange:
    if (query_id is None) == (one is None):
        raise TypeError("feedback needs either query_id or input")
    return _exchange(
        app,
        "update",
        {
            "query_id": query_id,
            "uid": uid,
            "input": None if one is None else _value(one),
            "label": label,
        },
    )


def _check(status: int, body: bytes) -> None:
    if status != 200:
        raise ClipperException(
            "Received error status code: %d and message: %s"
            % (status, body.decode("utf-8", "replace"))
        )


def _predictions(
    status: int,
    body: bytes,
    raise_on_default: bool,
    log: Optional[FeedbackLog] = None,
) -> List[Prediction]:
    _check(status, body)
    answer = json.loads(body)
    # The answer to one input has no list.
    found = [
        Prediction(
            one.get("output"),
            bool(one.get("default")),
            one.get("default_reason", one.get("default_explanation")),
            one.get("query_id"),
            one.get("confidence"),
        )
        for one in answer.get("batch_predictions", [answer])
    ]
    if log is not None:
        log.remember(found)
    for prediction in found:
        if raise_on_default and prediction.default:
            raise DefaultOutput(prediction)
    return found


def _received(
    status: int,
    body: bytes,
    query_id: Optional[int],
    label: Any,
    log: Optional[FeedbackLog],
) -> bool:
    _check(status, body)
    accepted = body.strip() != b"Feedback received? 0"
    if accepted and log is not None:
        log.write(query_id, _plain_label(label))
    return accepted


def _split(address: str) -> Tuple[str, int]:
    address = address.rpartition("//")[2].rstrip("/")
    host, colon, port = address.rpartition(":")
    if not colon:
        return address, 80
    return host, int(port)


class Client:
    """Sends queries and waits for the answers.

    Args:
        address: ``host:port`` that `ClipperConnection.get_query_addr`
            returns.
        timeout: seconds to wait for an answer; longer than the
            application's SLO.
        raise_on_default: raise `DefaultOutput` instead of returning a
            default.
        feedback_log: path of a file. Accepted feedback by query id is
            appended to it with the output, for `clipper_admin.replay`.
    """

    def __init__(
        self,
        address: str = "localhost:1337",
        timeout: float = 60.0,
        raise_on_default: bool = False,
        feedback_log: Optional[str] = None,
    ) -> None:
        host, port = _split(address)
        self._connection = http.client.HTTPConnection(
            host, port, timeout=timeout
        )
        self._raise_on_default = raise_on_default
        self._log = FeedbackLog(feedback_log) if feedback_log else None

    def predict(
        self, app: str, input: Any, version: Any = None, uid: Any = None
    ) -> Prediction:
        """Send one input and return its prediction.

        Args:
            app: name of the application.
            input: numbers as a list, array or Series (of any shape, in row
                order); `str`; or `bytes`.
            version: version of the model; None for the current one.
            uid: user whose learned state is used.

        Raises:
            ClipperException: the server refuses the query.
            DefaultOutput: the output is the default (with
                `raise_on_default`).
            OSError: the server does not answer within the timeout.
        """
        answer = self._send(_query(app, version, uid, input=_value(input)))
        return _predictions(*answer, self._raise_on_default, self._log)[0]

    def predict_batch(
        self, app: str, inputs: Any, version: Any = None, uid: Any = None
    ) -> List[Prediction]:
        """Send several inputs in one request, see `predict`.

        Args:
            inputs: list of inputs, 2-D array or DataFrame (one input in each
                row).

        Returns:
            predictions in the order of the inputs.
        """
        answer = self._send(
            _query(app, version, uid, input_batch=_rows(inputs))
        )
        return _predictions(*answer, self._raise_on_default, self._log)

    def feedback(
        self,
        app: str,
        label: Any,
        query_id: Optional[int] = None,
        input: Any = None,
        uid: Any = None,
    ) -> bool:
        """Send the right answer to a query.

        Args:
            app: name of the application.
            label: the right answer, any JSON scalar.
            query_id: `query_id` of the prediction; give it or `input`.
            input: input of the query.
            uid: user of the query.

        Returns:
            whether the server accepted it.

        Raises:
            ClipperException: the application does not exist, or the server
                refuses the feedback.
            TypeError: both or none of `query_id` and `input` are given.
        """
        answer = self._send(_feedback(app, label, query_id, input, uid))
        return _received(*answer, query_id, label, self._log)

    def close(self) -> None:
        """Close the connection; the next query opens another."""
        self._connection.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *unused: Any) -> None:
        self.close()

    def _send(self, exchange: _Exchange) -> Tuple[int, bytes]:
        reused = self._connection.sock is not None
        try:
            return self._send_once(exchange)
        except (http.client.RemoteDisconnected, ConnectionError):
            # The server closed an idle connection meanwhile.
            self._connection.close()
            if not reused:
                raise
            return self._send_once(exchange)
        except BaseException:
            # The rest of this answer must not be read as the next one.
            self._connection.close()
            raise

    def _send_once(self, exchange: _Exchange) -> Tuple[int, bytes]:
        self._connection.request(
            "POST",
            exchange.path,
            exchange.body,
            {"Content-Type": "application/json"},
        )
        response = self._connection.getresponse()
        return response.status, response.read()


class AsyncClient:
    """`Client` for asyncio, which sends several queries at the same time.

    Args:
        address: see `Client`, also for all arguments but `connections`.
        connections: maximum number of open connections.
    """

    def __init__(
        self,
        address: str = "localhost:1337",
        timeout: float = 60.0,
        raise_on_default: bool = False,
        connections: int = 100,
        feedback_log: Optional[str] = None,
    ) -> None:
        self._host, self._port = _split(address)
        self._timeout = timeout
        self._raise_on_default = raise_on_default
        self._log = FeedbackLog(feedback_log) if feedback_log else None
        self._connections = connections
        self._free: Optional[asyncio.Semaphore] = None
        self._idle: List["_AsyncConnection"] = []

    async def predict(
        self, app: str, input: Any, version: Any = None, uid: Any = None
    ) -> Prediction:
        """See `Client.predict`."""
        answer = await self._send(
            _query(app, version, uid, input=_value(input))
        )
        return _predictions(*answer, self._raise_on_default, self._log)[0]

    async def predict_batch(
        self, app: str, inputs: Any, version: Any = None, uid: Any = None
    ) -> List[Prediction]:
        """See `Client.predict_batch`."""
        answer = await self._send(
            _query(app, version, uid, input_batch=_rows(inputs))
        )
        return _predictions(*answer, self._raise_on_default, self._log)

    async def feedback(
        self,
        app: str,
        label: Any,
        query_id: Optional[int] = None,
        input: Any = None,
        uid: Any = None,
    ) -> bool:
        """See `Client.feedback`."""
        answer = await self._send(
            _feedback(app, label, query_id, input, uid)
        )
        return _received(*answer, query_id, label, self._log)

    async def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *unused: Any) -> None:
        await self.close()

    async def _send(self, exchange: _Exchange) -> Tuple[int, bytes]:
        if self._free is None:
            # A semaphore belongs to the event loop that runs here.
            self._free = asyncio.Semaphore(self._connections)
        async with self._free:
            return await asyncio.wait_for(
                self._send_once(exchange), self._timeout
            )

    async def _send_once(self, exchange: _Exchange) -> Tuple[int, bytes]:
        while self._idle:
            connection = self._idle.pop()
            try:
                return await self._use(connection, exchange)
            except (ConnectionError, asyncio.IncompleteReadError):
                # The server closed an idle connection meanwhile.
                continue
        connection = await _AsyncConnection.open(self._host, self._port)
        try:
            return await self._use(connection, exchange)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError(
                "The server closed the connection before the answer was "
                "complete"
            ) from error

    async def _use(
        self, connection: "_AsyncConnection", exchange: _Exchange
    ) -> Tuple[int, bytes]:
        try:
            status, body, reusable = await connection.send(exchange)
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
        host: str,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._host = host

    @classmethod
    async def open(cls, host: str, port: int) -> "_AsyncConnection":
        reader, writer = await asyncio.open_connection(host, port)
        return cls(reader, writer, "%s:%d" % (host, port))

    def close(self) -> None:
        self._writer.close()

    async def send(self, exchange: _Exchange) -> Tuple[int, bytes, bool]:
        """Status, body, and whether the connection stays open."""
        head = (
            "POST %s HTTP/1.1\r\nHost: %s\r\n"
            "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % (exchange.path, self._host, len(exchange.body))
        )
        self._writer.write(head.encode("ascii") + exchange.body)
        await self._writer.drain()
        lines = (await self._reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        status = int(lines[0].split(b" ")[1])
        headers = dict(_headers(lines[1:]))
        body = await self._body(headers)
        return status, body, headers.get(b"connection") != b"close"

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
