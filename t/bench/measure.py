"""Shared by the benchmarks: servers, load, processor time, tables."""

import collections
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness import Nginx, PythonContainer, Settings, application  # noqa: E402
from harness.util import cpu_seconds  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent
LOAD = ROOT / "t/bench/load"
BUILD = ROOT / os.environ.get("BUILD", "build")
OUT = BUILD / "bench"

__all__ = ["BARE", "BUILD", "CONTROL", "OUT", "ROOT", "Silent", "application",
           "build_openload", "cluster", "container_model", "cpu", "openload",
           "pss", "spread", "status", "table", "wrk"]

#: The response of the bare location: as long as an answer.
BARE = ("location = /bare { return 200 "
        "'{\"query_id\":1234567890123,\"output\":1.0,\"default\":false}'; }\n")


#: The control of deadlines: nginx's own timer of 20 ms in the same worker.
CONTROL = """
location = /control {
    proxy_pass http://127.0.0.1:%d;
    proxy_read_timeout 20ms;
    error_page 504 =200 @late;
}
location @late { return 200 '{"default":true,"output":-1.0}'; }
"""


class Silent:
    """A silent server, for CONTROL. It keeps the last few hundred connections:
    nginx has long given up older ones."""

    def __init__(self):
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(1024)
        self.port = self.sock.getsockname()[1]
        self.kept = collections.deque(maxlen=500)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            self.kept.append(self.sock.accept()[0])


@contextlib.contextmanager
def cluster(server, containers=(), workers=1, http="", zone="64m", **kw):
    """Yields a running nginx with these containers, each (name, function[,
    options]). Trouble in its log ends the benchmark."""
    with tempfile.TemporaryDirectory(prefix="clipper-bench-") as directory:
        nginx = Nginx(Settings(ROOT), Path(directory) / "nginx", server,
                      http="client_body_buffer_size 64k;\n" + http,
                      workers=workers, zone=zone, log_level="warn", **kw)
        nginx.checks_zone = False
        nginx.start()
        try:
            names = []
            for name, function, *options in containers:
                PythonContainer(nginx, name, function,
                                **(options[0] if options else {}))
                names.append(name)
            for name in set(names):
                nginx.wait_replicas(name, names.count(name), timeout=60)
            yield nginx
        finally:
            wrong = nginx.finish()
    if wrong:
        raise SystemExit("\n".join(wrong))


def status(nginx):
    """The status document; an overloaded nginx may close the keepalive
    connection."""
    try:
        return nginx.status()
    except OSError:
        return nginx.status()


def outcomes(nginx):
    """Answers and defaults of all applications so far."""
    total = {}
    for app in status(nginx)["applications"]:
        for name, count in app["queries"].items():
            total[name] = total.get(name, 0) + count
    return total


def cpu(nginx):
    """Seconds of the workers, and of the containers."""
    return (sum(cpu_seconds(p) for p in nginx.children()),
            sum(cpu_seconds(c.process.pid) for c in nginx.containers))


def wrk(nginx, path, seconds=2.0, connections=256, numbers=10, digits=3,
        same=False, script=None):
    """One run of wrk; a dictionary with rates, times and latency in us.

    ``script``: a script in place of distinct.lua, and its arguments."""
    before, asked = cpu(nginx), outcomes(nginx)
    start = str(int(time.time() * 1000) % 10 ** 8 * 10 ** 6)
    name, *args = script or ("distinct.lua", str(numbers), str(digits), start,
                             *(["same"] if same else []))
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s",
         "-s", LOAD / name, f"http://127.0.0.1:{nginx.port}{path}", "--",
         *args], check=True, capture_output=True, text=True,
        timeout=seconds + 60)
    result = json.loads(done.stdout.partition("\nJSON ")[2])
    after, answered = cpu(nginx), outcomes(nginx)
    requests = max(1, result["requests"])
    result["rate"] = requests / result["seconds"]
    result["worker_us"] = (after[0] - before[0]) * 1e6 / requests
    result["all_us"] = (after[0] + after[1] - sum(before)) * 1e6 / requests
    result["defaults"] = (answered.get("default", 0)
                          - asked.get("default", 0))
    return result


def build_openload(directory):
    program = Path(directory) / "openload"
    program.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-o", program,
                    LOAD / "openload.c", "-lm"], check=True)
    return program


def openload(program, nginx, path, rate, seconds, slo_ms, numbers=10,
             digits=3, connections=1500, kind="poisson", repeat=0):
    """One run of the open-loop generator, with the goodput per second."""
    done = subprocess.run(
        [program, str(nginx.port), path, str(rate), str(seconds),
         str(numbers), str(digits), str(slo_ms), str(connections), kind,
         str(repeat)], check=True, capture_output=True, text=True,
        timeout=seconds + 60)
    result = json.loads(done.stdout)
    result["goodput"] = result["answers"] / seconds
    return result


def pss(pids):
    """Proportional set size in MB of some processes together."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            total += next(int(line.split()[1]) for line in f
                          if line.startswith("Pss:"))
    return total / 1024


def spread(values, digits=2):
    """The median, with the lowest and the highest in brackets."""
    values = list(values)
    return (f"{statistics.median(values):.{digits}f} "
            f"({min(values):.{digits}f} – {max(values):.{digits}f})")


def table(header, rows):
    lines = ["| " + " | ".join(map(str, header)) + " |",
             "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def container_model(output="1"):
    """A model that does nothing."""
    return lambda inputs: [output] * len(inputs)
