"""clipper_metrics: the format that Prometheus reads, and true figures."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import Connection, Sim3, Sim4, application, death, rpc, wait_until
from harness.metrics import METRICS, scrape

REFERENCE = Path(__file__).resolve().parent.parent / "docs/reference.md"

#: The type and the labels of each family, from the table in the reference.
FAMILIES = {
    name: (kind, set(re.findall(r"`(\w+)`", labels)))
    for name, kind, labels in re.findall(
        r"^\| `(clipper_\w+)` \| (\w+) \| ((?:`\w+`(?:, )?)*)",
        REFERENCE.read_text(), re.M)}

#: Without clipper_redis they have no value.
OF_REDIS = {"clipper_redis_up", "clipper_redis_pending_deltas"}

BUCKETS = ["0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05",
           "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"]

def start(nginx, server, **kw):
    return nginx(server, operator_extra=METRICS, **kw)


def connected(server, name="m", sim=Sim3, **kw):
    made = sim(server, name, **kw)
    server.containers.append(made)
    made.wait_registered()
    wait_until(lambda: any(replica["version"] == made.model_version
                           for replica in server.replicas(name)), 10,
               "a replica that is ready")
    return made


def test_families(nginx):
    """Catches a family without HELP and TYPE, a wrong type, other labels,
    and a sample before its family."""
    server = start(nginx, application("a", "m:1"))
    got = scrape(server)

    for name, (kind, labels) in FAMILIES.items():
        assert got.types.get(name) == kind, name
        assert got.helps[name].endswith("."), name

    for sample, pairs in got.samples:
        keys = {key for key, _ in pairs} - {"le"}
        assert keys == FAMILIES[got.family(sample)][1], sample

    present = {got.family(sample) for sample, _ in got.samples}
    assert present | OF_REDIS == set(FAMILIES)


def test_promtool(nginx):
    """Catches everything that Prometheus' own linter finds."""
    promtool = shutil.which("promtool")
    assert promtool, "the package prometheus is missing"
    server = start(nginx, application("a", "m:1") + application("b"))
    connected(server)
    server.predict("a", [1.0])
    server.predict("b", [1.0])
    done = subprocess.run([promtool, "check", "metrics"],
                          input=server.get("/metrics").body, timeout=60,
                          capture_output=True)
    assert done.returncode == 0 and not done.stdout and not done.stderr, \
        (done.stdout + done.stderr).decode()


def test_sums_are_what_was_asked(nginx):
    """Catches an input that is not counted, or counted twice."""
    server = start(nginx, application("a", "m:1") + application("b"))
    connected(server)

    for i in range(20):
        server.predict("a", [float(i)])
    for i in range(10):
        server.predict("a", [float(i)])
    inputs = [[100.0 + i] for i in range(7)]
    assert server.post("/a/predict", {"input_batch": inputs}).status == 200
    for _ in range(3):
        assert server.post("/a/predict", "{").status == 400
        server.predict("b", [1.0])

    got = scrape(server)
    counted = {outcome: got("clipper_queries_total", app="a", outcome=outcome)
               for outcome in ("answer", "cached", "joined", "default",
                               "error", "aborted")}
    assert counted == {"answer": 27, "cached": 10, "joined": 0, "default": 0,
                       "error": 3, "aborted": 0}
    assert got("clipper_queries_total", app="b", outcome="default") == 3
    assert got("clipper_defaults_total", app="b", reason="no_replica") == 3
    assert got("clipper_defaults_total", app="b") == 3
    assert got("clipper_defaults_total", app="a") == 0
    assert got("clipper_query_duration_seconds_count", app="a") == 40
    assert got("clipper_batch_size_sum", model="m", version="1") == 27
    assert got("clipper_cache_lookups_total", model="m", result="hit") == 10
    assert got("clipper_cache_lookups_total", model="m", result="miss") == 27
    assert got("clipper_replicas", model="m", version="1") == 1
    assert got("clipper_queue_tasks", model="m", version="1") == 0


