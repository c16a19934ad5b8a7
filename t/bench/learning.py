"""Feedback into Redis, and a million users with states in Redis.

    make bench B=learning      or: learning.py [--seconds S] [--pairs N] [PART]

feedback: updates for earlier queries, each once, alternate with a bare
`return 200` of the same length. Then the rest of the deltas goes to Redis, and
the time for that is printed. Redis saves each write (`appendfsync always`).

users: Redis has the states of a million users, the zone some thousands of
them. Answers come from the cache, so only selection is measured. Queries of no
user, of a hundred users, and of any of the million are compared, the first two
also after the million has passed. On one connection, a user that is not in the
zone is compared with an HMGET of redis-benchmark. Then Redis is stopped: how
long does it hold queries of users that are not in the zone? The cost of
selection is the difference from the policy `first`, in pairs.

selection (alone: make bench B=selection): the cost of a policy that asks one
of five models, compared to `first` with one model, over the whole query: the
models with a replica, the state, the choice, and the record for feedback.
Answers come from the cache, so no container is involved. A pair is two runs of
a second, in a random order; for each run the processor time of the worker (all
threads, user and system) is divided by its queries. "first" against "first"
shows the noise. Then the same is measured in instructions outside the kernel,
for single queries on one connection: `valgrind --tool=callgrind` counts them,
and other work on the machine does not change them. Ensembles are left out:
exp4 asks every model, and its cost is asking (five cache lookups), not
selection.

Writes build/bench/learning.json.
"""

import argparse
import contextlib
import json
import os
import random
import re
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from unittest import mock

from measure import (OUT, ROOT, cluster, container_model, pss, spread, table,
                     wrk)

from harness import Redis, Settings, wait_until
from harness.client import build_request

POLICY = "thompson"
USERS = 1_000_000
SLO_MS = 100
STATE = f"clipper:state:a:{POLICY}"

SERVER = f"""
location /a {{
    clipper_app a; clipper_link m:1 n:1;
    clipper_select {POLICY} half_life=1h;
    clipper_slo {SLO_MS}ms;
}}
location /first {{
    clipper_app first; clipper_link m:1 n:1; clipper_slo {SLO_MS}ms;
}}
location = /bare {{ return 200 'Feedback received? 1'; }}
"""

#: The state of a user after some feedbacks, as Redis stores it.
LOAD = f"""
for i = ARGV[1], ARGV[2] - 1 do
  redis.call('HMSET', '{STATE}:u' .. string.format('%07d', i),
    't0', ARGV[3], 'lambda', '0.00019254087792553147', 'n', '8',
    'm:1/win', '3', 'm:1/loss', '1', 'n:1/win', '1', 'n:1/loss', '3',
    '@0123456789abcdef0123456789abcdef', '8 8')
end
"""


MODELS = ("u", "v", "x", "y", "z")
BANDITS = ("epsilon_greedy", "ucb", "thompson", "exp3")

#: One model and no choice, the same again, and each bandit with five models;
#: `all` brings the answers of all of them into the cache.
CHOICES = "".join(
    f"location /{name} {{ clipper_app {name}; clipper_slo 5s; "
    f"clipper_link {' '.join(models)}; clipper_select {policy}; }}\n"
    for name, policy, models in [
        ("alone", "first", MODELS[:1]), ("again", "first", MODELS[:1]),
        ("all", "majority", MODELS), *((p, p, MODELS) for p in BANDITS)])


@contextlib.contextmanager
def running(extra="", http="", zone="64m"):
    """nginx with two models that do nothing, and Redis."""
    with tempfile.TemporaryDirectory(prefix="clipper-bench-") as directory:
        store = Redis(Path(directory) / "redis").start()
        try:
            http += f"clipper_redis 127.0.0.1:{store.port} {extra};"
            containers = [(name, container_model()) for name in "mn"]
            with cluster(SERVER, containers, http=http, zone=zone) as nginx:
                nginx.allow("redis .*")
                yield nginx, store
                store.signal(signal.SIGCONT)
        finally:
            store.kill()


def selection(nginx):
    return nginx.status()["selection_state"]


