"""Answers of Redis that come when what the query asked about is gone."""

import os

import pytest

from harness import Sim4, Way, wait_until

ROUNDS = 38

LOCATION = """location /a {
    clipper_app a; clipper_link m n:1; clipper_slo 1s; clipper_default "-1";
    clipper_select epsilon_greedy epsilon=1 half_life=off;
}
"""


def predict(connection, **body):
    answer = connection.post("/a/predict", {"input": [3.0], **body}).json()
    assert not answer["default"], answer
    return answer


def learn(connection, **body):
    answer = predict(connection, **body)
    response = connection.post("/a/update", {
        "query_id": answer["query_id"], "label": 3.0, **body})
    assert response.body == b"Feedback received? 1", response


@pytest.fixture
def perturbed(monkeypatch):
    """glibc overwrites what is freed."""
    if not os.environ.get("CLIPPER_TEST_SANITIZER"):
        monkeypatch.setenv("MALLOC_PERTURB_", "165")


def test_state_arrives_after_a_version_change(redis, nginx, perturbed):
    """Catches a read of a user's state that refers to members of a line-up
    which is gone: Redis answers each after the version has changed."""
    store = redis()
    way = Way(store, b"HMGET")
    way.go.set()
    server = nginx(LOCATION, workers=1, http=(
        f"clipper_cache_zone off; clipper_redis {way.address} timeout=60s;"))
    Sim4(server, "n", model=lambda values: "7").wait_registered()
    current = Sim4(server, "m").wait_registered()
    server.wait_replicas("m")
    server.wait_replicas("n")
    with server.connect() as connection:
        learn(connection)
        wait_until(lambda: store.feedbacks() == 1, 10, "the first feedback")
        pids = server.worker_pids()

        for i in range(ROUNDS):
            way.held.clear()
            way.go.clear()
            user = {"uid": f"user {i}"}
            predict(connection, **user)
            wait_until(way.held.is_set, 10, "the read of the state")

            former, current = current, Sim4(server, "m", version=i + 2)
            current.wait_registered()
            former.close()
            wait_until(lambda: len(server.replicas("m")) == 1
                       and server.replicas("m")[0]["version"] == str(i + 2),
                       10, "the new version")
            predict(connection)

            way.go.set()
            learn(connection, **user)
            wait_until(lambda: store.feedbacks() == i + 2, 10,
                       "the feedback behind the answer")
            assert server.worker_pids() == pids
    way.close()
