"""Forms of a body: missing values, compression, typed bytes and .npy files;
and errors that say where the mistake is."""

import base64
import gzip
import io
import json
import zlib

import numpy as np
import pytest

from harness import Sim3, application

GZIP = [("Content-Encoding", "gzip")]
RAW = [("Content-Type", "application/octet-stream")]
NPY = [("Content-Type", "application/x-npy")]

NUMBERS = {"input": [1.5, 2.25]}
SUM = 3.75


def text(value):
    return json.dumps(value).encode()


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def count_nans(values):
    return [str(sum(x != x for x in row)) for row in values]


def checksum(value):
    if isinstance(value, str):
        value = value.encode()
    return float(sum((i + 1) * float(v) for i, v in enumerate(value)))


def checksums(values):
    return [repr(checksum(value)) for value in values]


@pytest.mark.parametrize("kind", ["doubles", "floats"])
def test_missing_values(served, kind):
    """Catches a missing value that is refused where it is allowed, or that
    reaches the model as a number."""
    server, _ = served(kind, count_nans, setting=" nulls=nan")
    for body, right in (('{"input":[1.0,null,3.0]}', 1),
                        ('{"input":[1.0,NaN,NaN]}', 2), ('{"input":[1]}', 0)):
        answer = server.post("/a/predict", body).json()
        assert answer["output"] == right, body
    answer = server.post("/a/predict", '{"input_batch":[[null],[NaN,2]]}')
    assert [one["output"] for one in answer.json()["batch_predictions"]] \
        == [1, 1]
    # NaN is no JSON elsewhere, null no input, infinity no missing value.
    for body in ('{"input":[1.0],"x":NaN}', '{"input":null}',
                 '{"input":[Infinity]}'):
        assert server.post("/a/predict", body).status == 400


def test_missing_values_are_refused(served):
    """Catches an error that does not tell the way, without nulls=nan."""
    server, sim = served()
    for one in ("null", "NaN"):
        response = server.post("/a/predict", '{"input":[1.0,%s]}' % one)
        assert response.status == 400
        assert "nulls=nan" in response.json()["cause"]
        assert "14" in response.json()["cause"]
    assert sim.requests == []


def test_byte_order_mark(served):
    """Catches a body of Windows tools that is refused."""
    server, _ = served()
    body = b"\xef\xbb\xbf" + text(NUMBERS)
    assert server.post("/a/predict", body).json()["output"] == SUM
    assert server.post("/a/predict", body[:2] + body[3:]).status == 400


def test_base64_of_others(served):
    """Catches base64 with lines, of the URL-safe alphabet or in a data URL
    that becomes other bytes, and an error that does not name the place."""
    server, _ = served("bytes", checksums)
    data = bytes(range(256)) * 3
    for coded in (base64.b64encode(data), base64.urlsafe_b64encode(data),
                  base64.encodebytes(data), base64.b64encode(data).rstrip(b"="),
                  b"data:image/png;base64," + base64.b64encode(data)):
        answer = server.predict("a", coded.decode())
        assert answer["output"] == checksum(data)
    cause = server.post("/a/predict", {"input_batch": ["QUJD", "QU*D"]}).json()
    assert "input_batch[1] (offset 25): character 2" in cause["cause"]


def test_gzip(served):
    """Catches a compressed body that is refused or read in part, in any
    coding, also one that nginx spools to a file."""
    server, _ = served(http="client_body_buffer_size 1k;",
                       extra="clipper_decompress on;")
    many = {"input": [i + 0.25 for i in range(20000)]}
    raw = zlib.compressobj(wbits=-15)
    for coding, body, right in (
            ("gzip", gzip.compress(text(NUMBERS)), SUM),
            ("x-gzip", gzip.compress(text(NUMBERS)), SUM),
            ("GZIP", gzip.compress(text(many)), sum(many["input"])),
            ("deflate", zlib.compress(text(NUMBERS)), SUM),
            ("deflate", raw.compress(text(NUMBERS)) + raw.flush(), SUM),
            ("identity", text(NUMBERS), SUM)):
        response = server.post("/a/predict", body,
                               headers=[("Content-Encoding", coding)])
        assert response.json()["output"] == right, coding
    label = gzip.compress(text({"query_id": 1, "label": 1}))
    assert server.post("/a/update", label, headers=GZIP).status == 200


