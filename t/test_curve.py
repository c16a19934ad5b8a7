"""Containers that connect with CURVE: who is admitted, who is turned away,
and keys that are replaced while everything runs."""

import contextlib
import re
import shutil
import socket

import pytest
import requests
import zmq
import zmq.auth

from clipper_admin import keys
from clipper_admin.deployers import python as python_deployer
from clipper_admin.exceptions import ClipperException
from harness import Load, PythonContainer, Sim3, Sim4, application, wait_until
from harness.cluster import local_cluster, outputs, unsanitized
from harness.load import numbered
from harness.metrics import METRICS
from harness.preload import preload
from harness.util import free_port

#: What a peer without encryption says first, ZMTP 3.0. One of libzmq's ends
#: when it reads the other's, so the other may not hear it.
GREETING = (b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0")
            + bytes(32))

LOCATION = application("a", "m:1", slo="10s")
HTTP = "clipper_cache_zone off;"


class Rings:
    """The keys of a server and of containers, in a directory each."""

    def __init__(self, path):
        self.server = path / "server"
        self.clients = path / "clients"
        keys.make("server", str(self.server))
        keys.make("container", str(self.clients))

    def rpc(self, port):
        return (f"clipper_rpc 127.0.0.1:{port} "
                f"curve_key={self.server}/server.key_secret "
                f"curve_clients={self.clients};")

    def env(self, name="container", server=None):
        return {"CLIPPER_CURVE_KEY": f"{self.clients}/{name}.key_secret",
                "CLIPPER_CURVE_SERVER": str(server or self.server)}


def sim(kind, rings, name="container"):
    """A simulated container with keys."""
    class Keyed(kind):
        def socket_options(self, sock):
            super().socket_options(sock)
            public, secret = zmq.auth.load_certificate(
                rings.clients / f"{name}.key_secret")
            sock.curve_publickey, sock.curve_secretkey = public, secret
            sock.curve_serverkey = zmq.auth.load_certificate(
                rings.server / "server.key")[0]
    return Keyed


@pytest.fixture
def rings(tmp_path):
    return Rings(tmp_path / "keys")


@pytest.fixture
def start(nginx, rings):
    """Starts a server whose containers need keys."""
    def made(more="", **kw):
        port = free_port()
        server = nginx(LOCATION, rpc=rings.rpc(port) + more, http=HTTP,
                       operator_extra=METRICS, **kw)
        server.rpc = f"tcp://127.0.0.1:{port}"
        return server
    return made


def refused(server, cause):
    text = server.get("/metrics").body.decode()
    return int(re.search(
        r'^clipper_rpc_refused_total\{cause="%s"\} (\d+)$' % cause, text,
        re.M)[1])


@pytest.mark.parametrize("version", [3, 4])
def test_a_container_with_keys(start, rings, version):
    """Catches a container that does not get through with the right keys, and
    inputs that are changed on the way."""
    server = start()
    PythonContainer(server, "m", lambda xs: [float(x.sum()) for x in xs],
                    rpc_version=version, env=rings.env())
    server.wait_replicas("m", timeout=20)
    for i in range(50):
        answer = server.predict("a", [float(i), 0.25])
        assert answer["output"] == i + 0.25 and not answer["default"]
    big = [0.5] * 100000
    assert server.predict("a", big)["output"] == 50000.0


#: No memory for the last part of the first answer to libzmq's question.
NO_MEMORY = r"""
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <zmq.h>

static int first(size_t len)
{
    int  fd;

    if (len) {
        return 0;
    }

    fd = open(FILE_NAME, O_CREAT|O_EXCL|O_WRONLY, 0666);

    if (fd == -1) {
        return 0;
    }

    close(fd);
    errno = ENOMEM;

    return 1;
}

int zmq_send(void *socket, const void *data, size_t len, int flags)
{
    static int  (*real)(void *, const void *, size_t, int);

    if (real == NULL) {
        real = dlsym(RTLD_NEXT, "zmq_send");
    }

    return !(flags & ZMQ_SNDMORE) && first(len)
           ? -1 : real(socket, data, len, flags);
}

int zmq_msg_init_size(zmq_msg_t *msg, size_t len)
{
    static int  (*real)(zmq_msg_t *, size_t);

    if (real == NULL) {
        real = dlsym(RTLD_NEXT, "zmq_msg_init_size");
    }

    return first(len) ? -1 : real(msg, len);
}
"""


