"""Predictions over HTTP: requests and their responses."""

import json
import re
import struct

import pytest

from harness import Sim3, application, wait_until

NO_REPLICA = "No connected models found for query"


def test_single(served):
    """Catches a wrong order of members, blanks or wrong headers."""
    server, _ = served()
    response = server.post("/a/predict", {"input": [1.5, 2.5]})
    assert response.status == 200 and response.reason == "OK"
    assert re.fullmatch(
        rb'\{"query_id":\d+,"output":4\.0,"default":false\}\n', response.body)
    assert response.headers["content-type"] == "application/json"
    assert int(response.headers["content-length"]) == len(response.body)


@pytest.mark.parametrize("path", [
    "/a/predict", "/a/predict/", "/a/predict?x=1", "/a/predict/?"])
def test_paths(served, path):
    """Catches a trailing slash or a query string that is not accepted."""
    server, _ = served()
    assert server.post(path, {"input": [1.0]}).status == 200


@pytest.mark.parametrize("path", [
    "/a/predictx", "/a/predict/x", "/a", "/a/", "/a/Predict", "/a/x/predict"])
def test_unknown_paths(served, path):
    """Catches a path that matches by its prefix, an error that is not JSON,
    and an error that closes the connection (H1)."""
    server, _ = served()
    with server.connect() as connection:
        response = connection.post(path, {"input": [1.0]})
        assert response.status == 404
        assert response.headers["content-type"] == "application/json"
        body = response.json()
        assert body["error"] == "Not found" and isinstance(body["cause"], str)
        assert connection.post("/a/predict", {"input": [1.0]}).status == 200


def test_path_of_another_name(served):
    """Catches an application that speaks for a path which only begins like
    its own: "/a" is a prefix of "/any"."""
    server, _ = served()
    for path, cause in (("/any/predict", "no application at this path"),
                        ("/a/x", "only the paths /predict and /update")):
        response = server.post(path, {"input": [1.0]})
        assert response.status == 404 and cause in response.json()["cause"]


def test_unknown_application(served):
    """Catches a lost connection after an unknown application (H1)."""
    server, _ = served()
    with server.connect() as connection:
        assert connection.post("/nobody/predict", "{}").status in (404, 405)
        assert connection.post("/a/predict", {"input": [1.0]}).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE",
                                    "OPTIONS", "PATCH"])
def test_wrong_method(served, method):
    """Catches a wrong method that predicts, or a 405 that closes the
    connection (H2)."""
    server, _ = served()
    with server.connect() as connection:
        response = connection.request(method, "/a/predict")
        assert response.status == 405
        assert response.headers["content-type"] == "application/json"
        if method != "HEAD":
            assert set(response.json()) == {"error", "cause"}
        assert connection.post("/a/predict", {"input": [1.0]}).status == 200


def test_location_of_names_with_dots(nginx):
    """Catches an application name that is used as a pattern."""
    server = nginx(application("a.b"))
    assert server.post("/a.b/predict", {"input": [1.0]}).status == 200
    assert server.post("/axb/predict", {"input": [1.0]}).status != 200


# batches


def test_batch(served):
    """Catches answers in another order, or query ids that repeat (E2)."""
    server, _ = served()
    inputs = [[float(i), 0.5] for i in range(50)]
    response = server.post("/a/predict", {"input_batch": inputs})
    answers = response.json()["batch_predictions"]
    assert [a["output"] for a in answers] == [i + 0.5 for i in range(50)]
    ids = [a["query_id"] for a in answers]
    assert len(set(ids)) == 50 and all(0 <= i < 2**53 for i in ids)
    assert all(a["default"] is False for a in answers)
    assert re.match(rb'\{"batch_predictions":\[\{"query_id":\d+,"output":0\.5'
                    rb',"default":false\},', response.body)


def test_batch_of_one(served):
    """Catches a wrapper around a batch of one (H3)."""
    server, _ = served()
    body = server.post("/a/predict", {"input_batch": [[2.0]]}).json()
    assert body["output"] == 2.0 and "batch_predictions" not in body


