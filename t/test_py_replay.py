"""Off-policy estimates, on logs with known true values."""

import json
import math

import numpy as np
import pytest

from clipper_admin.exceptions import ClipperException
from clipper_admin.replay import (
    evaluate,
    make_policy,
    read_feedback,
    read_log,
    with_candidates,
)
from clipper_admin.replay.command import main
from clipper_admin.replay.records import new_counter

MODELS = ["a:1", "b:1", "c:2"]
ERRORS = [0.1, 0.3, 0.6]
LOGGED = [0.5, 0.3, 0.2]


def synthetic(n, seed=0):
    """Lines of a log, and feedback; its policy draws models by LOGGED."""
    rng = np.random.default_rng(seed)
    log, feedback = [], []
    for i in range(n):
        arm = rng.choice(3, p=LOGGED)
        log.append(json.dumps({
            "time": 1000.0 + i, "app": "x", "query_id": str(i), "uid": "-",
            "models": MODELS[arm], "model": MODELS[arm],
            "propensity": "%.6f" % LOGGED[arm]}))
        feedback.append(json.dumps({
            "query_id": i, "output": int(rng.random() < ERRORS[arm]),
            "label": 0}))
    return log, feedback


@pytest.fixture(scope="module")
def records():
    log, feedback = synthetic(8000)
    return with_candidates(
        read_log(log, read_feedback(feedback), new_counter()))


@pytest.mark.parametrize("interval", ["normal", "bootstrap"])
@pytest.mark.parametrize("text, truth", [
    ("first", 0.9),
    ("split", 1 - sum(ERRORS) / 3),
    ("split a=1 c:2=3", 0.25 * 0.9 + 0.75 * 0.4),
    ("split b=1", 0.7),
])
def test_fixed_policies_have_their_true_value(
        records, text, truth, interval):
    found = evaluate(make_policy(text), records, interval=interval,
                     confidence=0.999, resamples=400)
    for one in (found.ips, found.snips):
        assert one.low < truth < one.high
        assert one.low < one.value < one.high
        assert one.high - one.low < 0.15
    assert abs(found.mean_weight - 1) < 0.1
    assert found.effective < found.records == 8000
    assert found.clipped == 0


def test_by_hand():
    log, _ = synthetic(4)
    rows = [json.loads(line) for line in log]
    for row, arm in zip(rows, (0, 1, 1, 2)):
        row.update(models=MODELS[arm], model=MODELS[arm],
                   propensity=str(LOGGED[arm]))
    feedback = ['{"query_id": %d, "loss": %g}' % pair
                for pair in enumerate((0.0, 0.5, 1.0, 0.25))]
    found = evaluate(
        make_policy("split a=1 b=1"),
        with_candidates(
            read_log(map(json.dumps, rows), read_feedback(feedback),
                     new_counter()), MODELS), clip=1.5)
    # Weights 0.5/0.5, 0.5/0.3 (clipped to 1.5) twice, and 0.
    w, r = np.array([1, 1.5, 1.5, 0]), np.array([1, 0.5, 0, 0.75])
    assert found.ips.value == pytest.approx((w * r).sum() / 4)
    assert found.snips.value == pytest.approx((w * r).sum() / w.sum())
    assert found.clipped == 0.5
    assert found.effective == pytest.approx(16 / 5.5)
    assert found.logged == pytest.approx(r.mean())
    half = 1.959964 * (w * r).std(ddof=1) / 2
    assert found.ips.high - found.ips.value == pytest.approx(half, rel=1e-6)


def test_intervals_cover_as_often_as_they_say():
    hits = {"normal": 0, "bootstrap": 0}
    for seed in range(60):
        log, feedback = synthetic(400, seed)
        made = with_candidates(
            read_log(log, read_feedback(feedback), new_counter()))
        for kind in hits:
            found = evaluate(make_policy("split"), made, confidence=0.8,
                             interval=kind, resamples=100)
            hits[kind] += found.snips.low < 1 - sum(ERRORS) / 3 \
                < found.snips.high
    # Binomial(60, 0.8) leaves 36..57 less than once in a thousand.
    assert all(36 <= one <= 57 for one in hits.values()), hits


@pytest.mark.parametrize("text", [
    "epsilon_greedy epsilon=0.06 half_life=1d", "thompson half_life=off",
    "exp3 eta=0.3 half_life=1d", "ucb half_life=1d"])
