"""Bodies of predictions: malformed, too large, split, spooled, coded."""

import json
import re

import pytest

from harness import Sim4, anonymous_kb, application, wait_until

# errors of the body

SCHEMA = ('\n  {\n   "input" := [double] | [int] | [string] | [byte] | '
          '[float],\n  }\n')

MALFORMED = [
    "", " ", "{", "}", "[", "{'input':[1.0]}", '{"input":[1.0],}',
    '{"input":[1.0]} x', '{"input":[1.0]}{}', '{"input":[.5]}',
    '{"input":[1.]}', '{"input":[+1.0]}', '{"input":[01]}',
    '{"input":[NaN]}', '{"input":[Infinity]}', '{"input":[1e400]}',
    '{"input":[1.0', '{"input":[1.0]', '{"input"}', '{"input":}',
    '{"input":[1.0],"x":"\x01"}', '{"input":[1.0],"x":"\\x"}',
    '{"input":[1.0],"x":"\\ud800"}', '{"input":[1.0],"x":tru}',
    '{"input":[1.0]} // no', '{"input":[1.0 2.0]}', '{"input":[1.0,,2.0]}',
    '{input:[1.0]}', '{"input":[1.0],"x":-}', '{"input":[1e]}',
    '\ufeff\ufeff{"input":[1.0]}', '{"input":["x"], "version":"9", ',
]


@pytest.mark.parametrize("body", MALFORMED)
def test_malformed(served, body):
    """Catches a scanner that is more lenient than RFC 8259 (E7)."""
    server, sim = served()
    response = server.post("/a/predict", body)
    assert response.status == 400, response
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert answer["error"] == "Json error"
    assert re.fullmatch(
        r"Error parsing JSON: JSON parse error: .+ \(offset \d+\)\n\. "
        r"Expected JSON schema: " + re.escape(SCHEMA), answer["cause"])
    assert sim.requests == []


@pytest.mark.parametrize("body", [
    b'{"input":[1.0],"x":"\xff"}', b'{"input":[1.0],"\xc3":1}',
    b'{"input":[1.0],"x":"\xed\xa0\x80"}', b'{"input":[1.0]}\0',
    b'{"input":[1.0],"x":"a\0b"}'])
def test_malformed_bytes(served, body):
    """Catches text that is not UTF-8, or a raw NUL."""
    server, _ = served()
    assert server.post("/a/predict", body).status == 400


@pytest.mark.parametrize("body, offset", [
    ("", 0), ('{"input":[1.0]} x', 16), ('{"input":[1.0 2.0]}', 14)])
def test_error_offset(served, body, offset):
    """Catches an offset that does not point at the mistake."""
    server, _ = served()
    cause = server.post("/a/predict", body).json()["cause"]
    assert f"(offset {offset})" in cause


CAUSES = [
    ("doubles", "{}", "JSON object does not have required keys input or "
                      "input_batch"),
    ("doubles", '{"Input":[1.0]}', "JSON object does not have required keys "
                                   "input or input_batch"),
    ("doubles", '{"input":"x"}', "Type mismatch! JSON key input expected "
                                 "type Array but found type String (offset "
                                 "9)"),
    ("strings", '{"input":{}}', "Type mismatch! JSON key input expected "
                                "type String but found type Object (offset "
                                "9)"),
    ("doubles", '{"input_batch":{}}', "Type mismatch! JSON key input_batch "
                                      "expected type Array but found type "
                                      "Object (offset 15)"),
    ("ints", '{"input":[1.5]}', "Array input of type Number is not of type "
                                "int at input[0] (offset 10)"),
    ("doubles", '{"input":[true]}', "Array input of type True is not of type "
                                    "double at input[0] (offset 10)"),
    ("floats", '{"input":[{}]}', "Array input of type Object is not of type "
                                 "float at input[0] (offset 10)"),
    ("doubles", '{"input_batch":[1.0]}', "Array input of type Number is not "
                                         "of type array at input_batch[0] "
                                         "(offset 16)"),
    ("strings", '{"input_batch":[1.0]}', "Array input of type Number is not "
                                         "of type string at input_batch[0] "
                                         "(offset 16)"),
    ("doubles", "[1.0]", "Can only get key-value pair from an object (offset "
                         "0)"),
    ("doubles", '"x"', "Can only get key-value pair from an object (offset "
                       "0)"),
]


