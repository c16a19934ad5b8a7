"""A model that fails on its inputs is seen where one looks: in the status, in
the health of its applications and, if allowed, in the answer."""

import time

from harness import Sim4, application, rpc, wait_until

TEXT = 'FileNotFoundError: no "threshold.txt"\n'
SEEN = 'FileNotFoundError: no "threshold.txt"\\x0A'


def failing(server, name="m", fails=lambda value: True):
    """A container that fails on some of its inputs."""
    sims = []

    def handler(sim, request):
        bad = [fails(value) for value in request.values]
        sim.reply(
            request, [TEXT if one else "1.0" for one in bad],
            statuses=[rpc.FAILED if one else rpc.OUTPUT for one in bad])

    sims.append(Sim4(server, name, handler=handler))
    sims[0].wait_registered()
    server.wait_replicas(name)
    return sims[0]


def health(server, app):
    response = server.get("/health?app=" + app)
    return response.status, response.json()


def model(server):
    return server.status()["models"][0]


def ask(server, *values):
    for value in values:
        yield server.predict("a", [float(value)])


def test_a_model_that_always_fails(nginx):
    """Catches a model that fails on every input while all looks well."""
    server = nginx(application("a", "m:1", extra="clipper_explain on;"))
    failing(server)
    assert health(server, "a") == (200, {"status": "ok"})
    assert model(server)["last_error"] is None
    assert model(server)["last_error_time"] is None
    begun = int(time.time())
    answers = list(ask(server, *range(9)))
    assert health(server, "a") == (200, {"status": "ok"})
    answers += ask(server, 9)
    for answer in answers:
        assert answer["default_reason"] == "model_error"
        assert answer["default_explanation"] == (
            "The default was used: model_error, m:1: " + SEEN)
    assert model(server)["failed"] == 10
    assert model(server)["last_error"] == SEEN
    assert begun <= model(server)["last_error_time"] <= time.time()
    assert health(server, "a") == (503, {
        "status": "unavailable",
        "cause": "The application's models have failed on all their inputs",
        "failing": [{"model": "m", "version": "1", "failed": 10,
                     "last_error": SEEN}]})
    assert server.get("/health").status == 200


def test_a_model_that_has_answered(nginx):
    """Catches inputs of one client that take the application out of
    service, and failures that are not forgotten after an answer."""
    server = nginx(application("a", "m:1"))
    failing(server, fails=lambda value: value[0] > 0)
    answers = list(ask(server, -1, *range(1, 12)))
    assert answers[-1]["default_explanation"] == \
        "The default was used: model_error"
    status, seen = health(server, "a")
    assert (status, seen["status"]) == (200, "ok")
    assert seen["failing"] == [{"model": "m", "version": "1", "failed": 11,
                                "last_error": SEEN}]
    list(ask(server, -2))
    assert health(server, "a") == (200, {"status": "ok"})
    assert model(server)["failed"] == 0
    assert model(server)["last_error"] == SEEN


def test_another_model_of_the_application(nginx):
    """Catches an application that is unavailable while one model answers,
    and failures of a model that is replaced by another."""
    server = nginx(application("a", "m:1 n:1", extra="clipper_select "
                                                     "majority;"))
    first = failing(server)
    failing(server, "n", lambda value: False)
    list(ask(server, *range(10)))
    status, seen = health(server, "a")
    assert status == 200
    assert [one["model"] for one in seen["failing"]] == ["m"]
    first.close()
    wait_until(lambda: not server.replicas("m", ready=False), 10, "m gone")
    again = Sim4(server, "m", digest=b"another").wait_registered()
    server.wait_replicas("m")
    assert again and health(server, "a") == (200, {"status": "ok"})