def test_batch_of_none(served):
    """Catches an empty batch that is refused or waits (H4)."""
    server, _ = served()
    response = server.post("/a/predict", {"input_batch": []})
    assert response.status == 200
    assert response.body == b'{"batch_predictions":[]}\n'


def test_input_wins(served):
    """Catches input_batch being served, or checked, next to input (H5)."""
    server, _ = served()
    for body in ('{"input":[1.0],"input_batch":[["x"]]}',
                 '{"input_batch":"no batch","input":[1.0]}',
                 '{"input_batch":[[5.0],[6.0]],"input":[1.0]}'):
        assert server.post("/a/predict", body).json()["output"] == 1.0


def test_first_duplicate_counts(served):
    """Catches the last of several equal members being used."""
    server, _ = served()
    response = server.post("/a/predict",
                           '{"input":[1.0],"input":[2.0],"input":"x"}')
    assert response.json()["output"] == 1.0


def test_other_members_are_ignored(served):
    """Catches unknown members being refused, and escaped names missed."""
    server, _ = served()
    body = ('{"uid":3,"x":{"input":[9.0],"y":[1,[2,{"z":null}]]},'
            ' "\\u0069nput" : [ 1.25 ] , "last":true}')
    assert server.post("/a/predict", body).json()["output"] == 1.25


# input types: what the container gets

GOOD = [
    ("ints", "[1,-2,2147483647,-2147483648,-0]",
     struct.pack("<5i", 1, -2, 2147483647, -2147483648, 0)),
    ("integers", "[7]", struct.pack("<i", 7)),
    ("doubles", "[1.5,-0.0,1e-400,6.6000000000000005,1e300]",
     struct.pack("<5d", 1.5, -0.0, 0.0, 6.6000000000000005, 1e300)),
    ("doubles", "[1,2.0,18446744073709551616]",
     struct.pack("<3d", 1.0, 2.0, 18446744073709551616.0)),
    ("floats", "[0.1,3.4028234663852886e38,16777217.0]",
     struct.pack("<3f", 0.1, 3.4028234663852886e38, 16777216.0)),
    ("strings", '"h\\u00e9llo \\uD83D\\uDE00 \\"\\/\\n"',
     "h\u00e9llo \U0001f600 \"/\n".encode()),
    ("strings", '"a\\u0000b"', b"a\0b"),
    ("bytes", '"AQID"', b"\1\2\3"),
    ("bytes", '"AQI="', b"\1\2"),
    ("bytes", '"AQI"', b"\1\2"),
    ("bytes", '"+/+/AA"', b"\xfb\xff\xbf\x00"),
]


@pytest.mark.parametrize("kind, text, expected", GOOD)
def test_typed_bytes(served, kind, text, expected):
    """Catches a conversion that is off by a bit (E1, E3, E5, G28)."""
    server, sim = served(kind, model=lambda values: ["1"] * len(values))
    response = server.post("/a/predict", '{"input":%s}' % text)
    assert response.json()["output"] == 1, response
    assert sim.requests[-1].inputs == [expected]


BAD = [
    ("ints", "[1.0]"), ("ints", "[1e3]"), ("ints", "[2147483648]"),
    ("ints", "[-2147483649]"), ("ints", '"1"'), ("ints", "7"),
    ("ints", "[true]"), ("ints", "[[1]]"),
    ("doubles", '["1.0"]'), ("doubles", "[1.0,null]"),
    ("doubles", "[[1.0]]"), ("doubles", "1.0"), ("doubles", '{"a":1.0}'),
    ("floats", "[1e39]"), ("floats", "[3.4028236e38]"),
    ("strings", "[1]"), ("strings", '["a"]'), ("strings", "null"),
    ("bytes", '"AQ*D"'), ("bytes", '"A=QD"'), ("bytes", '"AQID="'),
    ("bytes", '"A"'), ("bytes", '"AQ*ID"'), ("bytes", "[1,2]"),
]