def test_no_memory_for_an_answer(make_nginx, rings, tmp_path):
    """Catches an answer to a question of libzmq that is sent in part: the
    socket then takes no other question, and no container connects again."""
    failed = tmp_path / "failed"
    port = free_port()
    server = make_nginx(LOCATION, rpc=rings.rpc(port), http=HTTP,
                        operator_extra=METRICS, workers=1)
    server.rpc = f"tcp://127.0.0.1:{port}"
    preload(server, tmp_path, NO_MEMORY, f'-DFILE_NAME="{failed}"')
    server.start()
    for _ in range(2):
        with contextlib.closing(sim(Sim4, rings)(server, "m")) as replica:
            replica.wait_registered(20)
            assert failed.exists()
            server.wait_replicas("m")
        server.wait_replicas("m", 0)


def test_who_is_turned_away(start, rings):
    """Catches a container that answers as a model without a key that the
    server knows; each cause is counted, and logged with what is known."""
    server = start()
    keys.make("stranger", str(rings.clients.parent / "elsewhere"))
    for kind in ("key", "key_secret"):
        shutil.copy(rings.clients.parent / f"elsewhere/stranger.{kind}",
                    rings.clients / f"stranger.{kind}")
    stranger = sim(Sim4, rings, "stranger")(server, "m")
    clear = Sim4(server, "m", endpoint=server.rpc)
    wait_until(lambda: refused(server, "key") > 0)
    with socket.create_connection(
            ("127.0.0.1", int(server.rpc.rpartition(":")[2]))) as peer:
        peer.sendall(GREETING)
        wait_until(lambda: refused(server, "mechanism") > 0)
    shown = keys.show(str(rings.clients / "stranger.key"))
    wait_until(lambda: f"key {shown}, peer 127.0.0.1" in server.log_text())
    assert "it is not encrypted" in server.log_text()
    assert server.replicas("m", ready=False) == []
    assert not stranger.registered.is_set() and not clear.registered.is_set()

    # it is admitted once its key is among the others, after a reload
    server.reload()
    stranger.wait_registered(20)
    server.wait_replicas("m")


def test_an_address_in_the_clear_beside_it(start, rings):
    """Catches keys of one address that hold for another one, and the other
    way round."""
    port = free_port()
    server = start(f"clipper_rpc 127.0.0.1:{port};")
    Sim3(server, "m", endpoint=f"tcp://127.0.0.1:{port}").wait_registered()
    sim(Sim4, rings)(server, "m").wait_registered()
    server.wait_replicas("m", 2)
    assert refused(server, "mechanism") == 0
    wrong = sim(Sim4, rings)(server, "m", endpoint=f"tcp://127.0.0.1:{port}")
    # whoever reads the other's greeting first ends the connection
    wait_until(lambda: refused(server, "mechanism")
               + refused(server, "handshake") > 0)
    assert not wrong.registered.is_set()


def test_two_addresses_have_their_own_clients(start, rings, tmp_path):
    """Catches a key of one address that opens another."""
    other = Rings(tmp_path / "other")
    port = free_port()
    server = start(other.rpc(port))
    sim(Sim4, other)(server, "m",
                     endpoint=f"tcp://127.0.0.1:{port}").wait_registered()
    # the server's key is the right one, the container's is of the other
    shutil.copy(other.clients / "container.key_secret",
                rings.clients / "guest.key_secret")
    guest = sim(Sim4, rings, "guest")(server, "m")
    wait_until(lambda: refused(server, "key") > 0)
    assert not guest.registered.is_set()


