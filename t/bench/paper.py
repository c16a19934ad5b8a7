"""The experiments of the Clipper paper (NSDI'17, sections 4 and 5) with this
server: docs/figures.md and the plots beside it.

    make figures [B="--quick latency overload"]

    paper.py [--quick] [latency throughput goals wait cache straggler
             overload scheduler]

The models are scikit-learn's, with 784 features, trained on synthetic data.
The load generator, nginx and the containers share the machine's cores. Each
part takes less than five minutes; parts that are not named keep their results.
A quick look does not replace them: its page is build/bench/quick/figures.md.
"""

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import threading
import time

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from measure import (BUILD, CONTROL, OUT, ROOT, Silent,  # noqa: E402
                     application, build_openload, cluster, cpu, openload,
                     pss, spread, status, table, wrk)
from models import MODELS, features, fixed_cost  # noqa: E402

DOCS, QUICK = ROOT / "docs", OUT / "quick"
NO_CACHE = "clipper_cache_zone off;\n"
CLIENTS = 64            # of the throughput of all models
MANY = 256              # enough to fill the SLO of the fast models
plt.rcParams.update({"svg.hashsalt": "clipper", "figure.figsize": (6, 3.6),
                     "axes.grid": True, "grid.alpha": 0.3,
                     "svg.fonttype": "none"})


class Setting:
    """How long things take: a quick look or the real run."""

    def __init__(self, quick, program):
        self.quick = quick
        self.seconds = 1.2 if quick else 5.0
        self.program = program

    def load(self, nginx, rate, slo_ms, **kw):
        seconds = kw.pop("seconds", self.seconds)
        return openload(self.program, nginx, "/a/predict", rate, seconds,
                        slo_ms, **kw)


def place(quick):
    """Where the page and the plots go, and their numbers."""
    return (QUICK, QUICK) if quick else (DOCS, OUT)


def save(setting, name):
    figures = place(setting.quick)[0] / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    plt.tight_layout()
    plt.savefig(figures / f"{name}.svg", metadata={"Date": None})
    plt.close()
    return f"![{name}](figures/{name}.svg)\n"


def model_status(nginx, name="m"):
    return next(m for m in status(nginx)["models"] if m["name"] == name)


def app(slo, extra="", link="m:1"):
    return application("a", link, slo=slo, default="0", extra=extra)


# latency against batch size

def batch_latency(nginx, size, repeats):
    """Median time of a batch in milliseconds, measured by the server."""
    row = features(7).tolist()
    took = []
    with nginx.connect(timeout=60) as connection:
        for i in range(repeats):
            row[0] = i / 1024
            before = model_status(nginx)
            connection.post("/a/predict", {"input_batch": [row] * size})
            after = model_status(nginx)
            batches = after["batches"] - before["batches"]
            if batches == 1:
                took.append((after["batch_us"] - before["batch_us"]) / 1e3)
    return statistics.median(took) if took else None


