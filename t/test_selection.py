"""Selection among several models: policies, combination, feedback, users."""

import math
import random
import time

import numpy as np
import pytest

from harness import SLOW, Sim4, application, rpc, wait_until
from harness.client import build_request

HTTP = "clipper_cache_zone off;\n"


def selecting(policy, *models, slo="5s", extra=""):
    links = "".join(f"clipper_link {m};\n" for m in models)
    return (f"location /a {{ clipper_app a; clipper_slo {slo};\n"
            f"clipper_default '\"none\"';\n{links}"
            f"clipper_select {policy};\n{extra}}}\n")


def constant(text):
    return lambda values: [text for _ in values]


@pytest.fixture
def two(nginx):
    """A server with a policy over the models x and y, that answer x and y."""
    def start(policy, x='"x"', y='"y"', **kw):
        server = nginx(selecting(policy, "x:1", "y:1", **kw), http=HTTP)
        Sim4(server, "x", model=constant(x)).wait_registered()
        Sim4(server, "y", model=constant(y)).wait_registered()
        server.wait_replicas("x")
        server.wait_replicas("y")
        return server
    return start


def update(server, **body):
    response = server.post("/a/update", body)
    assert response.status == 200, response
    return response.body.decode()


def ask(server, value=1.0, **body):
    response = server.post("/a/predict", {"input": [value], **body})
    assert response.status == 200, response
    return response.json()


ACCEPTED = "Feedback received? 1"
REFUSED = "Feedback received? 0"


@pytest.mark.parametrize("policy", [
    "epsilon_greedy", "ucb", "thompson", "exp3 eta=0.5"])
def test_bandit_learns(two, policy):
    """Catches credit that goes to a model other than the served one."""
    server = two(policy)
    for i in range(200):
        answer = ask(server, float(i))
        assert update(server, query_id=answer["query_id"],
                      label="y") == ACCEPTED
    outputs = [ask(server, float(i))["output"] for i in range(100)]
    assert outputs.count("y") > 80


def test_ensemble_learns(two):
    """Catches an ensemble that does not learn which model is right."""
    server = two("exp4 eta=1")
    for i in range(30):
        answer = ask(server, float(i))
        assert update(server, query_id=answer["query_id"],
                      label="y") == ACCEPTED
    answer = ask(server)
    assert answer["output"] == "y"
    assert 0.6 < answer["confidence"] <= 1


def test_feedback_counts_once(two):
    """Catches a query that is learned from twice."""
    server = two("thompson")
    answer = ask(server)
    assert update(server, query_id=answer["query_id"], label="x") == ACCEPTED
    assert update(server, query_id=answer["query_id"], label="x") == REFUSED
    assert update(server, query_id=12345, label="x") == REFUSED


def test_feedback_by_input(two):
    """Catches feedback that does not find the user's newest query with an
    input, or finds another user's query."""
    server = two("thompson")
    ask(server, 7.0, uid="u")
    assert update(server, uid="v", input=[7.0], label="x") == REFUSED
    assert update(server, uid="u", input=[8.0], label="x") == REFUSED
    assert update(server, uid="u", input=[7.0], label="x") == ACCEPTED
    assert update(server, uid="u", input=[7.0], label="x") == REFUSED


def test_feedback_needs_the_same_user(two):
    """Catches feedback of one user for a query of another."""
    server = two("thompson")
    answer = ask(server, uid="u")
    assert update(server, query_id=answer["query_id"], uid="v",
                  label="x") == REFUSED
    assert update(server, query_id=answer["query_id"], uid="u",
                  label="x") == ACCEPTED


def test_feedback_needs_the_same_application(nginx):
    """Catches an application that learns from another one's query."""
    both = "".join(
        f"location /{name} {{ clipper_app {name}; clipper_slo 5s;\n"
        "clipper_link x:1 y:1; clipper_select thompson; }\n" for name in "ab")
    server = nginx(both, http=HTTP)
    for name in "xy":
        Sim4(server, name, model=constant(f'"{name}"')).wait_registered()
        server.wait_replicas(name)
    nobody = {"query_id": ask(server)["query_id"], "label": "x"}
    ask(server, 7.0, uid="u")
    somebody = {"uid": "u", "input": [7.0], "label": "x"}
    for body in (nobody, somebody):
        assert server.post("/b/update", body).body.decode() == REFUSED
        assert update(server, **body) == ACCEPTED