def test_histograms(nginx):
    """Catches buckets that are not cumulative, a wrong unit, and a count
    that is not the last bucket."""
    server = start(nginx, application("a", "m:1"))
    connected(server, delay=0.06)
    for i in range(4):
        server.predict("a", [float(i)])

    got = scrape(server)

    for name, labels in (("clipper_query_duration_seconds", {"app": "a"}),
                         ("clipper_batch_duration_seconds",
                          {"model": "m", "version": "1"})):
        counts = [got(name + "_bucket", le=le, **labels) for le in BUCKETS]
        assert counts == sorted(counts)
        assert got(name + "_bucket", le="0.05", **labels) == 0
        assert got(name + "_bucket", le="10", **labels) == 4
        assert counts[-1] == got(name + "_count", **labels) == 4
        assert 0.24 <= got(name + "_sum", **labels) <= 4 * 10

    assert got.labels("clipper_query_duration_seconds_bucket", "le") \
        == set(BUCKETS)
    assert got("clipper_batch_size_bucket", le="1", model="m") == 4


def test_gauges_follow(nginx):
    """Catches gauges that do not go up, or do not come down again."""
    server = start(nginx, application("a", "m:1"))
    sim = connected(server, manual=True)
    empty = scrape(server)("clipper_zone_used_bytes", zone="main")

    connections = [server.connect() for _ in range(4)]
    for i, connection in enumerate(connections):
        connection.send(b"POST /a/predict HTTP/1.1\r\nHost: x\r\n"
                        b"Content-Length: 15\r\n\r\n"
                        b'{"input":[%d.0]}' % i)
        if i == 0:
            held = sim.next_request()

    wait_until(lambda: scrape(server)("clipper_queue_tasks", model="m") == 3)
    assert scrape(server)("clipper_zone_used_bytes", zone="main") > empty

    sim.answer(held)
    while sum(len(request.inputs) for request in sim.requests) < 4:
        sim.answer(sim.next_request())
    for connection in connections:
        assert connection.read().status == 200
        connection.close()

    got = scrape(server)
    assert got("clipper_queue_tasks", model="m") == 0
    assert got("clipper_zone_used_bytes", zone="main") == empty
    assert got("clipper_zone_size_bytes", zone="main") == 16 * 1024 * 1024
    assert got("clipper_zone_used_bytes", zone="cache") > 0

    sim.close()
    wait_until(lambda: scrape(server)("clipper_replicas", model="m") == 0)


def test_dropped_tasks(nginx):
    """Catches an unanswered query that no reason counts."""
    server = start(
        nginx, application("a", "m:1", slo="150ms") + application("e", "n:1"),
        http="clipper_cache_zone off; clipper_model m { queue 1; }")

    server.predict("a", [1.0])
    sim = connected(server, manual=True)
    assert server.post("/a/predict",
                       {"input_batch": [[float(i)] for i in range(8)]}
                       ).status == 200
    sim.answer(sim.next_request())

    def fail(sim, request):
        sim.reply(request, ["no"] * len(request.inputs),
                  statuses=[1] * len(request.inputs))

    connected(server, "n", sim=Sim4, handler=fail)
    server.predict("e", [1.0])

    got = scrape(server)
    name = "clipper_tasks_dropped_total"
    full = got(name, model="m", reason="queue_full")
    assert full >= 6 and full + got(name, model="m", reason="deadline") == 8
    assert got(name, model="m", reason="no_replica") == 1
    assert got(name, model="n", reason="model_error") == 1
    for reason in ("no_replica", "deadline", "queue_full", "model_error"):
        assert got(name, reason=reason) \
            == got("clipper_defaults_total", reason=reason)


def test_joined_and_aborted(nginx):
    """Catches a joined input that counts as a miss, and an input that counts
    as dropped by the model when its client went away."""
    server = start(nginx, application("a", "m:1"))
    sim = connected(server, manual=True)
    body = (b"POST /a/predict HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: 13\r\n\r\n" b'{"input":[1]}')
    connections = [server.connect() for _ in range(5)]
    for connection in connections:
        connection.send(body)
    held = sim.next_request()
    name = "clipper_cache_lookups_total"
    wait_until(lambda: scrape(server)(name, model="m") == 5)

    connections.pop().close()
    wait_until(lambda: scrape(server)("clipper_queries_total", app="a",
                                      outcome="aborted") == 1)
    sim.answer(held)
    for connection in connections:
        assert connection.read().status == 200
        connection.close()

    got = scrape(server)
    assert got(name, result="miss") == 1 and got(name, result="joined") == 4
    assert got(name, result="hit") == 0
    assert got("clipper_queries_total", app="a") == 5
    assert got("clipper_tasks_dropped_total") == 0


