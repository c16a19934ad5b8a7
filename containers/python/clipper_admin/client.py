"""Clients: send queries and feedback to applications.

    from clipper_admin.client import Client

    with Client("localhost:1337") as client:
        prediction = client.predict("hello-world", [1.1, 2.2, 3.3])
        print(prediction.output)

`AsyncClient` has the same methods as coroutines. Both keep connections open.
A `Client` belongs to one thread. To an address with `https://` they speak
TLS:

    Client("https://models.example:443", ca="ca.pem",
           headers={"Authorization": "Bearer ..."})

When the server closes a kept connection before the answer, the request is
sent once more, but never feedback by input, which could be learned twice.
"""

import json
import ssl
from typing import Any, Dict, List, Mapping, NamedTuple, Optional
from urllib.parse import quote

from .exceptions import ClipperException
from .feedback_log import FeedbackLog
from .inputs import input_rows, input_value
from .tls import Tls, advice
from .transport import AsyncTransport, BlockingTransport, Exchange, Route


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


class FeedbackNotKept(ClipperException):
    """The server could not keep a label that has to wait for Redis.

    Nothing was learned from it, and it can be sent again.
    """


class DefaultOutput(ClipperException):
    """The output is the default and the client has `raise_on_default`.

    Attributes:
        prediction: the prediction with that output.
    """

    def __init__(self, prediction: Prediction) -> None:
        self.prediction = prediction
        super().__init__(
            "The server answered with the default: %s" % prediction.reason
        )




def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _exchange(
    app: str, action: str, members: Dict[str, Any], repeatable: bool = True
) -> Exchange:
    # A label may be null; whatever else is None was not given.
    given = {
        key: _plain(one) for key, one in members.items()
        if one is not None or key == "label"
    }
    return Exchange(
        "/%s/%s" % (quote(app, safe=""), action),
        json.dumps(given, allow_nan=False).encode("utf-8"),
        repeatable,
    )


def _query(app: str, version: Any, uid: Any, **inputs: Any) -> Exchange:
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
) -> Exchange:
    if (query_id is None) == (one is None):
        raise TypeError("feedback needs either query_id or input")
    return _exchange(
        app,
        "update",
        {
            "query_id": query_id,
            "uid": uid,
            "input": None if one is None else input_value(one),
            "label": label,
        },
        # The server learns only once from an id.
        repeatable=query_id is not None,
    )


def _check(status: int, body: bytes) -> None:
    if status != 200:
        what = advice(body)
        raise ClipperException(
            "Received error status code: %d and message: %s%s"
            % (status, body.decode("utf-8", "replace"),
               "\n" + what if what else "")
        )


def _predictions(
    status: int,
    body: bytes,
    raise_on_default: bool,
    log: Optional[FeedbackLog] = None,
) -> List[Prediction]:
    _check(status, body)
    try:
        answer = dict(json.loads(body))
    except (ValueError, TypeError) as error:
        raise ClipperException(
            "The answer does not come from Clipper: %r" % body[:200]
        ) from error
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
    if status == 503 and b'"Feedback not kept"' in body:
        raise FeedbackNotKept(body.decode("utf-8", "replace").strip())
    _check(status, body)
    accepted = body.strip() != b"Feedback received? 0"
    if accepted and log is not None:
        log.write(query_id, _plain(label))
    return accepted


