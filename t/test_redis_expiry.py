"""For how long Redis keeps what users have taught."""

import hashlib

from harness import Sim4, wait_until

APP = "clipper:state:a:epsilon_greedy"
LONG = "clipper:digest:a:epsilon_greedy:" + hashlib.sha1(
    b"u" * 100).hexdigest()


def location(half_life):
    return ("location /a { clipper_app a; clipper_link m:1 n:1; "
            "clipper_slo 5s; clipper_select epsilon_greedy epsilon=1 "
            f"half_life={half_life}; clipper_default \"-1\"; }}\n")


def learn(server, uid):
    answer = server.post("/a/predict", {"input": [1.5], "uid": uid}).json()
    response = server.post("/a/update", {
        "query_id": answer["query_id"], "label": 1.5, "uid": uid})
    assert response.body == b"Feedback received? 1", response


def test_users_expire_when_nothing_is_left(redis, nginx):
    """Catches states of users that stay in Redis for ever: clients choose
    the names. They go after 20 half-lives without feedback, that of the
    application stays."""
    store = redis()
    server = nginx(location("2s"), http="clipper_cache_zone off; "
                   f"clipper_redis {store.address};")
    for name in "mn":
        Sim4(server, name).wait_registered()
        server.wait_replicas(name)

    users = (f"{APP}:u1", LONG)
    learn(server, "u1")
    learn(server, "u" * 100)
    wait_until(lambda: store("EXISTS", APP, *users) == 3)
    for key in users:
        assert 30 < store("TTL", key) <= 40
    assert store("TTL", APP) == -1

    # feedback makes it stay, and for ever what fades by feedback alone
    store("EXPIRE", users[0], 5)
    learn(server, "u1")
    wait_until(lambda: store("TTL", users[0]) > 30)
    server.reload(server=location("off|300"))
    for name in "mn":
        wait_until(lambda: len(server.replicas(name)) == 1)
    learn(server, "u1")
    wait_until(lambda: store("TTL", users[0]) == -1)
