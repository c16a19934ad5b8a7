"""Predictions beside a bare location: throughput, CPU and latency.

One nginx serves `location /bare { return 200 … }` and applications; wrk asks
both in turn, in interleaved pairs, and what counts is the ratio of a pair.
CPU is that of nginx's workers for one query, from /proc; "all" adds the
container's. Bodies are all distinct, the cache is off, except in `cached`.

    .venv/bin/python t/bench/compare.py [--pairs 5] [--seconds 3] [case …]

prints a markdown table and writes build/bench/compare.json.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULE = pathlib.Path(os.environ.get(
    "CLIPPER_TEST_MODULE", ROOT / "build/ngx_http_clipper_module.so"))
TICK = os.sysconf("SC_CLK_TCK")

CONTAINER = """
import sys
from clipper_container import serve
serve(lambda inputs: ["1.0"] * len(inputs), "noop", 1, "doubles",
      endpoint=sys.argv[1], rpc_version=int(sys.argv[2]))
"""

CONF = """
load_module {module};
daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log warn;
worker_processes {workers};
events {{ worker_connections 2048; }}
http {{
    access_log off; keepalive_requests 100000000;
    client_body_buffer_size 256k; client_header_buffer_size 1k;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    clipper_rpc unix:{dir}/rpc.sock;
    server {{
        listen 127.0.0.1:{port};
        clipper_slo 1s;
        location /bare {{
            return 200 '{{"query_id":1234567890123456,"output":1.0,"default":false}}';
        }}
        location /fresh  {{ clipper_app fresh; clipper_link noop; clipper_cache off; }}
        location /cached {{ clipper_app cached; clipper_link noop; }}
        location = /status {{ clipper_status; }}
    }}
}}
"""

# wrk runs this for each connection's thread; the bodies count up
LUA = """
local n = 0
local parts = {{}}
math.randomseed(os.time())
local seed = math.random(1, 1000000)
for i = 1, {size} do parts[i] = string.format("{format}", math.random() * 100) end
local rest = table.concat(parts, ",")
function request()
    n = n + {step}
    return wrk.format("POST", "{path}", nil,
        string.format('{{"input":[%d.25,%d.5,%s]}}', n, seed, rest))
end
"""

# name: workers, connections, values beyond two, their format, protocol, path
CASES = {
    "v4": (1, 256, 8, "%.3f", 4, "/fresh/predict"),
    "v3": (1, 256, 8, "%.3f", 3, "/fresh/predict"),
    "v4-32": (1, 32, 8, "%.3f", 4, "/fresh/predict"),
    "v4-1": (1, 1, 8, "%.3f", 4, "/fresh/predict"),
    "workers-2": (2, 256, 8, "%.3f", 4, "/fresh/predict"),
    "784": (1, 256, 782, "%.15f", 4, "/fresh/predict"),
    "784-short": (1, 256, 782, "%.3f", 4, "/fresh/predict"),
    "cached": (1, 256, 8, "%.3f", 4, "/cached/predict"),
}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu(pids):
    """Seconds that the processes have used, user and system."""
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text()
        fields = fields.rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def children(pid):
    out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)],
                         capture_output=True, text=True, check=True).stdout
    return [int(p) for p in out.split()]


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError, KeyError, IndexError, ValueError):
            if condition():
                return
        time.sleep(0.05)
    sys.exit("the server did not come up")


@contextlib.contextmanager
def serving(workers, version):
    """An nginx and a container: the port and both pids."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        port = free_port()
        conf = pathlib.Path(name, "nginx.conf")
        conf.write_text(CONF.format(module=MODULE, dir=name, port=port,
                                    workers=workers))
        nginx = subprocess.Popen(
            [os.environ.get("NGINX_BIN", "nginx"), "-c", str(conf),
             "-g", f"error_log {name}/error.log warn;"],
            env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})
        container = subprocess.Popen(
            [sys.executable, "-c", CONTAINER, f"ipc://{name}/rpc.sock",
             str(version)], stdout=subprocess.DEVNULL)
        try:
            def ready():
                url = f"http://127.0.0.1:{port}/status"
                with urllib.request.urlopen(url, timeout=2) as f:
                    return json.load(f)["replicas"][0]["state"] == "ready"
            until(ready)
            yield port, nginx.pid, container.pid
        finally:
            for process in (container, nginx):
                process.terminate()
                process.wait(20)


