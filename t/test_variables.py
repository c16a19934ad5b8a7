"""Variables of the access log: what they say of each way that a query ends."""

import re

import pytest

from harness import Sim4, application, wait_until
from harness.client import build_request

NAMES = ("app", "query_id", "outcome", "default_reason", "models", "model",
         "propensity", "uid", "confidence", "queue_time", "model_time",
         "batch_size")
LOG = ("log_format v '" + ";".join(f"{n}=$clipper_{n}" for n in NAMES)
       + "';\n")
SECONDS = re.compile(r"\d+\.\d{6}")
NONE = dict.fromkeys(NAMES, "-")


@pytest.fixture
def logged(nginx):
    """A function that starts a server, and one that tells the variables of
    its n-th request as a dictionary."""
    def start(server, http="", **kw):
        made = nginx("access_log v.log v;\n" + server, http=LOG + http, **kw)
        made.lines = 0

        def last():
            text = made.dir / "v.log"
            wait_until(lambda: text.exists() and len(
                text.read_text().splitlines()) > made.lines)
            line = text.read_text().splitlines()[made.lines]
            made.lines += 1
            values = dict(part.split("=", 1) for part in line.split(";"))
            assert tuple(values) == NAMES
            return values

        return made, last

    return start


def test_answer_and_cached(logged):
    """Catches a value that is not the query's, or is told of an answer from
    the cache, which was in no batch."""
    server, last = logged(application("a", "m:1"))
    Sim4(server, "m", delay=0.05).wait_registered()
    server.wait_replicas("m")
    answer = server.predict("a", [1.5])
    values = last()
    assert SECONDS.fullmatch(values.pop("queue_time"))
    took = values.pop("model_time")
    assert SECONDS.fullmatch(took) and 0.05 <= float(took) < 5
    expected = {
        "app": "a", "query_id": str(answer["query_id"]), "outcome": "answer",
        "default_reason": "-", "models": "m:1", "model": "m:1",
        "propensity": "1.000000000", "uid": "-", "confidence": "-",
        "batch_size": "1"}
    assert values == expected

    again = server.predict("a", [1.5])
    assert last() == {
        **expected, "query_id": str(again["query_id"]), "outcome": "cached",
        "queue_time": "-", "model_time": "-", "batch_size": "-"}


def test_default(logged):
    """Catches a default without its reason, or with a model."""
    server, last = logged(application("a", "m:1"))
    answer = server.predict("a", [1.5])
    values = last()
    assert (values["outcome"], values["default_reason"], values["model"],
            values["models"]) == ("default", "no_replica", "-", "m:1")
    assert values["query_id"] == str(answer["query_id"])


def test_list(logged):
    """Catches values of several inputs in another order than theirs."""
    server, last = logged(application("a", "m:1"),
                          "clipper_cache_zone off;")
    Sim4(server, "m", handler=lambda sim, request: sim.reply(
        request, ["x"] * len(request.inputs),
        statuses=[int(v[0] < 0) for v in request.values])).wait_registered()
    server.wait_replicas("m")
    answers = server.post("/a/predict", {"input_batch": [
        [1.0], [-1.0], [2.0]]}).json()["batch_predictions"]
    values = last()
    assert values["query_id"] == ", ".join(str(a["query_id"])
                                           for a in answers)
    assert values["outcome"] == "answer, default, answer"
    assert values["default_reason"] == "-, model_error, -"
    assert values["models"] == "m:1, m:1, m:1"
    assert values["model"] == "m:1, -, m:1"
    assert values["app"] == "a"


def test_ensemble(logged):
    """Catches a confidence, the user or the models of an ensemble missing."""
    server, last = logged(application(
        "a", "m:1 n:2 o:1",
        extra="clipper_select majority; clipper_uid $arg_user;"))
    for name, version in (("m", 1), ("n", 2)):
        Sim4(server, name, version, model=lambda v: ["7"] * len(v)
             ).wait_registered()
        server.wait_replicas(name)
    response = server.post("/a/predict?user=u%201", {"input": [1.0]})
    assert response.json()["output"] == 7
    values = last()
    assert values["models"] == "m:1|n:2" and values["uid"] == "u%201"
    assert values["model"] == "-"
    assert values["confidence"] == "1.000000"


def test_aborted_and_error(logged):
    """Catches a request that went wrong without its outcome."""
    server, last = logged(application("a", "m:1"))
    sim = Sim4(server, "m", manual=True).wait_registered()
    server.wait_replicas("m")
    connection = server.connect()
    connection.send(build_request("POST", "/a/predict", {"input": [1.0]}))
    request = sim.next_request()
    connection.reset()
    values = last()
    assert (values["outcome"], values["model"]) == ("aborted", "-")
    assert values["models"] == "m:1"
    sim.reply(request, ["1"])

    assert server.post("/a/predict", "{").status == 400
    assert last() == {**NONE, "app": "a", "outcome": "error"}


def test_other_locations(logged):
    """Catches a value where there is no application."""
    server, last = logged(application("a", "m:1")
                          + "location /x { return 200; }")
    assert server.connect().get("/x").status == 200
    assert last() == NONE


def test_last_of_all_links(logged):
    """Catches a list of the models asked that runs past the last link."""
    links = " ".join(f"m{i}:1" for i in range(64))
    server, last = logged(application("a", links), zone="32m")
    Sim4(server, "m63").wait_registered()
    server.wait_replicas("m63")
    assert server.predict("a", [1.5])["output"] == 1.5
    values = last()
    assert (values["models"], values["model"]) == ("m63:1", "m63:1")