def test_learning_policies_find_the_best_model(records, text):
    policy = make_policy(text)
    found = evaluate(policy, records)
    assert found.snips.value > 0.85 > found.logged + 0.1
    end = records[-1].time
    if not text.startswith("ucb"):
        assert policy.probabilities(MODELS, end)[0] > 0.9
    assert policy.probabilities(MODELS, end).sum() == pytest.approx(1)


def test_thompson_knows_how_likely_each_model_is():
    policy = make_policy("thompson half_life=off")
    for model, wins, losses in (("a:1", 8, 2), ("b:1", 6, 3), ("c:2", 1, 0)):
        for loss in [0.0] * wins + [1.0] * losses:
            policy.observe(model, 1.0, loss, 0.0)
    draws = np.random.default_rng(1).beta([9, 7, 2], [3, 4, 1], (200000, 3))
    truth = np.bincount(draws.argmax(axis=1), minlength=3) / len(draws)
    assert policy.probabilities(MODELS, 0.0) == pytest.approx(truth, abs=5e-3)


def test_what_was_learned_fades():
    policy = make_policy("exp3 eta=1 alpha=0 half_life=1m")
    policy.observe("a:1", 0.3, 1.0, 0.0)
    now, later = (policy.probabilities(["a:1", "b:1"], t) for t in (0, 60))
    # The estimate of a loss is L / (p + eta / 2); a larger eta for few rounds.
    few = 16 * math.log(2)
    assert math.log(now[1] / now[0]) == pytest.approx(
        1.25 * math.sqrt(1 + few))
    assert math.log(later[1] / later[0]) == pytest.approx(
        0.625 * math.sqrt(1 + few / 0.5))


def test_what_was_learned_fades_by_feedbacks():
    policy = make_policy("epsilon_greedy epsilon=0 half_life=off|10")
    for loss in [1.0] * 100 + [0.0] * 11:
        policy.observe("a:1", 1.0, loss, 0.0)
        policy.observe("b:1", 1.0, 0.6, 0.0)
    # 22 feedbacks, 11 of its own: most of what counts is not lost
    assert policy.probabilities(["a:1", "b:1"], 0.0)[0] == 1
    slow = make_policy("epsilon_greedy epsilon=0 half_life=off")
    for loss in [1.0] * 100 + [0.0] * 11:
        slow.observe("a:1", 1.0, loss, 0.0)
        slow.observe("b:1", 1.0, 0.6, 0.0)
    assert slow.probabilities(["a:1", "b:1"], 0.0)[0] == 0


def test_floor():
    policy = make_policy("thompson floor=0.01 half_life=off")
    for _ in range(500):
        policy.observe("a:1", 1.0, 0.0, 0.0)
        policy.observe("b:1", 1.0, 1.0, 0.0)
    assert policy.probabilities(["a:1", "b:1"], 0.0) == pytest.approx(
        [0.99, 0.01])


def test_what_is_left_out_is_counted():
    log, feedback = synthetic(6)
    rows = [json.loads(line) for line in log]
    rows[0]["propensity"] = "-"
    rows[1]["model"] = "-"
    rows[2]["app"] = "y"
    rows[3]["query_id"] = "9"
    del rows[4]["models"]
    lines = ["no json"] + [json.dumps(one) for one in rows]
    skipped = new_counter()
    found = list(read_log(lines, read_feedback(feedback), skipped, "x"))
    assert len(found) == 1
    assert skipped == {"propensity": 2, "feedback": 1, "malformed": 2}


def test_several_inputs_of_a_request_are_several_records():
    line = json.dumps({
        "time": 1, "app": "x", "query_id": "1, 2", "uid": "u",
        "models": "a:1|b:1, a:1|b:1", "model": "a:1, b:1",
        "propensity": "0.25, 0.75"})
    found = list(read_log([line], {"1": 0.0, "2": 1.0}, new_counter()))
    assert [(one.model, one.propensity, one.loss, one.uid)
            for one in found] == [("a:1", 0.25, 0.0, "u"),
                                  ("b:1", 0.75, 1.0, "u")]


