"""Throughput, processor time, latency and memory compared to a bare location.

    make bench [B="spine-v4 cached"]      or, in the .venv of make:
    bench.py [--seconds S] [--pairs N] [PART…]

For each part one nginx serves the application and a bare `return 200` of the
same length; runs of wrk (one thread, keepalive connections, all bodies
different) alternate between both. It prints the medians of the pairs with the
lowest and highest pair. The load generator and the container share the
machine's cores. Worker CPU is the user and system time of nginx's workers from
/proc/PID/stat; "all" includes the container. Writes build/bench/bench.md and
bench.json.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys

from measure import (BARE, BUILD, OUT, ROOT, application, cluster,
                     container_model, pss, spread, table, wrk)

#: name: (what it is, options of the case, targets of ratios)
CASES = {
    "spine-v3": ("1 worker, 256 connections, 10 doubles, version 3",
                 {"rpc": 3}, {"rate": 0.7, "cpu": 1.6}),
    "spine-v4": ("1 worker, 256 connections, 10 doubles, version 4",
                 {}, {"rate": 0.75, "cpu": 1.6}),
    "workers": ("2 workers, 256 connections, 10 doubles, version 4",
                {"workers": 2}, {"rate": 0.6}),
    "784": ("1 worker, 256 connections, 784 doubles of 17 digits",
            {"numbers": 784, "digits": 16}, {"cpu": 2.0}),
    "c32": ("1 worker, 32 connections, 10 doubles", {"connections": 32}, {}),
    "c1": ("1 worker, one connection, 10 doubles", {"connections": 1},
           {"p50_us": 180}),
    "cached": ("1 worker, 256 connections, one input, from the cache",
               {"cached": True}, {"rate": 0.85, "cpu": 1.3}),
}


def case(name, seconds, pairs):
    what, options, targets = CASES[name]
    cached = options.get("cached", False)
    shape = {"connections": options.get("connections", 256),
             "numbers": options.get("numbers", 10),
             "digits": options.get("digits", 3), "same": cached}
    containers = [("m", container_model(),
                   {"rpc_version": options.get("rpc", 4)})]
    with cluster(application("a", "m:1", slo="1s") + BARE, containers,
                 workers=options.get("workers", 1),
                 http="" if cached else "clipper_cache_zone off;") as nginx:
        wrk(nginx, "/a/predict", 1, **shape)
        wrk(nginx, "/bare", 1, **shape)
        rows = [(wrk(nginx, "/bare", seconds, **shape),
                 wrk(nginx, "/a/predict", seconds, **shape))
                for _ in range(pairs)]
    return {"part": name, "what": what, "targets": targets, "pairs": rows}


def ratios(result):
    return {
        "rate": [b["rate"] / a["rate"] for a, b in result["pairs"]],
        "cpu": [b["worker_us"] / max(a["worker_us"], 1e-9)
                for a, b in result["pairs"]],
        "p50_us": [b["p50"] - a["p50"] for a, b in result["pairs"]],
    }


def verdicts(result):
    """Each target and the figure reached."""
    found = ratios(result)
    words = []
    for key, target in result["targets"].items():
        value = statistics.median(found[key])
        good = value >= target if key == "rate" else value <= target
        sign = "≥" if key == "rate" else "≤"
        words.append(f"{key} {sign} {target}: {'yes' if good else 'NO'}")
    return ", ".join(words) or "–"


def row(result):
    def median(side, key, digits=0):
        value = statistics.median(p[side][key] for p in result["pairs"])
        return f"{value:.{digits}f}"

    found = ratios(result)
    errors = sum(p[s]["errors"] for p in result["pairs"] for s in (0, 1))
    defaults = sum(p[1]["defaults"] for p in result["pairs"])
    asked = sum(p[1]["requests"] for p in result["pairs"])
    return [result["part"], median(0, "rate"), median(1, "rate"),
            spread(found["rate"]), spread(found["cpu"]),
            f"{float(median(1, 'worker_us', 2)) / 1000:.4f}",
            f"{float(median(1, 'all_us', 2)) / 1000:.4f}",
            f"{median(0, 'p50')} / {median(1, 'p50')}",
            f"{median(0, 'p99')} / {median(1, 'p99')}",
            f"{defaults}/{asked}" + (f", {errors} errors" if errors else ""),
            verdicts(result)]


HEADER = ["part", "bare /s", "queries/s", "of bare", "worker CPU of bare",
          "CPU s / 1 000", "with container", "p50 µs bare / app",
          "p99 µs bare / app", "defaults", "targets"]


def memory(seconds):
    """PSS of nginx and of the container, before and after a load."""
    rows = []
    with cluster(application("a", "m:1", slo="1s"),
                 [("m", container_model())]) as nginx:
        def sizes():
            return (pss([nginx.pid, *nginx.children()]),
                    pss([c.process.pid for c in nginx.containers]))

        rows.append(("idle", *sizes()))
        for n in (1, 2):
            wrk(nginx, "/a/predict", max(2, seconds))
            rows.append((f"after load {n}", *sizes()))
    return rows


def micro():
    """The C programs; they print their own figures."""
    for source in sorted((ROOT / "t/bench").glob("*.c")):
        program = BUILD / "unit" / f"bench_{source.stem}"
        print(f"\n## {source.stem}\n", flush=True)
        subprocess.run([program], check=True, cwd=ROOT)


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        names = [line.partition(":")[2].strip() for line in f
                 if line.startswith("model name")]
    return (f"{os.cpu_count()} cores, {names[0] if names else '?'}, Linux "
            f"{platform.release()}, load {os.getloadavg()[0]:.1f} before")


def main():
    programs = {"lateness": ["lateness.py"], "learning": ["learning.py"],
                "selection": ["learning.py", "selection"],
                "instructions": ["instructions.py"],
                "replicas": ["replicas.py"], "limits": ["limits.py"],
                "curve": ["curve.py"],
                "figures": ["paper.py"]}
    parts = [*CASES, "memory", "micro", *programs]
    groups = {"spine": ["spine-v3", "spine-v4"], "all": parts[:-4]}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("part", nargs="*", default=["all"],
                        help="all, spine, " + ", ".join(parts))
    options = parser.parse_args()
    wanted = [p for name in options.part for p in groups.get(name, [name])]
    if set(wanted) - set(parts):
        parser.error(f"no part {set(wanted) - set(parts)}")

    OUT.mkdir(parents=True, exist_ok=True)
    where = machine()
    results, text = [], f"{where}\n\n" + table(HEADER, [])
    print(text, end="", flush=True)

    for name in wanted:
        if name in CASES:
            results.append(case(name, options.seconds, options.pairs))
            line = table(HEADER, [row(results[-1])]).splitlines()[-1] + "\n"
            text += line
            print(line, end="", flush=True)

    if "memory" in wanted:
        rows = memory(options.seconds)
        results.append({"part": "memory", "rows": rows})
        part = "\n" + table(["PSS, MB", "nginx", "container"],
                            [[n, f"{a:.1f}", f"{b:.1f}"] for n, a, b in rows])
        text += part
        print(part, flush=True)

    (OUT / "bench.md").write_text(text, encoding="utf-8")
    (OUT / "bench.json").write_text(
        json.dumps({"machine": where, "parts": results}, indent=1),
        encoding="utf-8")

    if "micro" in wanted:
        micro()
    for name, (program, *arguments) in programs.items():
        if name in wanted:
            subprocess.run([sys.executable, ROOT / "t/bench" / program,
                            *arguments], check=True)


if __name__ == "__main__":
    main()