def test_no_cache_no_series(nginx):
    """Catches figures of a zone that does not exist."""
    server = start(nginx, application("a", "m:1"),
                   http="clipper_cache_zone off;")
    assert scrape(server).labels("clipper_zone_size_bytes", "zone") \
        == {"main"}


def test_labels_only_from_the_configuration(nginx):
    """Catches series with names that only a container announces."""
    server = start(nginx, application("a", "m") + application("b", "n:7"))
    connected(server, "m", version="1")
    before = len(scrape(server).samples)

    for version in ("2", "3", "4"):
        connected(server, "m", version=version)
    for name in ("stranger", "strange-2", 'quo"te\\'):
        connected(server, name)

    got = scrape(server)
    assert got.labels("clipper_replicas", "model") == {"m", "n", "other"}
    assert got("clipper_replicas", model="other", version="other") == 3
    assert got("clipper_replicas", model="m") == 4
    assert got("clipper_replicas", model="n", version="7") == 0
    own = got.labels("clipper_replicas", "version") - {"other", "7"}
    assert len(own) == 1
    assert got("clipper_replicas", model="m", version="other") == 3
    assert got("clipper_queue_tasks", model="m", version=own.pop()) == 0

    per_version = [s for s in got.samples
                   if dict(s[1]).get("model") == "n"
                   and "app" not in dict(s[1])]
    assert len(got.samples) - before == 2 * len(per_version)


def test_labels_are_escaped(nginx):
    """Catches an announced version that ends its label."""
    server = start(nginx, application("a", "m"))
    connected(server, "m", version='x"y\\z')
    assert scrape(server)("clipper_replicas", model="m",
                          version='x\\"y\\\\z') == 1


def test_versions_of_links_are_told(nginx):
    """Catches a version of a link or a block that counts as "other"."""
    server = start(
        nginx, application("a", "m:2") + application("b", "m"),
        http="clipper_model m { version 5; } clipper_model m:3 { batch 2; }")
    for version in "2359":
        connected(server, "m", version=version)
    got = scrape(server)
    assert got.labels("clipper_replicas", "version") \
        == {"2", "3", "5", "other"}
    for version in ("2", "3", "5", "other"):
        assert got("clipper_replicas", model="m", version=version) == 1


def test_monotonic_over_a_reload(nginx):
    """Catches a counter that a reload starts anew, and one worker's figures
    instead of all workers'."""
    # While it moves, a container has two connections: no copies.
    server = start(nginx, application("a", "m:1"),
                   http="clipper_model m { hedge off; }")
    connected(server, sim=Sim4)
    for i in range(10):
        server.predict("a", [float(i)])

    before = scrape(server)
    server.reload()
    server.wait_replicas("m")
    for i in range(10):
        server.predict("a", [50.0 + i])
    after = scrape(server)

    for (name, pairs), value in before.samples.items():
        if before.types[before.family(name)] != "gauge":
            assert after.samples[name, pairs] >= value, name

    assert after("clipper_queries_total", app="a") == 20
    assert after("clipper_batch_size_sum", model="m") == 20
    assert after("clipper_start_time_seconds") \
        == before("clipper_start_time_seconds")
    assert after("clipper_config_load_time_seconds") \
        >= before("clipper_config_load_time_seconds")


def test_model_that_is_dropped_counts_as_other(nginx):
    """Catches counts that vanish with a name from the configuration."""
    server = start(nginx, application("a", "m:1"))
    connected(server, sim=Sim4)
    for i in range(5):
        server.predict("a", [float(i)])
    server.reload(server=application("b", "n:1"))
    got = scrape(server)
    assert got("clipper_batch_size_sum", model="m") is None
    assert got("clipper_batch_size_sum", model="other", version="other") == 5
    assert got.labels("clipper_queries_total", "app") == {"b"}


