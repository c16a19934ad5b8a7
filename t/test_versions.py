"""Two versions of the project at once: this one and the release before.

`make test-versions` runs this; elsewhere it is skipped, since it builds the
release before from the history.
"""

import os
import shutil
import signal
import subprocess
import sys

import pytest

from harness import Load, Sim4, application, wait_until
from harness.before import release_before
from harness.reload import echo
from harness.upgrade import VARIABLES, start_daemon, upgrade
from harness.util import free_port

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

pytestmark = [
    pytest.mark.skipif(not os.environ.get("CLIPPER_TEST_VERSIONS"),
                       reason="make test-versions"),
    pytest.mark.timeout(600),
]

POLICY = "epsilon_greedy epsilon=1 half_life=off"
EMPTY = "a new binary begins with an empty"
OTHER = "was made by another version of the module"


@pytest.fixture(scope="session")
def before(settings):
    return release_before(settings.root)


@pytest.fixture
def sides(settings, before):
    """The modules by name."""
    return {"before": before.module, "now": settings.module}


def put(server, module):
    """Installs a module as a package does: under the old name, in another
    file."""
    new = server.dir / "module.so.new"
    shutil.copy(module, new)
    new.replace(server.dir / "module.so")


def numbered(thread, number):
    value = thread * 1e6 + number
    return "/a/predict", {"input": [value]}, lambda response: (
        "" if response.json().get("output") == value
        else "default" if response.json().get("default")
        else f"output {response!r}")


@pytest.fixture
def daemon(make_nginx, sides):
    """A daemon with the module of one side and one replica."""
    def start(side, **kw):
        server = make_nginx(application("a", "m:1"), main=VARIABLES, **kw)
        server.parts["module"] = server.dir / "module.so"
        put(server, sides[side])
        start_daemon(server)
        Sim4(server, "m", model=echo).wait_registered()
        server.wait_replicas("m")
        return server

    return start


@pytest.mark.parametrize("first, then", [("before", "now"),
                                         ("now", "before")])
def test_new_binary_and_back(daemon, sides, first, then):
    """Catches an upgrade, or the way back, that fails a request, answers
    wrongly, or reads tables of the other version; and one that does not say
    that its tables are empty."""
    server = daemon(first)
    load = Load(server, numbered, threads=2)
    for side in (then, first):
        done = load.done
        wait_until(lambda done=done: load.done > done + 100)
        put(server, sides[side])
        upgrade(server)
        server.wait_replicas("m", timeout=20)
    load.stop()
    # The new tables know no replica at first: defaults until it is there.
    assert [f for f in load.failures if not f.startswith("default")] == []
    assert EMPTY in server.log_text()


@pytest.mark.parametrize("first, then", [("before", "now"),
                                         ("now", "before")])
def test_reload_with_another_module(daemon, sides, first, then):
    """Catches a reload that reads tables of another layout: it is refused,
    with what to do, and the server goes on; or the layouts are equal, and the
    new module takes the tables over."""
    server = daemon(first)
    server.allow(OTHER)
    generation = server.generation
    put(server, sides[then])
    server.reload(wait=False)

    def decided():
        workers = server.status()["workers"]
        return "refused" if OTHER in server.log_text() else (
            all(w["generation"] != f"g{generation}" for w in workers
                if w["state"] == "accepting") and "taken over")

    if wait_until(decided, 20) == "refused":
        assert "restart nginx" in server.log_text()
    wait_until(lambda: server.predict("a", [2.5])["output"] == 2.5, 10)


@pytest.fixture
def learner(make_nginx, sides):
    """A server of one side that learns, with its records in Redis."""
    def start(side, store):
        server = make_nginx(
            "location /a { clipper_app a; clipper_link m:1 n:1; "
            f"clipper_slo 5s; clipper_select {POLICY}; "
            "clipper_default \"-1\"; }\n",
            http="clipper_cache_zone off; clipper_records 1m redis=1h; "
                 f"clipper_redis {store.address};")
        server.parts["module"] = sides[side]
        server.start()
        Sim4(server, "m", model=echo).wait_registered()
        Sim4(server, "n",
             model=lambda values: ["7" for _ in values]).wait_registered()
        server.wait_replicas("m")
        server.wait_replicas("n")
        server.wait_redis()
        return server

    return start


def ask(server):
    answer = server.predict("a", [3.0])
    assert not answer["default"]
    return answer["query_id"]


def label(server, query_id):
    return server.post("/a/update", {"query_id": query_id,
                                     "label": 3.0}).body


@pytest.mark.parametrize("first, then", [("before", "now"),
                                         ("now", "before")])
