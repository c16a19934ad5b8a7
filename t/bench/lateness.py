"""Lateness of the default when a container sleeps past the SLO.

    make bench B=lateness      or: lateness.py [--runs N] [--rounds N]

The container sleeps for longer than the SLO of 20 ms, so each query ends with
its default by the timer. The figure is the kernel's receive timestamp of the
response (SO_TIMESTAMPNS on the client's socket; on loopback it is set during
the server's send), minus the time when the client has sent the last byte of
its request, minus the SLO. So it includes the way of the request to the
worker, the wait for the worker, and the lateness of the timer; it does not
include the client's own delay in reading. The control is nginx itself in the
same process: a location with a proxy_read_timeout of 20 ms, answered by
error_page; its requests alternate with the queries. The control shows how late
this machine makes any timer.

Prints p50, p99 and p99.9 of both for each run and the medians of the runs, and
writes build/bench/lateness.json.
"""

import argparse
import json
import selectors
import socket
import statistics
import struct
import time

from measure import CONTROL, OUT, Silent, application, cluster, table

from harness.client import build_request

SO_TIMESTAMPNS = 35
SLO = 0.020


def connect(server):
    connection = server.connect()
    connection.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    return connection.sock


def run(server, connections, rounds):
    """Milliseconds of lateness by path; the connections of both paths take
    turns, spread over the SLO."""
    late = {"/a/predict": [], "/control": []}
    sent, left = {}, {}
    selector = selectors.DefaultSelector()
    number = 0

    def ask(sock, path):
        nonlocal number
        number += 1
        data = build_request("POST", path, {"input": [number + 0.5]})
        sock.sendall(data)
        sent[sock] = time.time_ns()

    for _ in range(connections):
        for path in late:
            sock = connect(server)
            left[sock] = rounds
            selector.register(sock, selectors.EVENT_READ, path)
            ask(sock, path)
            time.sleep(SLO / connections / 2)

    while left:
        for key, _ in selector.select(5):
            sock, path = key.fileobj, key.data
            data, ancillary, _, _ = sock.recvmsg(65536, 64)
            if b'"default":true' not in data:
                raise SystemExit(f"not a default: {data!r}")
            seconds, nanos = struct.unpack("qq", ancillary[0][2])
            stamp = seconds * 10 ** 9 + nanos
            if b"model_error" not in data and b"shedding" not in data:
                late[path].append((stamp - sent[sock]) / 1e6 - SLO * 1e3)
            left[sock] -= 1
            if left[sock]:
                ask(sock, path)
            else:
                selector.unregister(sock)
                sock.close()
                del left[sock]

    return late


def percentiles(values):
    values = sorted(values)
    # Queries dropped at once, because no answer could be on time, get
    # their default before the deadline and are not late.
    timed = [v for v in values if v > -5] or [0.0]
    return [timed[min(len(timed) - 1, int(len(timed) * q))]
            for q in (0.5, 0.99, 0.999)] + [len(timed), len(values)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--connections", type=int, default=25)
    options = parser.parse_args()

    silent = Silent()
    runs = []
    model = "clipper_model m { batch_max 4; hedge off; }"
    with cluster(application("a", "m:1", slo="20ms") + CONTROL % silent.port,
                 [("m", lambda xs: (__import__("time").sleep(5)
                                    or ["1"] * len(xs)))],
                 http="clipper_cache_zone off;" + model) as server:
        run(server, options.connections, 5)
        for _ in range(options.runs):
            late = run(server, options.connections, options.rounds)
            runs.append({path: percentiles(v) for path, v in late.items()})

    rows = []
    for path in ("/a/predict", "/control"):
        for i, one in enumerate(runs):
            rows.append([path, i + 1, *(f"{v:.3f}" for v in one[path][:3]),
                         "/".join(map(str, one[path][3:]))])
        rows.append([path, "median", *(
            f"{statistics.median(r[path][k] for r in runs):.3f}"
            for k in range(3)), ""])
    worst = statistics.median(r["/a/predict"][2] for r in runs)
    text = table(["location", "run", "p50 ms", "p99 ms", "p99.9 ms",
                  "by the timer"], rows)
    print(text)
    print(f"p99.9 of the lateness, median of {options.runs} runs: "
          f"{worst:.3f} ms (≤ 2: {'yes' if worst <= 2 else 'NO'})")
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "lateness.json").write_text(json.dumps(runs, indent=1),
                                       encoding="utf-8")


if __name__ == "__main__":
    main()
