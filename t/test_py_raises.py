"""Functions that raise what would end a program, or what cannot be printed:
an error of that input, and the container goes on."""

import asyncio
import signal
import subprocess
import sys

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


def stop(*_):
    """A handler of a container."""


stop.__module__ = "clipper_container.session"


@pytest.mark.parametrize("term, interrupt, exits, interrupts", [
    (signal.SIG_DFL, signal.default_int_handler, False, True),
    (stop, stop, False, False),
    (signal.SIG_DFL, signal.SIG_IGN, False, False),
    # of the program that serves the model
    (print, signal.default_int_handler, True, True),
    (signal.SIG_DFL, print, True, True),
])
def test_an_interrupt(monkeypatch, term, interrupt, exits, interrupts):
    """Catches a Ctrl-C, or an exit by the program's handler of a signal, that
    the program does not get to see."""
    handlers = {signal.SIGTERM: term, signal.SIGINT: interrupt}
    monkeypatch.setattr(model.signal, "getsignal", handlers.get)
    assert model.is_interrupt(SystemExit(0)) is exits
    assert model.is_interrupt(KeyboardInterrupt()) is interrupts
    assert not model.is_interrupt(ValueError())


FORKS = """
import os, sys
import numpy as np
from clipper_container import Model
from clipper_container.input_types import CODES
from clipper_container.wire import PREDICT, Request

def answer(xs):
    child = os.fork()
    if child == 0:
        sys.exit(7)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])]

request = Request(1, PREDICT, CODES["doubles"], np.array([8], "u8"), 8, None,
                  np.array([3.0]).tobytes())
print(Model(answer, CODES["doubles"]).answer(request))
"""


def test_a_child_does_not_answer():
    """Catches a child that a function has forked, and that goes on in place
    of the container when it exits."""
    done = subprocess.run([sys.executable, "-c", FORKS], text=True,
                          capture_output=True, check=True)
    assert done.stdout == "([b'7'], None)\n", done.stderr


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


def test_a_long_error_ends_with_a_character(nginx):
    """Catches an error that is cut within a character."""
    def wide(xs):
        raise ValueError("oddx" + "é" * 200)

    server = nginx(application("a", "m:1", slo="20s",
                               extra="clipper_explain on;"))
    PythonContainer(server, "m", wide)
    server.wait_replicas("m", 1)
    assert server.predict("a", [1.0])["default_explanation"] == \
        "The default was used: model_error, m:1: ValueError: oddx" + "é" * 119
