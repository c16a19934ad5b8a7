"""Throughput, worker CPU and latency beside a bare `return 200`.

    bench_serve.py [--seconds S] [--pairs N] [CASE…]

For each case one nginx with both locations is started; runs of the bare
location and of the application alternate, and the medians of the pairs are
printed: queries per second, their ratio, CPU microseconds of the workers per
query (from the processes' accounting), and latency. The load generator and
the container share the machine's cores, as in every run.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness import Nginx, PythonContainer, Settings, application  # noqa: E402
from harness.util import cpu_seconds  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent

#: name: workers, connections, numbers, digits, protocol version, containers
CASES = {
    "v3-1w": (1, 256, 10, 3, 3, 1),
    "v4-1w": (1, 256, 10, 3, 4, 1),
    "v4-2w": (2, 256, 10, 3, 4, 1),
    "v4-784": (1, 256, 784, 17, 4, 1),
    "v4-32c": (1, 32, 10, 3, 4, 1),
    "v4-1c": (1, 1, 10, 3, 4, 1),
}


def noop(inputs):
    return ["1"] * len(inputs)


def build_load(directory):
    program = Path(directory) / "load"
    subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-o", program,
                    ROOT / "t/bench/load/load.c"], check=True)
    return program


def run(program, server, path, seconds, connections, numbers, digits):
    pids = server.children()
    before = sum(cpu_seconds(p) for p in pids)
    done = subprocess.run(
        [program, str(server.port), path, str(connections), str(seconds),
         str(numbers), str(digits)], check=True, capture_output=True)
    result = json.loads(done.stdout)
    cpu = sum(cpu_seconds(p) for p in pids) - before
    result["rate"] = result["requests"] / result["seconds"]
    result["cpu_us"] = cpu * 1e6 / max(1, result["requests"])
    return result


def measure(name, seconds, pairs, directory, program):
    workers, connections, numbers, digits, version, containers = CASES[name]
    server = Nginx(
        Settings(ROOT), Path(directory) / name,
        application("a", "m:1", slo="1s")
        + "location = /bare { return 200 "
          "'{\"query_id\":1,\"output\":1,\"default\":false}'; }",
        http="clipper_cache_zone off; client_body_buffer_size 64k;",
        workers=workers, zone="64m", log_level="warn")
    server.start()
    try:
        for _ in range(containers):
            PythonContainer(server, "m", noop, rpc_version=version)
        server.wait_replicas("m", containers, timeout=30)
        shape = (connections, numbers, digits)
        run(program, server, "/a/predict", 0.5, *shape)
        rows = [(run(program, server, "/bare", seconds, *shape),
                 run(program, server, "/a/predict", seconds, *shape))
                for _ in range(pairs)]
    finally:
        wrong = server.finish()

    def median(side, key):
        return statistics.median(row[side][key] for row in rows)

    return {
        "case": name,
        "bare_per_s": round(median(0, "rate")),
        "queries_per_s": round(median(1, "rate")),
        "ratio": round(statistics.median(
            b["rate"] / a["rate"] for a, b in rows), 3),
        "bare_cpu_us": round(median(0, "cpu_us"), 2),
        "cpu_us": round(median(1, "cpu_us"), 2),
        "cpu_ratio": round(statistics.median(
            b["cpu_us"] / a["cpu_us"] for a, b in rows), 3),
        "bare_p50_us": median(0, "p50"), "p50_us": median(1, "p50"),
        "p99_us": median(1, "p99"),
        "defaults": sum(b["defaults"] for _, b in rows),
        "errors": sum(a["errors"] + b["errors"] for a, b in rows),
        "trouble": wrong,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("case", nargs="*", help=", ".join(CASES))
    options = parser.parse_args()
    unknown = set(options.case) - set(CASES)
    if unknown:
        parser.error(f"no case {unknown}")

    with tempfile.TemporaryDirectory() as directory:
        program = build_load(directory)
        for name in options.case or CASES:
            print(json.dumps(measure(name, options.seconds, options.pairs,
                                     directory, program)), flush=True)


if __name__ == "__main__":
    main()
