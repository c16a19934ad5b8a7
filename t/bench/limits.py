"""Memory with 100 clients whose inputs and outputs are large.

    make bench B=limits      or: limits.py [--clients N] [--rounds N]

A cluster with the limits that the Python package writes. Each client sends
inputs of 12 MB and gets outputs of 20 MB, all at the same time. Prints the
highest PSS of nginx and of the container, and how many queries were answered;
the others get the default, because the shared memory of queries is full.
"""

import argparse
import json
import threading
import time
import urllib.request

from measure import application, cluster, pss, table

SIZES = {"input": 12_000_000, "output": 20_000_000}
LIMITS = ("clipper_limits batch=20000 elements=64m output=64m; "
          "client_max_body_size 256m;")


def model(xs):
    return ["y" * 20_000_000 if len(one) < 100 else str(len(one))
            for one in xs]


def ask(server, text, counts, rounds, number):
    for i in range(rounds):
        request = urllib.request.Request(
            f"http://127.0.0.1:{server.port}/a/predict",
            json.dumps({"input": f"{number} {i} {text}"}).encode())
        with urllib.request.urlopen(request, timeout=300) as response:
            body = response.read()
        counts["default" if b'"default":true' in body[-200:] else "answer"] \
            += 1


def load(server, what, clients, rounds):
    """(highest PSS of nginx, of the container, counts of outcomes)."""
    counts = {"answer": 0, "default": 0}
    threads = [threading.Thread(target=ask, args=(
        server, "" if what == "output" else "x" * SIZES["input"], counts,
        rounds, number)) for number in range(clients)]
    for one in threads:
        one.start()
    most = [0.0, 0.0]
    while any(one.is_alive() for one in threads):
        most = [max(pair) for pair in zip(most, (
            pss([server.pid, *server.children()]),
            pss([c.process.pid for c in server.containers])))]
        time.sleep(0.1)
    return most, counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rows = []
    with cluster(application("a", "m:1", "strings", slo="20s",
                             extra="clipper_cache off;"),
                 [("m", model, {"input_type": "strings"})],
                 http=LIMITS) as server:
        rows.append(["idle", f"{pss([server.pid, *server.children()]):.0f}",
                     "", "", ""])
        for what in SIZES:
            most, counts = load(server, what, options.clients, options.rounds)
            rows.append([f"{options.clients} clients, {what} of "
                         f"{SIZES[what] // 1000000} MB", f"{most[0]:.0f}",
                         f"{most[1]:.0f}", counts["answer"],
                         counts["default"]])
    print(table(["load", "nginx, MB", "container, MB", "answers", "defaults"],
                rows))


if __name__ == "__main__":
    main()
