"""Selection policies, while the best model breaks and is repaired.

Trains five scikit-learn classifiers of different quality on handwritten
digits, links all of them to one application for each selection policy, sends
noisy images and the right answers. In the middle third the best model
answers mostly nonsense. Prints the policies' error over time, and draws it
when matplotlib is installed, as the figure on Exp3 and Exp4 in the paper of
Clipper (NSDI 2017).

    python selection.py [--rounds 3000] [--plot selection.svg] [--quick]
"""

import argparse
import os
import sys
import tempfile

import numpy as np
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from clipper_admin import ClipperConnection, LocalContainerManager
from clipper_admin.client import Client
from clipper_admin.deployers import python as python_deployer

CLUSTER = "selection"
BEST = "regression"

#: Standard deviation of the noise, of pixels between 0 and 16: every query
#: is a new one, so no answer comes from the cache.
NOISE = 2.0


def train(images, labels):
    """Five models, the best one first."""
    few = slice(0, 60)
    return {
        BEST: LogisticRegression(max_iter=1000).fit(images, labels),
        "hasty": LogisticRegression(max_iter=300).fit(
            images[few], labels[few]),
        "bayes": GaussianNB(var_smoothing=1e-2).fit(
            images[few], labels[few]),
        "tree": DecisionTreeClassifier(
            max_depth=6, random_state=0).fit(images, labels),
        "guess": DummyClassifier(strategy="most_frequent").fit(
            images, labels),
    }


def closure(model, broken):
    """The deployed function: it breaks while a file exists."""
    def predict(xs):
        import random
        found = [int(one) for one in model.predict(xs)]
        if os.path.exists(broken):
            return [random.randrange(10) if random.random() < 0.9 else one
                    for one in found]
        return found

    return predict


def policies():
    """Application name -> policy. Their defaults forget by feedbacks, so they
    follow at whatever rate this machine answers."""
    return {
        "fixed": "first",
        "exp3": "exp3",
        "thompson": "thompson",
        "exp4": "exp4",
        "majority": "majority",
    }


class Stream:
    """An endless stream of noisy held-out images."""

    def __init__(self, images, labels):
        self._images = images
        self._labels = labels
        self._rng = np.random.default_rng(0)

    def draw(self):
        """An image and its digit."""
        i = self._rng.integers(len(self._labels))
        noise = self._rng.normal(0, NOISE, self._images.shape[1])
        return self._images[i] + noise, int(self._labels[i])


def ask(client, app, image, label):
    """One query and its feedback; returns whether the answer was wrong."""
    answer = client.predict(app, image)
    if answer.query_id is not None:
        client.feedback(app, label, query_id=answer.query_id)
    return answer.default or int(answer.output) != label


def deploy(conn, models, broken):
    """Run all models; the first of them can break."""
    for name, model in models.items():
        python_deployer.deploy_python_closure(
            conn, name, 1, "doubles",
            closure(model, broken if name == BEST else broken + ".never"),
            hedge="off")


def link(conn, app, policy, models):
    """An application that chooses among all models."""
    conn.register_application(
        app, "doubles", "-1", 1000000, selection_policy=policy,
        loss="zero_one")
    for name in models:
        conn.link_model_to_app(app, name)


def prepare():
    """The models, and a stream of images that they have not seen."""
    images, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=0.5, random_state=1)
    return train(train_x, train_y), Stream(test_x, test_y)


def run(conn, models, stream, broken, rounds, names):
    """Errors of each named policy: name -> array of 0 and 1."""
    deploy(conn, models, broken)
    with Client(conn.get_query_addr()) as client:
        chosen = {name: policies()[name] for name in names}
        for app, policy in chosen.items():
            link(conn, app, policy, models)
        errors = {app: np.zeros(rounds) for app in chosen}
        for i in range(rounds):
            if i == rounds // 3:
                with open(broken, "w", encoding="utf-8"):
                    print("round %d: %s breaks" % (i, BEST))
            if i == 2 * rounds // 3:
                os.unlink(broken)
                print("round %d: %s is repaired" % (i, BEST))
            image, label = stream.draw()
            for app in chosen:
                errors[app][i] = ask(client, app, image, label)
    return errors


def report(errors, window):
    """A table of the mean error in windows."""
    rounds = len(next(iter(errors.values())))
    print("\n%8s" % "rounds" + "".join("%14s" % app for app in errors))
    for begin in range(0, rounds - window + 1, window):
        print("%8d" % (begin + window) + "".join(
            "%14.3f" % one[begin:begin + window].mean()
            for one in errors.values()))
    print("%8s" % "all" + "".join(
        "%14.3f" % one.mean() for one in errors.values()))


def plot(errors, window, path):
    """Draw the running error, if matplotlib is installed."""
    try:
        import matplotlib
        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        print("no plot: matplotlib is not installed")
        return
    pyplot.rcParams["svg.fonttype"] = "none"
    step = max(1, len(next(iter(errors.values()))) // 300)
    for app, one in errors.items():
        smooth = np.convolve(one, np.ones(window) / window, "valid")
        pyplot.plot((np.arange(len(smooth)) + window)[::step],
                    smooth[::step], label=app)
    third = len(one) / 3
    pyplot.axvspan(third, 2 * third, color="0.9", label=BEST + " broken")
    pyplot.xlabel("queries with feedback")
    pyplot.ylabel("error, mean of %d" % window)
    pyplot.legend()
    pyplot.savefig(path, dpi=120, metadata={"Date": None}
                   if path.endswith(".svg") else None)
    print("plot: %s" % path)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3000)
    parser.add_argument("--plot", default="selection.svg")
    parser.add_argument("--quick", action="store_true",
                        help="1500 rounds, no plot")
    args = parser.parse_args(argv)
    rounds = 1500 if args.quick else args.rounds
    window = rounds // 12
    models, stream = prepare()
    conn = ClipperConnection(LocalContainerManager(CLUSTER))
    conn.start_clipper()
    try:
        with tempfile.TemporaryDirectory() as directory:
            errors = run(conn, models, stream,
                         os.path.join(directory, "broken"), rounds,
                         list(policies()))
    finally:
        conn.stop_all()
    report(errors, window)
    if not args.quick:
        plot(errors, window, args.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