def test_equal_queries_count_each(two):
    """Catches queries of one user and input that are forgotten at the next
    one, or that teach more often than they were asked."""
    server = two("thompson")
    for _ in range(3):
        ask(server, 7.0, uid="u")
    replies = [update(server, uid="u", input=[7.0], label="x")
               for _ in range(5)]
    assert replies == [ACCEPTED] * 3 + [REFUSED] * 2


@pytest.mark.parametrize("right,wrong,label", [
    ('"x"', '"y"', "x"), ("1.0", "2", 1), ("true", "1", True),
    ("null", "0", None), ("1", '"2"', 1), ('"\\u00e9"', '"e"', "é")])
def test_labels(two, right, wrong, label):
    """Catches a label that is compared by its text, or a kind of label that is
    not accepted."""
    server = two("exp4 eta=1", x=wrong, y=right)
    for i in range(20):
        answer = ask(server, float(i))
        assert update(server, query_id=answer["query_id"],
                      label=label) == ACCEPTED
    answer = ask(server)
    assert answer["output"] == label
    assert type(answer["output"]) in (type(label), float)
    assert 0.9 < answer["confidence"] < 1
    response = server.post("/a/update", {"query_id": answer["query_id"],
                                         "label": [label]})
    assert response.status == 400, response


def test_ensemble_of_numbers(two):
    """Catches a weighted vote where the loss asks for a weighted mean."""
    server = two("exp4 eta=1", x="0", y="10",
                 extra="clipper_loss absolute range=0:10;\n")
    assert ask(server)["output"] == 5
    for i in range(30):
        answer = ask(server, float(i))
        assert update(server, query_id=answer["query_id"],
                      label=10) == ACCEPTED
    assert 9 < ask(server)["output"] < 10


def test_confidence_needs_several(nginx):
    """Catches a confidence from a single answer."""
    server = nginx(selecting("exp4", "x:1", "y:1"), http=HTTP)
    Sim4(server, "x", model=constant('"x"')).wait_registered()
    server.wait_replicas("x")
    assert "confidence" not in ask(server)
    Sim4(server, "y", model=constant('"x"')).wait_registered()
    server.wait_replicas("y")
    assert ask(server)["confidence"] == pytest.approx(1)
    server.reload(server=selecting("thompson", "x:1", "y:1"))
    server.wait_replicas("x")
    server.wait_replicas("y")
    assert "confidence" not in ask(server)


def test_members_are_asked_again_within_the_slo(nginx):
    """Catches feedback that waits for a member longer than a query would, or
    that learns nothing from the others."""
    server = nginx(selecting("exp4", "x:1", "y:1", slo="2s"), http=HTTP)
    prompt = Sim4(server, "x", model=constant('"x"')).wait_registered()
    Sim4(server, "y", manual=True).wait_registered()
    for reply in (ACCEPTED, REFUSED):
        server.wait_replicas("x")
        server.wait_replicas("y")
        begun = time.monotonic()
        assert update(server, uid="u", input=[1.0], label="x") == reply
        assert 1.95 < time.monotonic() - begun < 2 + 0.2 * SLOW
        prompt.manual = True


def test_forgotten_query_is_asked_again(two):
    """Catches an ensemble that cannot learn from a query it has no record
    of; a bandit must refuse."""
    server = two("exp4 eta=1")
    for i in range(20):
        assert update(server, uid=0, input=[float(i)], label="y") == ACCEPTED
    assert ask(server, 99.0)["output"] == "y"


def test_policy_that_learns_nothing(two):
    """Catches `first` refusing feedback."""
    server = two("first")
    assert ask(server)["output"] == "x"
    assert update(server, uid=17, input=[1.0], label=1.0) == ACCEPTED