def query_ids(nginx, count, users):
    """Sends queries, of some users or of none: lines for numbered.lua."""
    lines = []
    size = max(1, min(1000, count // max(users, 1)))
    with nginx.connect() as connection:
        while len(lines) < count:
            user = f"u{len(lines) // size % users}" if users else ""
            body = {"input_batch": [[1.0]] * size}
            answers = connection.post("/a/predict", {
                **body, **({"uid": user} if users else {})}).json()
            lines += [f"{one['query_id']}" + (f',"uid":"{user}"' if users
                                              else "")
                      for one in answers.get("batch_predictions", [answers])]
    return lines


def feedback(seconds, pairs, users, records=None):
    """Pairs of runs at /bare and at /a/update."""
    rows = []
    http = "clipper_cache_zone off;"
    if records:
        http += f"clipper_records 512m redis={records};"
    with running(http=http, zone="512m") as (nginx, store):
        for _ in range(pairs):
            numbers = OUT / "query_ids"
            lines = query_ids(nginx, int(60_000 * seconds), users)
            numbers.write_text("\n".join(lines) + "\n", encoding="ascii")
            script = ("numbered.lua", '{"query_id":', ',"label":1}',
                      str(numbers), "1")
            bare = wrk(nginx, "/bare", seconds, script=script)
            before = store_count(store)
            update = wrk(nginx, "/a/update", seconds, script=script)
            start = time.monotonic()
            wait_until(lambda: selection(nginx)["redis"]["pending_deltas"]
                       == 0, 60, "all in Redis", interval=0.001)
            update["behind"] = time.monotonic() - start
            update["learned"] = store_count(store) - before
            rows.append((bare, update))
    return rows


def store_count(store):
    """Feedbacks of the application that are in Redis."""
    state = store.state(STATE)
    return sum(float(value) * 2 ** (max(0.0, time.time()
                                        - float(state["t0"])) / -3600)
               for name, value in state.items() if "/" in name)


def asked(member, limit):
    """Queries with a user in the body: u and a number below the limit."""
    return ("numbered.lua", f'{{"input":[1.0],"{member}":"u', '"}',
            str(limit), str(random.randrange(2 ** 31)))


def round_trip(store):
    """Milliseconds of one HMGET of a user's state."""
    done = subprocess.run(
        ["redis-benchmark", "-p", str(store.port), "-c", "1", "-n", "20000",
         "-q", "HMGET", f"{STATE}:u0000007", "t0", "lambda", "@x", "m:1/win",
         "m:1/loss", "n:1/win", "n:1/loss"],
        check=True, capture_output=True, text=True, timeout=60)
    return float(re.findall(r"p50=([\d.]+)", done.stdout)[-1])


def held(nginx, store, count=400):
    """Milliseconds of queries of users while Redis is silent, alternating
    with a sleep of a tenth of the SLO and a query without a user."""
    times, control = [], []
    with nginx.connect() as connection:
        store.signal(signal.SIGSTOP)
        for i in range(count):
            start = time.monotonic()
            answer = connection.post("/a/predict", {
                "input": [1.0], "uid": f"v{i}"}).json()
            times.append((time.monotonic() - start) * 1e3)
            assert not answer["default"], answer
            start = time.monotonic()
            time.sleep(SLO_MS / 10 / 1000)
            connection.post("/a/predict", {"input": [1.0]})
            control.append((time.monotonic() - start) * 1e3)
        store.signal(signal.SIGCONT)
    return times, control


def added(nginx, seconds, script, pairs=3):
    """Runs with a policy that does not learn, and with one that does."""
    nginx.predict("first", [1.0])
    return [[wrk(nginx, path, seconds, connections=64, script=script)
             for path in ("/first/predict", "/a/predict")]
            for _ in range(pairs)]


def users(seconds, count):
    """Rows of runs, and figures of the zone and of single queries."""
    nobody, few, everybody = (("more", count), ("uid", 100), ("uid", count))
    cases = [("no user", nobody), ("100 users", few),
             (f"{count} users", everybody),
             ("no user, then", nobody), ("100 users, then", few)]
    with running(extra="timeout=60s") as (nginx, store):
        now = repr(time.time())
        for low in range(0, count, 10_000):
            store("EVAL", LOAD, 0, low, min(count, low + 10_000), now)
        nginx.predict("a", [1.0])
        pairs = added(nginx, seconds, asked(*nobody))
        memory = [pss([nginx.pid, *nginx.children()])]
        rows = []
        for name, who in cases:
            wrk(nginx, "/a/predict", 1, connections=64, script=asked(*who))
            rows.append((name, wrk(nginx, "/a/predict", seconds,
                                   connections=64, script=asked(*who))))
            memory.append(pss([nginx.pid, *nginx.children()]))
        single = [wrk(nginx, "/a/predict", seconds, connections=1,
                      script=asked(*who))
                  for who in (few, everybody)]
        trip = round_trip(store)
        table_of = selection(nginx)
        hmget = store("INFO", "commandstats")
        times, control = held(nginx, store)
    return {"pairs": pairs, "rows": rows, "memory": memory,
            "single": single, "trip": trip,
            "zone": table_of, "held": times, "slept": control,
            "asked": int(re.search(r"cmdstat_hmget:calls=(\d+)", hmget)[1])}


def taught(nginx, rounds=200):
    """Fills the cache, and lets each policy learn from some feedback."""
    nginx.predict("all", [1.0])
    with nginx.connect() as connection:
        for path in BANDITS:
            for i in range(rounds):
                answer = connection.post(f"/{path}/predict",
                                         {"input": [1.0]}).json()
                reply = connection.post(f"/{path}/update", {
                    "query_id": answer["query_id"], "label": i % 3 % 2})
                assert reply.body == b"Feedback received? 1", reply
        connection.post("/again/predict", {"input": [1.0]})
        connection.post("/alone/predict", {"input": [1.0]})


def outcomes(nginx, name):
    return next(app["queries"] for app in nginx.status()["applications"]
                if app["name"] == name)


def microseconds(nginx, path, seconds):
    """Microseconds of the worker per query, with answers from the cache."""
    def nanoseconds():
        return sum(int(file.read_text().split()[0])
                   for pid in nginx.children()
                   for file in Path(f"/proc/{pid}/task").glob("*/schedstat"))

    before, used = outcomes(nginx, path), nanoseconds()
    wrk(nginx, f"/{path}/predict", seconds, connections=64,
        script=asked("more", 10_000_000))
    used, after = nanoseconds() - used, outcomes(nginx, path)
    assert all(after[name] == before[name] for name in after
               if name not in ("cached", "aborted")), after
    return used / 1e3 / (after["cached"] - before["cached"])


def pairs_of(nginx, path, pairs):
    """Microseconds of one model and no choice, and of a path."""
    rows = []
    for _ in range(pairs):
        pair = {}
        for name in random.sample(("alone", path), 2):
            pair[name] = microseconds(nginx, name, 1)
        rows.append((pair["alone"], pair[path]))
    return rows


@contextlib.contextmanager
def counting(directory):
    """nginx under callgrind, one process; a function that counts the
    instructions of one query of a path."""
    program = Path(directory) / "nginx"
    program.write_text(
        "#!/bin/sh\nexec valgrind --tool=callgrind --instr-atstart=no "
        f"--log-file={directory}/valgrind.log --callgrind-out-file={directory}"
        f"/out {Settings(ROOT).nginx} \"$@\"\n", encoding="ascii")
    program.chmod(0o755)

    def control(nginx, *options):
        subprocess.run(["callgrind_control", *options, str(nginx.pid)],
                       check=True, capture_output=True, timeout=60)

    def count(nginx, path, queries=1000):
        request = build_request("POST", f"/{path}/predict", {"input": [1.0]})
        with nginx.connect(timeout=60) as connection:
            control(nginx, "--instr=on")
            control(nginx, "--zero")
            for _ in range(queries):
                connection.send(request)
                assert not connection.read().json()["default"]
            control(nginx, f"--dump={path}")
            control(nginx, "--instr=off")
        newest = max(Path(directory).glob("out.*"),
                     key=lambda file: int(file.suffix[1:]))
        return int(re.findall(r"^(?:totals|summary): (\d+)",
                              newest.read_text(), re.M)[-1]) / queries

    with mock.patch.dict(os.environ, NGINX_BIN=str(program)):
        with cluster(CHOICES, [(n, container_model()) for n in MODELS],
                     main="master_process off;") as nginx:
            taught(nginx)
            yield lambda path: count(nginx, path)


def choices(pairs):
    """Pairs of microseconds, and instructions, by policy."""
    found = {"pairs": {}, "instructions": {}}
    with cluster(CHOICES, [(n, container_model()) for n in MODELS]) as nginx:
        taught(nginx)
        for path in ("alone", *BANDITS):
            microseconds(nginx, path, 1)
        for path in ("again", *BANDITS):
            found["pairs"][path] = pairs_of(nginx, path, pairs)
    with tempfile.TemporaryDirectory(prefix="clipper-bench-") as directory:
        with counting(directory) as count:
            count("alone")
            for path in ("alone", "again", *BANDITS):
                found["instructions"][path] = [count(path) for _ in range(3)]
    return found


def tell_choices(found):
    plain = statistics.median(found["instructions"]["alone"])
    rows = []
    for path, pairs in found["pairs"].items():
        rows.append([
            "first" if path == "again" else path,
            spread(a for a, _ in pairs), spread(b for _, b in pairs),
            spread(b - a for a, b in pairs),
            f"{quartile(pairs, 1):.2f} – {quartile(pairs, 3):.2f}",
            spread((n - plain for n in found["instructions"][path]), 0)])
    print(table(["policy", "first, worker µs", "policy, worker µs",
                 "difference, µs", "its quartiles", "instructions more than "
                 f"the {plain:.0f} of first"], rows), flush=True)


def quartile(pairs, number):
    return statistics.quantiles((b - a for a, b in pairs), n=4)[number - 1]


def tell_feedback(name, rows):
    ratios = [b["rate"] / a["rate"] for a, b in rows]
    return [name, f"{statistics.median(a['rate'] for a, _ in rows):.0f}",
            spread([b["rate"] for _, b in rows], 0), spread(ratios),
            spread(b["worker_us"] for _, b in rows),
            spread(b["p99"] / 1e3 for _, b in rows),
            spread(b["learned"] / b["requests"] for _, b in rows),
            spread(b["behind"] for _, b in rows)]


def tail(values):
    values = sorted(values)
    return ", ".join(f"{one:.2f}" for one in (
        statistics.median(values), values[len(values) * 99 // 100],
        values[-1]))


def tell_users(found):
    print(table(["queries of", "/s", "worker µs", "p50 µs", "p99 µs",
                 "defaults", "PSS of nginx after, MB"],
                [[name, f"{one['rate']:.0f}", f"{one['worker_us']:.2f}",
                  one["p50"], one["p99"], one["defaults"], f"{size:.1f}"]
                 for (name, one), size in zip(found["rows"],
                                              found["memory"][1:])]))
    print(f"{POLICY} of two adds to `first`, worker µs: " + spread(
        b["worker_us"] - a["worker_us"] for a, b in found["pairs"]))
    hot, cold = (one["p50"] for one in found["single"])
    zone = found["zone"]
    print(f"PSS before {found['memory'][0]:.1f} MB; rows {zone['rows']} of "
          f"{zone['rows_max']}, evicted {zone['evicted']}, dropped "
          f"{zone['dropped']}, Redis was asked {found['asked']} times\n"
          f"one connection: p50 {hot} µs in the zone, {cold} µs not, "
          f"difference {cold - hot} µs, HMGET {found['trip'] * 1e3:.0f} µs\n"
          "ms, median, p99 and longest: Redis stopped "
          f"{tail(found['held'])}; a sleep of a tenth of the SLO "
          f"and a query {tail(found['slept'])}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--records", help="time of records in Redis")
    parser.add_argument("part", nargs="*", help="some of %(default)s",
                        default=["feedback", "users", "selection"])
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    found = {}
    if "feedback" in options.part:
        rows = []
        for name, count in (("no user", 0), ("5000 users", 5000)):
            found[name] = feedback(options.seconds, options.pairs, count,
                                   options.records)
            rows.append(tell_feedback(name, found[name]))
        print(table(["feedback of", "bare /s", "feedbacks /s", "of bare",
                     "worker µs", "p99 ms", "learned", "s behind"], rows),
              flush=True)
    if "users" in options.part:
        found["users"] = users(options.seconds, options.users)
        tell_users(found["users"])
    if "selection" in options.part:
        found["selection"] = choices(options.pairs * 4)
        tell_choices(found["selection"])
    (OUT / "learning.json").write_text(json.dumps(found, indent=1),
                                       encoding="utf-8")


if __name__ == "__main__":
    main()