def test_counts_outlive_a_reused_row(nginx):
    """Catches counts that are lost when the table of models is full and a
    row goes to another name."""
    server = start(nginx, application("a", "m:1"), zone="4m")
    connected(server, sim=Sim4)
    for i in range(5):
        server.predict("a", [float(i)])
    server.reload(server=application("b", "n:1"))
    server.containers[0].close()

    # a zone of 4 MB has 31 rows of models
    for i in range(40):
        sim = connected(server, f"x{i}")
        sim.close()

    wait_until(lambda: not server.replicas(ready=False))
    names = {model["name"] for model in server.status()["models"]}
    assert "m" not in names and "x39" in names
    assert scrape(server)("clipper_batch_size_sum", model="other") == 5


def test_rpc_errors(nginx):
    """Catches a dropped message that is not counted by its cause."""
    server = start(nginx, application("a", "m:1"))
    sim = connected(server)
    server.allow("container message dropped")
    sim.send([b"", rpc.u32(77)])
    wait_until(lambda: scrape(server)("clipper_rpc_errors_total") == 1)
    assert scrape(server)("clipper_rpc_errors_total",
                          cause="unknown_type") == 1


def test_journal_overflows(nginx):
    """Catches a change that a death would not undo, without a message in the
    log; or a message each time."""
    server = start(nginx, application(
        "a", "m:1 n:1", extra="clipper_select thompson;"))
    server.allow("larger than its journal")
    Sim4(server, "m").wait_registered()
    server.wait_replicas("m")
    name = "clipper_journal_overflows_total"

    def learn(value, before=None):
        assert server.post("/a/predict", {
            "uid": "u", "input": [value]}).status == 200
        if before:
            before(server)
        assert server.post("/a/update", {"uid": "u", "input": [value],
                                         "label": value}).status == 200

    learn(1.0)
    assert scrape(server)(name) == 0
    counts = [0]
    for value in (2.0, 3.0):
        learn(value, fill_journal)
        counts.append(server.status()["zone"]["journal_overflows"])
        assert scrape(server)(name) == counts[-1]
    assert counts == sorted(set(counts))
    assert server.log_text().count("larger than its journal") == 1


def fill_journal(server):
    """Leaves no room in the journal of the records. The process object
    begins with the view of the zone; its 13th pointer is to the records, and
    they begin with the journal: lock (16 bytes), and bytes used."""
    pid = server.worker_pids()[0]
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        def word(address, size=8):
            memory.seek(address)
            return int.from_bytes(memory.read(size), "little")

        zone = word(death.address(pid, server.settings.module,
                                  "ngx_http_clipper_process"))
        journal = word(zone + 12 * 8)
        assert word(journal + 16, 4) == 0
        memory.seek(journal + 16)
        memory.write((24 * 1024).to_bytes(4, "little"))


def test_methods(nginx):
    """Catches a HEAD with a body and other methods that are answered."""
    server = start(nginx, application("a"))
    with Connection(("127.0.0.1", server.operator)) as connection:
        head = connection.request("HEAD", "/metrics")
        assert head.status == 200 and head.body == b""
        assert int(head.headers["content-length"]) > 1000
        assert connection.post("/metrics", "x").status == 405
        assert connection.get("/metrics").status == 200


def test_many_labels(nginx):
    """Catches a text that is cut at a page, and names of full length."""
    apps = [("a%02d" % i) + "x" * 250 for i in range(25)]
    server = start(
        nginx, "".join(application(name, f"m{i:02}{'y' * 250}:"
                                         f"{i:02}{'z' * 250}")
                       for i, name in enumerate(apps)))
    got = scrape(server)
    assert got.labels("clipper_queries_total", "app") == set(apps)
    assert len(got.labels("clipper_replicas", "version")) == len(apps)


CHOOSING = ("location /a {{ clipper_app a; clipper_slo 5s; {links}\n"
            "clipper_select {policy}; }}\n")


def weights(server, app="a"):
    """The samples of an application: version of m -> weight."""
    return {dict(pairs)["version"]: value for (name, pairs), value
            in scrape(server).samples.items()
            if name == "clipper_selection_weight"
            and ("app", app) in pairs and ("model", "m") in pairs}


