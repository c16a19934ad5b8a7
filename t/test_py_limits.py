"""Limits of sizes: what a cluster of the package allows, what an application
can change, and errors that name the limit."""

import urllib.request

import pytest

from harness.cluster import unsanitized
from harness.local import deploy, post, predict, refused

pytestmark = unsanitized


def test_large_inputs_outputs_and_batches_are_served(conn):
    """The original had no limits: 12 MB in, 20 MB out, 5 000 inputs."""
    conn.register_application("large", "strings", "DEFAULT", 30000000)
    deploy(conn, "large", 1, lambda xs: [
        "y" * 20000000 if x == "out" else str(len(x)) for x in xs], "strings")
    conn.link_model_to_app("large", "large")
    assert predict(conn, "large", "x" * 12000000)["output"] == 12000000
    assert predict(conn, "large", "out")["output"] == "y" * 20000000
    status, answer = post(conn, "/large/predict", {
        "input_batch": ["x" * (i % 100) for i in range(5000)]})
    assert status == 200
    assert [one["output"] for one in answer["batch_predictions"]] \
        == [i % 100 for i in range(5000)]


def test_limits_of_an_application(conn):
    """Catches an error that does not say which limit, or of what."""
    limits = {"batch": 2, "elements": 10, "output": 20, "body": "1k"}
    conn.register_application("small", "strings", "DEFAULT", 5000000,
                              limits=limits)
    assert conn.get_app_info("small")["limits"] == {**limits, "body": 1024}
    deploy(conn, "small", 1, lambda xs: ["y" * 30 for x in xs], "strings")
    conn.link_model_to_app("small", "small")

    def cause(body):
        status, answer = post(conn, "/small/predict", body)
        assert (status, answer["error"]) == (413, "Request too large")
        return answer["cause"]

    assert "more than 2 inputs (batch= of clipper_limits)" \
        in cause({"input_batch": ["a"] * 3})
    assert "more than 10 elements (elements= of clipper_limits)" \
        in cause({"input": "a" * 11})
    assert "deeper than 64 (depth= of clipper_limits)" \
        in cause({"x": eval("[" * 70 + "]" * 70), "input": "a"})
    assert "client_max_body_size" in cause({"input": "a" * 2000})
    assert predict(conn, "small", "a")["default_reason"] == "model_error"
    with open(conn.cm.directory.file("logs", "error.log")) as f:
        assert ('an output of 30 bytes for application "small" exceeds '
                'output=20 of "clipper_limits"') in f.read()


@pytest.mark.parametrize("limits, why", [
    ({"inputs": 3}, "Unknown limit 'inputs'"),
    ({"batch": 0}, "The limit batch must be a number from 1 to 1000000"),
    ({"output": "lots"}, "The limit output must be"),
    (["batch"], "limits must be a dict"),
])
def test_limits_that_are_refused(conn, limits, why):
    with refused(why):
        conn.register_application("x", "doubles", "", 5000000, limits=limits)
    assert conn.get_all_apps() == []


def test_limits_of_a_cluster(make_cluster):
    """A cluster's own limits are written over the generous ones."""
    manager = make_cluster("narrow", limits={"batch": 7}, query_id_bits=31)
    manager.start_clipper()
    with open(manager.directory.file("nginx.conf")) as f:
        text = f.read()
    assert "clipper_limits batch=7 elements=67108864 output=67108864;" in text
    assert "client_max_body_size 268435456;" in text
    assert "clipper_query_id_bits 31;" in text
    with refused("Unknown limit 'x'"):
        make_cluster("other", limits={"x": 1})


def test_defaults_and_labels_of_any_size(conn):
    """Catches nginx's "too long parameter", of more than 4 kB."""
    text = "".join("%d \"ü\\\n$x;{" % i for i in range(12000))
    labels = ["label %d ü" % i for i in range(2000)]
    conn.register_application("text", "doubles", text, 5000000)
    conn.register_model("text", 1, "doubles", labels=labels)
    assert predict(conn, "text", [1.0])["output"] == text
    assert conn.get_app_info("text")["default_output"] == text
    assert conn.get_model_info("text", 1)["labels"] == labels
    shown = [one["label"] for one in conn.inspect_instance()["models"]]
    assert ",".join(labels) in shown


def test_metrics_at_the_port_of_the_queries(conn):
    """Where the original had them."""
    url = "http://%s/metrics" % conn.get_query_addr()
    with urllib.request.urlopen(url, timeout=30) as response:
        assert b"# TYPE clipper_queries_total counter" in response.read()
