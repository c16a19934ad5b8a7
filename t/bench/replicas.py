"""Several replicas with and without hedging, on a running server.

    make bench B=replicas      or: replicas.py [--seconds S] [--rounds N]

One nginx has two models of the same function, with as many replicas each: one
has `hedge off`, the other the default, `hedge auto`. An open-loop generator
asks them by turns at the same rate, so what else the machine does meets both.
The containers sleep: replicas do not share the cores. A load of 1 is what
batches of half the SLO can answer.

Prints a table, and writes build/bench/replicas.json.
"""

import argparse
import json
import os
import tempfile

from measure import (OUT, application, build_openload, cluster, openload,
                     table)
from models import fixed_cost

#: replicas, seconds of a batch, seconds of an input, SLO in ms, loads
CASES = [
    (3, 0.004, 0.001, 40, (0.7, 0.9, 2)),
    (2, 0.004, 0.001, 100, (1.5,)),
    (2, 0.002, 0.0, 5, (0.1,)),
    (4, 0.0, 0.010, 19, (0.6,)),
    (4, 0.0, 0.010, 40, (0.6,)),
]

WAYS = ("off", "auto")


def capacity(replicas, fixed, each, slo_ms):
    """Answers per second of batches of half the SLO; one at a time where
    that is no batch, or where a batch costs what an input does."""
    half = slo_ms / 2000
    size = max(1, int((half - fixed) / each)) if each else 1
    return replicas * size / (fixed + each * size)


def measured(case, program, seconds, rounds):
    """A row for each load, with the sums of the rounds."""
    replicas, fixed, each, slo_ms, loads = case
    server = "".join(application(way, f"{way}:1", slo=f"{slo_ms}ms")
                     for way in WAYS)
    models = "".join(f"clipper_model {way} {{ hedge {way}; }}"
                     for way in WAYS)
    containers = [(way, fixed_cost(fixed, each, busy=False))
                  for way in WAYS for _ in range(replicas)]
    rows = []
    with cluster(server, containers,
                 http="clipper_cache_zone off;" + models) as nginx:
        for load in loads:
            rate = capacity(*case[:4]) * load
            runs = {way: [] for way in WAYS}
            for number in range(rounds + 1):
                for way in WAYS:
                    run = openload(program, nginx, f"/{way}/predict", rate,
                                   seconds, slo_ms)
                    if number:          # the first ones are to learn from
                        runs[way].append(run)
            row = {"replicas": replicas, "fixed": fixed, "each": each,
                   "slo_ms": slo_ms, "load": load, "rate": rate}
            for way in WAYS:
                asked = sum(r["asked"] for r in runs[way])
                answers = sum(r["answers"] for r in runs[way])
                row[way] = {"goodput": answers / seconds / rounds,
                            "part": answers / max(1, asked)}
            rows.append(row)
    return rows


def line(row):
    off, auto = row["off"], row["auto"]
    return [row["replicas"], f"{1e3 * row['fixed']:g} + "
            f"{1e3 * row['each']:g}", row["slo_ms"], row["load"],
            f"{row['rate']:.0f}", f"{off['goodput']:.0f}",
            f"{auto['goodput']:.0f}", f"{100 * (1 - off['part']):.1f} %",
            f"{100 * (1 - auto['part']):.1f} %",
            f"{auto['part'] / max(off['part'], 1e-9):.3f}"]


HEADER = ["replicas", "ms of a batch + an input", "SLO, ms", "load", "asked/s",
          "answers/s, off", "auto", "no answer, off", "auto", "auto / off"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    rows = []
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before\n")
    with tempfile.TemporaryDirectory(prefix="clipper-bench-") as directory:
        program = build_openload(directory)
        for case in CASES:
            rows += measured(case, program, options.seconds, options.rounds)
    print(table(HEADER, map(line, rows)))
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "replicas.json").write_text(json.dumps(rows, indent=1),
                                       encoding="utf-8")


if __name__ == "__main__":
    main()
