"""clipper-state: what Redis has of a user is shown, deleted, saved and
restored."""

import io
import json

import pytest
from redis import Redis as Client

from clipper_admin import ClipperException, state
from harness import Sim4, wait_until
from harness.metrics import METRICS

#: Names that Redis' patterns, keys and texts could take for something else.
UIDS = ["u", "u:v", "*", "[a-z]?", "\\", "Zoë", "x" * 64, "y" * 65, "é" * 100]
OTHER = "other"


@pytest.fixture
def store(redis):
    return redis()


@pytest.fixture
def states(store):
    with Client(port=store.port) as client:
        yield state.States(client)


@pytest.fixture
def server(nginx, store):
    """The models m, whose output is the input, and n, whose output is 7."""
    made = nginx(
        "location /a { clipper_app a; clipper_link m:1 n:1; clipper_slo 5s; "
        "clipper_select exp4 half_life=off; "
        "clipper_default \"-1\"; }\n",
        http="clipper_cache_zone off; clipper_records 1m redis=1h; "
             f"clipper_redis {store.address};",
        operator_extra=METRICS)
    Sim4(made, "m").wait_registered()
    Sim4(made, "n", model=lambda values: ["7"] * len(values)
         ).wait_registered()
    made.wait_replicas("m")
    made.wait_replicas("n")
    made.wait_redis()
    return made


def ask(server, uid):
    return server.post("/a/predict", {"input": [3.0], "uid": uid}).json()


def teach(server, uid, right, count):
    """A user for whom one model is right; the last query gets no label."""
    for _ in range(count):
        answer = ask(server, uid)
        answer = server.post("/a/update", {
            "query_id": answer["query_id"], "label": right, "uid": uid})
        assert answer.body == b"Feedback received? 1"
    ask(server, uid)


def run(store, capsys, *arguments):
    code = state.main(["--redis", store.address, *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def written(server):
    wait_until(lambda: server.status()["selection_state"]["redis"]
               ["pending_deltas"] == 0, 20, "all is in Redis")


def test_a_user_is_forgotten_and_restored(server, store, capsys, tmp_path):
    """On the running server, which uses what Redis has."""
    teach(server, OTHER, 3.0, 30)
    teach(server, "u", 7.0, 30)
    written(server)
    file = str(tmp_path / "states")
    assert ask(server, "u")["output"] == 7
    assert run(store, capsys, "save", file) == (0, "", "3 states\n")

    code, out, _ = run(store, capsys, "forget", "--uid", "u")
    assert code == 0 and out.endswith(" keys deleted\n")
    wait_until(lambda: ask(server, "u")["output"] == 3, 20,
               "the user has the state of the application")
    assert ask(server, OTHER)["output"] == 3

    assert run(store, capsys, "restore", file, "--uid", "u") \
        == (0, "", "1 states\n")
    wait_until(lambda: ask(server, "u")["output"] == 7, 20,
               "the user's state is back")
    # It goes on from there.
    teach(server, "u", 7.0, 1)
    written(server)


def test_what_is_shown_and_deleted(server, store, states, capsys):
    for uid in UIDS + [OTHER]:
        teach(server, uid, 7.0, 2)
    written(server)
    wait_until(lambda: server.status()["records"]["redis"]["stored"]
               == 3 * len(UIDS) + 3, 20, "queries in Redis")
    everything = len(store("KEYS", "*"))
    for uid in UIDS:
        shown = json.loads(run(store, capsys, "show", "--uid", uid)[1])
        assert len(shown["states"]) == 1 and len(shown["queries"]) == 1
        assert "m:1/loss" in shown["states"][0]["fields"]
        assert run(store, capsys, "forget", "--uid", uid) \
            == (0, "2 keys deleted\n", "")
        everything -= 2
        assert len(store("KEYS", "*")) == everything
    assert run(store, capsys, "list")[1] == "a exp4: 1 users\n"
    assert len(list(states.keys(uid=OTHER))) == 1
    assert states.forget(app="no such") == 0
    # All states and queries; what the instances count stays.
    states.forget(app="a")
    assert sorted(store("KEYS", "*")) == ["clipper:ids:count",
                                          "clipper:ids:key"]


def test_a_saved_file(states, store):
    store("HSET", "clipper:state:a:exp3", "n", "1", "m:1/sum", "0.25")
    store("HSET", "clipper:state:a:exp3:u", "n", "2")
    store("PEXPIRE", "clipper:state:a:exp3:u", 100000)
    store("HSET", "clipper:state:b:exp3:u:v", "n", "3")
    store("SET", "clipper:ids:count", "4")
    file = io.StringIO()
    assert states.save(file) == 3
    before = {key: store.state(key) for key in store("KEYS", "*state*")}
    with pytest.raises(ClipperException, match="exists; --replace"):
        states.restore(io.StringIO(file.getvalue()))
    store("FLUSHALL")
    assert states.restore(io.StringIO(file.getvalue())) == 3
    assert {key: store.state(key) for key in store("KEYS", "*")} == before
    assert 0 < store("PTTL", "clipper:state:a:exp3:u") <= 100000
    assert store("PTTL", "clipper:state:a:exp3") == -1
    store("HSET", "clipper:state:a:exp3", "n", "5", "new", "6")
    assert states.restore(io.StringIO(file.getvalue()), True, app="a") == 2
    assert store.state("clipper:state:a:exp3") \
        == before["clipper:state:a:exp3"]


@pytest.mark.parametrize("text, error", [
    ("", "The file is empty"),
    ("{}\n", "Line 1 was not"),
    ('{"clipper_state": 2}\n', "has version 2, this program reads 1"),
    ('{"clipper_state": 1}\n{"key": "record:a:1", "ttl_ms": null, '
     '"fields": {"n": "1"}}\n', "Line 2 was not"),
    ('{"clipper_state": 1}\n{"key": "state:a:exp3", "ttl_ms": null, '
     '"fields": {"n": 1}}\n', "Line 2 was not"),
    ('{"clipper_state": 1}\n{"key": "state:a:exp3", "ttl_ms": null, '
     '"fields": {"n": "1"}}\n{"key": "sta', "Line 3 was not"),
])
def test_a_file_of_another_form_changes_nothing(states, store, text, error):
    with pytest.raises(ClipperException, match=error):
        states.restore(io.StringIO(text))
    assert store("KEYS", "*") == []


@pytest.mark.parametrize("arguments, error", [
    (["--redis", "127.0.0.1:1", "list"], "clipper-state: Redis at 127.0.0.1:1"),
    (["forget"], "is to be deleted"),
    (["show"], "is to be shown"),
    (["--password-file", "/no/such", "list"], "No such file"),
    (["restore", "/no/such"], "No such file"),
])
def test_errors(store, capsys, arguments, error):
    code, out, err = run(store, capsys, *arguments)
    assert (code, out) == (1, "") and error in err
