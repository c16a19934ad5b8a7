"""Functions that raise what would end a program, or what cannot be printed:
an error of that input, and the container goes on."""

import asyncio
import signal

import pytest

from clipper_container import Model, model
from clipper_container.input_types import CODES
from harness import PythonContainer, application
from harness.frontend import FAILED, OK, PLENTY_US, SKIPPED, doubles


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class NoText(Exception):
    def __str__(self):
        return 7  # noqa: PLE0307


class Endless(Exception):
    def __str__(self):
        return str(self)


RAISED = [
    (SystemExit, b"SystemExit: 3"),
    (KeyboardInterrupt, b"KeyboardInterrupt: 3"),
    (asyncio.CancelledError, b"CancelledError: 3"),
    (GeneratorExit, b"GeneratorExit: 3"),
    (Unprintable, b"Unprintable: (its __str__ raised RuntimeError)"),
    (NoText, b"NoText: (its __str__ raised TypeError)"),
    (Endless, b"Endless: (its __str__ raised RecursionError)"),
]


def raising(kind):
    def answer(xs):
        if any(x[0] == 3 for x in xs):
            raise kind(3)
        return [float(x[0]) for x in xs]

    return answer


@pytest.mark.parametrize("kind, text", RAISED)
def test_what_ends_a_program(frontend, run, kind, text):
    """Catches a container that ends, or whose other inputs fail."""
    run(raising(kind), "doubles")
    identity, _ = frontend.register()
    for values in [(3,), (1, 3, 2), (3,), (4,)]:
        frontend.request(identity, "doubles", [doubles(x) for x in values])
        assert frontend.reply(identity) == [
            (FAILED, text) if x == 3 else (OK, b"%d.0" % x) for x in values]


@pytest.mark.parametrize("values", [(1, 3), (1, 3, 2)])
def test_while_an_input_is_late(frontend, run, values):
    run(raising(SystemExit), "doubles")
    identity, _ = frontend.register()
    frontend.request(identity, "doubles", [doubles(x) for x in values],
                     left=[0] + [PLENTY_US] * (len(values) - 1))
    assert frontend.reply(identity) == [
        (SKIPPED, b""), (FAILED, b"SystemExit: 3"),
        (OK, b"2.0")][:len(values)]


def test_what_an_iterator_raises(frontend, run):
    """Catches an exception that comes while the answers are written."""
    def answer(xs):
        for x in xs:
            if x[0] == 3:
                raise SystemExit(3)
            yield x[0]

    run(answer, "doubles")
    identity, _ = frontend.register()
    frontend.request(identity, "doubles", [doubles(1), doubles(3)])
    assert frontend.reply(identity) == [
        (OK, b"1.0"), (FAILED, b"SystemExit: 3")]


def test_an_interrupt_from_the_keyboard(monkeypatch):
    """Catches a Ctrl-C that a program without a handler of its own does not
    get to see."""
    monkeypatch.setattr(model.signal, "getsignal",
                        lambda number: signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        model.check_interrupt(KeyboardInterrupt())
    model.check_interrupt(SystemExit())
    monkeypatch.setattr(model.signal, "getsignal", lambda number: print)
    model.check_interrupt(KeyboardInterrupt())


def test_a_sample_input_that_ends_the_program():
    """Catches a deployment that passes since `serve` has just returned."""
    made = Model(raising(SystemExit), CODES["doubles"])
    with pytest.raises(SystemExit):
        made.warm_up([3.0])


@pytest.mark.parametrize("more", ["", "!" * 200])
def test_each_input_has_its_own_error(nginx, more):
    """Catches the error of a neighbour in the same batch, also one that is
    longer than what shared memory has a place for in each row."""
    def moody(xs):
        for x in xs:
            if x[0] % 2:
                raise ValueError("odd %d%s" % (x[0], more))
        return [float(x[0]) for x in xs]

    server = nginx(application("a", "m:1", slo="20s",
                               extra="clipper_explain on;"),
                   http="clipper_model m { batch 8; }")
    container = PythonContainer(server, "m", moody)
    server.wait_replicas("m", 1)
    for first in (0, 1, 10):
        values = range(first, first + 6)
        answer = server.post("/a/predict", {"input_batch": [
            [float(x)] for x in values]}).json()
        assert [one.get("default_explanation", one["output"])
                for one in answer["batch_predictions"]] == [
            "The default was used: model_error, m:1: ValueError: odd %d%s"
            % (x, more) if x % 2 else x for x in values]
    assert container.process.poll() is None
