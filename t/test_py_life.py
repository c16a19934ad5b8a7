"""The life of versions in a local cluster: addresses, the cache, trials,
clean-ups."""

import re
import socket
from pathlib import Path

import pytest

from clipper_admin import ClipperConnection, ClipperException
from clipper_admin.client import Client
from clipper_admin.deployers import python as python_deployer
from harness.cluster import unsanitized
from harness.local import deploy, predict, refused
from harness.util import wait_until

pytestmark = unsanitized


def counting(xs):
    """Another output for each call."""
    counting.calls = getattr(counting, "calls", 0) + len(xs)
    return [counting.calls] * len(xs)


def ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not ipv6(), reason="this host has no ::1")
@pytest.mark.parametrize("address", ["::1", "[::1]", "::"])
def test_a_cluster_on_ipv6(make_cluster, address):
    conn = ClipperConnection(make_cluster("six", address=address))
    conn.start_clipper()
    conn.register_application("a", "doubles", "0", 5000000, loss="zero_one")
    deploy(conn, "m", 1, lambda xs: [float(x[0]) for x in xs])
    conn.link_model_to_app("a", "m")
    port = conn.cm.cluster["query_port"]
    assert conn.get_query_addr() == "[::1]:%d" % port
    assert conn.get_metric_addr().startswith("[::1]:")
    with Client(conn.get_query_addr()) as client:
        answer = client.predict("a", [6.0])
        assert (answer.output, answer.default) == (6.0, False)
    assert conn.feedback("a", 6.0, query_id=answer.query_id)
    conn.set_num_replicas("m", 2)
    assert conn.get_num_replicas("m") == 2
    # Another cluster does not take its ports.
    other = make_cluster("other-six", address=address)
    other._wanted_ports["query_port"] = port
    second = ClipperConnection(other)
    second.start_clipper()
    assert second.get_query_addr() != conn.get_query_addr()
    second.stop_all(graceful=False)
    conn.stop_all(graceful=False)


@pytest.mark.parametrize("address",
                         ["203.0.113.7", "2001:db8::7", "no.invalid"])
def test_an_address_of_another_host(make_cluster, address):
    """Catches a search for a free port that blames the ports."""
    with refused("The address %s cannot be used" % address):
        make_cluster("far", address=address).start_clipper()


@pytest.mark.parametrize("cache, same", [(None, True), (False, False),
                                         (3600, True)])
def test_the_cache_of_an_application(conn, cache, same):
    conn.register_application("a", "doubles", "0", 5000000, cache=cache)
    deploy(conn, "m", 1, counting)
    conn.link_model_to_app("a", "m")
    first, second = [predict(conn, "a", [1.0])["output"] for _ in range(2)]
    assert (first == second) is same


def test_the_age_of_a_cached_answer(conn):
    conn.register_application("a", "doubles", "0", 5000000, cache=0.05)
    deploy(conn, "m", 1, counting)
    conn.link_model_to_app("a", "m")
    first = predict(conn, "a", [1.0])["output"]
    wait_until(lambda: predict(conn, "a", [1.0])["output"] != first)


def versions(conn, *numbers, **kwargs):
    for number in numbers:
        deploy(conn, "m", number,
               eval("lambda xs: ['v%s'] * len(xs)" % number), **kwargs)


def test_a_trial(conn):
    conn.register_application("a", "doubles", "0", 5000000)
    versions(conn, 1)
    conn.link_model_to_app("a", "m")
    versions(conn, 2, set_current=False)
    assert predict(conn, "a", [1.0])["output"] == "v1"
    assert predict(conn, "a", [1.0], version="2")["output"] == "v2"
    assert conn.get_current_model_version("m") == "1"
    conn.register_model("m", 3, "doubles", set_current=False)
    assert conn.get_current_model_version("m") == "1"
    conn.set_model_version("m", 2)
    assert predict(conn, "a", [2.0])["output"] == "v2"


def test_the_first_version_as_a_trial(conn):
    conn.register_application("a", "doubles", "0", 5000000)
    versions(conn, 1, set_current=False)
    with refused("none is current"):
        conn.link_model_to_app("a", "m")
    conn.set_model_version("m", 1)
    conn.link_model_to_app("a", "m")
    assert predict(conn, "a", [1.0])["output"] == "v1"


