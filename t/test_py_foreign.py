"""Containers of one's own: programs in any language that speak version 3 of
the protocol, which has no tokens. The manager starts, counts, scales and
stops them like any other."""

import os
import subprocess
import sys
import textwrap

import pytest

from clipper_admin import ClipperConnection, ClipperException
from clipper_admin.arrivals import Expected, missing, remaining
from clipper_admin.container_manager import (
    ContainerManager,
    create_model_container_label,
)
from clipper_admin.deployers import python as python_deployer
from clipper_admin.status import token_hash
from harness.cluster import unsanitized
from harness.local import deploy, predict, refused
from harness.util import wait_until

#: A container that knows nothing of this project but the protocol's tables.
FOREIGN = """
import os, struct, zmq
def u32(*values): return struct.pack("<%dI" % len(values), *values)
def u64(*values): return struct.pack("<%dQ" % len(values), *values)
socket = zmq.Context().socket(zmq.DEALER)
socket.connect("tcp://%s:%s" % (os.environ["CLIPPER_IP"],
                                os.environ["CLIPPER_PORT"]))
socket.send_multipart([b"", u32(2)])
print("a container of my own, version", os.environ["CLIPPER_MODEL_VERSION"],
      flush=True)
while True:
    if not socket.poll(1000):
        socket.send_multipart([b"", u32(2)])
        continue
    frames = socket.recv_multipart()
    kind, = struct.unpack("<I", frames[2])
    if kind == 2 and struct.unpack("<I", frames[3])[0] == 1:
        socket.send_multipart([
            b"", u32(0), os.environ["CLIPPER_MODEL_NAME"].encode(),
            os.environ["CLIPPER_MODEL_VERSION"].encode(), b"3", u32(3)])
    elif kind == 1:
        outputs = [b"%s" % os.environ["CLIPPER_MODEL_VERSION"].encode()
                   for _ in frames[7:]]
        header = u64(len(outputs), *map(len, outputs))
        socket.send_multipart([b"", u32(1), frames[3], u64(len(header)),
                               header, *outputs])
"""


def image(tmp_path, text, name="main.py"):
    """The path of a directory with a program."""
    directory = tmp_path / "image"
    directory.mkdir()
    file = directory / name
    file.write_text(textwrap.dedent(text).lstrip())
    file.chmod(0o755)
    return str(directory)


def nameless(conn):
    return [one for one in conn.inspect_instance()["replicas"]
            if one["token_hash"] is None and one["state"] == "ready"]


def wait_for(conn, *versions):
    """Waits until these are the versions of the replicas without a token: a
    reload takes such a replica away for a moment."""
    wait_until(lambda: sorted(one["version"] for one in nameless(conn))
               == sorted(versions), 10)


@unsanitized
def test_a_program_of_ones_own_deploys_and_scales(conn, tmp_path):
    """Catches a wait for tokens, which version 3 does not have."""
    own = image(tmp_path, FOREIGN)
    conn.register_application("own", "doubles", "DEFAULT", 5000000)
    conn.deploy_model("own", 1, "doubles", own)
    conn.link_model_to_app("own", "own")
    assert conn.get_num_replicas("own") == 1
    wait_for(conn, "1")
    assert predict(conn, "own", [1.0])["output"] == 1
    conn.set_num_replicas("own", 3)
    # No reload: what the call waited for is there.
    assert [one["address"] for one in nameless(conn)] == ["127.0.0.1"] * 3
    conn.set_num_replicas("own", 1)
    assert len(nameless(conn)) == conn.get_num_replicas("own") == 1
    conn.deploy_model("own", 2, "doubles", own, num_replicas=2)
    assert predict(conn, "own", [2.0])["output"] == 2
    conn.set_model_version("own", 1)
    assert predict(conn, "own", [3.0])["output"] == 1
    conn.stop_inactive_model_versions(["own"])
    wait_for(conn, "1")
    files = conn.get_clipper_logs(str(tmp_path / "logs"))
    own, = [one for one in files if one.endswith("own_1-0.log")]
    with open(own) as f:
        assert "a container of my own, version 1" in f.read()
    conn.stop_models(["own"])
    assert nameless(conn) == [] and conn.get_all_models() == []


@unsanitized
def test_one_that_ends_or_stays_away_is_told(make_cluster, tmp_path):
    """Catches a wait of minutes, and a message without the model's lines."""
    conn = ClipperConnection(make_cluster("away", deploy_timeout=1.0))
    conn.start_clipper()
    ends = image(tmp_path, "print('no licence', flush=True)\nraise "
                           "SystemExit(9)\n")
    with pytest.raises(ClipperException, match="(?s)code 9.*no licence"):
        conn.deploy_model("m", 1, "doubles", ends)
    (tmp_path / "sh").mkdir()
    away = image(tmp_path / "sh", "#!/bin/sh\necho waiting\nexec sleep 60\n",
                 name="main")
    with pytest.raises(ClipperException,
                       match="(?s)no replica of m:1 .*waiting"):
        conn.deploy_model("m", 1, "doubles", away)
    assert conn.get_all_models() == []


