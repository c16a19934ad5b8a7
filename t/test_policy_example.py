"""Policies on the answers of the example's models: five scikit-learn models
on noisy digits; the best one is broken from query 5 000 to 10 000.

The models are those of containers/python/examples/selection.py, the policies
those of the server; a query with its feedback comes each second. Figures are
means of 20 seeds, of noise and of draws.
"""

import ctypes
import importlib.util
from pathlib import Path

import numpy as np
import pytest

import oracle

EXAMPLE = (Path(__file__).resolve().parent.parent
           / "containers/python/examples/selection.py")
STEPS, BREAK, HEAL = 15_000, 5_000, 10_000
SEEDS = 20

#: Feedbacks until a policy must notice a change, and feedbacks of each error.
LATER, WINDOW = 2_000, 500

SPANS = {"first": slice(0, BREAK),
         "broken": slice(BREAK + LATER - WINDOW, BREAK + LATER),
         "healed": slice(HEAL + LATER - WINDOW, HEAL + LATER),
         "whole": slice(0, STEPS)}


@pytest.fixture(scope="module")
def lib(tmp_path_factory):
    so = oracle.build(tmp_path_factory.mktemp("example"), "policy_oracle")
    double, ints = ctypes.POINTER(ctypes.c_double), ctypes.POINTER(
        ctypes.c_int)
    so.oracle_open.restype = ctypes.c_void_p
    so.oracle_open.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int,
                               double]
    so.oracle_run.argtypes = [ctypes.c_void_p, ctypes.c_int, ints, ints,
                              ctypes.c_uint64, double, double]
    so.oracle_close.argtypes = [ctypes.c_void_p]
    return so


@pytest.fixture(scope="module")
def answers():
    """(outputs, labels) of each seed: the outputs of the models, the best one
    first; while it is broken, nine of ten of its outputs are nonsense."""
    spec = importlib.util.spec_from_file_location("selection", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    models, stream = example.prepare()
    found = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        chosen = rng.integers(len(stream._labels), size=STEPS)
        images = stream._images[chosen] + rng.normal(
            0, example.NOISE, (STEPS, stream._images.shape[1]))
        outputs = np.stack([model.predict(images)
                            for model in models.values()], axis=1)
        nonsense = np.zeros(STEPS, bool)
        nonsense[BREAK:HEAL] = rng.uniform(size=HEAL - BREAK) < 0.9
        outputs[nonsense, 0] = rng.integers(10, size=nonsense.sum())
        found.append((np.ascontiguousarray(outputs, np.intc),
                      np.ascontiguousarray(stream._labels[chosen], np.intc)))
    return found


def run(lib, answers, policy, params, diagram=None):
    """Mean errors of a policy, by span; adds (confidence, right) of each
    query to the diagram."""
    def pointer(array, kind):
        return array.ctypes.data_as(ctypes.POINTER(kind))

    total = np.zeros(STEPS)
    for seed, (outputs, labels) in enumerate(answers):
        k = outputs.shape[1]
        errors, sure, weights = np.zeros(STEPS), np.zeros(STEPS), np.ones(k)
        handle = lib.oracle_open(policy.encode(), params.encode(), k,
                                 pointer(weights, ctypes.c_double))
        lib.oracle_run(handle, STEPS, pointer(outputs, ctypes.c_int),
                       pointer(labels, ctypes.c_int), seed,
                       pointer(errors, ctypes.c_double),
                       pointer(sure, ctypes.c_double))
        lib.oracle_close(handle)
        total += errors / SEEDS
        if diagram is not None:
            diagram.append(np.stack([sure, 1 - errors], axis=1))
    found = {name: total[span].mean() for name, span in SPANS.items()}
    print(f"{policy} {params}", {k: f"{v:.4f}" for k, v in found.items()})
    return found


@pytest.fixture(scope="module")
def best(answers):
    """Mean error of the best single model, by span."""
    wrong = np.mean([outputs != labels[:, None]
                     for outputs, labels in answers], axis=0)
    found = {name: wrong[span].mean(axis=0).min()
             for name, span in SPANS.items()}
    print("best model", {k: f"{v:.4f}" for k, v in found.items()})
    return found


@pytest.mark.parametrize("policy,params,first,later", [
    ("exp3", "eta=0.1 alpha=0.03 half_life=850s", 0.05, 0.06),
    ("thompson", "half_life=850s", 0.02, 0.03),
])
def test_bandit_on_the_example(lib, answers, best, policy, params, first,
                               later):
    """Catches a bandit that learns too slowly from real models, or does not
    notice that the best one broke, or that it recovered."""
    found = run(lib, answers, policy, params)
    assert found["first"] <= best["first"] + first
    assert found["broken"] <= best["broken"] + later
    assert found["healed"] <= best["healed"] + later


def test_ensemble_on_the_example(lib, answers, best):
    """Catches an ensemble that is worse than the best of its members."""
    found = run(lib, answers, "exp4", "half_life=850s")
    assert found["whole"] <= best["whole"]
    found = run(lib, answers, "exp4", "half_life=210s")
    assert found["whole"] <= best["whole"]
    assert found["first"] <= best["first"] + 0.01
    assert found["broken"] <= best["broken"] + 0.01
    assert found["healed"] <= best["healed"] + 0.01


@pytest.mark.parametrize("policy,params", [
    ("epsilon_greedy", ""), ("ucb", ""), ("thompson", ""), ("exp3", ""),
    ("exp4", "")])
def test_defaults_follow_the_example(lib, answers, best, policy, params):
    """Catches defaults that do not notice within 500 feedbacks that the best
    model broke, or that it recovered."""
    found = run(lib, answers, policy, params)
    assert found["broken"] <= best["broken"] + 0.08
    assert found["healed"] <= best["healed"] + 0.06


def test_confidence_on_the_example(lib, answers, best):
    """Catches a confidence that is not the probability of a right answer,
    for members that err together, before and after one of them breaks; the
    500 feedbacks after a change are left out."""
    diagram = []
    found = run(lib, answers, "exp4", "", diagram)
    assert found["whole"] <= best["whole"]
    settled = np.ones(STEPS, bool)
    settled[BREAK:BREAK + 500] = settled[HEAL:HEAL + 500] = False
    said, right = np.concatenate([one[settled] for one in diagram]).T
    bins = np.minimum((said * 10).astype(int), 9)
    gaps = []
    for one in range(10):
        chosen = bins == one
        if chosen.any():
            gap = said[chosen].mean() - right[chosen].mean()
            gaps.append((chosen.mean(), abs(gap)))
            print(f"{said[chosen].mean():.3f} {right[chosen].mean():.3f} "
                  f"{chosen.mean():.3f}")
    assert max(gap for share, gap in gaps if share >= 1 / 40) <= 0.05
    assert sum(share * gap for share, gap in gaps) <= 0.02
    assert (said < 0.8).mean() > 0.1        # what is doubtful is told