@pytest.mark.parametrize("kind, text", BAD)
def test_wrong_values(served, kind, text):
    """Catches a value of the wrong type that reaches the model (E9, H19)."""
    server, sim = served(kind)
    response = server.post("/a/predict", '{"input":%s}' % text)
    assert response.status == 400 and response.reason == "Bad Request"
    assert response.json()["error"] == "Json error"

    good = {"ints": "[1]", "strings": '"x"', "bytes": '"AQID"'}.get(
        kind, "[1.0]")
    batch = '{"input_batch":[%s,%s]}' % (good, text)
    assert server.post("/a/predict", batch).status == 400
    assert server.post("/a/predict", '{"input":%s}' % good).status == 200
    assert sim.inputs_seen() == 1


def test_strict_doubles(nginx):
    """Catches integers accepted as doubles where `strict` forbids it."""
    server = nginx(
        application("a").replace("clipper_input doubles;",
                                 "clipper_input doubles strict;"))
    assert server.post("/a/predict", '{"input":[1.0]}').status == 200
    assert server.post("/a/predict", '{"input":[1]}').status == 400
    assert server.post("/a/predict", '{"input":[2e0]}').status == 200
    assert server.post(
        "/a/predict", '{"input":[18446744073709551616]}').status == 200


@pytest.mark.parametrize("kind, text", [
    ("doubles", "[]"), ("ints", "[]"), ("strings", '""'), ("bytes", '""')])
def test_empty_input(served, kind, text):
    """Catches an empty input that blocks the replica (H6)."""
    server, _ = served(kind, model=lambda values: ["7"] * len(values))
    for _ in range(3):
        assert server.post(
            "/a/predict", '{"input":%s}' % text).json()["output"] == 7
    body = '{"input_batch":[%s,%s]}' % (text, text)
    answers = server.post("/a/predict", body).json()["batch_predictions"]
    assert [a["output"] for a in answers] == [7, 7]


# versions


def two_versions(nginx):
    server = nginx(
        application("a", "m") + application("unlinked"),
        http="clipper_cache_zone off;"
             "clipper_model m { version 2; }"
             "clipper_model m:3 { input doubles; }")
    for version in (1, 2):
        Sim3(server, "m", version,
             model=lambda v, version=version: [str(version)] * len(v)
             ).wait_registered()
        server.wait_replicas("m", version)
    return server


def test_versions(nginx):
    """Catches a named version that is not used, or an answer for an unknown
    one (A22)."""
    server = two_versions(nginx)
    ask = {"input": [1.0]}
    assert server.post("/a/predict", ask).json()["output"] == 2
    assert server.post(
        "/a/predict", {**ask, "version": "1"}).json()["output"] == 1

    answer = server.post("/a/predict", {**ask, "version": "3"}).json()
    assert answer["default"] and answer["default_explanation"] == NO_REPLICA

    response = server.post("/a/predict", {**ask, "version": "X"})
    assert response.status == 400
    assert response.json() == {
        "error": "Query processing error",
        "cause": "Requested version: X does not exist for model: m"}


def test_version_comes_before_input(nginx):
    """Catches the input being judged before the version."""
    server = two_versions(nginx)
    for body in ('{"input":["bad"],"version":"9"}',
                 '{"version":"9","input":["bad"]}'):
        response = server.post("/a/predict", body)
        assert response.json()["error"] == "Query processing error", body
    assert server.post("/a/predict", '{"input":["bad"],"version":"9"'
                       ).json()["error"] == "Json error"


def test_version_without_link(nginx):
    """Catches a crash on a version without a linked model."""
    server = nginx(application("a"))
    response = server.post("/a/predict", {"input": [1.0], "version": "1"})
    assert response.status == 400
    assert response.json()["cause"] == \
        "Requested version: 1 does not exist for model: "


def test_version_with_quotes(nginx):
    """Catches a version that breaks the JSON of the error."""
    server = nginx(application("a", "m"))
    response = server.post("/a/predict",
                           {"input": [1.0], "version": 'a"\\\n\x01'})
    assert response.status == 400
    assert 'a"\\\n\x01 does not exist' in response.json()["cause"]


# defaults


def test_default_without_replica(nginx):
    """Catches a query that waits although no replica can answer."""
    server = nginx(application("a", "m", slo="30s")
                   + application("b", slo="30s"), http="")
    for app in "ab":
        response = server.post(f"/{app}/predict", {"input": [1.0]})
        assert response.status == 200
        answer = response.json()
        assert list(answer)[:4] == ["query_id", "output", "default",
                                    "default_explanation"]
        assert answer["output"] == -1.0 and answer["default"] is True
        assert answer["default_explanation"] == NO_REPLICA
        assert answer.get("default_reason", "no_replica") == "no_replica"