@unsanitized
def test_it_comes_back_with_its_cluster(make_cluster, tmp_path):
    """A killed supervisor: those without a token are waited for as well."""
    manager = make_cluster("again")
    conn = ClipperConnection(manager)
    conn.start_clipper()
    conn.deploy_model("own", 1, "doubles", image(tmp_path, FOREIGN),
                      num_replicas=2)
    manager._supervisor.kill()
    manager._supervisor.wait()
    conn.start_clipper()
    wait_for(conn, "1", "1")


@unsanitized
def test_the_runtime_of_the_original(conn, tmp_path):
    """`import rpc`, its base class, its service; strings are bytes."""
    own = image(tmp_path, """
        import os
        import rpc

        class Upper(rpc.ModelContainerBase):
            def predict_strings(self, inputs):
                return [one.upper().decode() + type(one).__name__
                        for one in inputs]

        service = rpc.RPCService()
        print("model in", service.get_model_path(), service.get_input_type())
        service.start(Upper())
        """)
    conn.register_application("up", "strings", "DEFAULT", 5000000)
    conn.deploy_model("up", 1, "strings", own)
    conn.link_model_to_app("up", "up")
    assert predict(conn, "up", "hello")["output"] == "HELLObytes"


@unsanitized
def test_version_3_of_the_python_runtime(conn):
    deploy(conn, "three", 1, lambda xs: [type(x).__name__ for x in xs],
           "strings", num_replicas=2, env={"CLIPPER_RPC_VERSION": "3"})
    wait_for(conn, "1", "1")
    conn.register_application("three", "strings", "DEFAULT", 5000000)
    conn.link_model_to_app("three", "three")
    assert predict(conn, "three", "x")["output"] == "bytes"


@unsanitized
def test_strings_as_bytes(conn):
    """The functions of the original: `x.decode()`, `x.split(b",")`."""
    python_deployer.create_endpoint(
        conn, "csv", "strings", lambda xs: [
            str(len(x.split(b","))) + x.decode() for x in xs],
        slo_micros=5000000, strings="bytes")
    assert predict(conn, "csv", "a,b,ü")["output"] == "3a,b,ü"
    with pytest.raises(ClipperException, match='"bytes" or "str"'):
        deploy(conn, "csv", 2, len, "strings", strings="text")


@unsanitized
@pytest.mark.parametrize("func", [
    lambda xs: [x.decode() for x in xs],
    lambda xs: [x.split(b",") for x in xs],
    lambda xs: [__import__("io").BytesIO(x).read() for x in xs],
])
def test_a_function_that_wants_bytes_is_told_how(conn, func):
    with pytest.raises(ClipperException, match='strings="bytes"'):
        deploy(conn, "old", 1, func, "strings", sample_input="a")


def status(*replicas):
    """A status: each replica is (version, token or None, address)."""
    return {"replicas": [
        {"model": "m", "version": version, "state": "ready",
         "token_hash": token and token_hash(token), "address": address,
         "replica_id": i}
        for i, (version, token, address) in enumerate(replicas)]}


ONE, TWO = "01" * 16, "02" * 16
KEY = ("m", "1")


@pytest.mark.parametrize("replicas, before, late", [
    ([], 0, [0, 1]),
    ([("1", ONE, "10.0.0.1"), ("1", TWO, "10.0.0.2")], 0, []),
    # A mixture: one announces its token, the other has none.
    ([("1", ONE, "10.0.0.1"), ("1", None, "10.0.0.2")], 0, []),
    # By address, whatever was there before.
    ([("1", None, "10.0.0.9"), ("1", None, "10.0.0.2")], 1, [0]),
    # From elsewhere: in the order of the starts, those before do not count.
    ([("1", None, "10.0.0.8"), ("1", None, "10.0.0.9")], 1, [1]),
    ([("1", None, "10.0.0.8"), ("1", None, "10.0.0.9")], 2, [0, 1]),
    # Another version, and one that shares an address.
    ([("2", None, "10.0.0.1"), ("1", None, "10.0.0.1")], 0, [1]),
])
def test_who_has_arrived(replicas, before, late):
    started = [Expected(KEY, ONE, "10.0.0.1"), Expected(KEY, TWO, "10.0.0.2")]
    assert missing(started, status(*replicas), {KEY: before}) == late


def test_who_is_still_there():
    there = status(("1", ONE, None), ("1", None, None), ("1", None, None))
    assert remaining(there, {token_hash(ONE)}, {})
    assert not remaining(there, {token_hash(TWO)}, {KEY: 2})
    assert remaining(there, set(), {KEY: 1})
    assert not remaining(there, set(), {("m", "2"): 0})