def test_users_learn_for_themselves(two):
    """Catches a state that is not kept per user: two users with opposite
    labels."""
    server = two("exp3 eta=0.5")
    for i in range(150):
        for user, label in (("u", "x"), ("v", "y")):
            answer = ask(server, float(i), uid=user)
            assert update(server, query_id=answer["query_id"], uid=user,
                          label=label) == ACCEPTED

    def share(user, label):
        return [ask(server, float(i), uid=user)["output"]
                for i in range(60)].count(label)

    assert share("u", "x") > 40
    assert share("v", "y") > 40


def test_new_user_starts_from_the_application(two):
    """Catches a new user that does not start from the application's state."""
    server = two("epsilon_greedy epsilon=0")
    for i in range(20):
        answer = ask(server, float(i), uid="teacher")
        assert update(server, query_id=answer["query_id"], uid="teacher",
                      label="y") == ACCEPTED
    outputs = [ask(server, float(i), uid=f"u{i}")["output"]
               for i in range(20)]
    assert outputs == ["y"] * 20


def test_majority(nginx):
    """Catches a vote that counts models instead of their weights, or labels
    by their text instead of their value."""
    server = nginx(selecting("majority", "a:1", "b:1", "c:1"), http=HTTP)
    for name, text in (("a", "1"), ("b", "1.0"), ("c", "2")):
        Sim4(server, name, model=constant(text)).wait_registered()
        server.wait_replicas(name)
    answer = ask(server)
    assert answer["output"] == 1
    assert answer["confidence"] == pytest.approx(2 / 3)


def test_mean(two):
    """Catches a mean that is not the weighted one, element by element."""
    server = two("mean", x="[1.0, 4]", y="[3.0, 8]",
                 extra="clipper_loss absolute range=0:10;\n")
    assert ask(server)["output"] == [2, 6]


def test_low_confidence(two):
    """Catches an ensemble that answers below the required confidence."""
    server = two("majority", extra="clipper_confidence 0.6;\n")
    answer = ask(server)
    assert answer["default"] is True
    assert answer["output"] == "none"
    assert answer["default_reason"] == "low_confidence"
    assert (answer["default_explanation"]
            == "The default was used: low_confidence")
    assert answer["confidence"] == 0.5


def test_straggler_is_not_waited_for(nginx):
    """Catches an ensemble that answers with the default, or late, because
    one of its members is."""
    server = nginx(selecting("majority", "x:1", "y:1", slo="300ms"),
                   http=HTTP)
    Sim4(server, "x", model=constant('"x"')).wait_registered()
    Sim4(server, "y", manual=True).wait_registered()
    server.wait_replicas("x")
    server.wait_replicas("y")
    answer = ask(server)
    assert answer["default"] is False
    assert answer["output"] == "x"
    assert answer["confidence"] == 0.5


def calibrated(before, evidence):
    """The confidence of an answer: least squares over fewer than ten earlier
    ones, each with its evidence and whether it was wrong."""
    def place(e):
        return 2 * (math.log(e / (1 - e)) + 1)

    def near(e, reach=1):
        return np.maximum(1 - np.abs(place(e) - np.arange(9)) / reach, 0)

    def around(e):
        parts = near(e, 4)
        return (parts @ errors + 1 - e) / (parts @ count + 1)

    parts = np.array([near(e) for e, _ in before])
    count, errors = parts.sum(0), np.array([w for _, w in before]) @ parts
    nodes = [around(1 / (1 + math.exp(1 - i / 2))) for i in range(9)]
    fit = np.linalg.solve(parts.T @ parts + 25 * np.eye(9),
                          errors + 25 * np.array(nodes))
    return 1 - np.interp(place(evidence), np.arange(9), fit)