def latency(setting):
    sizes = [1, 4, 16, 64, 256] if setting.quick else \
        [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    rows = []
    for name, make in MODELS.items():
        with cluster(app("30s"), [("m", make())], zone="128m",
                     http=NO_CACHE + "client_max_body_size 64m;\n"
                     "clipper_model m { batch 1024; hedge off; }") as nginx:
            batch_latency(nginx, 4, 2)
            found = [batch_latency(nginx, n, 3 if setting.quick else 9)
                     for n in sizes]
        rows.append([name, *(f"{v:.2f}" if v else "–" for v in found)])
        pairs = [(n, v) for n, v in zip(sizes, found) if v]
        plt.plot(*zip(*pairs), marker="o", label=name)
    plt.xscale("log", base=2)
    plt.yscale("log")
    plt.xlabel("inputs in a batch")
    plt.ylabel("ms, median")
    plt.legend()
    return ("## Latency against batch size\n\n" + save(setting, "latency")
            + "\nMilliseconds from sending a batch to receiving its reply, "
            "measured by the server; 784 doubles per input.\n\n"
            + table(["model", *sizes], rows))


# throughput under an SLO of 20 ms

def goodput(setting, make, batch, seconds=0.0, clients=CLIENTS):
    """Answers per second that meet the SLO, for clients that wait. There are
    not more clients than the model can answer: a client that gets a default
    asks again at once, and takes the shared cores from the model."""
    load = {"connections": clients, "numbers": 784, "digits": 2}
    with cluster(app("20ms"), [("m", make())], zone="128m", http=NO_CACHE
                 + f"clipper_model m {{ batch {batch}; }}") as nginx:
        wrk(nginx, "/a/predict", 2, **load)
        before = model_status(nginx)
        result = wrk(nginx, "/a/predict",
                     min(3.0, seconds or setting.seconds), **load)
        after = model_status(nginx)
    batches = max(1, after["batches"] - before["batches"])
    result["size"] = (after["inputs"] - before["inputs"]) / batches
    result["goodput"] = ((result["requests"] - result["defaults"])
                         / result["seconds"])
    return result


FIXED = "5 ms + 2 µs"
FIXED_COST = {FIXED: lambda: fixed_cost(0.005, 0.000002)}
STATIC = (8, 16, 32, 64)


def throughput(setting):
    rows, bars = [], {}
    models = {**MODELS, **FIXED_COST}
    for name, make in models.items():
        if setting.quick and name not in ("no-op", "linear SVM"):
            continue
        found = {batch: goodput(setting, make, batch)
                 for batch in (1, *(STATIC[2:3] if setting.quick else STATIC),
                               "aimd", "adaptive")}
        best = max((n for n in found if n in STATIC),
                   key=lambda n: found[n]["goodput"])
        one, ours = found[1], found["adaptive"]
        bars[name] = [found[b]["goodput"]
                      for b in (1, best, "aimd", "adaptive")]
        rows.append([name, f"{one['goodput']:.0f}",
                     f"{found[best]['goodput']:.0f} ({best})",
                     *(f"{found[b]['goodput']:.0f} ({found[b]['size']:.0f})"
                       for b in ("aimd", "adaptive")),
                     f"{ours['goodput'] / max(1, one['goodput']):.1f}",
                     f"{ours['p50'] / 1e3:.1f}",
                     f"{ours['p99'] / 1e3:.1f}",
                     f"{100 * ours['defaults'] / ours['requests']:.2f}"])
    width = 0.2
    for k, label in enumerate(("no batching", "best fixed size", "AIMD",
                               "AIMD and profile")):
        plt.bar([i + (k - 1.5) * width for i in range(len(bars))],
                [v[k] for v in bars.values()], width, label=label)
    plt.xticks(range(len(bars)), bars, rotation=12)
    plt.ylabel("answers by the SLO, 1/s")
    plt.legend()
    return ("## Throughput under an SLO of 20 ms\n\n"
            + save(setting, "throughput")
            + f"\nAnswers per second that meet the SLO, with {CLIENTS} "
            "clients; each waits for its answer before it asks again. The "
            "columns are `batch 1`, the best of "
            f"`batch {' | '.join(map(str, STATIC))}`, `batch aimd` (the "
            "paper's) and `batch adaptive` (with the latency profile). One "
            "run each. AIMD alone stays at batches of 1 when even these are "
            "late.\n\n"
            + table(["model", "no batching", "best fixed (size)",
                     "AIMD (mean size)", "adaptive (mean size)",
                     "adaptive / 1", "p50 ms", "p99 ms", "defaults %"],
                    rows))


def goals(setting):
    """What batching gains, as ratios of alternating runs."""
    found = {}
    sweep = [("linear SVM", size) for size in (32, 64, 128, 256)]
    cases = [("no-op", "adaptive"), ("linear SVM", 1), *sweep,
             ("linear SVM", "adaptive"), (FIXED, 1), (FIXED, "adaptive")]
    models = {**MODELS, **FIXED_COST}
    for _ in range(1 if setting.quick else 5):
        for name, batch in cases:
            found.setdefault((name, batch), []).append(
                goodput(setting, models[name], batch, 2.0, MANY))

    def ratios(over, under):
        return spread([ours["goodput"] / max(1.0, theirs["goodput"])
                       for ours, theirs in zip(found[over], found[under])])

    svm = ("linear SVM", "adaptive")
    best = max(sweep, key=lambda case: statistics.median(
        r["goodput"] for r in found[case]))
    late = spread([r["p99"] / 1e3 for r in found[svm]], 1)
    return ("## Goals of batching\n\n"
            "Medians of pairs of alternating runs, with the lowest and "
            f"highest pair in brackets; SLO 20 ms, {MANY} waiting clients.\n\n"
            + table(["", "ratio", "goal"], [
                ["linear SVM / no-op, both adaptive",
                 ratios(svm, ("no-op", "adaptive")), "0.8"],
                ["linear SVM, adaptive / the best of 32, 64, 128 and 256: "
                 f"{best[1]}", ratios(svm, best), "0.85"],
                ["linear SVM, adaptive / batches of 1",
                 ratios(svm, ("linear SVM", 1)), "– (the paper: 26)"],
                [f"{FIXED}, adaptive / batches of 1",
                 ratios((FIXED, "adaptive"), (FIXED, 1)), "26"],
                ["linear SVM, adaptive, p99 ms", late, "20"]]))


# delayed batching

def wait(setting):
    waits = [0, 1, 2, 4]
    rows = []
    for ms in waits:
        tune = f"batch_wait {ms}ms; hedge off;" if ms else "hedge off;"
        with cluster(app("20ms"), [("m", fixed_cost(0.0015, 0.000005))],
                     http=NO_CACHE + f"clipper_model m {{ {tune} }}"
                     ) as nginx:
            setting.load(nginx, 1500, 20, seconds=1)
            before, used = model_status(nginx), cpu(nginx)[1]
            result = setting.load(nginx, 1500, 20)
            after, spent = model_status(nginx), cpu(nginx)[1] - used
        batches = max(1, after["batches"] - before["batches"])
        rows.append([ms, (after["inputs"] - before["inputs"]) / batches,
                     spent * 1000 / max(1, result["asked"]),
                     result["answer_p50"] / 1e3, result["answer_p99"] / 1e3,
                     result["defaults"]])
    plt.plot(waits, [r[1] for r in rows], marker="o",
             label="mean batch size")
    plt.plot(waits, [r[2] * 10 for r in rows], marker="s",
             label="container CPU, s per 10 000")
    plt.xlabel("batch_wait, ms")
    plt.legend()
    return ("## Delayed batching\n\n" + save(setting, "wait")
            + "\nA model with 1.5 ms per batch and 5 µs per input, 1 500 "
            "queries per second, SLO 20 ms.\n\n"
            + table(["batch_wait ms", "mean batch", "container CPU s/1 000",
                     "p50 ms", "p99 ms", "defaults"],
                    [[r[0], f"{r[1]:.2f}", f"{r[2]:.3f}", f"{r[3]:.2f}",
                      f"{r[4]:.2f}", r[5]] for r in rows]))


# cache

def cache(setting):
    rows = []
    for label, repeat, http in (("all different", 0, ""),
                                ("1 000 inputs", 1000, ""),
                                ("one input", 1, ""),
                                ("one input, no cache", 1, NO_CACHE)):
        with cluster(app("100ms"), [("m", fixed_cost(0.002, 0.0001))],
                     http=http) as nginx:
            setting.load(nginx, 4000, 100, repeat=repeat, seconds=1)
            before = model_status(nginx)
            result = setting.load(nginx, 4000, 100, repeat=repeat)
            after = model_status(nginx)
        rows.append([label, result["asked"],
                     after["inputs"] - before["inputs"],
                     *(after["cache"][k] - before["cache"][k]
                       for k in ("hits", "joined")),
                     f"{result['p50'] / 1e3:.2f}",
                     f"{result['p99'] / 1e3:.2f}"])
    plt.bar([r[0] for r in rows], [float(r[5]) for r in rows])
    plt.ylabel("median latency, ms")
    return ("## Cache and joined queries\n\n" + save(setting, "cache")
            + "\nA model with 2 ms per batch and 100 µs per input, 4 000 "
            "queries per second, SLO 100 ms.\n\n"
            + table(["inputs", "queries", "reached the container", "hits",
                     "joined", "p50 ms", "p99 ms"], rows))


# a straggler

def straggle(setting, hedge, what):
    seconds = setting.seconds * 2
    with cluster(app("100ms"), [("m", fixed_cost(0.001, 0.002, False))] * 2,
                 http=NO_CACHE + f"clipper_model m {{ hedge {hedge}; }}"
                 ) as nginx:
        setting.load(nginx, 160, 100, seconds=1.5)
        victim = nginx.containers[0]

        def trouble():
            """Killed, stopped for half of the run, or for 50 ms of 100."""
            if what == "killed":
                victim.kill()
            end = time.monotonic() + seconds - 0.3
            while what in ("stopped", "slowed") and time.monotonic() < end:
                pause = seconds / 2 if what == "stopped" else 0.05
                victim.process.send_signal(signal.SIGSTOP)
                time.sleep(pause)
                victim.process.send_signal(signal.SIGCONT)
                time.sleep(pause)

        thread = threading.Thread(target=trouble)
        thread.start()
        result = setting.load(nginx, 160, 100, seconds=seconds)
        thread.join()
        hedges = model_status(nginx)["hedges"]
    return [what, hedge, result["asked"], result["defaults"],
            f"{100 * result['defaults'] / max(1, result['asked']):.2f}",
            f"{result['p50'] / 1e3:.1f}", f"{result['p99'] / 1e3:.1f}",
            f"{result['p999'] / 1e3:.1f}", hedges]


def straggler(setting):
    rows = [straggle(setting, hedge, what)
            for what in (("killed",) if setting.quick else
                         ("none", "slowed", "stopped", "killed"))
            for hedge in ("off", "auto")]
    names = [f"{r[0]}, {r[1]}" for r in rows]
    plt.bar(names, [float(r[6]) for r in rows])
    plt.xticks(rotation=20)
    plt.ylabel("p99, ms")
    return ("## A straggler\n\n" + save(setting, "straggler")
            + "\nTwo replicas that take 1 ms per batch and 2 ms per input, "
            "160 queries per second for 10 s (less than 40 % of the capacity "
            "of one replica), SLO 100 ms. At the start one replica is killed, "
            "stopped for 5 s, or stopped for 50 ms of every 100 (slowed); "
            "hedging off or on. (Goal with hedging: at most 0.1 % "
            "defaults.)\n\n"
            + table(["one replica", "hedge", "queries", "defaults", "%",
                     "p50 ms", "p99 ms", "p99.9 ms", "hedges"], rows))


# overload

def overload_run(setting, nginx, rate):
    """The load, and at the same time nginx's own timer of 20 ms."""
    found = []
    thread = threading.Thread(target=lambda: found.append(openload(
        setting.program, nginx, "/control", 200, setting.seconds, 20,
        connections=256)))
    thread.start()
    result = setting.load(nginx, rate, 20)
    thread.join()
    return result, found[0]


def share(result):
    """Late responses, in percent of all."""
    return (100.0 * (result["late_answers"] + result["late_defaults"])
            / max(1, result["asked"]))


def overload(setting):
    """The model sleeps, so the bottleneck is the model and not the cores."""
    # 1 ms and 0.2 ms per input: half of the SLO holds 45.
    capacity = 45 / 0.010
    rows = []
    loads = (0.5, 1, 3) if setting.quick else \
        (0.25, 0.5, 0.75, 1, 1.5, 2, 3, *(1, 3) * 4)
    at, late = {1: [], 3: []}, []
    silent = Silent()
    for load in loads:
        with cluster(app("20ms") + CONTROL % silent.port,
                     [("m", fixed_cost(0.001, 0.0002, False))],
                     http=NO_CACHE) as nginx:
            rate = capacity * load
            setting.load(nginx, rate, 20, seconds=2)
            result, control = overload_run(setting, nginx, rate)
            grown = pss([nginx.pid, *nginx.children()])
        if load in (1, 3):
            at[load].append(result["goodput"])
        if load == 3:
            late.append((share(result), share(control)))
        if load in [r[0] for r in rows]:
            continue
        rows.append([load, rate, result["goodput"], result["defaults"],
                     result["late_answers"], result["late_defaults"],
                     f"{control['late_defaults']}/{control['asked']}",
                     result["unsent"], result["answer_p99"] / 1e3, grown])
    plt.plot([r[0] for r in rows], [r[2] / capacity for r in rows],
             marker="o", label="this server")
    for label, points in simulated("load").items():
        plt.plot(*zip(*points), linestyle="--", label=f"simulated: {label}")
    plt.xlabel("load, of the capacity")
    plt.ylabel("answers by the SLO, of the capacity")
    plt.legend(fontsize=7)
    ratio = spread([b / max(1, a) for a, b in zip(at[1], at[3])])
    ours, controls = (spread(column, 4) for column in zip(*late))
    return ("## Overload\n\n" + save(setting, "overload")
            + "\nA model that takes 1 ms per batch and 0.2 ms per input is "
            f"the bottleneck; SLO 20 ms. The capacity is {capacity:.0f} "
            "queries per second (batches that take half the SLO). Goodput at "
            f"a load of 3 is {ratio} of that at 1, the median of {len(at[1])} "
            "pairs (goal: 0.9). Latency runs from the sending of the request "
            "to the kernel's timestamp of the response. An answer is late "
            "after the SLO, a default more than 2 ms after it. The control "
            "is nginx's own 20 ms timer in the same worker, requested 200 "
            "times a second; it is late more than 2 ms after the 20 ms. At a "
            f"load of 3, {ours} % of the responses were late, and {controls} "
            "% of the control's, medians of the same runs.\n\n"
            + table(["load", "asked 1/s", "goodput 1/s", "defaults",
                     "late answers", "late defaults", "control late",
                     "unsent", "p99 of answers ms", "nginx PSS MB"],
                    [[r[0], f"{r[1]:.0f}", f"{r[2]:.0f}", *r[3:8],
                      f"{r[8]:.1f}", f"{r[9]:.0f}"] for r in rows]))


def simulated(kind):
    """Series of points by name from the scheduler in virtual time."""
    done = subprocess.run([BUILD / "unit/bench_scheduler", "csv"],
                          check=True, capture_output=True, text=True,
                          cwd=ROOT)
    series = {}
    for line in done.stdout.splitlines()[1:]:
        sort, rest = line.split(",", 1)
        name, numbers = rest[1:].split('",')
        if sort == kind:
            x, y = map(float, numbers.split(",")[:2])
            series.setdefault(name, []).append((x, y))
    return series


def scheduler(setting):
    for label, points in simulated("time").items():
        plt.plot(*zip(*points), label=label, linewidth=1)
    plt.xlabel("s")
    plt.ylabel("1/s")
    plt.legend(fontsize=7)
    picture = save(setting, "trace")
    done = subprocess.run([BUILD / "unit/bench_scheduler", "replay",
                           "t/bench/traces/bursty.txt"], check=True,
                          capture_output=True, text=True, cwd=ROOT)
    rows = [[name, *(f"{y:.3f}" for _, y in points)]
            for name, points in simulated("load").items()]
    loads = [x for x, _ in next(iter(simulated("load").values()))]
    return ("## The scheduler in virtual time\n\n" + picture
            + "\nThe same core replays recorded bursts of queries. "
            + done.stdout.strip() + ". The bound's formula is in "
            "`t/unit/sched_trace.h`.\n\nGoodput by load, both as a share of "
            "the capacity (1 ms per batch and 50 µs per input, SLO 20 "
            "ms):\n\n"
            + table(["policy", *loads], rows))


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        cpu_name = next((line.partition(":")[2].strip() for line in f
                         if line.startswith("model name")), "?")
    return f"{os.cpu_count()} cores, {cpu_name}, Linux {platform.release()}"


PARTS = {f.__name__: f for f in (latency, throughput, goals, wait, cache,
                                 straggler, overload, scheduler)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("part", nargs="*", help=", ".join(PARTS))
    options = parser.parse_args()
    if set(options.part) - set(PARTS):
        parser.error(f"no part {set(options.part) - set(PARTS)}")

    setting = Setting(options.quick, build_openload(OUT))
    page, numbers = place(options.quick)
    numbers.mkdir(parents=True, exist_ok=True)
    stored = numbers / "figures.json"
    texts = json.loads(stored.read_text()) if stored.exists() else {}

    for name in options.part or PARTS:
        begun = time.monotonic()
        texts[name] = PARTS[name](setting)
        print(texts[name])
        print(f"({name}: {time.monotonic() - begun:.0f} s)", flush=True)
        stored.write_text(json.dumps(texts), encoding="utf-8")

    head = ("# Figures\n\nMade by `make figures`"
            + (" B=--quick (a quick look, not a measurement)"
               if options.quick else "")
            + f" on one machine ({machine()}), which nginx, the containers and "
            "the load generator share. `t/bench/paper.py` says how each figure "
            "is measured; `make bench` compares the server with a bare "
            "location.\n\n")
    (page / "figures.md").write_text(
        head + "\n".join(texts[n] for n in PARTS if n in texts),
        encoding="utf-8")


if __name__ == "__main__":
    main()
