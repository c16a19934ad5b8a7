"""Where Redis may be: behind a failover, in a cluster, for an ACL user, behind
TLS."""

import socket
import subprocess

import pytest

from harness import Sim4, Way, wait_until
from harness.certificates import Authority
from harness.util import free_port

LOCATION = """location /a { clipper_app a; clipper_link m:1 n:1;
    clipper_slo 5s; clipper_select epsilon_greedy epsilon=1 half_life=1d;
    clipper_default "-1"; }
"""

STATE = "state:a:epsilon_greedy"

#: What docs/reference.md says a user needs.
COMMANDS = ("ping select eval evalsha get set setnx incr hmget hgetall hset "
            "hmset hdel expire persist time").split()


@pytest.fixture
def serve(nginx):
    """An instance that learns with Redis at an address, and its models."""
    def start(address, options="", records=""):
        server = nginx(LOCATION, http="clipper_cache_zone off; "
                       f"clipper_records 1m {records}; "
                       f"clipper_redis {address} {options};")
        for name in "mn":
            Sim4(server, name).wait_registered()
            server.wait_replicas(name)
        return server

    return start


def learn(server, uid="u1"):
    answer = server.post("/a/predict", {"input": [1.5], "uid": uid}).json()
    response = server.post("/a/update", {
        "query_id": answer["query_id"], "label": 1.5, "uid": uid})
    assert response.body == b"Feedback received? 1", response


def test_a_primary_that_becomes_a_replica(redis, serve):
    """Catches updates that wait for ever at a Redis which takes no writes any
    more (READONLY), although a new connection leads to the one that does."""
    old, new = redis(), redis()
    way = Way(old)
    server = serve(way.address)
    learn(server)
    wait_until(lambda: learned(old, 1))
    way.store = new.port
    old("REPLICAOF", "127.0.0.1", new.port)
    learn(server)
    wait_until(lambda: learned(new, 1), 20)
    way.close()


def learned(store, count, key=f"clipper:{STATE}"):
    """Whether Redis has so many feedbacks, which fade by the day."""
    return round(store.feedbacks(key)) == count


def cluster(redis, *slots):
    """One node of a cluster, with these slots."""
    store = redis("--cluster-enabled", "yes",
                  "--cluster-port", str(free_port()),
                  "--cluster-require-full-coverage", "no")
    for first, last in slots:
        store("CLUSTER", "ADDSLOTSRANGE", first, last)
    wait_until(lambda: "cluster_state:ok" in store("CLUSTER", "INFO"))
    return store


@pytest.mark.parametrize("records", ["", "redis=1h"])
def test_a_cluster_with_a_hash_tag(redis, serve, records):
    """Catches keys that are in several slots in spite of one hash tag."""
    store = cluster(redis, (0, 16383))
    server = serve(store.address, '"prefix={clipper}:"', records)
    server.wait_redis()
    for _ in range(3):
        learn(server)
    wait_until(lambda: learned(store, 3, "{clipper}:" + STATE))
    for word in ("CROSSSLOT", "MOVED", "CLUSTERDOWN"):
        assert word not in server.log_text()


def test_a_cluster_without_a_hash_tag(redis, serve):
    """Catches queries or feedback that fail because a cluster refuses keys
    of several slots (CROSSSLOT)."""
    store = cluster(redis, (0, 16383))
    server = serve(store.address)
    learn(server)
    wait_until(lambda: "CROSSSLOT" in server.log_text())
    assert server.predict("a", [2.5])["output"] == 2.5
    learn(server)


def test_a_cluster_whose_slots_are_elsewhere(redis, serve):
    """Catches queries or feedback that fail because another node has the
    slots (MOVED): updates are kept, and arrive when the slots come back."""
    store, other = cluster(redis, (0, 0)), cluster(redis, (1, 16383))
    store("CLUSTER", "MEET", "127.0.0.1", other.port,
          other.options[other.options.index("--cluster-port") + 1])
    slot = store("CLUSTER", "KEYSLOT", "{clipper}:")
    wait_until(lambda: any(first <= slot <= last for first, last, *_ in
                           store("CLUSTER", "SLOTS")), 20, "the other's slots")
    server = serve(store.address, '"prefix={clipper}:"')
    learn(server)
    wait_until(lambda: f"MOVED {slot}" in server.log_text())
    assert server.predict("a", [2.5])["output"] == 2.5
    learn(server)
    node = store("CLUSTER", "MYID")
    for one in other, store:
        one("CLUSTER", "SETSLOT", slot, "NODE", node)
    wait_until(lambda: learned(store, 2, "{clipper}:" + STATE), 30)