def test_one_redis(redis, learner, first, then):
    """Catches sums or records in Redis that the other version does not read,
    or counts twice."""
    store = redis()
    one, other = learner(first, store), learner(then, store)
    ids = [ask(one) for _ in range(20)]
    wait_until(lambda: len(store("KEYS", "*record:*")) == 20, 10)
    for query_id in ids[:10]:
        assert label(one, query_id) == b"Feedback received? 1"
    for query_id in ids[10:]:
        assert label(other, query_id) == b"Feedback received? 1"
    for query_id in ids:
        assert label(one, query_id) == b"Feedback received? 0"
        assert label(other, query_id) == b"Feedback received? 0"
    wait_until(lambda: store.feedbacks() == 20, 10,
               "20 feedbacks in Redis")
    for _ in range(10):
        assert label(other, ask(other)) == b"Feedback received? 1"
    wait_until(lambda: store.feedbacks() == 30, 10,
               "30 feedbacks in Redis")


@pytest.mark.parametrize("module, package", [("before", "now"),
                                             ("now", "before")])
def test_containers(make_nginx, sides, before, module, package):
    """Catches a container of one version that the server of the other does
    not understand."""
    server = make_nginx(application("a", "m:1"))
    server.parts["module"] = sides[module]
    server.start()
    folder = {"before": before.python,
              "now": os.path.join(ROOT, "containers/python")}[package]
    with open(server.dir / "container.log", "wb") as log:
        container = subprocess.Popen(
            [sys.executable, "-c",
             "from clipper_container import serve\n"
             "serve(lambda xs: [float(sum(x)) for x in xs], 'm', 1, "
             f"endpoint={server.rpc!r})"],
            env={**os.environ, "PYTHONPATH": str(folder)},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        server.wait_replicas("m", timeout=30)
        for i in range(50):
            assert server.predict("a", [i, 0.5])["output"] == i + 0.5
        server.reload()
        wait_until(lambda: server.predict("a", [7, 1])["output"] == 8, 10)
    finally:
        container.send_signal(signal.SIGTERM)
        container.wait(30)


PROGRAM = """
import sys
from clipper_admin import ClipperConnection, LocalContainerManager
from clipper_admin.client import Client
from clipper_admin.deployers import python as deployer

query, management, rpc = (int(port) for port in sys.argv[1:4])
conn = ClipperConnection(LocalContainerManager(
    "versions", query, management, rpc, state_dir=sys.argv[4], workers=2,
    module=sys.argv[5], nginx=sys.argv[6]))
conn.start_clipper()
try:
    conn.register_application("a", "doubles", "-1.0", 5000000)
    deployer.deploy_python_closure(
        conn, "m", 1, "doubles", lambda xs: [float(sum(x)) for x in xs])
    conn.link_model_to_app("a", "m")
    with Client(conn.get_query_addr(), raise_on_default=True) as client:
        assert client.predict("a", [1.5, 2.0]).output == 3.5
    deployer.deploy_python_closure(
        conn, "m", 2, "doubles", lambda xs: [float(max(x)) for x in xs])
    with Client(conn.get_query_addr(), raise_on_default=True) as client:
        assert client.predict("a", [1.5, 2.0]).output == 2.0
    conn.set_model_version("m", 1)
    with Client(conn.get_query_addr(), raise_on_default=True) as client:
        assert client.predict("a", [1.5, 2.0]).output == 3.5
    assert len(conn.get_all_models()) == 2
finally:
    conn.stop_all()
print("done")
"""


@pytest.fixture
def manage(settings, sides, before, tmp_path):
    """Runs the program with the package of one side and the module of the
    other; returns the process that has ended."""
    packages = {"before": before.python,
                "now": os.path.join(ROOT, "containers/python")}

    def run(package, module):
        return subprocess.run(
            [sys.executable, "-c", PROGRAM,
             *(str(free_port()) for _ in range(3)), tmp_path / "state",
             sides[module], settings.nginx],
            env={**os.environ, "PYTHONPATH": str(packages[package])},
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=300, check=False)

    return run


def test_older_package(manage):
    """Catches a server that does not take what an older package writes."""
    done = manage("before", "now")
    assert done.returncode == 0 and "done" in done.stdout, \
        done.stdout + done.stderr


def test_newer_package(manage):
    """Catches a package that goes on beside a server that is too old for it:
    the change is refused with the name of the parameter, and taken back."""
    done = manage("now", "before")
    assert done.returncode != 0
    error = done.stderr.splitlines()[-1]
    assert "nginx refuses the configuration" in error \
        and 'invalid parameter "nulls=nan"' in error, done.stderr
