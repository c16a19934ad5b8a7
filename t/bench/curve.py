"""Containers with CURVE beside containers in the clear, on one server.

    make bench B=curve      or: curve.py [--seconds S] [--pairs N]

One nginx has two addresses for containers, one with keys, and a model behind
each: the same function in the same runtime. wrk asks both by turns, so what
else the machine does meets both. The container and the load share its cores.

Prints a table, and writes build/bench/curve.json.
"""

import argparse
import json
import statistics
import tempfile

from measure import (OUT, application, cluster, container_model, spread,
                     table, wrk)

from clipper_admin import keys
from harness.util import free_port

#: connections of wrk, doubles of an input, digits of each
CASES = [(256, 10, 3), (1, 10, 3), (32, 784, 16)]

WAYS = ("clear", "curve")


def addresses(directory):
    """The directives of both addresses, and the containers' environments."""
    keys.make("server", f"{directory}/server")
    keys.make("container", f"{directory}/clients")
    ports = {way: free_port() for way in WAYS}
    rpc = "\n".join([
        f"clipper_rpc 127.0.0.1:{ports['clear']};",
        f"clipper_rpc 127.0.0.1:{ports['curve']} "
        f"curve_key={directory}/server/server.key_secret "
        f"curve_clients={directory}/clients;"])
    env = {way: {"CLIPPER_ENDPOINT": f"tcp://127.0.0.1:{ports[way]}"}
           for way in WAYS}
    env["curve"].update({
        "CLIPPER_CURVE_KEY": f"{directory}/clients/container.key_secret",
        "CLIPPER_CURVE_SERVER": f"{directory}/server"})
    return rpc, env


def measured(seconds, pairs):
    """The runs of each case: one dictionary of wrk for each way and pair."""
    with tempfile.TemporaryDirectory(prefix="clipper-bench-") as directory:
        rpc, env = addresses(directory)
        containers = [(way, container_model(), {"env": env[way]})
                      for way in WAYS]
        server = "".join(application(way, f"{way}:1", slo="1s")
                         for way in WAYS)
        with cluster(server, containers, http="clipper_cache_zone off;",
                     rpc=rpc) as nginx:
            for connections, numbers, digits in CASES:
                shape = {"connections": connections, "numbers": numbers,
                         "digits": digits}
                runs = []
                for number in range(pairs + 1):
                    pair = {way: wrk(nginx, f"/{way}/predict", seconds,
                                     **shape) for way in WAYS}
                    if number:          # the first ones are to learn from
                        runs.append(pair)
                yield {**shape, "runs": runs}


def line(result):
    def median(way, key):
        return statistics.median(run[way][key] for run in result["runs"])

    def ratio(key):
        return spread(run["curve"][key] / run["clear"][key]
                      for run in result["runs"])

    return [result["connections"], result["numbers"],
            *(f"{median(way, 'rate'):.0f}" for way in WAYS), ratio("rate"),
            ratio("worker_us"), ratio("all_us"),
            " / ".join(f"{median(way, 'p50'):.0f}" for way in WAYS),
            " / ".join(f"{median(way, 'p99'):.0f}" for way in WAYS),
            sum(run[way]["defaults"] for run in result["runs"]
                for way in WAYS)]


HEADER = ["connections", "doubles", "clear /s", "CURVE /s", "of clear",
          "worker CPU", "with container", "p50 µs clear / CURVE",
          "p99 µs clear / CURVE", "defaults"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    results = list(measured(options.seconds, options.pairs))
    print(table(HEADER, [line(one) for one in results]))
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "curve.json").write_text(json.dumps(results, indent=1),
                                    encoding="utf-8")


if __name__ == "__main__":
    main()
