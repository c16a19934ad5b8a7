"""The Python package on a container engine: podman's Docker API.

`make test-docker` runs this; elsewhere it is skipped.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests

from clipper_admin import (
    ClipperConnection,
    ClipperException,
    DockerContainerManager,
)
from clipper_admin.deployers import python as python_deployer
from clipper_admin.docker import find_unbound_port
from harness import seed
from harness.cluster import check_that_no_change_is_lost
from harness.docker import SERVERS, containers, needs_engine, needs_image
from harness.util import free_port, wait_until

pytestmark = [needs_engine, pytest.mark.timeout(580)]


@pytest.fixture(scope="module")
def make_cluster(make_docker_cluster):
    return make_docker_cluster


@pytest.fixture(scope="module")
def shared(make_cluster):
    conn = ClipperConnection(make_cluster(model_metrics=True))
    conn.start_clipper()
    return conn


@pytest.fixture
def conn(shared):
    """A connection to an empty cluster."""
    yield shared
    shared.cm.change_catalog(lambda catalog: [
        catalog.delete_application(name)
        for name in list(catalog.applications)])
    shared.stop_all_model_containers()


def refused(text):
    return pytest.raises(ClipperException, match=re.escape(text))


def predict(conn, app, one, **more):
    url = "http://%s/%s/predict" % (conn.get_query_addr(), app)
    answer = requests.post(url, json={"input": one, **more}, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_seed_program(engine):
    """The program that worked with Clipper works here unchanged."""
    if not all(find_unbound_port(one) == one for one in seed.PORTS):
        pytest.skip("somebody uses Clipper's ports")

    def between():
        assert "query_frontend-" in " ".join(
            containers(DockerContainerManager()))

    seed.run("DockerContainerManager", between=between)
    manager = DockerContainerManager()
    assert containers(manager) == []
    assert manager.client.networks.list(names=["clipper_network"]) == []


def test_replicas_versions_and_what_stops_them(conn):
    """A14, A15, A16, A17 of the original's suite."""
    def image(version):
        return conn.build_model("m", version, str(EMPTY),
                                "clipper/noop-container:0.1.0")

    conn.deploy_model("m", 1, "doubles", image(1), num_replicas=1)
    assert conn.get_model_info("m", 1)["container_name"] \
        == "localhost/test-m:1"
    first = names_of(conn, "m", "1")
    conn.set_num_replicas("m", 3)
    assert conn.get_num_replicas("m") == 3
    conn.set_num_replicas("m", 1, version=1)
    # The newest have gone.
    assert names_of(conn, "m", "1") == first
    conn.deploy_model("m", 2, "doubles", image(2), num_replicas=2)
    assert conn.get_current_model_version("m") == "2"
    assert len(conn.get_all_model_replicas()) == 3
    conn.stop_inactive_model_versions(["m"])
    assert conn.get_all_models() == ["m:2"]
    assert len(conn.get_all_model_replicas()) == 2
    conn.register_application("a", "doubles", "DEFAULT", 5000000)
    conn.link_model_to_app("a", "m")
    assert predict(conn, "a", [1.0])["output"] == 1
    conn.set_num_replicas("m", 0)
    assert conn.get_num_replicas("m") == 0
    assert predict(conn, "a", [2.0])["default_explanation"] \
        == "No connected models found for query"
    conn.stop_models(["m"])
    assert conn.get_all_models() == []
    assert len(containers(conn.cm)) == 1


#: A container on the base image py-rpc, in version 3 of the protocol.
OWN = """
import rpc

class Length(rpc.ModelContainerBase):
    def predict_strings(self, inputs):
        return ["%s of %d" % (type(one).__name__, len(one)) for one in inputs]

rpc.RPCService().start(Length())
"""