def wrk(port, path, connections, size, fmt, step, seconds, directory):
    """Runs wrk: requests, requests a second, median and p99 in us."""
    script = pathlib.Path(directory, "wrk.lua")
    script.write_text(LUA.format(size=size, format=fmt, path=path, step=step))
    out = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency",
         "-s", str(script), f"http://127.0.0.1:{port}"],
        capture_output=True, text=True, check=True, timeout=60).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit(out)
    unit = {"us": 1, "ms": 1e3, "s": 1e6}

    def latency(label):
        value, suffix = re.search(
            rf"{label}\s+([\d.]+)(us|ms|s)", out).groups()
        return float(value) * unit[suffix]

    return {"requests": int(re.search(r"(\d+) requests in", out).group(1)),
            "qps": float(re.search(r"Requests/sec:\s+([\d.]+)",
                                   out).group(1)),
            "p50": latency("50%"), "p99": latency("99%")}


def measure(case, pairs, seconds):
    workers, connections, size, fmt, version, path = CASES[case]
    rows = []
    with serving(workers, version) as (port, master, container), \
            tempfile.TemporaryDirectory() as directory:
        pids = children(master)
        step = 0 if case == "cached" else 1

        def run(where, length):
            before = cpu(pids), cpu([container])
            result = wrk(port, where, connections, size, fmt, step, length,
                         directory)
            n = result["requests"] / 1000
            result["cpu"] = (cpu(pids) - before[0]) / n
            result["all"] = result["cpu"] + (cpu([container])
                                             - before[1]) / n
            return result

        run(path, 1)
        for _ in range(pairs):
            rows.append((run("/bare", seconds), run(path, seconds)))
        with urllib.request.urlopen(
                f"http://127.0.0.1:{port}/status", timeout=5) as f:
            status = json.load(f)
    return summary(case, rows, status)


def summary(case, rows, status):
    def median(values):
        values = list(values)
        return {"median": statistics.median(values),
                "min": min(values), "max": max(values)}

    app = next(a for a in status["applications"]
               if CASES[case][5].startswith(a["location"]))
    batches = sum(r["batches"] for r in status["replicas"])
    inputs = sum(r["inputs"] for r in status["replicas"])
    return {
        "case": case, "pairs": len(rows),
        "qps": median(q["qps"] for _, q in rows),
        "bare_qps": median(b["qps"] for b, _ in rows),
        "ratio": median(q["qps"] / b["qps"] for b, q in rows),
        "cpu_ratio": median(q["cpu"] / b["cpu"] for b, q in rows),
        "cpu": median(q["cpu"] for _, q in rows),
        "bare_cpu": median(b["cpu"] for b, _ in rows),
        "all_cpu": median(q["all"] for _, q in rows),
        "p50": median(q["p50"] for _, q in rows),
        "p99": median(q["p99"] for _, q in rows),
        "p50_more": median(q["p50"] - b["p50"] for b, q in rows),
        "batch": inputs / batches if batches else 0,
        "queries": app["queries"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", choices=[*CASES, []])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    args = parser.parse_args()

    print("| case | queries/s | bare | ratio (min–max) | CPU s/1000 | bare "
          "| CPU ratio (min–max) | with container | p50 ms | p50 above bare "
          "µs | p99 ms | batch | defaults |")
    print("|---" * 13 + "|")
    results = []
    for case in args.cases or CASES:
        r = measure(case, args.pairs, args.seconds)
        results.append(r)
        ratio, cpus = r["ratio"], r["cpu_ratio"]
        print(f"| {case} | {r['qps']['median']:.0f} "
              f"| {r['bare_qps']['median']:.0f} "
              f"| {ratio['median']:.2f} ({ratio['min']:.2f}–{ratio['max']:.2f})"
              f" | {r['cpu']['median']:.4f} | {r['bare_cpu']['median']:.4f} "
              f"| {cpus['median']:.2f} ({cpus['min']:.2f}–{cpus['max']:.2f}) "
              f"| {r['all_cpu']['median']:.4f} "
              f"| {r['p50']['median'] / 1000:.2f} "
              f"| {r['p50_more']['median']:.0f} "
              f"| {r['p99']['median'] / 1000:.2f} | {r['batch']:.0f} "
              f"| {r['queries']['default']} |", flush=True)
    target = ROOT / "build/bench/compare.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
