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

#: Queries that the model learns from, and that are between two looks at how
#: many were answered: chance is not what decides.
WARM, LOOK, LOOKS = 100, 1000, 8

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


@pytest.mark.timing("real containers have to answer within 5 ms")
@pytest.mark.timeout(300)
def test_hedging_with_little_time(nginx):
    """Catches batches that are given to another replica before their reply is
    due: half of all queries had the default with an SLO of 2.5 batches. They
    come one by one, to a model with hedging and to one without by turns, so
    that what else the machine does meets both alike."""
    ways = ("off", "auto")
    server = nginx(
        "".join(application(way, f"{way}:1", slo="5ms") for way in ways),
        http=NO_CACHE + "".join(
            f"clipper_model {way} {{ hedge {way}; }}" for way in ways))
    for way in ways:
        for _ in range(2):
            PythonContainer(server, way, steady_model)
        server.wait_replicas(way, 2, timeout=30)

    answered = dict.fromkeys(ways, 0)
    for i in range(LOOKS * LOOK + WARM):
        for way in ways:
            answer = server.predict(way, [i + 0.5])
            answered[way] += i >= WARM and not answer["default"]
        time.sleep(0.005)
        asked = i + 1 - WARM
        if asked > LOOK and asked % LOOK == 0:
            print(asked, answered)
            if answered["auto"] >= 0.99 * answered["off"]:
                break

    hedges = {m["name"]: m["hedges"] for m in server.status()["models"]}
    assert hedges["off"] == 0
    assert hedges["auto"] <= (i + 1) / SHARE + CREDIT
    assert answered["auto"] >= 0.99 * answered["off"], answered