@pytest.mark.parametrize("records", ["", "redis=1h"])
def test_a_user_with_few_rights(redis, serve, tmp_path, records):
    """Catches a login as the default user, and a command that the docs do not
    name: the user may only what they say, on keys with the prefix."""
    store = redis()
    store("ACL", "SETUSER", "clipper", "on", ">a b", "resetkeys",
          "~mine:*", "-@all", *(f"+{name}" for name in COMMANDS))
    (tmp_path / "password").write_text("a b\n")
    server = serve(store.address, "user=clipper prefix=mine: db=0 "
                   f"password_file={tmp_path}/password", records)
    server.wait_redis()
    users = {line.split(" user=")[1].split()[0]
             for line in store("CLIENT", "LIST").splitlines()}
    assert "clipper" in users
    for _ in range(3):
        learn(server)
    wait_until(lambda: learned(store, 3, "mine:" + STATE))
    assert "NOPERM" not in server.log_text()

    # feedback that no time fades makes the script keep its user
    server.reload(server=LOCATION.replace("1d", "off"))
    for name in "mn":
        server.wait_replicas(name)
    learn(server)
    wait_until(lambda: learned(store, 4, "mine:" + STATE))
    assert "NOPERM" not in server.log_text()
    store("ACL", "SETUSER", "clipper", "off")
    store("CLIENT", "KILL", "USER", "clipper")
    server.wait_redis(False)
    learn(server)


TUNNEL = """foreground = yes
pid =
[redis]
client = {client}
accept = {accept}
connect = {connect}
{more}
"""


@pytest.fixture
def tunnel(tmp_path):
    """Starts a stunnel, from an accepted address to another one."""
    made = []

    def start(client, accept, connect, more=""):
        conf = tmp_path / f"stunnel{len(made)}.conf"
        conf.write_text(TUNNEL.format(
            client="yes" if client else "no", accept=accept, connect=connect,
            more=more))
        made.append(subprocess.Popen(["stunnel4", str(conf)],
                                     stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL))
        return made[-1]

    yield start

    for process in made:
        process.kill()
        process.wait()


def accepts(address):
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    with socket.socket(family) as made:
        return made.connect_ex(address) == 0


def test_behind_tls(redis, serve, tunnel, tmp_path):
    """Catches a tunnel for TLS that does not work as the docs have it: states
    arrive through it, and again after it was away."""
    store = redis()
    authority = Authority(tmp_path)
    certificate, key = authority.sign("redis", "DNS:redis.example.com")
    port = free_port()
    tunnel(False, f"127.0.0.1:{port}", store.address,
           f"cert = {certificate}\nkey = {key}")
    path = tmp_path / "redis.sock"
    ours = (True, path, f"127.0.0.1:{port}", "verifyChain = yes\n"
            f"CAfile = {authority.certificate}\n"
            "checkHost = redis.example.com")
    near = tunnel(*ours)
    wait_until(lambda: accepts(("127.0.0.1", port))
               and accepts(str(path)), 10, "the tunnel")
    server = serve(f"unix:{path}")
    learn(server)
    wait_until(lambda: learned(store, 1))

    near.kill()
    near.wait()
    path.unlink()
    server.wait_redis(False)
    learn(server)
    tunnel(*ours)
    wait_until(lambda: learned(store, 2), 30)


def test_tls_of_another_name(redis, serve, tunnel, tmp_path):
    """Catches states that are sent to a server with the wrong certificate."""
    store = redis()
    authority = Authority(tmp_path)
    certificate, key = authority.sign("other", "DNS:other.example.com")
    port = free_port()
    tunnel(False, f"127.0.0.1:{port}", store.address,
           f"cert = {certificate}\nkey = {key}")
    path = tmp_path / "redis.sock"
    tunnel(True, path, f"127.0.0.1:{port}", "verifyChain = yes\n"
           f"CAfile = {authority.certificate}\n"
           "checkHost = redis.example.com")
    wait_until(lambda: accepts(("127.0.0.1", port))
               and accepts(str(path)), 10, "the tunnel")
    server = serve(f"unix:{path}")
    wait_until(lambda: "updates are kept" in server.log_text())
    learn(server)
    assert store("KEYS", "*") == []