@pytest.mark.parametrize("right", ["x", "y"])
def test_late_member_is_judged_by_what_is_on_time(redis, nginx, right):
    """Catches slowness that counts as quality: a member that misses the
    deadline is not judged by that query, neither as right nor as wrong, even
    when its answer arrives before the label. It counts as asked, and its next
    answer on time, here from the cache, also counts for the missed one."""
    store = redis()
    server = nginx(
        selecting("exp4 eta=1 alpha=0 half_life=off", "x:1", "y:1", slo="1s"),
        http=f"clipper_redis 127.0.0.1:{store.port};")
    Sim4(server, "x", model=constant('"x"')).wait_registered()
    late = Sim4(server, "y", manual=True).wait_registered()
    server.wait_replicas("x")
    server.wait_replicas("y")

    def shares():
        links = server.status()["applications"][0]["links"]
        return [link["share"] for link in links]

    def learned(**wanted):
        wait_until(lambda: {
            name: value
            for name, value in store.sums("clipper:state:a:exp4").items()
            if not name.startswith("+")} == {
                name.replace("_", ":1/"): value
                for name, value in wanted.items()}, 10, f"{wanted} in Redis")

    answer = ask(server)
    assert (answer["output"], answer["confidence"]) == ("x", 0.5)
    late.reply(late.next_request(), ['"y"'])
    wait_until(lambda: server.status()["cache"]["entries"] == 2)
    assert update(server, query_id=answer["query_id"],
                  label=right) == ACCEPTED
    x_loss = {"x_loss": 1.0} if right == "y" else {}
    learned(x_rounds=1, x_seen=1, x_cover=1, y_rounds=1, **x_loss)
    # the member that was right once decides votes; no other is known
    assert shares() == pytest.approx([2 / 3, 1 / 3] if right == "x"
                                     else [0.5, 0.5])

    # on time in one of two rounds: its loss weighs twice
    answer = ask(server)
    assert update(server, query_id=answer["query_id"],
                  label=right) == ACCEPTED
    loss = {"x_loss": 2.0} if right == "y" else {"y_loss": 2.0}
    learned(x_rounds=2, x_seen=2, x_cover=2, y_rounds=2, y_seen=1, y_cover=2,
            **loss)
    answer = ask(server)
    assert answer["output"] == right
    # log odds ln 3 and 0: evidence 0.6; the answers before were right, of
    # evidence 0.5 both, or wrong, of 0.5 and 1/3
    before = [(0.5, 0), (0.5, 0)] if right == "x" else [(0.5, 1), (1 / 3, 1)]
    assert answer["confidence"] == pytest.approx(calibrated(before, 0.6))
    assert late.inputs_seen() == 1


def test_late_answer_is_judged_when_there_is_no_record(nginx):
    """Catches feedback without a record that asks a member again although its
    late answer is in the cache, or that does not learn from it."""
    server = nginx(selecting("exp4 eta=1 alpha=0", "x:1", "y:1", slo="1s"))
    Sim4(server, "x", model=constant('"x"')).wait_registered()
    late = Sim4(server, "y", manual=True).wait_registered()
    server.wait_replicas("x")
    server.wait_replicas("y")
    assert ask(server, uid="u")["output"] == "x"
    assert update(server, uid="u", input=[1.0], label="y") == ACCEPTED
    # one wrong answer, and the evidence of 0.5 itself
    assert ask(server, 1.0, uid="v")["confidence"] == pytest.approx(
        0.25, abs=0.01)
    late.reply(late.next_request(), ['"y"'])
    wait_until(lambda: server.status()["cache"]["entries"] == 2)
    assert update(server, uid="u", input=[1.0], label="y") == ACCEPTED
    answer = ask(server)
    assert answer["output"] == "y"
    links = server.status()["applications"][0]["links"]
    assert links[1]["share"] > 0.8
    assert late.inputs_seen() == 1


@pytest.mark.parametrize("policy", [
    "epsilon_greedy", "ucb", "thompson", "exp3 eta=0.5"])
def test_bandit_leaves_who_fails(nginx, policy):
    """Catches a model that always fails and is asked forever, because it has
    no answer that can be judged."""
    server = nginx(selecting(policy, "x:1", "y:1"), http=HTTP)
    Sim4(server, "x", model=constant('"x"')).wait_registered()
    Sim4(server, "y", handler=lambda sim, request: sim.reply(
        request, [""] * len(request.inputs),
        statuses=[rpc.FAILED] * len(request.inputs))).wait_registered()
    server.wait_replicas("x")
    server.wait_replicas("y")
    outputs = []
    for i in range(200):
        answer = ask(server, float(i))
        outputs.append(answer["output"])
        assert update(server, query_id=answer["query_id"],
                      label="x") == ACCEPTED
        assert update(server, query_id=answer["query_id"],
                      label="x") == REFUSED
    assert set(outputs) == {"x", "none"}
    assert outputs[100:].count("x") > 80