def test_an_image_of_ones_own(engine, conn, tmp_path):
    """Catches a wait for tokens, which version 3 does not have."""
    (tmp_path / "main.py").write_text(OWN)
    engine.build("localhost/test-own:1",
                 "FROM docker.io/clipper/py-rpc:0.1.0\n"
                 "COPY main.py /container/\nENV CLIPPER_RPC_VERSION=3\n"
                 'CMD ["python", "main.py"]\n',
                 {"main.py": str(tmp_path / "main.py")})
    conn.deploy_model("own", 1, "strings", "localhost/test-own:1")
    conn.register_application("own", "strings", "DEFAULT", 5000000)
    conn.link_model_to_app("own", "own")
    assert predict(conn, "own", "hello")["output"] == "bytes of 5"
    conn.set_num_replicas("own", 3)
    ready = [one for one in conn.inspect_instance()["replicas"]
             if one["state"] == "ready"]
    assert {one["token_hash"] for one in ready} == {None}
    assert sorted(one["address"] for one in ready) == sorted(
        conn.cm.containers.address_of(one)
        for one in conn.cm.replicas.of("own", "1"))
    conn.set_num_replicas("own", 1)
    assert len(conn.get_all_model_replicas()) == 1
    health = "http://%s/health?app=own" % conn.cm.get_admin_addr()
    assert requests.get(health).json() == {"status": "ok"}
    # Another version, back to the first, and the other one stopped.
    conn.deploy_model("own", 2, "strings", "localhost/test-own:1",
                      num_replicas=2)
    assert predict(conn, "own", "hello!")["output"] == "bytes of 6"
    assert conn.get_num_replicas("own", 2) == 2
    conn.set_model_version("own", 1)
    assert predict(conn, "own", "hello!!")["output"] == "bytes of 7"
    conn.stop_inactive_model_versions(["own"])
    assert conn.get_all_models() == ["own:1"]
    files = conn.get_clipper_logs(str(tmp_path / "logs"))
    log, = [one for one in files if "test-own" in one]
    assert "own" in Path(log).read_text()
    conn.stop_models(["own"])
    assert conn.get_all_model_replicas() == []
    assert requests.get(health).status_code == 503


def admin(conn, what, /, **body):
    """(status, text) of a call of the management API."""
    answer = requests.post(
        "http://%s/admin/%s" % (conn.cm.get_admin_addr(), what), json=body,
        timeout=60)
    return answer.status_code, answer.text


def test_the_management_api(conn):
    """Catches a frontend container without the service, one that changes
    something else than the package does, and one that answers models."""
    ping = "http://%s/admin/ping" % conn.cm.get_admin_addr()
    wait_until(lambda: requests.get(ping, timeout=9).text == "PONG", 30)
    assert admin(conn, "add_app", name="a", input_type="doubles",
                 default_output="-1", latency_slo_micros=5000000) \
        == (200, "Successfully added application with name 'a'")
    assert conn.get_app_info("a")["latency_slo_micros"] == 5000000
    status, _ = admin(conn, "add_model", model_name="m", model_version="1",
                      labels=[], input_type="doubles", batch_size=-1,
                      container_name="clipper/noop-container:0.1.0",
                      model_data_path="DEPRECATED")
    # As in the original it registers the version and starts no container.
    assert status == 200 and conn.get_num_replicas("m") == 0
    assert admin(conn, "add_model_links", app_name="a", model_names=["m"]) \
        == (200, "Successfully linked model with name 'm' to application 'a'")
    conn.set_num_replicas("m", 1)
    assert predict(conn, "a", [1.0])["output"] == 1
    assert json.loads(admin(conn, "get_all_containers", verbose=False)[1]) \
        == conn.get_all_model_replicas()
    assert admin(conn, "add_app", name="a/b", input_type="doubles",
                 default_output="-1", latency_slo_micros=5000000)[0] == 400
    # A model is not an operator.
    front = conn.cm.containers.address_of(conn.cm.frontend.container)
    model, = conn.cm.replicas.of("m", "1")
    model.exec_run(["python", "-c", ASKS % (front, "/tmp/answer")])
    wait_until(lambda: b"this host only" in model.exec_run(
        ["cat", "/tmp/answer"]).output, 20)
    # Queries do not depend on the service, which is started again.
    conn.cm.frontend.container.exec_run(["sh", "-c", KILLS])
    assert predict(conn, "a", [2.0])["output"] == 1
    wait_until(lambda: requests.get(ping, timeout=9).text == "PONG", 30)


#: Asks for the ping of a server, and writes the answer to a file.
ASKS = """
import http.client
c = http.client.HTTPConnection("%s", 1338)
c.request("GET", "/admin/ping")
r = c.getresponse()
open("%s", "w").write("%%d %%s" %% (r.status, r.read().decode()))
"""

#: Kills the services of a frontend container.
KILLS = """for one in /proc/[0-9]*; do
    grep -q clipper_admin $one/cmdline && kill ${one#/proc/}
done"""


def reports(xs):
    from clipper_admin import metrics

    metrics.add_metric("inputs_seen", "Counter", "inputs")
    for one in xs:
        metrics.report_metric("inputs_seen", 1)
    return [1] * len(xs)