@pytest.mark.parametrize("kind, body, cause", CAUSES)
def test_causes(nginx, kind, body, cause):
    """Catches an error text that is not the documented one (E8, E10)."""
    server = nginx(application("a", input_type=kind))
    response = server.post("/a/predict", body)
    assert response.status == 400
    answer = response.json()
    assert answer["error"] == "Json error"
    assert answer["cause"] == (f"Error parsing JSON: {cause}. Expected JSON "
                               f"schema: {SCHEMA}")


def test_one_bad_input_rejects_all(served):
    """Catches a bad batch whose good inputs are still sent."""
    server, sim = served()
    batch = [[1.0]] * 20 + [["x"]]
    response = server.post("/a/predict", {"input_batch": batch})
    assert response.status == 400
    assert server.predict("a", [3.0])["output"] == 3.0
    assert sim.inputs_seen() == 1


# sizes and codings of the body


def numbers(count):
    return {"input": [i + 0.25 for i in range(count)]}


def expected(count):
    return sum(i + 0.25 for i in range(count))


@pytest.mark.parametrize("count", [1, 784, 20000])
@pytest.mark.parametrize("http", [
    "", "client_body_buffer_size 1k;", "client_body_in_file_only clean;",
    "client_body_in_single_buffer on;"])
def test_body_buffers(served, count, http):
    """Catches a split or spooled body that is read in part."""
    server, _ = served(http=http)
    assert server.predict("a", numbers(count)["input"])["output"] == \
        expected(count)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_chunked_body(served, size):
    """Catches a body whose parts come in chunks of any size."""
    server, _ = served(http="client_body_buffer_size 1k;")
    data = json.dumps(numbers(100)).encode()
    chunks = [data[i:i + size] for i in range(0, len(data), size)]
    response = server.post("/a/predict", None, chunks=chunks)
    assert response.json()["output"] == expected(100)


def test_body_in_pieces(served):
    """Catches a body that is read before its last byte arrives."""
    server, _ = served()
    data = json.dumps(numbers(10)).encode()
    with server.connect() as connection:
        connection.send(b"POST /a/predict HTTP/1.1\r\nHost: x\r\n"
                        b"Content-Length: %d\r\n\r\n" % len(data))
        for byte in data:
            connection.send(bytes([byte]))
        assert connection.read().json()["output"] == expected(10)


def test_expect_continue(served):
    """Catches a client that waits forever for 100 Continue."""
    server, _ = served()
    data = json.dumps(numbers(3)).encode()
    with server.connect() as connection:
        connection.send(b"POST /a/predict HTTP/1.1\r\nHost: x\r\n"
                        b"Expect: 100-continue\r\n"
                        b"Content-Length: %d\r\n\r\n" % len(data))
        assert connection._until(b"\r\n\r\n").endswith(b"100 Continue")
        connection.send(data)
        assert connection.read().json()["output"] == expected(3)


def test_http_1_0(served):
    """Catches a response that is not valid HTTP/1.0."""
    server, _ = served()
    with server.connect() as connection:
        response = connection.post("/a/predict", numbers(3), http="1.0")
        assert response.json()["output"] == expected(3)
        assert "transfer-encoding" not in response.headers
        assert connection.closed_by_peer()


def test_content_type_is_ignored(served):
    """Catches a request that is refused for its Content-Type."""
    server, _ = served()
    for value in ("application/json", "text/plain",
                  "application/x-www-form-urlencoded"):
        response = server.post("/a/predict", numbers(2),
                               headers=[("Content-Type", value)])
        assert response.json()["output"] == expected(2)


