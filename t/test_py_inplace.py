"""Functions that change what they are called with, and then raise.

Each input that is asked again is asked with what the client sent, whatever
form the batch has and whatever the function did to it.
"""

import struct

import numpy as np
import pytest

from harness import PythonContainer, application
from harness.frontend import FAILED, OK, PLENTY_US, SKIPPED, doubles

FORMATS = {"bytes": "b", "ints": "i", "floats": "f", "doubles": "d"}


def packed(input_type, *values):
    return struct.pack("<%d%s" % (len(values), FORMATS[input_type]), *values)


def shown(batch):
    """One text for each input, of all that is in it."""
    return ["/".join("%g" % each for each in one) for one in batch]


def scaled(xs):
    """Works in place, as preparations of inputs often do."""
    for x in xs:
        x *= 2
    if any((x < 0).any() for x in xs):
        raise ValueError("negative")
    return shown(xs)


def through_a_view(xs):
    flat = np.asarray(xs).reshape(-1)
    first = flat[:1]
    first += 10
    np.add(flat, 1, out=flat)
    if (flat < 0).any():
        raise ValueError("negative")
    return shown(xs)


@pytest.mark.parametrize("input_type", sorted(FORMATS))
def test_arrays_of_each_type(frontend, run, input_type):
    """Catches good inputs that are answered after they were scaled twice."""
    run(scaled, input_type)
    identity, _ = frontend.register()
    frontend.request(identity, input_type, [
        packed(input_type, *v) for v in [(1, 2), (-3, 1), (5, 6)]])
    assert frontend.reply(identity) == [
        (OK, b"2/4"), (FAILED, b"ValueError: negative"), (OK, b"10/12")]


@pytest.mark.parametrize("inputs, texts", [
    ([doubles(101), doubles(102)], [b"1", b"2"]),
    ([doubles(101), doubles(102, 103)], [b"1", b"2/3"])])
def test_version_3(frontend, run, inputs, texts):
    """Catches the same in version 3, where each input is a frame, with
    inputs of equal and of different lengths."""
    def moody(xs):
        for x in xs:
            x -= 100
        if len(xs) > 1:
            raise ValueError("not so many")
        return shown(xs)

    run(moody, "doubles", 3)
    identity, _ = frontend.receive()
    frontend.ask_metadata(identity)
    frontend.receive_metadata()
    frontend.keepalive(identity, 3)
    frontend.request_3(identity, "doubles", inputs)
    _, frames = frontend.receive()
    assert frames[-2:] == texts


def test_in_place_on_a_view(frontend, run):
    run(through_a_view, "doubles")
    identity, _ = frontend.register()
    frontend.request(identity, "doubles",
                     [doubles(1, 2), doubles(-30, 1), doubles(5, 6)])
    assert frontend.reply(identity) == [
        (OK, b"12/3"), (FAILED, b"ValueError: negative"), (OK, b"16/7")]


def test_inputs_of_different_lengths(frontend, run):
    run(scaled, "doubles")
    identity, _ = frontend.register()
    frontend.request(identity, "doubles",
                     [doubles(1, 2), doubles(-3), doubles(), doubles(5)])
    assert frontend.reply(identity) == [
        (OK, b"2/4"), (FAILED, b"ValueError: negative"), (OK, b""),
        (OK, b"10")]


def test_a_list_of_strings_that_is_emptied(frontend, run):
    """Catches texts that get the answer of another one, or none."""
    def taking(xs):
        texts = []
        xs.sort(reverse=True)
        while xs:
            text = xs.pop()
            if text == "bad":
                raise ValueError(text)
            texts.append(text.upper())
        return texts

    run(taking, "strings")
    identity, _ = frontend.register()
    frontend.request(identity, "strings", [b"c", b"bad", b"a"])
    assert frontend.reply(identity) == [
        (OK, b"C"), (FAILED, b"ValueError: bad"), (OK, b"A")]


def test_a_function_that_keeps_its_batches(frontend, run):
    """Catches inputs that share memory with what an earlier call got."""
    kept = []

    def keeps(xs):
        for old in kept:
            old[...] = 0
        kept.append(xs)
        if len(xs) > 1:
            raise ValueError("too many")
        return shown(xs)

    run(keeps, "doubles")
    identity, _ = frontend.register()
    for _ in range(3):
        frontend.request(identity, "doubles", [doubles(1), doubles(2)])
        assert frontend.reply(identity) == [(OK, b"1"), (OK, b"2")]


def test_while_some_are_late(frontend, run):
    """Catches the same on the way of batches with inputs that are late."""
    run(scaled, "doubles")
    identity, _ = frontend.register()
    frontend.request(
        identity, "doubles",
        [doubles(1), doubles(2), doubles(-3), doubles(4)],
        left=[PLENTY_US, 0, PLENTY_US, PLENTY_US])
    assert frontend.reply(identity) == [
        (OK, b"2"), (SKIPPED, b""), (FAILED, b"ValueError: negative"),
        (OK, b"8")]


def test_nothing_wrong_is_in_the_cache(nginx):
    """Catches answers to changed inputs that are kept: the second time they
    come from the cache."""
    def halved(xs):
        xs /= 2
        if (xs < 0).any():
            raise ValueError("negative")
        return [str(x[0]) for x in xs]

    server = nginx(application("a", "m:1"),
                   http="clipper_model m { batch 8; batch_wait 200ms; }")
    PythonContainer(server, "m", halved)
    server.wait_replicas("m", 1)
    for _ in range(2):
        answer = server.post("/a/predict", {"input_batch": [
            [1.0], [-2.0], [3.0], [4.0]]}).json()
        assert [one["output"] for one in answer["batch_predictions"]] == [
            0.5, -1.0, 1.5, 2.0]