def test_rotation_loses_no_query(start, rings):
    """Catches queries that get the default while the server's key and then
    the containers' are replaced."""
    server = start(workers=2)

    def model(xs):
        return [float(x.sum()) for x in xs]

    containers = [PythonContainer(server, "m", model, env=rings.env())
                  for _ in range(2)]
    server.wait_replicas("m", 2, timeout=20)
    load = Load(server, numbered, threads=4)
    wait_until(lambda: load.done > 50)

    keys.rotate("server", str(rings.server))
    server.reload()
    wait_until(lambda: all(
        w["state"] == "accepting" for w in server.status()["workers"]), 30)
    server.wait_replicas("m", 2, timeout=30)
    keys.forget("server", str(rings.server))

    keys.rotate("container", str(rings.clients))
    server.reload()
    server.wait_replicas("m", 2, timeout=30)
    for old in containers:
        PythonContainer(server, "m", model, env=rings.env())
        server.wait_replicas("m", 3, timeout=30)
        old.stop()
        server.wait_replicas("m", 2, timeout=30)
    keys.forget("container", str(rings.clients))
    server.reload()
    server.wait_replicas("m", 2, timeout=30)
    done = load.done
    wait_until(lambda: load.done > done + 50)
    assert load.stop().failures == []


def test_a_key_that_comes_later(start, rings):
    """Catches a container that keeps the server's old key for ever."""
    server = start()
    stale = rings.server.parent / "stale"
    keys.make("server", str(stale))
    container = PythonContainer(
        server, "m", lambda xs: [1.0 for _ in xs],
        env=rings.env(server=stale / "server.key"))
    wait_until(lambda: refused(server, "handshake") > 0, 20)
    assert server.replicas("m", ready=False) == []
    shutil.copy(rings.server / "server.key", stale / "server.key.new")
    (stale / "server.key.new").replace(stale / "server.key")
    server.wait_replicas("m", timeout=20)
    assert container.process.poll() is None


@pytest.mark.parametrize("parameters, error", [
    ("curve_key=S/server.key_secret", '"curve_key" needs "curve_clients"'),
    ("curve_clients=C", '"curve_clients" needs "curve_key"'),
    ("curve_key= curve_clients=C", "it has no file"),
    ("curve_key=S/server.key_secret curve_clients=C curve_clients=C",
     "it is duplicate"),
    ("curve_key=S/none curve_clients=C", "failed (2: No such file"),
    ("curve_key=S/server.key_secret curve_clients=C/none",
     "failed (2: No such file"),
    ("curve_key=S/server.key curve_clients=C",
     'no "secret-key" of 40 characters in'),
    ("curve_key=S/server.key_secret curve_clients=S/broken.key",
     'no "public-key" of 40 characters in'),
])
def test_wrong_parameters(start, rings, parameters, error):
    """Catches a configuration without keys that `nginx -t` accepts."""
    server = start()
    (rings.server / "broken.key").write_text('public-key = "short"\n')
    parameters = re.sub("=([SC])", lambda m: "=" + str(
        rings.server if m[1] == "S" else rings.clients), parameters)
    server.allow(r"\[emerg\]")
    good, text = server.test(server.render(
        rpc=f"clipper_rpc 127.0.0.1:{free_port()} {parameters};"))
    assert not good and error in text, text


def test_warnings(start, rings):
    """Catches a secret key that everybody can read and a directory without a
    key; an open address with keys needs no warning."""
    server = start()
    rpc = server.parts["rpc"]
    (rings.server / "server.key_secret").chmod(0o644)
    good, text = server.test(server.render(rpc=rpc))
    assert good and "every user of this machine can read" in text, text
    (rings.server / "server.key_secret").chmod(0o600)
    (rings.clients / "container.key").unlink()
    good, text = server.test(server.render(rpc=rpc))
    assert good and "no container can connect" in text, text
    shutil.copy(rings.server / "server.key", rings.clients / "any.key")
    good, text = server.test(server.render(
        rpc=rpc.replace("127.0.0.1", "0.0.0.0")))
    assert good and "[warn]" not in text, text