def test_bandit_leaves_who_is_late(nginx):
    """Catches a model that is never on time and is asked forever."""
    server = nginx(selecting("ucb", "x:1", "y:1", slo="300ms"), http=HTTP)
    Sim4(server, "x", model=constant('"x"')).wait_registered()
    Sim4(server, "y", manual=True).wait_registered()
    server.wait_replicas("x")
    server.wait_replicas("y")
    outputs = []
    for i in range(20):
        answer = ask(server, float(i))
        outputs.append(answer["output"])
        assert update(server, query_id=answer["query_id"],
                      label="x") == ACCEPTED
    assert "none" in outputs
    assert outputs.count("x") > 10


def test_member_without_replica_is_left_out(nginx):
    """Catches a bandit that chooses a model without a replica."""
    server = nginx(selecting("thompson", "x:1", "y:1"), http=HTTP)
    Sim4(server, "x", model=constant('"x"')).wait_registered()
    server.wait_replicas("x")
    assert {ask(server, float(i))["output"] for i in range(30)} == {"x"}


@pytest.mark.parametrize("policy", ["epsilon_greedy", "exp3 eta=0.5"])
def test_choice_before_a_replica_is_ready(nginx, policy):
    """Catches a query that arrives while the first replicas start, is
    answered by one of them, and teaches nothing since no choice was made."""
    server = nginx(selecting(policy, "x:1", "y:1", slo="10s"), http=HTTP)
    sims = [Sim4(server, name, model=constant(f'"{name}"'), probes=False,
                 manual=True) for name in "xy"]
    probes = [sim.next_request() for sim in sims]
    with server.connect() as connection:
        connection.send_post("/a/predict", {"input": [1.0]})
        wait_until(lambda: any(m["flights"]
                               for m in server.status()["models"]))
        for sim, probe in zip(sims, probes):
            sim.reply(probe, [])
        chosen = wait_until(lambda: next(
            (sim for sim in sims if not sim.arrived.empty()), None))
        chosen.answer(chosen.next_request())
        answer = connection.read().json()
    assert answer["output"] == chosen.name
    assert update(server, query_id=answer["query_id"],
                  label="x") == ACCEPTED


def test_split_follows_weights_and_sticks(nginx):
    """Catches a canary with the wrong share, or a user whose model changes."""
    location = ("location /a { clipper_app a; clipper_slo 5s;\n"
                "clipper_link x:1 weight=9; clipper_link y:1 weight=1;\n"
                "clipper_select split; }\n")
    server = nginx(location, http=HTTP)
    for name in "xy":
        Sim4(server, name, model=constant(f'"{name}"')).wait_registered()
        server.wait_replicas(name)
    outputs = [ask(server, float(i))["output"] for i in range(500)]
    assert 20 < outputs.count("y") < 100
    for _ in range(10):
        user = str(random.random())
        assert len({ask(server, float(i), uid=user)["output"]
                    for i in range(5)}) == 1


def test_version_of_several(two):
    """Catches `version` that picks one of several models by chance."""
    response = two("thompson").post("/a/predict",
                                    {"input": [1.0], "version": "1"})
    assert response.status == 400
    assert response.json() == {
        "error": "Query processing error",
        "cause": "Too many models linked to application a"}


def test_uid_from_a_variable(two):
    """Catches a body that overrides the variable of clipper_uid."""
    server = two("thompson", extra="clipper_uid $http_x_user;\n")
    connection = server.post_later("/a/predict",
                                   {"input": [3.0], "uid": "body"},
                                   headers=[("X-User", "header")])
    query_id = connection.read().json()["query_id"]
    assert update(server, query_id=query_id, uid="body",
                  label="x") == REFUSED
    connection.send_post("/a/update", {"query_id": query_id, "label": "x"},
                         headers=[("X-User", "header")])
    assert connection.read().body.decode() == ACCEPTED