class OwnManager(ContainerManager):
    """A manager as programs of the original have it: it has the interface's
    methods only, and no `super().__init__`."""

    def __init__(self, frontend, directory):
        self.cluster_identifier = "own"
        self.frontend = frontend
        self.directory = directory
        self.containers = {}

    def start_clipper(self, query_frontend_image, mgmt_frontend_image,
                      frontend_exporter_image, cache_size,
                      qf_http_thread_pool_size, qf_http_timeout_request,
                      qf_http_timeout_content, num_frontend_replicas):
        self.frontend.start_clipper(cache_size=cache_size)

    def connect(self):
        self.frontend.connect()

    def deploy_model(self, name, version, input_type, image, num_replicas=1):
        self.set_num_replicas(name, version, input_type, image, num_replicas)

    def _running(self, name, version):
        return self.containers.setdefault(
            create_model_container_label(name, version), [])

    def get_num_replicas(self, name, version):
        return len(self._running(name, version))

    def set_num_replicas(self, name, version, input_type, image,
                         num_replicas):
        running = self._running(name, version)
        env = dict(os.environ, CLIPPER_MODEL_NAME=name,
                   CLIPPER_MODEL_VERSION=version, CLIPPER_IP="127.0.0.1",
                   CLIPPER_PORT=str(self.frontend.clipper_rpc_port))
        while len(running) < num_replicas:
            with open(os.path.join(self.directory, name), "ab") as log:
                running.append(subprocess.Popen(
                    [sys.executable, image], env=env, stdout=log))
        while len(running) > num_replicas:
            running[-1].kill()
            running.pop().wait()

    def get_logs(self, logging_dir):
        return [os.path.join(self.directory, one)
                for one in os.listdir(self.directory)]

    def stop_models(self, models):
        for name, versions in models.items():
            for version in versions:
                self.set_num_replicas(name, version, None, None, 0)

    def stop_all_model_containers(self):
        for running in self.containers.values():
            while running:
                running[-1].kill()
                running.pop().wait()

    def stop_all(self, graceful=True):
        self.stop_all_model_containers()
        self.frontend.stop_all(graceful)

    def get_admin_addr(self):
        return self.frontend.get_admin_addr()

    def get_query_addr(self):
        return self.frontend.get_query_addr()

    def get_metric_addr(self):
        return self.frontend.get_metric_addr()


@pytest.fixture
def own(make_cluster, tmp_path):
    """A connection to a cluster of a manager of one's own."""
    (tmp_path / "logs").mkdir()
    conn = ClipperConnection(
        OwnManager(make_cluster("own"), str(tmp_path / "logs")))
    conn.start_clipper()
    yield conn
    conn.stop_all()


@unsanitized
def test_a_manager_of_ones_own(own, tmp_path):
    """Catches an interface that has more abstract methods than the
    original's, and a connection that needs more than them."""
    program = tmp_path / "main.py"
    program.write_text(FOREIGN)

    def answers(version, value):
        wait_until(lambda: predict(own, "a", value())["output"] == version, 30)

    values = iter(range(1000))
    own.register_application("a", "doubles", "-1", 5000000)
    own.deploy_model("m", 1, "doubles", str(program), labels=["x"])
    own.link_model_to_app("a", "m")
    answers(1, lambda: [next(values) + 0.5])
    assert own.get_app_info("a")["linked_models"] == ["m"]
    assert own.get_model_info("m", 1)["labels"] == ["x"]
    own.set_num_replicas("m", 2)
    assert own.get_num_replicas("m") == 2
    wait_until(lambda: len(own.get_all_model_replicas()) == 2, 30)
    own.deploy_model("m", 2, "doubles", str(program))
    assert own.get_current_model_version("m") == "2"
    answers(2, lambda: [next(values) + 0.5])
    own.set_model_version("m", 1)
    answers(1, lambda: [next(values) + 0.5])
    own.stop_inactive_model_versions(["m"])
    assert own.get_all_models() == ["m:1"]
    assert own.cm.get_num_replicas("m", "2") == 0
    with refused("No model with name 'n' exists."):
        own.link_model_to_app("a", "n")
    with refused("already exists"):
        own.register_application("a", "doubles", "-1", 5000000)
    with refused("need a manager of this package"):
        own.register_application("b", "doubles", "-1", 5000000,
                                 selection_policy="ucb")
    with refused("takes no container options"):
        own.deploy_model("n", 1, "doubles", str(program), env={"A": "b"})
    again = ClipperConnection(own.cm)
    again.connect()
    assert again.get_all_apps() == ["a"]
    assert len(own.get_clipper_logs()) == 1
    own.unlink_model_from_app("a", "m")
    own.stop_models(["m"])
    assert own.get_all_models() == [] and own.cm.containers == {
        "m_1": [], "m_2": []}
    own.unregister_application("a")
    assert own.get_all_apps() == []
