"""A row of the registry passes from one model to another: the state of the
first does not apply to the second, and its queries do not reach it."""

from concurrent.futures import ThreadPoolExecutor

from harness import Sim3, Way, application, wait_until

OPTIONS = {"zone": "2m"}        # the fewest rows


def models(server):
    return {f"{m['name']}:{m['version']}" for m in server.status()["models"]}


def announce(server, name, version=1):
    sim = Sim3(server, name, version).wait_registered()
    server.wait_replicas(name)
    return sim


def depart(server, sim):
    sim.close()
    wait_until(lambda: not server.replicas(sim.name, ready=False), 10,
               f"{sim.name} gone")


def fill(server):
    """Fills the table: the next model gets the row of the last."""
    count = 0
    while count < 2 or "filler0:1" in models(server):
        depart(server, announce(server, f"filler{count}"))
        count += 1
        assert count < 600, "rows without an end"
    return f"filler{count - 1}:1"


def weights(connection):
    text = connection.get("/metrics").body.decode()
    return [line for line in text.splitlines()
            if line.startswith("clipper_selection_weight{")]


def test_configured_names_come_first(nginx):
    """Catches a configured version without a row, for ever and unsaid, as
    containers of models that nobody configured have them all; and such
    containers that take every row."""
    server = nginx(application("a", "m:1"), **OPTIONS)
    sim = announce(server, "m")
    strangers = [Sim3(server, f"s{i}") for i in range(28)]
    wait_until(lambda: "no room for another" in server.log_text()
               and len(models(server)) > 20, 20, "a full table")
    taken = len(models(server))
    assert taken < 28

    wanted = [f"n{i}:1" for i in range(31 - taken + 3)]
    server.reload(server=application("a", "m:1")
                  + application("b", " ".join(wanted)))
    wait_until(lambda: "clipper_zone has no room for" in server.log_text())
    assert server.predict("a", [1.5])["output"] == 1.5
    for one in strangers:
        one.close()
    wait_until(lambda: server.log_text().count("has room for all names "
                                               "of the configuration")
               == len(server.worker_pids()), 20, "rows for all names")
    for name in wanted[0], wanted[-1]:
        last = announce(server, name.partition(":")[0])
        assert server.predict("b", [2.5])["output"] == 2.5
        depart(server, last)
    sim.close()


def test_another_version_gets_the_row(logged):
    """Catches a name that is remembered by its row: the name of the version
    that had the row before."""
    server, last = logged(application("a", "m")
                          + "location = /metrics { clipper_metrics; "
                          "access_log off; }", **OPTIONS)
    fill(server)
    with server.connect() as connection:
        for version in (1, 2):
            sim = announce(server, "m", version)
            answer = connection.post("/a/predict", {"input": [1.5]}).json()
            assert answer["output"] == 1.5
            values = last()
            assert values["models"] == values["model"] == f"m:{version}"
            assert weights(connection) == [
                'clipper_selection_weight{app="a",model="m",version='
                f'"{version}"}} 1.0']
            depart(server, sim)

            depart(server, announce(server, "y"))
            assert not {"m:1", "m:2"} & models(server)
            answer = connection.post("/a/predict", {"input": [1.5]}).json()
            assert answer["default"] and last()["models"] == "-"
            assert weights(connection) == []


def test_another_model_gets_the_row_of_a_query(logged, redis):
    """Catches a query that asks a model without a link: its own model lost
    its last replica, and its row, while the query waited for its user."""
    way = Way(redis(), b"held-user")
    server, last = logged(
        application("a", "m n", slo="300s",
                    extra="clipper_select epsilon_greedy;"),
        f"clipper_redis 127.0.0.1:{way.port} timeout=60s;", **OPTIONS)
    server.wait_redis()
    fill(server)
    sim = announce(server, "m")
    with ThreadPoolExecutor() as pool, server.connect(timeout=60) as client:
        answer = pool.submit(client.post, "/a/predict", {
            "input": [1.5], "uid": "held-user"})
        assert way.held.wait(10)
        depart(server, sim)
        other = announce(server, "y")
        assert "m:1" not in models(server)
        way.go.set()
        answer = answer.result().json()
    way.close()
    assert answer["default"]
    assert other.requests == []
    values = last()
    assert (values["outcome"], values["default_reason"], values["models"],
            values["model"]) == ("default", "no_replica", "m:1", "-")