def test_uid_of_the_body_where_the_variable_is_empty(two):
    """Catches `body` of clipper_uid that has no effect, or that overrides."""
    server = two("thompson", extra="clipper_uid $http_x_user body;\n")
    connection = server.connect()
    for asking, judging, reply in (
            ((None, "u"), (None, "v"), REFUSED),
            ((None, "u"), (None, "u"), ACCEPTED),
            ((None, "u"), ("u", "v"), ACCEPTED),
            (("u", "v"), (None, "v"), REFUSED),
            (("u", "v"), (None, "u"), ACCEPTED),
            ((None, None), (None, None), ACCEPTED)):

        def send(path, who, **body):
            header, uid = who
            connection.send(build_request(
                "POST", path, {**body, **({"uid": uid} if uid else {})},
                headers=[("X-User", header)] if header else []))
            return connection.read()

        query_id = send("/a/predict", asking, input=[3.0]).json()["query_id"]
        assert send("/a/update", judging, query_id=query_id,
                    label="x").body.decode() == reply, (asking, judging)


def test_state_survives_reload_and_death(two):
    """Catches a state that belongs to a worker or to a configuration."""
    server = two("exp4 eta=1")
    for i in range(30):
        answer = ask(server, float(i))
        update(server, query_id=answer["query_id"], label="y")
    confidence = ask(server)["confidence"]
    server.reload()
    server.wait_replicas("x")
    server.wait_replicas("y")
    wait_until(lambda: ask(server)["confidence"] > 0.5)
    assert ask(server)["confidence"] == pytest.approx(confidence, abs=0.02)


@pytest.mark.parametrize("line,text", [
    ("clipper_select best;", 'unknown selection policy "best"'),
    ("clipper_select exp3 eta=-1;", 'parameter "eta"'),
    ("clipper_select exp3 x=1;", '"x"'),
    ("clipper_select exp3 eta;", 'invalid parameter "eta"'),
    ("clipper_select exp3;", "needs 2 models"),
    ("clipper_loss cubic;", 'unknown loss "cubic"'),
    ("clipper_loss absolute range=3:1;", "range=3:1"),
    ("clipper_select ucb half_life=1h|0;", '1 to 1e+09 feedbacks'),
    ("clipper_select ucb half_life=|9;", 'parameter "half_life"'),
    ("clipper_select ucb floor=0.01;", 'no parameter "floor"'),
    ("clipper_select thompson floor=0.2;", 'must be in [0, 0.1]'),
    ("clipper_confidence 1.5;", 'invalid confidence "1.5"'),
    ("clipper_uid somebody;", "has no variables"),
    ("clipper_select first; clipper_select first;", "is duplicate"),
])
def test_mistakes(check, line, text):
    """Catches a mistake that is not reported."""
    assert text in check(application("a", "m:1", extra=line))


@pytest.mark.parametrize("size,text", [
    ("100k", "between 256k and 1024m"), ("2000m", "between 256k and 1024m"),
    ("x", "invalid value"), ("1m; clipper_records 1m", "is duplicate")])
def test_mistakes_of_records(check, size, text):
    """Catches a wrong size of records that is accepted."""
    assert text in check(application("a", "m:1"),
                         http=f"clipper_records {size};")


def test_records_have_a_size_and_a_span(nginx):
    """Catches a directive that does not bound the ring, a reload that loses
    the ring, or a status that does not show how far back it goes."""
    server = nginx(selecting("epsilon_greedy epsilon=1", "x:1", "y:1"),
                   http=HTTP + "clipper_records 256k;")
    for name in "xy":
        Sim4(server, name, model=constant(f'"{name}"')).wait_registered()
        server.wait_replicas(name)
    first = ask(server, 0.0)
    assert server.status()["records"]["waiting"] == 1
    time.sleep(1.1)
    assert server.status()["records"]["span"] >= 1
    kept = [ask(server, float(i)) for i in range(1, 50)]
    records = server.status()["records"]
    assert records["waiting"] == 50
    assert 0 < records["used"] <= records["size"] < 256 * 1024
    server.reload()
    assert update(server, query_id=first["query_id"], label="x") == ACCEPTED
    assert server.status()["records"]["waiting"] == 49
    with server.connect() as connection:
        for i in range(2500):
            ask(connection, float(i))
    records = server.status()["records"]
    assert records["waiting"] < 2500
    assert update(server, query_id=kept[0]["query_id"], label="x") == REFUSED