def test_command(tmp_path, capsys):
    """Catches a command that overwrites keys or leaves secrets readable."""
    directory = ["--directory", str(tmp_path / "keys")]
    assert keys.main(["make", "one", *directory]) == 0
    secret = tmp_path / "keys/one.key_secret"
    assert capsys.readouterr().out == f"{secret}\n"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    first = keys.show(str(tmp_path / "keys/one.key"))
    assert len(first) == 40

    assert keys.main(["make", "one", *directory]) == 1
    assert "rotate" in capsys.readouterr().err
    assert keys.main(["rotate", "one", *directory]) == 0
    assert keys.show(str(tmp_path / "keys/one-old.key")) == first
    assert keys.show(str(tmp_path / "keys/one.key")) != first
    assert keys.show(str(secret)) == keys.show(str(tmp_path / "keys/one.key"))
    assert keys.main(["rotate", "one", *directory]) == 1
    assert keys.main(["forget", "one", *directory]) == 0
    assert sorted(p.name for p in (tmp_path / "keys").iterdir()) == [
        "one.key", "one.key_secret"]
    assert keys.main(["forget", "one", *directory]) == 1
    assert keys.main(["rotate", "two", *directory]) == 1
    capsys.readouterr()
    assert keys.main(["show", str(secret)]) == 0
    assert len(capsys.readouterr().out.strip()) == 40
    for name in ("", "../x", ".x"):
        with pytest.raises(ClipperException):
            keys.make(name, str(tmp_path))
    with contextlib.suppress(SystemExit):
        keys.main(["show"])


def test_a_key_that_goes(start, rings):
    """Catches a container that keeps answering after its key was removed."""
    for name in ("stays", "goes"):
        keys.make(name, str(rings.clients))
    server = start()
    for name in ("stays", "goes"):
        PythonContainer(server, "m", lambda xs: [1.0 for _ in xs],
                        env=rings.env(name))
    server.wait_replicas("m", 2, timeout=20)
    (rings.clients / "goes.key").unlink()
    server.reload()
    wait_until(lambda: refused(server, "key") > 0, 20)
    wait_until(lambda: len(server.status()["workers"])
               == int(server.parts["workers"]), 60, "the old workers' end")
    assert len(server.replicas("m", ready=False)) == 1


@unsanitized
def test_local_cluster(settings, tmp_path):
    """Catches a cluster with keys whose own containers cannot connect, or
    others can."""
    with local_cluster(settings, tmp_path / "c", curve=True) as conn:
        conn.register_application("a", "doubles", "-1", 5000000)
        python_deployer.deploy_python_closure(
            conn, "m", 1, "doubles", lambda xs: [float(x.sum()) for x in xs])
        conn.link_model_to_app("a", "m")
        assert outputs(conn, "a", [[1.0, 2.0], [0.5]]) == [3.0, 0.5]
        port = conn.cm.clipper_rpc_port
        stranger = Sim4(None, "m", 2, endpoint=f"tcp://127.0.0.1:{port}")
        metrics = f"http://{conn.cm.get_admin_addr()}/metrics"
        wait_until(lambda: re.search(
            r'refused_total\{cause="(mechanism|handshake)"\} [1-9]',
            requests.get(metrics).text))
        assert not stranger.registered.is_set()
        stranger.close()
        conn.set_num_replicas("m", 2)
        secret = tmp_path / "c/keys/clients/container.key_secret"
        assert secret.stat().st_mode & 0o777 == 0o600
    assert not secret.exists()