def test_a_clean_up_keeps_what_links_name(conn, caplog):
    conn.register_application("old", "doubles", "0", 5000000)
    conn.register_application("both", "doubles", "0", 5000000,
                              selection_policy="split")
    versions(conn, 1, 2, 3, 4)
    conn.link_model_to_app("old", "m", version=1)
    conn.link_model_to_app("both", "m", version=1, weight=1)
    conn.link_model_to_app("both", "m", version=3, weight=1)
    with caplog.at_level("INFO"):
        conn.stop_inactive_model_versions(["m", "unknown"])
    assert conn.get_all_models() == ["m:1", "m:3", "m:4"]
    assert "Model m:1 is kept: it is linked to both, old" in caplog.text
    assert "Model m:3 is kept: it is linked to both." in caplog.text
    assert caplog.text.count("is kept") == 2
    assert "Stopped m:2" in caplog.text
    assert "No such models: unknown" in caplog.text
    assert predict(conn, "old", [1.0])["output"] == "v1"
    assert not predict(conn, "both", [1.0])["default"]
    # What is not linked any more goes.
    conn.unlink_model_from_app("both", "m", version=3)
    conn.stop_inactive_model_versions(["m"])
    assert conn.get_all_models() == ["m:1", "m:4"]


def test_stopping_a_linked_version_is_told(conn, caplog):
    conn.register_application("old", "doubles", "0", 5000000)
    conn.register_application("new", "doubles", "0", 5000000)
    versions(conn, 1, 2)
    conn.link_model_to_app("old", "m", version=1)
    conn.link_model_to_app("new", "m")
    conn.stop_versioned_models({"m": [1]})
    assert "Model m:1 is stopped although it is linked to old" in caplog.text
    assert predict(conn, "new", [1.0])["output"] == "v2"
    caplog.clear()
    conn.stop_models(["m", "nobody"])
    assert "Model m:2 is stopped although it is linked to new" in caplog.text
    assert "No such models: nobody" in caplog.text


@pytest.mark.parametrize("wrong", [{"x": [1]}, {"m": [9]}, {"m": [1, 9]},
                                   {"m": [1], "x": [1]}])
def test_stopping_what_does_not_exist(conn, wrong):
    """Catches a version that is stopped before the error."""
    versions(conn, 1)
    with pytest.raises(ClipperException, match="does not exist"):
        conn.stop_versioned_models(wrong)
    assert conn.get_all_models() == ["m:1"]
    assert conn.get_num_replicas("m", 1) == 1
    conn.stop_versioned_models({"m": [1, "1"]})
    assert conn.get_all_models() == []


README = Path(__file__).parent.parent / "containers/python/README.md"


def printed(title):
    """The Python code of a section of the package's README."""
    text = README.read_text(encoding="utf-8")
    match = re.search(r"^#+ %s\n.*?```python\n(.*?)```" % re.escape(title),
                      text, re.M | re.S)
    return match.group(1)


def answers(conn, app, count):
    """The different outputs to many different inputs."""
    with Client(conn.get_query_addr(), raise_on_default=True) as client:
        return {client.predict(app, [float(i)]).output for i in range(count)}


def test_the_readme_on_a_new_version(conn):
    conn.register_application("shop", "doubles", "0", 5000000)
    python_deployer.deploy_python_closure(
        conn, "price", 1, "doubles", lambda xs: ["v1"] * len(xs))
    conn.link_model_to_app("shop", "price")
    names = {"clipper_conn": conn, "Client": Client,
             "python_deployer": python_deployer,
             "second": lambda xs: ["v2"] * len(xs)}
    trial, forward, back = printed("A new version").split(
        "clipper_conn.set_model_version")
    exec(trial, names)
    assert answers(conn, "shop", 3) == {"v1"}
    exec("clipper_conn.set_model_version" + forward, names)
    assert answers(conn, "shop", 3) == {"v2"}
    exec("clipper_conn.set_model_version" + back, names)
    assert answers(conn, "shop", 3) == {"v1"}


def test_the_readme_on_a_canary(conn):
    for number in (1, 2):
        python_deployer.deploy_python_closure(
            conn, "price", number, "doubles",
            eval("lambda xs: ['v%d'] * len(xs)" % number))
    begin, forward, back = printed("A canary").split("# Roll")
    names = {"clipper_conn": conn}
    # This host may be slow.
    exec(begin.replace("100000", "5000000"), names)
    assert answers(conn, "canary", 400) == {"v1", "v2"}
    exec("# " + forward, names)
    assert answers(conn, "canary", 20) == {"v2"}
    exec("# " + back, names)
    assert answers(conn, "canary", 20) == {"v1"}


def test_the_readme_on_the_cache(conn):
    exec(printed("Without the cache"), {"clipper_conn": conn})
    assert conn.get_app_info("lottery")["cache"] == "off"
    assert conn.get_app_info("weather")["cache"] == "on valid=60000ms"