def test_equal_values_and_long_lists():
    """Catches a request whose equal values are one, or whose lists were cut,
    that is taken for a malformed line or paired wrongly."""
    def read(**values):
        skipped = new_counter()
        line = json.dumps({"time": 1, "app": "x", "uid": "u",
                           "models": "a:1|b:1", "model": "a:1",
                           "propensity": "0.25", **values})
        losses = {"1": 0.0, "2": 1.0, "3": 0.5}
        return [(one.model, one.propensity, one.loss) for one in
                read_log([line], losses, skipped)], skipped

    assert read(query_id="1, 2, 3") == (
        [("a:1", 0.25, 0.0), ("a:1", 0.25, 1.0), ("a:1", 0.25, 0.5)], {})
    assert read(query_id="1, 2, ...", model="a:1, b:1, a:1") == (
        [("a:1", 0.25, 0.0), ("b:1", 0.25, 1.0)], {"cut": 1})
    assert read(query_id="1, 2, 3", model="a:1, b:1") \
        == ([], {"malformed": 1})


@pytest.mark.parametrize("loss, output, label, value", [
    ("zero_one", 1, 1.0, 0), ("zero_one", "a", "b", 1),
    ("zero_one", "7", 7, 0), ("zero_one", 7, "7.0", 0),
    ("zero_one", "07", 7, 1), ("zero_one", "true", True, 0),
    ("zero_one", "NaN", "NaN", 0), ("absolute", "2", 4.5, 0.25),
    ("zero_one", True, 1, 1), ("absolute", 2, 4.5, 0.25),
    ("squared", 2, 7, 0.25), ("absolute", -90, 90, 1)])
def test_losses(loss, output, label, value):
    line = json.dumps({"query_id": 7, "output": output, "label": label})
    again = json.dumps({"query_id": 7, "loss": 0.77})
    found = read_feedback([line, "\n", again], loss, 0, 10)
    assert found == {"7": value}


@pytest.mark.parametrize("line", [
    "{}", "[]", '{"query_id": 1}', '{"query_id": 1, "loss": 2}'])
def test_feedback_that_is_none(line):
    with pytest.raises(ClipperException, match="Line 1 "):
        read_feedback([line])


@pytest.mark.parametrize("text", [
    "", "exp4", "exp3 eta", "exp3 beta=1", "exp3 eta=x", "split a=-1",
    "thompson half_life=0s", "thompson half_life=1h|0",
    "thompson half_life=|9", "thompson half_life=1h|x"])
def test_policies_that_cannot_be_replayed(text):
    with pytest.raises(ClipperException):
        make_policy(text)


def test_a_log_without_draws_is_refused(tmp_path, capsys):
    log, feedback = synthetic(200)
    rows = [dict(json.loads(line), propensity="1.000000") for line in log]
    (tmp_path / "log").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "feedback").write_text("\n".join(feedback))
    files = ["--log", str(tmp_path / "log"), "--feedback",
             str(tmp_path / "feedback"), "--policy", "split"]
    assert main(files) == 1
    assert "does not draw its models" in capsys.readouterr().err


def test_a_floor_is_recommended(tmp_path, capsys):
    log, feedback = synthetic(200)
    rows = [json.loads(line) for line in log]
    rows[7]["propensity"] = "0.000100"
    (tmp_path / "log").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "feedback").write_text("\n".join(feedback))
    files = ["--log", str(tmp_path / "log"), "--feedback",
             str(tmp_path / "feedback"), "--policy", "split"]
    assert main(files) == 0
    assert "floor=0.01" in capsys.readouterr().err


def test_the_command(tmp_path, capsys):
    log, feedback = synthetic(500)
    (tmp_path / "log").write_text("\n".join(log))
    (tmp_path / "feedback").write_text("\n".join(feedback[:400]))
    files = ["--log", str(tmp_path / "log"),
             "--feedback", str(tmp_path / "feedback"), "--policy", "first"]
    import io
    out = io.StringIO()
    assert main(files + ["--policy", "split", "--json"], out) == 0
    found = json.loads(out.getvalue())
    assert found["skipped"] == {"feedback": 100}
    assert 0.8 < found["policies"]["first"]["snips"]["value"] < 1
    out = io.StringIO()
    assert main(files, out) == 0
    assert "first " in out.getvalue() and "400 records" in out.getvalue()
    assert "100 queries without feedback" in capsys.readouterr().err
    assert main(files + ["--models", "b:1,c:2"]) == 1
    assert "The log has the model a:1, which is not among" \
        in capsys.readouterr().err
    out = io.StringIO()
    assert main(files + ["--models", "c:2,b:1,a:1", "--json"], out) == 0
    # The first one is another, then.
    assert json.loads(out.getvalue())["policies"]["first"]["snips"][
        "value"] < 0.6
    assert main(files[:4] + ["--policy", "exp4"]) == 1
    assert "Cannot estimate policy" in capsys.readouterr().err
