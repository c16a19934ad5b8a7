"""Variables of the access log, for each way that a query ends."""

import re

import pytest

from harness import Sim4, application, wait_until
from harness.variables import NAMES

SECONDS = re.compile(r"\d+\.\d{6}")
NONE = dict.fromkeys(NAMES, "-")


def test_answer_and_cached(logged):
    """Catches a value that is not the query's, or a batch for an answer from
    the cache."""
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
    """Catches values that are not in the order of their inputs."""
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
    assert values["models"] == "m:1"
    assert values["model"] == "m:1, -, m:1"
    assert values["app"] == "a"


def test_long_lists(logged):
    """Catches a header that grows with the inputs until a proxy refuses it,
    and a list that is cut inside a value or without a mark."""
    server, last = logged(
        application("a", "m:1", extra="add_header X-Model $clipper_model; "
                    "add_header X-Id $clipper_query_id;"),
        "clipper_cache_zone off;")
    Sim4(server, "m").wait_registered()
    server.wait_replicas("m")
    response = server.post("/a/predict", {
        "input_batch": [[float(i)] for i in range(900)]})
    ids = [str(one["query_id"])
           for one in response.json()["batch_predictions"]]
    assert len(ids) == 900 and response.headers["x-model"] == "m:1"
    shown = response.headers["x-id"].split(", ")
    assert len(response.headers["x-id"]) <= 1506 and len(shown) > 70
    assert shown[-1] == "..." and shown[:-1] == ids[:len(shown) - 1]
    values = last()
    assert values["query_id"] == response.headers["x-id"]
    assert (values["models"], values["outcome"]) == ("m:1", "answer")


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


def test_propensity(logged):
    """Catches a propensity that is not the present chance of the model that
    answered, among the models with a replica."""
    server, last = logged(application(
        "a", "m:1 n:1", extra="clipper_select epsilon_greedy epsilon=0.4 "
                              "half_life=off;"), "clipper_cache_zone off;")
    Sim4(server, "m", model=lambda v: ["1"] * len(v)).wait_registered()
    server.wait_replicas("m")
    server.predict("a", [0.0])
    assert last()["propensity"] == "1.000000000"

    Sim4(server, "n", model=lambda v: ["2"] * len(v)).wait_registered()
    server.wait_replicas("n")
    judged, chances = set(), {}
    for i in range(1000):
        answer = server.predict("a", [float(i)])
        values = last()
        assert values["model"] == ("m:1" if answer["output"] == 1 else "n:1")
        if len(judged) == 2:
            chances[values["model"]] = values["propensity"]
            if len(chances) == 2:
                break
            continue
        judged.add(values["model"])
        response = server.post("/a/update", {"query_id": answer["query_id"],
                                             "label": 2})
        assert response.body == b"Feedback received? 1"
        assert last()["app"] == "a"
    assert chances == {"m:1": "0.200000000", "n:1": "0.800000000"}


def test_propensity_of_an_integral(logged):
    """Catches thompson without a propensity: equal at first, and larger for
    the model that was right."""
    server, last = logged(application("a", "m:1 n:1", extra=(
        "clipper_select thompson half_life=off;")), "clipper_cache_zone off;")
    for name, text in (("m", "1"), ("n", "2")):
        Sim4(server, name, model=lambda v, t=text: [t] * len(v)
             ).wait_registered()
        server.wait_replicas(name)
    server.predict("a", [0.0])
    assert float(last()["propensity"]) == pytest.approx(0.5, abs=1e-6)
    for i in range(20):
        answer = server.predict("a", [float(i)])
        last()
        server.post("/a/update", {"query_id": answer["query_id"], "label": 2})
        last()
    server.predict("a", [0.0])
    values = last()
    if values["model"] == "n:1":
        assert 0.8 < float(values["propensity"]) < 1
    else:
        assert 0 < float(values["propensity"]) < 0.2


def test_aborted_and_error(logged):
    """Catches a failed request without its outcome."""
    server, last = logged(application("a", "m:1"))
    sim = Sim4(server, "m", manual=True).wait_registered()
    server.wait_replicas("m")
    connection = server.post_later("/a/predict", {"input": [1.0]})
    request = sim.next_request()
    connection.reset()
    values = last()
    assert (values["outcome"], values["model"]) == ("aborted", "-")
    assert values["models"] == "m:1"
    sim.reply(request, ["1"])

    assert server.post("/a/predict", "{").status == 400
    assert last() == {**NONE, "app": "a", "outcome": "error"}


def test_other_locations(logged):
    """Catches a value in a location without an application."""
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


HOSTILE = {
    "line": ("u\r\nSet-Cookie: a=1", "u\\x0D\\x0ASet-Cookie: a=1"),
    "escape": ("\x1b[31mu\x7f\x00\t", "\\x1B[31mu\\x7F\\x00\\x09"),
    "c1": ("u\x9bm\x85", "u\\xC2\\x9Bm\\xC2\\x85"),
    "text": ("J\u00fcrgen \u4e2d \U0001f600 \\ \"", None),
}


@pytest.mark.parametrize("uid, shown", HOSTILE.values(), ids=HOSTILE)
def test_uid_sets_no_headers(nginx, uid, shown):
    """Catches a user id whose control characters reach a header: a line's
    end in it began a header of the client's own."""
    server = nginx(
        "add_header X-User $clipper_uid; access_log u.log u;\n"
        + application("a", "m:1"), http="log_format u escape=none "
        "'<$clipper_uid>';\n")
    Sim4(server, "m").wait_registered()
    server.wait_replicas("m")
    response = server.post("/a/predict", {"input": [1.5], "uid": uid})
    shown = shown or uid
    assert response.status == 200 and response.json()["output"] == 1.5
    assert "set-cookie" not in {name.lower() for name in response.headers}
    log = server.dir / "u.log"
    wait_until(lambda: log.exists() and log.read_text())
    assert log.read_text() == f"<{shown}>\n"
    assert not re.search("[\x00-\x1f\x7f]", log.read_text()[:-1])
