"""Applications, models and links without containers, through ClipperConnection
on a local cluster."""

import json
import urllib.request

import pytest

from harness.cluster import unsanitized
from harness.local import post, predict, refused

pytestmark = unsanitized


def test_applications(conn):
    assert conn.get_all_apps() == []
    conn.register_application("a", "integers", '{"x": "y;z"}', 20000)
    assert conn.get_all_apps() == ["a"]
    info = {"name": "a", "input_type": "integers", "linked_models": [],
            "default_output": '{"x": "y;z"}', "latency_slo_micros": 20000}
    assert conn.get_app_info("a") == info
    assert conn.get_all_apps(verbose=True) == [info]
    assert conn.get_app_info("b") is None
    assert conn.get_linked_models("a") == []
    answer = predict(conn, "a", [1])
    assert answer["default"] and answer["output"] == {"x": "y;z"}
    assert answer["default_explanation"] \
        == "No connected models found for query"
    with refused("Received error status code: 400 and message: application "
                 "'a' already exists"):
        conn.register_application("a", "ints", "0", 20000)
    conn.unregister_application("a")
    assert conn.get_all_apps() == []
    assert post(conn, "/a/predict", {"input": [1]})[0] == 404
    # The second registration keeps nothing of the first.
    conn.register_application("a", "strings", "0", 30000)
    assert predict(conn, "a", "text")["output"] == 0
    with refused("Application 'b' does not exist"):
        conn.unregister_application("b")


@pytest.mark.parametrize("text", [
    "", "-1.0", 'q"uo\'te', "back\\slash\\n", "a;b{c}d#e $f ${g}",
    "line\nfeed\ttab\rreturn", "é ☃", "  blanks  "])
def test_any_default_reaches_the_client(conn, text):
    conn.register_application("a", "doubles", text, 20000)
    expected = text
    try:
        expected = json.loads(text)
    except ValueError:
        pass
    assert predict(conn, "a", [1.0])["output"] == expected
    assert conn.get_app_info("a")["default_output"] == text


def test_models_and_links(conn):
    conn.register_application("a", "doubles", "0", 100000)
    with refused("No model with name 'm' exists."):
        conn.link_model_to_app("a", "m")
    conn.register_model("m", "v1", "doubles")
    conn.register_model("m", 2, "double", labels=["x y"], batch_size=7)
    assert conn.get_all_models() == ["m:v1", "m:2"]
    assert conn.get_model_info("m", "v1")["is_current_version"] is False
    assert conn.get_model_info("m", 2) == {
        "model_name": "m", "model_version": "2", "input_type": "doubles",
        "labels": ["x y"], "container_name": "NO_CONTAINER",
        "model_data_path": "DEPRECATED", "is_current_version": True,
        "batch_size": 7}
    assert conn.get_model_info("m", 3) is None
    assert conn.get_current_model_version("m") == "2"
    conn.set_model_version("m", "v1")
    assert conn.get_model_info("m", "v1")["is_current_version"] is True
    assert conn.get_current_model_version("m") == "v1"
    with refused("No versions of model x registered with Clipper"):
        conn.get_current_model_version("x")
    conn.link_model_to_app("a", "m")
    assert conn.get_linked_models("a") == ["m"]
    with refused("The model with name 'm' is already linked to 'a'"):
        conn.link_model_to_app("a", "m")
    conn.unlink_model_from_app("a", "m")
    assert conn.get_linked_models("a") == []
    with refused("No application with name 'x' exists."):
        conn.get_linked_models("x")
    with refused("containerless model"):
        conn.set_num_replicas("m", 2)
    with refused("Cannot add container for non-registered model x:1"):
        conn.set_num_replicas("x", 2, 1)
    assert conn.get_num_replicas("m") == 0
    assert conn.get_all_model_replicas() == []


def test_status_shows_what_was_registered(conn):
    conn.register_application("a", "doubles", "0", 100000)
    conn.register_model("m", 1, "doubles", image="img", labels=["l", "k"])
    status = conn.inspect_instance()
    assert [one["name"] for one in status["applications"]] == ["a"]
    with urllib.request.urlopen(
            "http://%s/metrics" % conn.get_metric_addr()) as answer:
        assert b"# TYPE clipper_queries_total counter" in answer.read()
    model, = [one for one in status["models"] if one["declared"]]
    assert (model["name"], model["version"], model["current"],
            model["label"], model["image"]) == ("m", "1", True, "l,k", "img")


def test_a_refused_change_changes_nothing(conn):
    conn.register_application("a", "doubles", "0", 100000)
    before = conn.cm.read_fragments()
    generation = conn.inspect_instance()["generation"]
    with refused("nginx refuses the configuration") as caught:
        conn.register_application("b", "doubles", "x", 100000,
                                  selection_policy="exp3 eta=none")
    assert "apps/b.conf:" in str(caught.value)
    with refused('nginx refuses the configuration: invalid time "a;b"'):
        conn.deploy_model("m", 1, "doubles", "noop-container", num_replicas=0,
                          batch_wait="a;b")
    assert conn.cm.read_fragments() == before
    assert conn.inspect_instance()["generation"] == generation
    assert conn.get_all_apps() == ["a"] and conn.get_all_models() == []
    conn.register_application("c", "doubles", "0", 100000)
    assert predict(conn, "c", [1.0])["default"]