@pytest.mark.parametrize("policy", ["exp3 eta=0.5", "exp4 eta=1", "thompson",
                                    "epsilon_greedy"])
def test_selection_weight_follows_feedback(nginx, policy):
    """Catches weights that the policy has not learned, that do not sum to 1,
    or that a model without a replica keeps."""
    server = start(nginx, CHOOSING.format(
        links="clipper_link m:1 m:2;", policy=policy),
        http="clipper_cache_zone off;")
    assert weights(server) == {"1": 0, "2": 0}
    connected(server, sim=Sim4, model=lambda xs: ["1" for _ in xs])
    assert weights(server) == {"1": 1, "2": 0}
    good = connected(server, sim=Sim4, version="2",
                     model=lambda xs: ["2" for _ in xs])
    before = weights(server)
    assert before["2"] == pytest.approx(0.5, abs=1e-3)

    for i in range(100):
        answer = server.predict("a", [float(i)])
        response = server.post("/a/update", {
            "query_id": answer["query_id"], "label": 2})
        assert response.body == b"Feedback received? 1"

    after = weights(server)
    assert after["2"] > 0.9 and after["2"] > before["2"]
    assert sum(after.values()) == pytest.approx(1)
    links = server.status()["applications"][0]["links"]
    assert {link["version"]: link["share"] for link in links} \
        == pytest.approx(after, abs=1e-3)

    good.close()
    wait_until(lambda: weights(server) == {"1": 1, "2": 0})


def test_results_of_feedback(nginx):
    """Catches refused feedback that is not counted, and a policy without a
    state that refuses feedback."""
    server = start(nginx, CHOOSING.format(links="clipper_link m:1 m:2;",
                                          policy="thompson")
                   + application("b", "m:1"), http="clipper_cache_zone off;")
    connected(server, sim=Sim4, model=lambda xs: [
        '"' + "x" * (62 if x[0] == 1 else 63) + '"' for x in xs])

    def result(app, reply, **body):
        before = scrape(server)
        response = server.post(f"/{app}/update", {"label": 2, **body})
        assert response.body == b"Feedback received? %d" % reply, response
        after = scrape(server)
        found, = [r for r in ("learned", "ignored", "unknown", "useless",
                              "dropped") if
                  after("clipper_feedback_total", app=app, result=r)
                  != before("clipper_feedback_total", app=app, result=r)]
        return found

    query_id = server.predict("a", [1.0])["query_id"]
    assert result("a", 0, query_id=query_id, uid="other") == "unknown"
    assert result("a", 1, query_id=query_id) == "learned"
    assert result("a", 0, query_id=query_id) == "unknown"
    assert result("a", 0, uid="u", input=[1.0]) == "unknown"
    assert result("a", 0, query_id=-7) == "unknown"
    query_id = server.predict("a", [2.0])["query_id"]
    assert result("a", 0, query_id=query_id) == "useless"
    assert result("b", 1, query_id=12) == "ignored"
    assert result("b", 1, query_id=-7) == "ignored"
    assert result("b", 1, uid="anybody", input=[3.0]) == "ignored"


def test_selection_weight_of_links(nginx):
    """Catches two samples with the same labels, a sample without a version,
    and weights that are not those of the links."""
    server = start(
        nginx, CHOOSING.format(policy="split", links="clipper_link m; "
                               "clipper_link m:2 weight=2; "
                               "clipper_link m:3 weight=5; clipper_link n;")
        + application("b", "m:3"), http="clipper_model m { version 2; }")
    connected(server, version="2")
    connected(server, version="3")
    assert weights(server) == {"2": 3 / 8, "3": 5 / 8}
    assert weights(server, "b") == {"3": 1}
    assert scrape(server).labels("clipper_selection_weight", "model") == {"m"}


def test_shares_are_exact(nginx):
    """Catches a share that the status rounds."""
    server = start(nginx, CHOOSING.format(
        policy="split", links="clipper_link m:1; clipper_link m:2 weight=2;"))
    connected(server)
    connected(server, version="2")
    links = server.status()["applications"][0]["links"]
    assert [link["share"] for link in links] == [1 / 3, 2 / 3]