OUTPUTS = [
    ("1.0", 1.0), ("5", 5), ("DEFAULT", "DEFAULT"), ('"x"', "x"),
    ("[1, 2]", [1, 2]), ('{"a": 1}', {"a": 1}), ("true", True),
    ("null", None), ("", ""), ("True", "True"), ("None", "None"),
    ("nan", "nan"), ("inf", "inf"), ("NaN", "NaN"), ("-Infinity",) * 2,
    ("['a']", "['a']"), ("[1 2 3]", "[1 2 3]"), ("1.", "1."), ("01", "01"),
    ("+1", "+1"), (" 7 ", 7), ("1 2", "1 2"), ('a"b\\c', 'a"b\\c'),
    ("tab\there\x01", "tab\there\x01"), ("h\u00e9/", "h\u00e9/"),
    ('"\\u00e9"', "\u00e9"), ('"\\ud800"', '"\\ud800"'),
    ("1e400", "1e400"), ("18446744073709551615", 18446744073709551615),
]


@pytest.mark.parametrize("output, expected", OUTPUTS)
def test_output_rule(served, output, expected):
    """Catches a response that is not JSON, or changes the value (H18)."""
    server, _ = served(model=lambda values: [output] * len(values))
    answer = server.predict("a", [1.0])
    assert answer["output"] == expected and answer["default"] is False
    assert type(answer["output"]) is type(expected)


@pytest.mark.parametrize("output", [
    b"\xff\xfe", b"a\xc3", b"\xc0\x80", b"\xed\xa0\x80", b'"\xff"',
    b"\xf4\x90\x80\x80"])
def test_invalid_utf8_output(served, output):
    """Catches a response that is not UTF-8 (H18)."""
    server, _ = served(model=lambda values: [output] * len(values))
    assert "\ufffd" in server.predict("a", [1.0])["output"]


@pytest.mark.parametrize("text, expected", [
    ("-1.0", -1.0), ("DEFAULT", "DEFAULT"), ("", ""),
    ('{\\"a\\": [1]}', {"a": [1]}), ("null", None)])
def test_default_output_rule(nginx, text, expected):
    """Catches a default that breaks the rule for outputs (B1, E17)."""
    server = nginx(application("a", default=text))
    answer = server.predict("a", [1.0])
    assert answer["output"] == expected and answer["default"] is True


@pytest.mark.parametrize("text", [
    b"caf\xe9", b"\xff\xfe", b"a\xc3", b"\xed\xa0\x80", b"x\x01\x1f\x7f/\tz",
    "\u20ac\U0001f600".encode()])
def test_default_in_the_status(nginx, tmp_path, text):
    """Catches a status that fails, is not JSON, or differs from the answer,
    when a default is not UTF-8."""
    (tmp_path / "default.conf").write_bytes(
        b"clipper_default \"" + text + b"\";")
    server = nginx("location /a { clipper_app a; "
                   f"include {tmp_path}/default.conf; }}")
    told = server.status()["applications"][0]["default_output"]
    assert told == server.predict("a", [1.0])["output"]
    assert "\ufffd" in told or told.encode() == text


def test_default_of_the_default(nginx):
    """Catches a default other than null without the directive."""
    server = nginx("location /a { clipper_app a; }")
    assert server.predict("a", [1.0])["output"] is None


def test_large_output(served):
    """Catches an output that is cut, or does not fit a buffer."""
    text = json.dumps(list(range(60000)))
    server, _ = served(model=lambda values: [text] * len(values))
    assert server.predict("a", [1.0])["output"] == list(range(60000))