def test_gzip_that_is_none(served):
    """Catches a damaged body that is read as far as it goes, and an error
    that does not say what is wrong."""
    server, sim = served(extra="clipper_decompress on;")
    good = gzip.compress(text(NUMBERS))
    for body in (b"", text(NUMBERS), good[:-1], good + b"x",
                 good[:12] + b"\0" + good[13:]):
        response = server.post("/a/predict", body, headers=GZIP)
        assert response.status == 400, body
        assert response.json()["error"] == "Body error"
        assert "gzip" in response.json()["cause"]
    for coding in ("br", "gzip, gzip", "zstd"):
        response = server.post("/a/predict", good,
                               headers=[("Content-Encoding", coding)])
        assert response.status == 415
        assert "gzip, deflate or identity" in response.json()["cause"]
    response = server.post("/a/predict", good, headers=GZIP + GZIP)
    assert response.status == 415
    assert sim.requests == []


def test_bomb(served):
    """Catches a small body that unpacks to more than the bound."""
    server, sim = served(extra="clipper_decompress 64k;")
    body = text(NUMBERS)
    for size, status in ((65536, 200), (65537, 413), (50 << 20, 413)):
        packed = gzip.compress(body + b" " * (size - len(body)))
        response = server.post("/a/predict", packed, headers=GZIP)
        assert response.status == status
        if status == 413:
            assert "65536 bytes (clipper_decompress)" \
                in response.json()["cause"]
    assert sim.inputs_seen() == 1


def typed(nginx, extra="clipper_binary on;"):
    """An application for each input type, with a model that adds up."""
    kinds = ["bytes", "ints", "floats", "doubles", "strings"]
    server = nginx("".join(
        application(kind, f"m{kind}:1", kind, extra=extra) for kind in kinds))
    for kind in kinds:
        Sim3(server, "m" + kind, input_type=kind, model=checksums)
    for kind in kinds:
        server.wait_replicas("m" + kind)
    return server


def test_typed_bodies(nginx):
    """Catches a vector that arrives as other numbers than in JSON."""
    server = typed(nginx)
    for kind, dtype, values in (
            ("doubles", "<f8", [0.1, -2.5, 1e300]),
            ("floats", "<f4", [0.1, 3.25, -7]),
            ("ints", "<i4", [-7, 2 ** 31 - 1, 0]),
            ("bytes", "i1", [1, 100, 127])):
        array = np.array(values, dtype)
        right = checksum(array.tolist())
        for body, headers in ((array.tobytes(), RAW), (npy(array), NPY)):
            response = server.post(f"/{kind}/predict", body, headers=headers)
            assert response.json().get("output") == right, (kind, response)
        rows = np.stack([array, array[::-1]])
        for body, headers in ((rows.tobytes(), RAW), (npy(rows), NPY)):
            response = server.post(f"/{kind}/predict?batch=2", body,
                                   headers=headers)
            assert [one["output"] for one in
                    response.json()["batch_predictions"]] == [
                        checksum(row.tolist()) for row in rows]
    response = server.post("/strings/predict", "h\u00e9".encode(), headers=RAW)
    assert response.json()["output"] == checksum("h\u00e9")
    # JSON as before, whatever its type.
    assert server.predict("ints", [5])["output"] == 5.0


def test_npy_of_another_type(nginx):
    """Catches numbers that change on their way to the input type, and what
    has no number at all."""
    server = typed(nginx)

    def ask(kind, array, query=""):
        return server.post(f"/{kind}/predict{query}", npy(array), headers=NPY)

    for kind, array in (
            ("doubles", np.arange(5)), ("doubles", np.float32([0.1])),
            ("doubles", np.array([True, False, True])),
            ("floats", np.array([0.5, 7], ">f8")),
            ("floats", np.float16([0.1, 2])), ("ints", np.arange(7)),
            ("ints", np.array([3, 4], ">i2")), ("doubles", np.array(4.5)),
            ("doubles", np.ones((2, 3, 4)))):
        answer = ask(kind, array).json()
        assert answer.get("output") == checksum(array.ravel().tolist()), kind
    for kind, array, query, why in (
            ("ints", np.array([2 ** 31]), "", "too large"),
            ("ints", np.array([1.0]), "", "input type"),
            ("floats", np.array([1e300]), "", "too large"),
            ("strings", np.array([1]), "", "input type"),
            ("doubles", np.array(["a"]), "", "not numbers"),
            ("doubles", np.array([1j]), "", "not numbers"),
            ("doubles", np.ones((2, 3), order="F"), "", "C order"),
            ("doubles", np.zeros(2, [("a", "f8")]), "", "fields"),
            ("doubles", np.ones((2, 3)), "?batch=3", "first dimension"),
            ("doubles", np.ones((2, 3)), "?batch=x", "not a number")):
        response = ask(kind, array, query)
        assert response.status == 400, (kind, array)
        assert response.json()["error"] == "Body error"
        assert why in response.json()["cause"], response
    for body in (npy(np.ones(3))[:-1], npy(np.ones(3)) + b"x", b"", b"x" * 99):
        assert server.post("/doubles/predict", body,
                           headers=NPY).status == 400