def test_metrics_of_models_are_joined(conn):
    """Catches replicas whose metrics nobody sees: each is on an address of
    the cluster's network."""
    python_deployer.create_endpoint(
        conn, "a", "doubles", reports, slo_micros=5000000, num_replicas=2,
        batch_size=1)
    for i in range(20):
        predict(conn, "a", [float(i)])

    def counts():
        page = requests.get(
            "http://%s/metrics" % conn.get_metric_addr(), timeout=30).text
        assert "# TYPE clipper_queries_total counter\n" in page
        return [float(one) for one in re.findall(
            r'(?m)^inputs_seen_total\{clipper_model="a",clipper_replica="\d+"'
            r',clipper_version="1"\} (.*)$', page)]

    wait_until(lambda: sum(counts()) == 20, 30)


def names_of(conn, name, version):
    return [one.name for one in conn.cm.replicas.of(name, version)]


@pytest.fixture(scope="module", autouse=True)
def noop_directory(tmp_path_factory):
    global EMPTY, NOOP
    EMPTY = tmp_path_factory.mktemp("empty")
    NOOP = tmp_path_factory.mktemp("noop")
    (NOOP / "clipper_model.json").write_text('{"kind": "noop"}')


def test_an_endpoint_and_its_options(conn, caplog):
    """A19; environment, a custom base image, packages, a sample."""
    def func(xs):
        import os
        import iniconfig
        return [[os.environ["X"], os.environ["OMP_NUM_THREADS"],
                 iniconfig.__name__]] * len(xs)

    with caplog.at_level("INFO"):
        python_deployer.create_endpoint(
            conn, "e", "doubles", func, slo_micros=5000000, env={"X": "y"},
            cpus=None, pkgs_to_install=["iniconfig"], sample_input=[1.0])
    # A long build reports its progress.
    assert re.search("(?i)step 2.*pip install", caplog.text)
    assert predict(conn, "e", [1.0])["output"] == ["y", "1" if (
        os.cpu_count() == 1) else str(os.cpu_count()), "iniconfig"]
    assert conn.get_app_info("e")["linked_models"] == ["e"]
    # Containers that come later have the same options.
    conn.set_num_replicas("e", 2)
    envs = [one.attrs["Config"]["Env"] for one in conn.cm.replicas.of(
        "e", "1")]
    assert all("X=y" in env for env in envs) and len(envs) == 2


def raises(xs):
    raise RuntimeError("broken on purpose")


def test_a_failing_deployment_leaves_nothing(conn):
    before = conn.cm.read_fragments(), containers(conn.cm)
    began = time.monotonic()
    with pytest.raises(ClipperException) as caught:
        python_deployer.deploy_python_closure(
            conn, "bad", 1, "doubles", raises, sample_input=[1.0],
            num_replicas=2)
    assert time.monotonic() - began < 30
    assert "The model failed on its sample input." in str(caught.value)
    assert "RuntimeError: broken on purpose" in str(caught.value)
    assert (conn.cm.read_fragments(), containers(conn.cm)) == before


@pytest.mark.parametrize("recorded, text", [
    ({"python": "2.7.18"}, "saved by Python 2.7.18"),
    ({"packages": {"numpy": "0.9.1"}},
     "the model was saved with numpy 0.9.1, this container has"),
])
def test_versions_are_compared_before_deployment(
        conn, tmp_path, recorded, text):
    (tmp_path / "clipper_model.json").write_text(
        json.dumps(dict({"kind": "closure"}, **recorded)))
    with refused(text):
        conn.build_model("m", 1, str(tmp_path),
                         "clipper/python-closure-container:0.1.0")


def test_what_cannot_be_built_or_run(conn, tmp_path):
    base = "clipper/python-closure-container:0.1.0"
    with refused("There is no image localhost/nothing"):
        conn.build_model("m", 1, str(NOOP), "localhost/nothing:1")
    with refused("No model directory"):
        conn.build_model("m", 1, str(tmp_path / "none"), base)
    with refused("Could not build"):
        conn.build_model("m", 1, str(NOOP), base,
                         pkgs_to_install=["no==such==requirement"])
    with refused("There is no image localhost/nothing"):
        conn.deploy_model("m", 1, "doubles", "localhost/nothing:1")
    with refused("Invalid value: M_1"):
        conn.build_model("M_1", 1, str(NOOP), base)
    assert conn.get_all_models() == [] and len(containers(conn.cm)) == 1


def test_a_rejected_change_changes_nothing(conn):
    conn.register_application("a", "doubles", "0", 100000)
    before = conn.cm.read_fragments(), conn.cm.frontend.generation()
    with refused("nginx refuses the configuration: "):
        conn.register_application("b", "doubles", "0", 100000,
                                  selection_policy="first eta=0")
    assert (conn.cm.read_fragments(), conn.cm.frontend.generation()) \
        == before
    assert predict(conn, "a", [1.0])["default_explanation"] \
        .startswith("No connected models found")