def test_keepalive_and_pipelining(served):
    """Catches responses in another order than their requests."""
    server, _ = served()
    with server.connect() as connection:
        body = [json.dumps({"input": [float(i)]}).encode() for i in range(20)]
        connection.send(b"".join(
            b"POST /a/predict HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(b), b) for b in body))
        outputs = [connection.read().json()["output"] for _ in range(20)]
        assert outputs == [float(i) for i in range(20)]


def test_query_ids_are_unique(served):
    """Catches ids that workers or requests share (design: below 2**53)."""
    server, _ = served()
    seen = set()
    for i in range(30):
        body = server.post("/a/predict",
                           {"input_batch": [[float(i)], [i + 0.5]]}).json()
        seen |= {a["query_id"] for a in body["batch_predictions"]}
    assert len(seen) == 60 and all(0 <= i < 2**53 for i in seen)


# the operator's server


def test_health(nginx):
    """Catches a health check that ignores replicas."""
    server = nginx(application("a", "m"))
    response = server.get("/health")
    assert response.status == 200 and response.json() == {"status": "ok"}
    assert server.get("/health?app=a").status == 503
    assert server.get("/health?app=nobody").status in (404, 503)
    sim = Sim3(server, "m").wait_registered()
    wait_until(lambda: server.get("/health?app=a").status == 200)
    sim.close()
    wait_until(lambda: server.get("/health?app=a").status == 503)


def test_status_members(nginx):
    """Catches a missing member that clients rely on."""
    server = nginx(application("a", "m:1"), http="clipper_model n { queue 5; }")
    Sim3(server, "m").wait_registered()
    server.wait_replicas("m")
    status = server.status()
    assert status["schema"] == 1 and status["generation"] == "g1"
    assert status["nginx_version"].count(".") == 2
    assert {"size", "flights", "waiters", "chunks", "replicas"} <= set(
        status["zone"])
    assert len(status["workers"]) == server.workers
    assert {"slot", "pid", "generation", "state"} <= set(status["workers"][0])
    assert sorted(w["pid"] for w in status["workers"]) == \
        sorted(server.children())
    assert [a["name"] for a in status["applications"]] == ["a"]
    assert {m["name"] for m in status["models"]} >= {"m"}
    replica, = status["replicas"]
    assert {"model": "m", "version": "1", "replica_id": 0,
            "rpc_version": 3}.items() <= replica.items()
    assert replica["worker"] in {w["slot"] for w in status["workers"]} | {
        w["pid"] for w in status["workers"]}


# the end of a body


def ends_with_newline(response, status=200):
    """One newline, after JSON of the length that the header says."""
    assert response.status == status, response
    assert response.body.endswith(b"}\n") and response.json() is not None
    assert not response.body.endswith(b"\n\n")
    assert int(response.headers["content-length"]) == len(response.body)


def test_json_ends_with_a_newline(nginx):
    """Catches an answer after which a shell's prompt does not begin a line,
    and a length without it: the next answer would begin with it."""
    server = nginx(application("a", "m:1") + application("n", "none:1")
                   + application("e", "m:1", extra="clipper_link x:1;"
                                 "clipper_select mean;")
                   + "client_max_body_size 1k;",
                   http="clipper_cache_zone 1m;")
    for name in ("m", "x"):
        Sim3(server, name).wait_registered()
        server.wait_replicas(name)
    with server.connect() as one:
        for body in ({"input": [1.0]}, {"input": [1.0]}, {"input_batch": []},
                     {"input_batch": [[1.0], [3.0]]}):
            ends_with_newline(one.post("/a/predict", body))
        ends_with_newline(one.post("/e/predict", {"input": [1.0]}))
        ends_with_newline(one.post("/n/predict", {"input": [1.0]}))
        ends_with_newline(one.post("/a/predict", {"input": "x"}), 400)
        ends_with_newline(one.post("/a/predict", {
            "input": [1.0], "version": "9"}), 400)
        ends_with_newline(one.post("/a/update", {"uid": 0}), 400)
        ends_with_newline(one.post("/a/none", {}), 404)
        ends_with_newline(one.request("GET", "/a/predict"), 405)
    with server.connect() as one:
        ends_with_newline(one.post("/a/predict", {"input": [1.0] * 999}), 413)
    for path, status in (("/health", 200), ("/health?app=a", 200),
                         ("/health?app=n", 503), ("/health?app=x", 404),
                         ("/status", 200)):
        ends_with_newline(server.get(path), status)
