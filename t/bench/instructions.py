"""Instructions of one query in the worker, counted by callgrind.

    make bench B=instructions        or: instructions.py [--queries N] [MODULE…]

One keepalive connection sends one query after the other (10 doubles, version
4): all different, then the same one from the cache, then a bare `return 200`.
The count is for the worker's own thread, without libzmq's; it depends on the
code and not on the load of the machine. The insides of malloc and free are
left out: their searches depend on what happens to lie in the heap, and
differ by 3 % from run to run. With several modules the last column compares
them to the first.
"""

import argparse
import contextlib
import os
import re
import stat
import subprocess
import tempfile
from pathlib import Path

from measure import BARE, ROOT, application, container_model, table

from harness import Nginx, PythonContainer, Settings

#: The insides of glibc's allocator.
ALLOCATOR = re.compile(r"_int_(malloc|free|memalign)|unlink_chunk|"
                       r"malloc_consolidate|alloc_perturb|sysmalloc|systrim")

WRAPPER = """#!/bin/sh
exec valgrind -q --tool=callgrind --separate-threads=yes \\
    --callgrind-out-file={out} /usr/sbin/nginx "$@"
"""


@contextlib.contextmanager
def server(module):
    with tempfile.TemporaryDirectory(prefix="clipper-bench-") as directory:
        out = Path(directory) / "callgrind.out"
        wrapper = Path(directory) / "nginx-callgrind"
        wrapper.write_text(WRAPPER.format(out=out), encoding="utf-8")
        wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
        settings = Settings(ROOT)
        settings.module = module
        settings.nginx = str(wrapper)
        nginx = Nginx(settings, Path(directory) / "nginx",
                      application("a", "m:1", slo="60s") + BARE, workers=1,
                      main="master_process off;", log_level="warn")
        nginx.checks_zone = False
        nginx.start()
        try:
            PythonContainer(nginx, "m", container_model())
            nginx.wait_replicas("m", 1, timeout=60)
            yield nginx, out
        finally:
            wrong = nginx.finish()
    if wrong:
        raise SystemExit("\n".join(wrong))


def dump(nginx, out):
    """Instructions of the first thread since the previous dump."""
    subprocess.run(["callgrind_control", "--dump", str(nginx.pid)],
                   check=True, capture_output=True)
    newest = max(out.parent.glob(out.name + ".*-01"),
                 key=lambda path: int(path.name.split(".")[2].split("-")[0]))
    return sum(cost for name, cost in own_costs(newest.read_text("utf-8"))
               if not ALLOCATOR.match(name))


def own_costs(text):
    """(function, instructions) for each line of a dump, without those of the
    functions that it calls."""
    names, name, of_call = {}, "", False
    for line in text.splitlines():
        found = re.match(r"c?fn=(\(\d+\))(?: (.*))?$", line)
        if found:
            if found[2]:
                names[found[1]] = found[2]
            if line[0] == "f":
                name = names[found[1]]
        elif line.startswith("calls="):
            of_call = True
        elif re.match(r"[-+*\d]", line):
            if not of_call:
                yield name, int(line.split()[1])
            of_call = False


def count(nginx, out, path, bodies):
    """Instructions per query, once everything is warm."""
    with nginx.connect() as connection:
        def ask(some):
            for body in some:
                assert connection.request("POST", path, body).status == 200

        ask(bodies[:200])
        dump(nginx, out)
        ask(bodies[200:])
        return dump(nginx, out) / (len(bodies) - 200)


def measure(module, queries):
    def body(k):
        return ('{"input": [%s]}' % ", ".join(
            f"{k % 1000 + i}.{k // 1000:03d}" for i in range(10))).encode()

    distinct = [body(k) for k in range(queries + 200)]
    with server(module) as (nginx, out):
        return [count(nginx, out, "/a/predict", distinct),
                count(nginx, out, "/a/predict", distinct[:1] * len(distinct)),
                count(nginx, out, "/bare", distinct)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("module", nargs="*", type=os.path.abspath,
                        default=[Settings(ROOT).module])
    options = parser.parse_args()
    first, rows = None, []
    for module in options.module:
        found = measure(module, options.queries)
        first = first or found
        rows.append([len(rows) + 1, *(f"{n:.0f}" for n in found), ", ".join(
            f"{100 * (n / m - 1):+.2f} %" for n, m in zip(found, first))])
    print(table(["module", "uncached", "cached", "bare", "of the first"],
                rows))


if __name__ == "__main__":
    main()
