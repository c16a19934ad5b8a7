"""Clipper in a minute: a function, then a real model on real data.

Starts a cluster on this host, deploys a function that sums numbers and asks
it over HTTP, then trains scikit-learn's classifier on its handwritten
digits, deploys it, and asks it for every held-out image. Stops everything, unless
--keep is given: then it prints what to try next.

    python quickstart.py [--keep]
"""

import argparse
import json
import os
import sys
import time
import urllib.request

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from clipper_admin import ClipperConnection, LocalContainerManager
from clipper_admin.client import Client
from clipper_admin.deployers import python as python_deployer

CLUSTER = "quickstart"


def feature_sum(xs):
    return [str(sum(x)) for x in xs]


def hello_world(clipper_conn):
    """Register an application, deploy a function, link them, ask."""
    clipper_conn.register_application(
        name="hello-world", input_type="doubles", default_output="-1.0",
        slo_micros=100000)
    python_deployer.deploy_python_closure(
        clipper_conn, name="sum-model", version=1, input_type="doubles",
        func=feature_sum)
    clipper_conn.link_model_to_app(
        app_name="hello-world", model_name="sum-model")
    url = "http://%s/hello-world/predict" % clipper_conn.get_query_addr()
    body = json.dumps({"input": [1.1, 2.2, 3.3]})
    print("\n$ curl -X POST -H 'Content-Type: application/json' -d '%s' %s"
          % (body, url))
    request = urllib.request.Request(
        url, body.encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        answer = response.read().decode()
    print(answer, end="\n\n")
    parsed = json.loads(answer)
    return not parsed["default"] and abs(parsed["output"] - 6.6) < 1e-9


def digits(clipper_conn):
    """Deploy a trained classifier and compare it with itself over HTTP."""
    images, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=0.5, random_state=1)
    model = LogisticRegression(max_iter=2000).fit(train_x, train_y)
    python_deployer.create_endpoint(
        clipper_conn, name="digits", input_type="doubles",
        func=lambda xs: model.predict(np.asarray(xs)), default_output="-1",
        slo_micros=500000, sample_input=test_x[0])
    client = Client(clipper_conn.get_query_addr())
    for when in ("first time", "again (from the cache)"):
        answers, latencies = [], []
        for image in test_x:
            started = time.perf_counter()
            answers.append(client.predict("digits", image))
            latencies.append(1000 * (time.perf_counter() - started))
        print("latency, %s: %s" % (when, ", ".join(
            "p%g %.2f ms" % (p, np.percentile(latencies, p))
            for p in (50, 90, 99))))
        if when == "first time":
            first = answers
    client.close()
    for i in range(5):
        print("image %d: predicted %s, is %d"
              % (i, first[i].output, test_y[i]))
    offline = model.score(test_x, test_y)
    online = float(np.mean([answer.output for answer in first] == test_y))
    defaults = sum(answer.default for answer in first)
    print("accuracy over HTTP %.4f, offline %.4f (%d held-out images, "
          "%d defaults)" % (online, offline, len(test_y), defaults))
    return online == offline and defaults == 0


def next_commands(clipper_conn):
    """Three commands for a server that stays up."""
    print("\nThe server stays up. Try:\n")
    print("$ curl -d '{\"input\": [1, 2, 3]}' %s/hello-world/predict"
          % clipper_conn.get_query_addr())
    print("$ curl %s/status" % clipper_conn.get_metric_addr())
    print("$ %s -m clipper_admin stop %s     # ends it"
          % (os.path.relpath(sys.executable), CLUSTER))


def main():
    # Into a pipe as on a terminal: each line when it is printed.
    sys.stdout.reconfigure(line_buffering=True)
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--keep", action="store_true",
                        help="leave the server up")
    options = parser.parse_args()

    clipper_conn = ClipperConnection(LocalContainerManager(CLUSTER))
    clipper_conn.start_clipper()
    well = False
    try:
        well = hello_world(clipper_conn) and digits(clipper_conn)
        print("\nEverything works." if well else "\nSomething is wrong.")
        if well and options.keep:
            next_commands(clipper_conn)
    finally:
        if not (well and options.keep):
            clipper_conn.stop_all()
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
