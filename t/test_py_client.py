"""The prediction client against a small HTTP server."""

import asyncio
import json
import socket
import threading
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas
import pytest

from clipper_admin.client import (
    AsyncClient,
    Client,
    DefaultOutput,
    FeedbackNotKept,
)
from clipper_admin.exceptions import ClipperException
from harness.web import ANSWER, Blocking, Server

DEFAULT = {"query_id": 8, "output": "none", "default": True,
           "default_explanation": "x", "default_reason": "deadline"}


@pytest.fixture
def server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture(params=[Client, Blocking])
def connect(request, server):
    made = []

    def connect(**kwargs):
        made.append(request.param(server.address, **kwargs))
        return made[-1]

    yield connect
    for client in made:
        client.close()
        if hasattr(client, "loop"):
            client.loop.close()


@pytest.mark.parametrize("value, sent", [
    ([1.5, 2], [1.5, 2]), ((1, 2), [1, 2]), ("text", "text"),
    (b"\x00\xff", "AP8="), (np.arange(3), [0, 1, 2]),
    (np.ones((2, 2)), [1.0, 1.0, 1.0, 1.0]),
    ([np.float64(0.5), np.int32(1)], [0.5, 1]), (range(2), [0, 1]),
])
def test_predict(connect, server, value, sent):
    prediction = connect().predict("a.b", value, version=3, uid="u")
    assert server.sent() == (
        "/a.b/predict", {"input": sent, "version": "3", "uid": "u"})
    assert prediction == (1.5, False, None, 7, None)


def test_predict_batch(connect, server):
    client = connect()
    server.answer = {"batch_predictions": [ANSWER, DEFAULT]}
    first, second = client.predict_batch("a", np.ones((2, 3)))
    assert server.sent() == ("/a/predict",
                             {"input_batch": [[1.0] * 3, [1.0] * 3]})
    assert first.output == 1.5
    assert (second.default, second.reason) == (True, "deadline")
    # The answer to one input has no list.
    server.answer = ANSWER
    assert [p.query_id for p in client.predict_batch("a", ["x"])] == [7]
    with pytest.raises(TypeError):
        client.predict_batch("a", "text")


def test_data_frames(connect, server):
    """Catches a data frame that is sent as its column names."""
    frame = pandas.DataFrame({"a": [1, 2], "b": [0.5, np.float32(1.5)]})
    client = connect()
    client.predict_batch("a", frame)
    assert server.sent()[1] == {"input_batch": [[1.0, 0.5], [2.0, 1.5]]}
    client.predict("a", frame.iloc[1])
    assert server.sent()[1] == {"input": [2.0, 1.5]}
    client.predict("a", frame["a"])
    assert server.sent()[1] == {"input": [1, 2]}
    client.predict_batch("a", pandas.Series(["x", "yz"]))
    assert server.sent()[1] == {"input_batch": ["x", "yz"]}


@pytest.mark.parametrize("value, sent", [
    ([[1.0, 2], [3, [4]]], [1.0, 2, 3, 4]), ([True, False], [1, 0]),
    (np.array([True, False, True]), [1, 0, 1]), ([[True], [0.5]], [1, 0.5]),
    ([1.0, None, float("nan")], [1.0, None, None]),
    (np.array([[1.0, np.nan]]), [1.0, None]),
    (np.array([1, None], object), [1, None]),
    (np.ma.masked_array([1.0, 2.0], [False, True]), [1.0, None]),
    (pandas.DataFrame({"a": [1.5, None], "b": [2, 3]}), [1.5, 2.0, None, 3.0]),
    (pandas.Series([1, None], dtype="Float64"), [1.0, None]),
    (pandas.Series([True, None], dtype="boolean"), [1, None]),
    (np.ones((2, 2), order="F") * [[1], [2]], [1.0, 1.0, 2.0, 2.0]),
    ([np.ones(2), np.zeros((1, 2))], [1.0, 1.0, 0.0, 0.0]),
    ({1: 2, 2.5: 3}.keys(), [1, 2.5]), (np.float64(2.5), [2.5]),
    ([Decimal("1.5"), Fraction(1, 4)], [1.5, 0.25]), (np.str_("a"), "a"),
    ([], []), (bytearray(b"A"), "QQ=="),
])
def test_inputs_as_people_have_them(connect, server, value, sent):
    """Catches an input of a documented kind that the server refuses, or that
    arrives in another order."""
    connect().predict("a", value)
    assert server.sent()[1] == {"input": sent}
    assert [type(one) for one in server.sent()[1]["input"]] == \
        [type(one) for one in sent]