def test_typed_body_with_limits_and_coding(nginx):
    """Catches a typed body that passes the limits of JSON, is not unpacked,
    or is taken where the location did not say so."""
    server = typed(nginx, "clipper_binary on; clipper_decompress on; "
                          "clipper_limits elements=4 batch=2;")
    body = np.ones(4).tobytes()
    response = server.post("/doubles/predict", gzip.compress(body),
                           headers=RAW + GZIP)
    assert response.json()["output"] == 10.0
    for body, query, limit in (
            (np.ones(5).tobytes(), "", "more than 4 elements"),
            (np.ones(6).tobytes(), "?batch=3", "more than 2 inputs")):
        response = server.post("/doubles/predict" + query, body, headers=RAW)
        assert response.status == 413
        assert limit in response.json()["cause"]
    response = server.post("/doubles/predict?version=9", np.ones(1).tobytes(),
                           headers=RAW)
    assert "version: 9 does not exist" in response.json()["cause"]


def test_typed_body_is_json_by_default(served):
    """Catches a type of the body that changes its meaning unasked."""
    server, _ = served()
    response = server.post("/a/predict", text(NUMBERS), headers=RAW)
    assert response.json()["output"] == SUM
    assert server.post("/a/predict", np.ones(4).tobytes(),
                       headers=RAW).status == 400


def test_limits_are_named(served):
    """Catches a 413 without the limit and the directive."""
    server, _ = served(http="client_max_body_size 2k;",
                       extra="clipper_limits batch=3 elements=4 depth=8;")
    for body, said in (
            ({"input_batch": [[1.0]] * 4},
             "3 inputs (batch= of clipper_limits)"),
            ({"input_batch": [[1.0], [1.0] * 5]},
             "4 elements (elements= of clipper_limits) at input_batch[1]"),
            ('{"input":[1.0],"x":%s}' % ("[" * 9 + "]" * 9),
             "8 (depth= of clipper_limits)"),
            ({"input": [1.0] * 1000}, "2048 bytes of client_max_body_size")):
        response = server.post("/a/predict", body)
        assert response.status == 413
        assert said in response.json()["cause"], response


@pytest.mark.parametrize("kind, body, said", [
    ("doubles", {"input_batch": [[1.0, 2.0]] * 217 + [[1.0, "x"]]},
     "input_batch[217][1] (offset "),
    ("doubles", {"input": [[1.0, 2.0], [3.0, 4.0]]},
     "several inputs go under input_batch"),
    ("strings", {"input": ["a", "b"]}, "several inputs go under input_batch"),
    ("ints", {"input": [1, 2.5]}, "input[1] (offset "),
    ("strings", {"input_batch": ["a", 7]}, "input_batch[1] (offset "),
])
def test_the_place_is_named(nginx, kind, body, said):
    """Catches a 400 that does not say where the mistake is."""
    server = nginx(application("a", input_type=kind))
    response = server.post("/a/predict", body)
    assert response.status == 400
    assert said in response.json()["cause"]


@pytest.mark.parametrize("extra, said", [
    ("clipper_input ints nulls=nan;", 'invalid parameter "nulls=nan"'),
    ("clipper_input doubles nulls=0;", 'invalid parameter "nulls=0"'),
    ("clipper_decompress 0;", 'invalid value "0"'),
    ("clipper_decompress 2g;", 'invalid value "2g"'),
    ("clipper_decompress maybe;", 'invalid value "maybe"'),
    ("clipper_decompress on; clipper_decompress off;", "is duplicate"),
    ("clipper_binary maybe;", 'invalid value "maybe"'),
])
def test_configuration(check, extra, said):
    """Catches a parameter that is read as something else."""
    assert said in check("location /a { clipper_app a; %s }" % extra)