def test_content_encoding(served):
    """Catches compressed bytes that are read as JSON."""
    server, _ = served()
    identity = [("Content-Encoding", "identity")]
    assert server.post("/a/predict", numbers(2),
                       headers=identity).status == 200
    response = server.post("/a/predict", b"\x1f\x8b\x08",
                           headers=[("Content-Encoding", "gzip")])
    assert response.status == 415
    assert set(response.json()) == {"error", "cause"}


def too_large(response):
    return (response.status == 413
            and response.headers["content-type"] == "application/json"
            and set(response.json()) == {"error", "cause"})


def test_body_over_nginx_limit(served):
    """Catches nginx's own page in place of a JSON error."""
    server, _ = served(http="client_max_body_size 1k;")
    assert too_large(server.post("/a/predict", numbers(1000)))


def test_limits(served):
    """Catches a limit that is off by one, or not enforced."""
    server, sim = served(extra="clipper_limits batch=3 elements=4 depth=8;")

    def ask(body):
        return server.post("/a/predict", body)

    assert ask({"input_batch": [[1.0]] * 3}).status == 200
    assert too_large(ask({"input_batch": [[1.0]] * 4}))
    assert ask({"input": [1.0] * 4}).status == 200
    assert too_large(ask({"input": [1.0] * 5}))
    assert ask('{"input":[1.0],"x":%s}' % ("[" * 7 + "]" * 7)).status == 200
    assert too_large(ask('{"input":[1.0],"x":%s}' % ("[" * 9 + "]" * 9)))
    assert sim.inputs_seen() == 5


def test_output_limit(served):
    """Catches an output over its limit that reaches the client."""
    server, _ = served(extra="clipper_limits output=1k;",
                       model=lambda values: ["9" * int(v[0]) for v in values])
    assert server.predict("a", [10.0])["default"] is False
    answer = server.predict("a", [2000.0])
    assert answer["default"] is True
    assert answer.get("default_reason", "model_error") == "model_error"
    assert server.predict("a", [11.0])["default"] is False


# what a body leaves behind


HELD = 40
PADDING = 200_000


@pytest.mark.parametrize("log", ["$request_length", "$request_body"])
def test_memory_of_a_waiting_body(nginx, settings, log):
    """Catches queries that hold their bodies until they are answered, and a
    body that is gone when the access log needs it."""
    server = nginx(
        "access_log body.log body;\n"
        + application("a", "m:1", "ints", slo="60s"),
        http=f"log_format body '{log}'; client_body_buffer_size 1m; "
             "clipper_cache_zone off;")
    sim = Sim4(server, "m", input_type="ints", manual=True).wait_registered()

    def model():
        return server.status()["models"][0]

    def anonymous():
        return sum(anonymous_kb(pid) for pid in server.children())

    body = b'{"input":[1' + b" " * PADDING + b"]}"
    before = anonymous()
    connections = [server.connect() for _ in range(HELD)]
    for i, connection in enumerate(connections):
        connection.send(b"POST /a/predict HTTP/1.1\r\nHost: x\r\n"
                        b"Content-Length: %d\r\n\r\n" % len(body) + body)
        wait_until(lambda: model()["flights"] == i + 1)
    grown = anonymous() - before

    answered = 0
    while answered < HELD:
        request = sim.next_request()
        answered += len(request.values)
        sim.answer(request)
    for connection in connections:
        assert connection.read().json()["output"] == 1
        connection.close()

    if log == "$request_body":
        assert grown > HELD * PADDING / 1024
        written = server.dir / "body.log"
        wait_until(lambda: written.read_bytes().count(b"\n") == HELD)
        assert set(written.read_bytes().splitlines()) == {
            body.replace(b'"', b"\\x22")}
    elif not settings.sanitizer:                    # keeps what is freed
        assert grown < HELD * PADDING / 1024 / 4
