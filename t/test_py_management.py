"""The management API of the original, `POST /admin/...` on the operator's
port: every call, every text. F1 to F38 of the original's cases."""

import json
import os
import signal
import urllib.error
import urllib.request

import pytest

from harness.cluster import unsanitized
from harness.local import deploy, predict
from harness.util import wait_until

pytestmark = unsanitized

APP = {"name": "a", "input_type": "ints", "default_output": "-1",
       "latency_slo_micros": 5000000}
MODEL = {"model_name": "m", "model_version": "1", "labels": ["x", "y"],
         "input_type": "integers", "container_name": "NO_CONTAINER",
         "model_data_path": "DEPRECATED", "batch_size": -1}


def call(conn, name, body=None, method="POST", **headers):
    """(status, text) of a call; a body that is not text is sent as JSON."""
    if body is not None and not isinstance(body, str):
        body = json.dumps(body)
    request = urllib.request.Request(
        "http://%s/admin/%s" % (conn.cm.get_admin_addr(), name),
        None if body is None else body.encode(), headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            assert response.headers["Content-Type"] == "application/json"
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def admin(conn):
    """Calls the API of an empty cluster when its service listens."""
    wait_until(lambda: call(conn, "ping", method="GET")[0] == 200, 20)
    return lambda *args, **kw: call(conn, *args, **kw)


def got(admin, what, /, **body):
    status, text = admin(what, body)
    assert status == 200, text
    return json.loads(text)


def test_applications(admin):
    assert admin("ping", method="GET") == (200, "PONG")
    assert admin("add_app", APP) \
        == (200, "Successfully added application with name 'a'")
    assert admin("add_app", APP) == (400, "application 'a' already exists")
    shown = {"input_type": "integers", "default_output": "-1",
             "latency_slo_micros": 5000000, "name": "a", "linked_models": []}
    assert list(got(admin, "get_application", name="a").items()) \
        == list(shown.items())
    assert got(admin, "get_application", name="b") == {}
    assert got(admin, "get_all_applications", verbose=False) == ["a"]
    assert got(admin, "get_all_applications", verbose=True) == [shown]
    assert admin("get_state", {"app_name": "a", "uid": 7}) == (200, "-1")
    assert admin("get_state", {"app_name": "b", "uid": 7}) == (200, "")
    assert admin("delete_app", {"name": "a"}) \
        == (200, "Successfully deleted application with name 'a'")
    assert admin("delete_app", {"name": "a"}) \
        == (400, "Application 'a' does not exist")
    assert got(admin, "get_all_applications", verbose=False) == []
    assert admin("add_app", {**APP, "input_type": "Ints"}) \
        == (400, "Ints is not a valid input string")


def test_models_and_links(admin):
    added = "Successfully added model with name 'm' and input type 'integers'"
    assert admin("add_model", MODEL) == (200, added)
    assert admin("add_model", MODEL) == (
        400, "model with name 'm' and version '1' already exists")
    assert admin("add_model", {**MODEL, "model_version": "2",
                               "input_type": "ints", "labels": [""]}) \
        == (200, added)
    for wrong, why in [
        ({"batch_size": 0}, "The batch size must be positive or "
                            "DEFAULT_BATCH_SIZE, which is -1"),
        ({"model_name": "m:"}, "Invalid model name supplied: m:. Contains "
                               "one of: ',', ':'"),
        ({"model_version": "1,"}, "Invalid model version supplied: 1,. "
                                  "Contains one of: ',', ':'"),
        ({"model_version": "3", "labels": ["a,b:"]},
         "Invalid label supplied: a,b:. Contains one of: ',', ':'"),
    ]:
        assert admin("add_model", {**MODEL, **wrong}) == (400, why)
    shown = {"model_name": "m", "model_version": "1", "input_type": "integers",
             "labels": ["x", "y"], "container_name": "NO_CONTAINER",
             "model_data_path": "DEPRECATED", "is_current_version": False}
    first = {"model_name": "m", "model_version": "1"}
    assert list(got(admin, "get_model", **first).items()) \
        == list(shown.items())
    assert got(admin, "get_model", model_name="m", model_version="3") == {}
    assert sorted(got(admin, "get_all_models", verbose=False)) \
        == ["m:1", "m:2"]
    assert shown in got(admin, "get_all_models", verbose=True)
    assert admin("set_model_version", first) \
        == (200, "Successfully set model with name 'm' to version '1'")
    assert admin("set_model_version", {**first, "model_name": "n"}) \
        == (400, "Cannot set version for nonexistent model 'n'")
    assert admin("set_model_version", {**first, "model_version": "3"}) == (
        400, "Cannot set non-existent version '3' for model with name 'm'")

    link = {"app_name": "a", "model_names": ["m"]}
    assert admin("add_model_links", link) \
        == (400, "No app with name 'a' exists.")
    assert admin("delete_model_links", link) \
        == (400, "No app with name a exists.")
    assert admin("get_linked_models", {"app_name": "a"}) \
        == (400, "No application with name 'a' exists.")
    admin("add_app", APP)
    assert got(admin, "get_linked_models", app_name="a") == []
    assert admin("delete_model_links", link) == (
        400, "Cannot remove nonexistent link between app a and model m")
    for names, why in [
        (["n"], "No model with name 'n' exists."),
        ([], "Please provide the name of the model that you want to link to "
             "the application 'a'"),
        (["m", "m"], "Applications must be linked with at most one model. "
                     "Attempted to add links to 2 models."),
    ]:
        assert admin("add_model_links", {**link, "model_names": names}) \
            == (400, why)
    assert admin("add_model_links", link) == (
        200, "Successfully linked model with name 'm' to application 'a'")
    assert admin("add_model_links", link) \
        == (400, "The model with name 'm' is already linked to 'a'")
    admin("add_model", {**MODEL, "model_name": "n"})
    assert admin("add_model_links", {**link, "model_names": ["n"]}) \
        == (400, "A model with name m is already linked to 'a'.")
    other = {**MODEL, "model_version": "9", "input_type": "doubles"}
    assert admin("add_model", other) == (
        400, "Model with name 'm' is already linked to app 'a' using input "
             "type 'integers'. The input type you provided for a new version "
             "of the model, 'doubles', is not compatible.")
    assert got(admin, "get_application", name="a")["linked_models"] == ["m"]
    assert admin("delete_model_links", link) == (200, "Success!")
    gone = ("Successfully deleted model with name 'm' and version '1'")
    assert admin("delete_versioned_model", first) == (200, gone)
    assert admin("delete_versioned_model", first) == (
        400, "model with name 'm' and version '1' does not exist")
    assert admin("add_model", {**other, "model_name": "d"})[0] == 200
    assert admin("add_model_links", {**link, "model_names": ["d"]}) == (
        400, "Model with name 'd' has incompatible input_type 'doubles'. "
             "Requested app to link to has input_type 'integers'.")


def test_containers(admin, conn):
    """What is added here serves at once, with the containers of the package;
    replicas are those that are connected."""
    assert got(admin, "get_all_containers", verbose=False) == []
    deploy(conn, "m", 1, lambda xs: ["7"] * len(xs), "ints")
    admin("add_app", APP)
    admin("add_model_links", {"app_name": "a", "model_names": ["m"]})
    assert predict(conn, "a", [1])["output"] == 7
    which = {"model_name": "m", "model_version": "1"}

    def as_the_original():
        # A container that moves at a reload has another id then.
        name, = got(admin, "get_all_containers", verbose=False)
        number = int(name.rpartition(":")[2])
        shown = {"model_id": "m:1", **which, "model_replica_id": number,
                 "input_type": "integers"}
        return name == "m:1:%d" % number \
            and got(admin, "get_all_containers", verbose=True) == [shown] \
            and list(got(admin, "get_container", **which, replica_id=number)
                     .items()) == list(shown.items())

    wait_until(as_the_original, 10)
    assert got(admin, "get_container", **which, replica_id=99) == {}


@pytest.mark.parametrize("body, why", [
    ("", "JSON parse error: The document is empty. (offset 0)\n"),
    ('{"name": flalse}', "JSON parse error: Expecting value (offset 9)\n"),
    ("[1]", "Can only get key-value pair from an object"),
    ({"name": "a"}, "JSON object does not have required key: input_type"),
    ({**APP, "name": 7}, "Type mismatch! JSON key name expected type "
                         "Stringbut found type Number"),
    ({**APP, "latency_slo_micros": True},
     "Type mismatch! JSON key latency_slo_micros expected type Numberbut "
     "found type True"),
    ({**APP, "latency_slo_micros": 1000.0},
     "PredictionData of type Number is not of type int"),
    ({**APP, "latency_slo_micros": 1 << 31},
     "PredictionData of type Number is not of type int"),
])
def test_bodies_that_are_refused(admin, body, why):
    status, text = admin("add_app", body)
    assert (status, text.partition(". Expected JSON schema: ")[0]) \
        == (400, "Error parsing JSON: " + why)
    assert '"latency_slo_micros" := int' in text


def test_other_refusals(admin):
    assert admin("get_all_models", {"verbose": "yes"})[1].startswith(
        "Error parsing JSON: Type mismatch! JSON key verbose expected type "
        "bool but found type String.")
    assert "Array input of type Null is not of type string" in admin(
        "add_model", {**MODEL, "labels": [None]})[1]
    assert admin("nothing", {})[0] == 404
    assert admin("add_app/", APP)[0] == 404
    assert admin("add_app", method="GET")[0] == 405
    assert admin("ping", {})[0] == 405
    # A page in somebody's browser may not administer the cluster.
    assert admin("add_app", APP, Origin="http://evil.example")[0] == 403
    assert got(admin, "get_all_applications", verbose=False) == []


def test_elsewhere_than_on_loopback_a_token_is_needed(make_cluster):
    manager = make_cluster("open", address="0.0.0.0")
    manager.start_clipper()
    conn = type("Conn", (), {"cm": manager})
    path = manager.directory.file("management.token")
    assert os.stat(path).st_mode & 0o077 == 0
    with open(path) as f:
        token = {"Authorization": "Bearer " + f.read().strip()}
    wait_until(lambda: call(conn, "ping", method="GET")[0] == 401, 20)
    assert call(conn, "ping", method="GET", **token) == (200, "PONG")
    assert call(conn, "add_app", APP)[0] == 401
    assert call(conn, "add_app", APP, Authorization="Bearer x")[0] == 401
    assert call(conn, "add_app", APP, **token)[0] == 200


def test_queries_do_not_depend_on_it(admin, conn):
    """It comes back when it dies; meanwhile everything else goes on."""
    def service():
        log = conn.cm.directory.file("logs", "supervisor.log")
        with open(log) as f:
            lines = [line for line in f if "management started" in line]
        return int(lines[-1].split()[-1])

    admin("add_app", APP)
    before = service()
    os.kill(before, signal.SIGKILL)
    assert predict(conn, "a", [1])["output"] == -1
    wait_until(lambda: service() != before
               and call(conn, "ping", method="GET")[0] == 200, 20)
    assert got(admin, "get_all_applications", verbose=False) == ["a"]
