"""The example of learned selection, in a short form, on a local cluster."""

import importlib.util
import io
import json
from pathlib import Path

import pytest

from clipper_admin import nginxconf, server_conf
from clipper_admin.client import Client
from clipper_admin.deployers import python as python_deployer
from harness.cluster import local_cluster, unsanitized

pytestmark = unsanitized

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "containers/python/examples/selection.py"


def load_example():
    spec = importlib.util.spec_from_file_location("selection", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def conn(settings, tmp_path):
    with local_cluster(settings, tmp_path / "c", "selection",
                       access_log=True) as made:
        yield made


def test_policies_leave_a_broken_model_and_return(conn, tmp_path, capsys):
    """Catches feedback that is not learned from, or credits another model."""
    example = load_example()
    models, stream = example.prepare()
    rounds = 1200
    errors = example.run(conn, models, stream, str(tmp_path / "broken"),
                         rounds, ("fixed", "thompson", "exp4"))
    third = rounds // 3
    broken = {app: one[third + third // 2:2 * third].mean()
              for app, one in errors.items()}
    # A policy that always asks the best model errs when it is broken.
    assert broken["fixed"] > 0.6
    assert broken["thompson"] < 0.5 and broken["exp4"] < 0.5
    for app in ("thompson", "exp4"):
        assert errors[app].mean() < errors["fixed"].mean()
        assert errors[app][third // 2:third].mean() < 0.3
    example.report(errors, 70)
    assert "exp4" in capsys.readouterr().out
    app = conn.get_app_info("exp4")
    assert app["selection_policy"] == "exp4"
    assert len(app["linked_models"]) == 5


def test_the_log_can_be_replayed(conn, tmp_path):
    """The log of a bandit gives the value of each single model."""
    from clipper_admin.replay import command
    conn.register_application(
        "a", "doubles", "0", 5000000,
        selection_policy="epsilon_greedy epsilon=0.6")
    for name, output in (("good", "1"), ("bad", "2")):
        python_deployer.deploy_python_closure(
            conn, name, 1, "doubles",
            eval("lambda xs: [%s] * len(xs)" % output))
        conn.link_model_to_app("a", name)
    feedback = tmp_path / "feedback.jsonl"
    with Client(conn.get_query_addr(), feedback_log=str(feedback)) as client:
        for i in range(150):
            answer = client.predict("a", [float(i)])
            assert client.feedback("a", 1, query_id=answer.query_id)
    log = conn.cm.directory.file("logs", "access.log")
    out = io.StringIO()
    assert command.main(
        ["--log", log, "--feedback", str(feedback), "--json",
         "--policy", "split good=1", "--policy", "split bad=1"], out) == 0
    found = json.loads(out.getvalue())
    assert found["skipped"] == {}
    good, bad = found["policies"].values()
    assert good["records"] == bad["records"] == 150
    assert good["snips"]["value"] == 1 and bad["snips"]["value"] == 0
    assert 0.7 < good["ips"]["value"] < 1.3
    assert 0.5 < good["logged"] < 0.95


def test_the_log_format_is_that_of_the_file():
    text = (ROOT / "conf/clipper_log.conf").read_text()
    one, = nginxconf.read(text.replace("'\n    '", ""))
    assert one.args[2] == server_conf._LOG_FORMAT


def test_feedback_of_the_connection(conn):
    conn.register_application("a", "doubles", "0", 1000000,
                              selection_policy="thompson",
                              loss="absolute range=0:10", uid="$arg_user")
    for name in ("m", "n"):
        conn.deploy_model(name, 1, "doubles", "noop-container")
        conn.link_model_to_app("a", name)
    with Client(conn.get_query_addr()) as client:
        answer = client.predict("a", [1.0])
    assert answer.output == 1 and not answer.default
    assert conn.feedback("a", 1.0, query_id=answer.query_id) is True
    # Each query teaches once.
    assert conn.feedback("a", 1.0, query_id=answer.query_id) is False