def test_programs_at_the_same_time_lose_no_change(conn):
    check_that_no_change_is_lost(
        conn,
        "DockerContainerManager('test', docker_network='clipper_test')", 3)


def test_a_lock_of_a_dead_program_is_free(conn):
    program = (
        "import time\n"
        "from clipper_admin import DockerContainerManager\n"
        "m = DockerContainerManager('test', docker_network='clipper_test')\n"
        "m.connect()\n"
        "with m.config_lock():\n"
        "    print('locked', flush=True)\n"
        "    time.sleep(100)\n")
    holder = subprocess.Popen([sys.executable, "-c", program],
                              stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "locked\n"
    taken = threading.Event()

    def take():
        with conn.cm.config_lock():
            taken.set()

    thread = threading.Thread(target=take)
    thread.start()
    assert not taken.wait(2)
    holder.kill()
    holder.wait()
    assert taken.wait(20)
    thread.join()


def test_clusters_side_by_side(conn, make_cluster, caplog):
    """C2: two clusters that ask for the same ports and applications."""
    ports = {"clipper_%s_port" % name: port
             for name, port in conn.cm._ports.items()}
    second = ClipperConnection(make_cluster("other", **ports))
    with caplog.at_level("INFO"):
        second.start_clipper()
    assert "is in use, taking" in caplog.text
    for each, output in ((conn, "1"), (second, "2")):
        python_deployer.create_endpoint(
            each, "a", "doubles", eval("lambda xs: [%s] * len(xs)" % output),
            slo_micros=5000000)
    assert predict(conn, "a", [1.0])["output"] == 1
    assert predict(second, "a", [1.0])["output"] == 2
    with refused("cannot be started because it already exists"):
        second.start_clipper()
    found = ClipperConnection(DockerContainerManager(
        "other", docker_network="clipper_test"))
    found.connect()
    assert found.get_query_addr() == second.get_query_addr()
    second.stop_all(graceful=False)
    assert containers(second.cm) == []
    assert predict(conn, "a", [2.0])["output"] == 1
    with refused("No running cluster other"):
        found.connect()


def test_what_dies_comes_back(conn):
    python_deployer.create_endpoint(
        conn, "a", "doubles", lambda xs: [float(x[0]) for x in xs],
        slo_micros=5000000)
    pid = conn.cm.replicas.of("a", "1")[0].attrs["State"]["Pid"]
    os.kill(pid, 9)
    wait_until(lambda: predict(conn, "a", [1.5])["default"] is False, 30)
    assert predict(conn, "a", [1.5])["output"] == 1.5


def test_an_engine_that_starts_nginx_alone(conn, caplog):
    """Catches models that stay away when the engine starts the frontend by
    itself, at an address that they do not know, after its host did."""
    python_deployer.create_endpoint(
        conn, "a", "doubles", lambda xs: [float(x[0]) for x in xs],
        slo_micros=5000000, num_replicas=2)
    before = names_of(conn, "a", "1")
    for one in conn.cm.containers.find({}):
        one.kill()
    wait_until(lambda: conn.cm.containers.find({}) == [], 30)
    conn.cm.frontend.container.start()
    with caplog.at_level("INFO"):
        conn.connect()
    assert "a:1 has 2 of 2 replicas again" in caplog.text
    assert predict(conn, "a", [1.5])["output"] == 1.5
    after = names_of(conn, "a", "1")
    assert len(after) == 2 and not set(after) & set(before)
    # What is there is left alone.
    conn.connect()
    assert names_of(conn, "a", "1") == after
    assert sorted(containers(conn.cm)) == sorted(
        after + [conn.cm.frontend.container.name])


def test_each_line_of_a_log_has_time_model_and_replica(conn):
    """Catches lines of others without a stamp, and a container that ends
    otherwise than its model."""
    def talk(xs):
        import os
        import subprocess

        print("printed")
        os.write(2, b"written\n")
        subprocess.run(["sh", "-c", "echo child; exit 0"], check=True)
        return [1.0] * len(xs)

    python_deployer.deploy_python_closure(conn, "t", 1, "doubles", talk)
    conn.register_application("t", "doubles", "DEFAULT", 5000000)
    conn.link_model_to_app("t", "t")
    assert predict(conn, "t", [1.0])["output"] == 1
    shown, = {one["token_hash"][:8]
              for one in conn.inspect_instance()["replicas"]}
    head = re.compile(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d t:1 %s " % shown)
    one, = conn.cm.replicas.of("t", "1")

    def lines():
        return one.logs().decode().splitlines()

    wait_until(lambda: any("child" in line for line in lines()))
    assert all(head.match(line) for line in lines())
    assert [head.sub("", line) for line in lines()][-3:] \
        == ["printed", "written", "child"]
    # SIGTERM reaches the model, which ends by itself.
    began = time.monotonic()
    one.stop(timeout=60)
    one.reload()
    assert one.attrs["State"]["ExitCode"] == 0
    assert time.monotonic() - began < 50


def test_logs_and_addresses(conn, tmp_path):
    conn.deploy_model(
        "m", 1, "doubles",
        conn.build_model("m", 1, str(NOOP),
                         "clipper/python-closure-container:0.1.0"))
    files = conn.get_clipper_logs(str(tmp_path / "logs"))
    texts = [Path(one).read_text() for one in files]
    assert len(files) == 2
    assert any("Registered m:1" in text for text in texts)
    assert [line for text in texts for line in text.splitlines()
            if re.search(r"\[(alert|emerg|crit)\]", line)] == []
    assert conn.inspect_instance()["schema"] == 1
    assert conn.get_metric_addr() == conn.cm.get_admin_addr()
    answer = requests.get("http://%s/metrics" % conn.get_metric_addr())
    assert "# TYPE clipper_queries_total counter" in answer.text


@needs_image(SERVERS)
def test_prometheus_beside_a_cluster(engine, make_cluster):
    """C3, C4: three targets are up, and each replica has its series."""
    engine.wait_for(SERVERS)
    engine.build(
        "docker.io/clipper/test-prometheus:1",
        'FROM %s\nENTRYPOINT ["prometheus"]\n' % SERVERS, {})
    manager = make_cluster(
        "watched", prometheus_image="docker.io/clipper/test-prometheus:1",
        prometheus_port=free_port())
    conn = ClipperConnection(manager)
    conn.start_clipper()
    python_deployer.create_endpoint(
        conn, "a", "doubles", reports, slo_micros=5000000, num_replicas=2)
    for i in range(100):
        assert predict(conn, "a", [float(i)])["output"] == 1
    found = ClipperConnection(DockerContainerManager(
        "watched", docker_network="clipper_test"))
    found.connect()
    assert found.get_metric_addr() == conn.get_metric_addr() \
        != conn.cm.get_admin_addr()

    def ask(path, **query):
        answer = requests.get("http://%s/api/v1/%s" % (
            conn.get_metric_addr(), path), params=query, timeout=30)
        return answer.json()["data"] if answer.ok else {}

    wait_until(lambda: [one["health"] for one in ask("targets").get(
        "activeTargets", [])] == ["up"] * 3, 60)
    wait_until(lambda: len(ask("query", query="inputs_seen_total").get(
        "result", [])) == 2, 60)
    conn.stop_all(graceful=False)
    assert containers(manager) == []


@needs_image(SERVERS)
def test_learned_state_is_in_redis(engine, make_cluster):
    engine.wait_for(SERVERS)
    manager = make_cluster("learning", redis_image=SERVERS)
    conn = ClipperConnection(manager)
    conn.start_clipper()
    conn.register_application("a", "doubles", "0", 5000000,
                              selection_policy="exp3")
    for name in ("m", "n"):
        conn.deploy_model(name, 1, "doubles", conn.build_model(
            name, 1, str(EMPTY), "clipper/noop-container:0.1.0"))
        conn.link_model_to_app("a", name)
    answer = predict(conn, "a", [1.0])
    assert conn.feedback("a", 2.0, query_id=answer["query_id"])
    redis, = [one for one in manager.containers.find({})
              if one.name.startswith("redis")]
    wait_until(lambda: int(redis.exec_run(
        ["redis-cli", "dbsize"]).output) > 0, 20)
    conn.stop_all()
    assert containers(manager) == []


def test_arguments_that_are_refused(engine):
    with refused('"host" docker network'):
        DockerContainerManager(docker_network="host")
    with refused("Central logging is no longer supported"):
        DockerContainerManager(use_centralized_log=True)
    with refused("Please set num_frontend_replicas=1"):
        DockerContainerManager("none").start_clipper(num_frontend_replicas=2)
    with refused("There is no image localhost/none"):
        ClipperConnection(DockerContainerManager(
            "none", docker_network="clipper_none")
        ).start_clipper(query_frontend_image="localhost/none:1")
    client = DockerContainerManager("none").client
    assert client.networks.list(names=["clipper_none"]) == []