class Client:
    """Sends queries and waits for the answers.

    Args:
        address: ``host:port`` that `ClipperConnection.get_query_addr`
            returns, an IPv6 address in brackets; or a URL with ``http://``
            or ``https://``.
        timeout: seconds to wait for an answer; longer than the
            application's SLO.
        raise_on_default: raise `DefaultOutput` instead of returning a
            default.
        feedback_log: path of a file. Accepted feedback by query id is
            appended to it with the output, for `clipper_admin.replay`.
        headers: headers of each request, such as ``Authorization``.
        ca: for ``https://``, file with the certificates (PEM) that are
            trusted; None for the authorities that the system trusts.
        certificate: file with the client's own certificate (PEM).
        key: file with its key (PEM); None when `certificate` has it.
        verify: False accepts any certificate: then anyone on the way can
            read and change the queries.
        ssl_context: replaces `ca`, `certificate`, `key` and `verify`.

    Raises:
        ClipperException: the address, a header or a file is not valid, or
            an argument for TLS goes with an address without ``https://``.
    """

    def __init__(
        self,
        address: str = "localhost:1337",
        timeout: float = 60.0,
        raise_on_default: bool = False,
        feedback_log: Optional[str] = None,
        headers: Optional[Mapping[str, str]] = None,
        ca: Optional[str] = None,
        certificate: Optional[str] = None,
        key: Optional[str] = None,
        verify: bool = True,
        ssl_context: Optional[ssl.SSLContext] = None,
    ) -> None:
        tls = Tls(ca, certificate, key, verify, ssl_context)
        self._transport = BlockingTransport(
            Route.make(address, tls, headers), timeout
        )
        self._raise_on_default = raise_on_default
        self._log = FeedbackLog(feedback_log) if feedback_log else None

    def predict(
        self, app: str, input: Any, version: Any = None, uid: Any = None
    ) -> Prediction:
        """Send one input and return its prediction.

        Args:
            app: name of the application.
            input: numbers or booleans as a list, array, tensor, Series or
                DataFrame (of any shape, in row order); `str`; or `bytes`.
                None and NaN are missing values, which an application of
                doubles or floats takes as NaN.
            version: version of the model; None for the current one.
            uid: user whose learned state is used.

        Raises:
            ClipperException: the server refuses the query.
            DefaultOutput: the output is the default (with
                `raise_on_default`).
            OSError: the server does not answer within the timeout.
            TlsError: the server's certificate is not trusted, or it does
                not speak TLS.
        """
        answer = self._transport.send(_query(app, version, uid, input=input_value(input)))
        return _predictions(*answer, self._raise_on_default, self._log)[0]

    def predict_batch(
        self, app: str, inputs: Any, version: Any = None, uid: Any = None
    ) -> List[Prediction]:
        """Send several inputs in one request, see `predict`.

        Args:
            inputs: list of inputs, array (an input for each of its first
                dimension), Series or DataFrame (one input in each row).

        Returns:
            predictions in the order of the inputs.
        """
        answer = self._transport.send(
            _query(app, version, uid, input_batch=input_rows(inputs))
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
            whether the server accepted it; feedback by id that had to be
            sent again may be False although the first was accepted.

        Raises:
            ClipperException: the application does not exist, or the server
                refuses the feedback.
            FeedbackNotKept: Redis is away, and the server has no room for
                the label; it can be sent again.
            TypeError: both or none of `query_id` and `input` are given.
        """
        answer = self._transport.send(_feedback(app, label, query_id, input, uid))
        return _received(*answer, query_id, label, self._log)

    def close(self) -> None:
        """Close the connection; the next query opens another."""
        self._transport.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *unused: Any) -> None:
        self.close()


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
        headers: Optional[Mapping[str, str]] = None,
        ca: Optional[str] = None,
        certificate: Optional[str] = None,
        key: Optional[str] = None,
        verify: bool = True,
        ssl_context: Optional[ssl.SSLContext] = None,
    ) -> None:
        tls = Tls(ca, certificate, key, verify, ssl_context)
        self._transport = AsyncTransport(
            Route.make(address, tls, headers), timeout, connections
        )
        self._raise_on_default = raise_on_default
        self._log = FeedbackLog(feedback_log) if feedback_log else None

    async def predict(
        self, app: str, input: Any, version: Any = None, uid: Any = None
    ) -> Prediction:
        answer = await self._transport.send(
            _query(app, version, uid, input=input_value(input))
        )
        return _predictions(*answer, self._raise_on_default, self._log)[0]

    async def predict_batch(
        self, app: str, inputs: Any, version: Any = None, uid: Any = None
    ) -> List[Prediction]:
        answer = await self._transport.send(
            _query(app, version, uid, input_batch=input_rows(inputs))
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
        answer = await self._transport.send(
            _feedback(app, label, query_id, input, uid)
        )
        return _received(*answer, query_id, label, self._log)

    # Both clients have one contract.
    predict.__doc__ = Client.predict.__doc__
    predict_batch.__doc__ = Client.predict_batch.__doc__
    feedback.__doc__ = Client.feedback.__doc__

    async def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *unused: Any) -> None:
        await self.close()