def test_batches_as_people_have_them(connect, server):
    """Catches a batch whose rows are taken apart in another way than alone."""
    client = connect()
    for inputs, sent in (
            ([[True, None], (1, 2.5)], [[1, None], [1, 2.5]]),
            (np.arange(8).reshape(2, 2, 2), [[0, 1, 2, 3], [4, 5, 6, 7]]),
            (pandas.DataFrame({"a": [1.0, None], "b": [True, False]}),
             [[1.0, 1], [None, 0]]),
            ([pandas.Series([1.5]), [[2], [3]]], [[1.5], [2, 3]]),
            (["a", "b"], ["a", "b"]), ([b"A"], ["QQ=="])):
        client.predict_batch("a", inputs)
        assert server.sent()[1] == {"input_batch": sent}


@pytest.mark.parametrize("value, said", [
    ([1.0, float("inf")], r"element \[1\] is infinite"),
    ([[1.0], [-float("inf")]], r"element \[1\]\[0\] is infinite"),
    ([1.0, "x"], r"element \[1\] is a str among numbers"),
    ([[1.0], [b"x"]], r"element \[1\]\[0\] is a bytes"),
    ({"a": 1.0}, "dict is not a number"), ([{}], r"\[0\] of type dict"),
])
def test_what_is_no_input_is_refused_before_it_is_sent(
        connect, server, value, said):
    """Catches an error that only the server finds, or without the place."""
    with pytest.raises((TypeError, ValueError), match=said):
        connect().predict("a", value)
    with pytest.raises((TypeError, ValueError), match="Input 1: .*" + said):
        connect().predict_batch("a", [[1.0], value])
    assert server.requests == []


def test_raise_on_default(connect, server):
    server.answer = DEFAULT
    assert connect().predict("a", [1.0]).default
    client = connect(raise_on_default=True)
    with pytest.raises(DefaultOutput, match="deadline") as caught:
        client.predict("a", [1.0])
    assert caught.value.prediction.query_id == 8


def test_errors_are_told(connect, server):
    server.status, server.answer = 404, {"error": "Not found"}
    with pytest.raises(ClipperException, match="404 and message.*Not found"):
        connect().predict("a", [1.0])


def test_feedback(connect, server):
    client = connect()
    server.answer = b"Feedback received? 1"
    assert client.feedback("a", 1.0, query_id=5) is True
    assert server.sent() == ("/a/update", {"query_id": 5, "label": 1.0})
    server.answer = b"Feedback received? 0"
    assert client.feedback("a", "x", input=[1.0], uid=3) is False
    assert server.sent()[1] == {"uid": 3, "input": [1.0], "label": "x"}
    with pytest.raises(TypeError):
        client.feedback("a", 1.0)
    server.status = 503
    server.answer = {"error": "Feedback not kept", "cause": "Redis is away"}
    with pytest.raises(FeedbackNotKept, match="Redis is away"):
        client.feedback("a", 1.0, query_id=5)


def test_names_cannot_leave_their_place(connect, server):
    connect().predict("a/../b?c\r\nX: y", [1.0])
    assert server.requests[-1][0] == "/a%2F..%2Fb%3Fc%0D%0AX%3A%20y/predict"


def test_the_connection_is_kept(connect, server):
    client = connect()
    for _ in range(3):
        client.predict("a", [1.0])
    assert len(server.connections) == 1


def test_a_connection_that_was_closed_is_replaced(connect, server):
    client = connect()
    server.close_after = True
    for _ in range(3):
        assert client.predict("a", [1.0]).output == 1.5
        threading.Event().wait(0.05)
    assert len(server.connections) == 3


def test_nobody_there(connect, server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        with pytest.raises(OSError):
            Client(address).predict("a", [1.0])
        client = Blocking(address)
        with pytest.raises(OSError):
            client.predict("a", [1.0])
        client.loop.close()


def test_many_at_a_time(server):
    async def ask():
        async with AsyncClient(server.address, connections=4) as client:
            return await asyncio.gather(
                *(client.predict("a", [float(i)]) for i in range(40)))

    assert [p.output for p in asyncio.run(ask())] == [1.5] * 40
    assert 1 < len(server.connections) <= 4


def test_accepted_feedback_is_logged_with_its_output(server, tmp_path):
    path = tmp_path / "feedback.jsonl"
    with Client(server.address, feedback_log=str(path)) as client:
        client.predict("a", [1.0])
        server.answer = b"Feedback received? 0"
        assert not client.feedback("a", 2.0, query_id=7)
        server.answer = b"Feedback received? 1"
        assert client.feedback("a", np.float64(2.0), query_id=7)
        # Once for each query, and only for queries of this client.
        assert client.feedback("a", 3.0, query_id=7)
        assert client.feedback("a", 3.0, query_id=9)
    assert [json.loads(line) for line in path.read_text().splitlines()] \
        == [{"query_id": 7, "output": 1.5, "label": 2.0}]
