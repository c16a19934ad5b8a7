"""Several replicas under load: hedging must not cost answers."""

import threading
import time

import pytest

from harness import PythonContainer, application

NO_CACHE = "clipper_cache_zone off;\n"

#: Inputs of one request, all with the same deadline.
MANY = 30

#: Inputs that a model may compute twice: a twentieth, and the initial credit.
SHARE, CREDIT = 20, 64

# Lambdas, so that the container gets them whole.
slow_model = lambda xs: (  # noqa: E731
    __import__("time").sleep(0.004 + 0.002 * len(xs)) or ["1"] * len(xs))
steady_model = lambda xs: (  # noqa: E731
    __import__("time").sleep(0.002) or ["1"] * len(xs))


def crowd(server, seconds, clients):
    """Answers and inputs of clients who always have MANY inputs under way."""
    counts = []
    end = time.monotonic() + seconds

    def ask(number):
        answered = asked = 0
        with server.connect(timeout=30) as connection:
            while time.monotonic() < end:
                inputs = [[number + asked + i + 0.5] for i in range(MANY)]
                body = connection.post("/a/predict",
                                       {"input_batch": inputs}).json()
                answers = body["batch_predictions"]
                answered += sum(not a["default"] for a in answers)
                asked += len(answers)
        counts.append((answered, asked))

    threads = [threading.Thread(target=ask, args=(1e6 * (k + 1),))
               for k in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return tuple(map(sum, zip(*counts)))


def overloaded(nginx, hedge, replicas):
    server = nginx(application("a", "m:1", slo="60ms"), http=NO_CACHE
                   + f"clipper_model m {{ hedge {hedge}; }}")
    containers = [PythonContainer(server, "m", slow_model)
                  for _ in range(replicas)]
    server.wait_replicas("m", replicas, timeout=30)
    crowd(server, 1, 2 * replicas)
    answered, asked = crowd(server, 3, 2 * replicas)
    model = server.status()["models"][0]
    for container in containers:
        container.kill()
    server.stop()
    return answered, asked, model["hedges"], model["inputs"]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("replicas", [1, 2, 4])
def test_no_hedges_under_load(nginx, replicas):
    """Catches late batches that are computed twice while others wait, and
    waiters that are given up because a copy of their input cannot be on time:
    both left a fifth of the answers at twice the capacity."""
    found = {}
    for hedge in ("off", "auto"):
        found[hedge] = overloaded(nginx, hedge, replicas)
        print(hedge, found[hedge])
    answered, asked, hedges, inputs = found["auto"]
    assert asked > answered > 0
    assert hedges <= inputs / SHARE + CREDIT + MANY
    assert found["off"][2] == 0
    assert answered >= 0.7 * found["off"][0]


def light(nginx, hedge):
    """Defaults of queries that come one by one, each to an idle replica, and
    the number of hedges."""
    server = nginx(application("a", "m:1", slo="5ms"), http=NO_CACHE
                   + f"clipper_model m {{ hedge {hedge}; }}")
    containers = [PythonContainer(server, "m", steady_model)
                  for _ in range(2)]
    server.wait_replicas("m", 2, timeout=30)
    defaults = 0
    for i in range(500):
        answer = server.predict("a", [i + 0.5])
        if i >= 100:
            defaults += answer["default"]
        time.sleep(0.005)
    hedges = server.status()["models"][0]["hedges"]
    for container in containers:
        container.kill()
    server.stop()
    return defaults, hedges


@pytest.mark.timeout(240)
def test_hedging_with_little_time(nginx):
    """Catches batches that are hedged before their reply is due: with an SLO
    of 2.5 batches half of all queries got the default."""
    for _ in range(3):
        found = {hedge: light(nginx, hedge) for hedge in ("off", "auto")}
        print(found)
        assert found["auto"][1] <= 500 / SHARE + CREDIT
        if found["auto"][0] <= found["off"][0] + 100:
            return
    pytest.fail(f"defaults of 400, hedges: {found}")
