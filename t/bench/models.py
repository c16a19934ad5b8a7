"""The models of the experiments, as functions that can be pickled."""

import functools

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC, LinearSVC

FEATURES = 784


def features(seed, rows=None):
    """Numbers in [0, 1) with few digits, like those of images."""
    shape = FEATURES if rows is None else (rows, FEATURES)
    return np.random.default_rng(seed).integers(0, 256, shape) / 256


@functools.lru_cache(maxsize=None)
def trained(kind):
    x = features(1, 600)
    y = (x @ np.random.default_rng(2).normal(size=FEATURES) > 0).astype(int)
    return {
        "linear SVM": lambda: LinearSVC(max_iter=200),
        "logistic regression": lambda: LogisticRegression(max_iter=100),
        "random forest": lambda: RandomForestClassifier(
            n_estimators=10, max_depth=12, random_state=1),
        "kernel SVM": lambda: SVC(kernel="rbf"),
    }[kind]().fit(x, y)


def predictor(kind):
    """A function that includes the model."""
    model = trained(kind)
    return lambda inputs: [str(v) for v in model.predict(inputs)]


def no_op():
    return lambda inputs: ["1"] * len(inputs)


MODELS = {"no-op": no_op}
MODELS.update({kind: functools.partial(predictor, kind) for kind in (
    "linear SVM", "logistic regression", "random forest", "kernel SVM")})


def fixed_cost(fixed, each, busy=True):
    """A model that computes or sleeps a time per batch and per input."""
    def model(inputs):
        import time
        seconds = fixed + each * len(inputs)
        end = time.perf_counter() + seconds
        if not busy:
            # A sleep ends late: the last part is waited out.
            time.sleep(max(0.0, seconds - 0.0002))
        while time.perf_counter() < end:
            pass
        return ["1"] * len(inputs)

    return model
