"""How a Python container handles requests and the outputs of its model,
against a frontend made of a bare ROUTER socket."""

import struct
import time

import numpy as np
import pytest

from clipper_container import serve
from harness.frontend import (
    FAILED,
    OK,
    PLENTY_US,
    PROBE,
    SKIPPED,
    doubles,
    sums,
)


def test_answers_a_batch_in_order(frontend, run):
    run(sums)
    identity, _ = frontend.register()
    frontend.request(identity, "doubles", [doubles(1, 2), doubles(3, 4)])
    assert frontend.reply(identity) == [(OK, b"3.0"), (OK, b"7.0")]


def test_probe_without_inputs_does_not_call_the_model(frontend, run):
    called = []
    run(lambda xs: called.append(1) or ["x"] * len(xs))
    identity, _ = frontend.register()
    frontend.request(identity, "doubles", [], kind=PROBE)
    assert frontend.reply(identity) == []
    assert called == []


@pytest.mark.parametrize("input_type, inputs, shape, dtype", [
    ("bytes", [b"\x01\xff", b"\x02\x03"], (2, 2), np.int8),
    ("ints", [struct.pack("<3i", 1, -2, 3)], (1, 3), np.int32),
    ("floats", [struct.pack("<2f", 1, 2)] * 3, (3, 2), np.float32),
    ("doubles", [doubles(*range(10))] * 10, (10, 10), np.float64),
    ("doubles", [doubles(*range(2000))] * 4, (4, 2000), np.float64),
    ("doubles", [b"", b""], (2, 0), np.float64),
])
def test_equal_lengths_give_one_aligned_array(
        frontend, run, input_type, inputs, shape, dtype):
    seen = []
    run(lambda xs: seen.append(xs) or ["x"] * len(xs), input_type)
    identity, _ = frontend.register()
    frontend.request(identity, input_type, inputs)
    assert [s for s, _ in frontend.reply(identity)] == [OK] * len(inputs)
    assert isinstance(seen[0], np.ndarray)
    assert seen[0].shape == shape and seen[0].dtype == dtype
    assert seen[0].flags.aligned
    assert seen[0].tobytes() == b"".join(inputs)


def test_one_large_input_is_not_copied(frontend, run):
    seen = []
    run(lambda xs: seen.append(xs) or ["x"] * len(xs))
    identity, _ = frontend.register()
    frontend.request(identity, "doubles", [doubles(*range(50_000))])
    assert len(frontend.reply(identity)) == 1
    assert not seen[0].flags.owndata and not seen[0].base.flags.owndata
    assert isinstance(seen[0].base.base, memoryview)


def test_different_lengths_give_a_list_of_arrays(frontend, run):
    seen = []
    run(lambda xs: seen.append(xs) or ["x"] * len(xs))
    identity, _ = frontend.register()
    frontend.request(
        identity, "doubles", [doubles(1, 2), b"", doubles(3)])
    frontend.reply(identity)
    assert [x.tolist() for x in seen[0]] == [[1.0, 2.0], [], [3.0]]


def test_strings_are_str(frontend, run):
    run(lambda xs: [x.upper() + "é" for x in xs], "strings")
    identity, _ = frontend.register()
    frontend.request(identity, "strings", ["hé".encode(), b"", b"a\0b"])
    assert frontend.reply(identity) == [
        (OK, "HÉé".encode()), (OK, "é".encode()), (OK, "A\0Bé".encode())]


@pytest.mark.parametrize("output, text", [
    ("text", b"text"), (b"\xff\x00", b"\xff\x00"), (True, b"true"),
    (None, b"null"), (1.5, b"1.5"), (3, b"3"), ([1, "a"], b'[1, "a"]'),
    ({"a": np.arange(2)}, b'{"a": [0, 1]}'), (np.float32(0.1), b"0.1"),
    (np.int64(7), b"7"), (np.bool_(False), b"false"),
    (np.array([1.5, 2.0]), b"[1.5, 2.0]"),
])
def test_outputs_are_text_or_json(frontend, run, output, text):
    run(lambda xs: [output])
    identity, _ = frontend.register()
    frontend.request(identity, "doubles", [doubles(1)])
    assert frontend.reply(identity) == [(OK, text)]


@pytest.mark.parametrize("returned, texts", [
    (np.array([1, 2]), [b"1", b"2"]),
    (np.array([0.1, 0.2], np.float32), [b"0.1", b"0.2"]),
    (np.eye(2), [b"[1.0, 0.0]", b"[0.0, 1.0]"]),
    (("a", "b"), [b"a", b"b"]),
])
def test_arrays_and_tuples_are_lists_of_outputs(
        frontend, run, returned, texts):
    run(lambda xs: returned)
    identity, _ = frontend.register()
    frontend.request(identity, "doubles", [doubles(1), doubles(2)])
    assert frontend.reply(identity) == [(OK, text) for text in texts]


def test_only_the_bad_input_of_a_batch_fails(frontend, run):
    def fussy(xs):
        if any(x[0] < 0 for x in xs):
            raise ValueError("negative")
        return [str(x[0]) for x in xs]

    run(fussy)
    identity, _ = frontend.register()
    frontend.request(
        identity, "doubles", [doubles(1), doubles(-1), doubles(2)])
    assert frontend.reply(identity) == [
        (OK, b"1.0"), (FAILED, b"ValueError: negative"), (OK, b"2.0")]
    frontend.request(identity, "doubles", [doubles(5)])
    assert frontend.reply(identity) == [(OK, b"5.0")]


@pytest.mark.parametrize("returned", [
    ["a", "b", "c"], [], "ab", {"a": 1, "b": 2}, None, 5, [object()] * 2])
def test_a_wrong_result_is_an_error_of_every_input(frontend, run, returned):
    run(lambda xs: returned)
    identity, _ = frontend.register()
    frontend.request(identity, "doubles", [doubles(1), doubles(2)])
    assert [s for s, _ in frontend.reply(identity)] == [FAILED, FAILED]


def test_late_inputs_are_skipped_and_the_others_answered(frontend, run):
    sizes = []
    run(lambda xs: sizes.append(len(xs)) or sums(xs))
    identity, _ = frontend.register()
    frontend.request(identity, "doubles",
                     [doubles(1), doubles(2), doubles(3)],
                     left=[PLENTY_US, 0, PLENTY_US])
    assert frontend.reply(identity) == [
        (OK, b"1.0"), (SKIPPED, b""), (OK, b"3.0")]
    assert sizes == [2]


def test_what_becomes_late_meanwhile_is_skipped(frontend, run):
    """Inputs that are tried alone because one of the batch failed."""
    asked = []

    def fussy(xs):
        asked.append([x[0] for x in xs])
        if len(xs) > 1:
            raise ValueError("one of them")
        time.sleep(0.25)
        return ["1"]

    run(fussy)
    identity, _ = frontend.register()
    frontend.request(identity, "doubles", [doubles(1), doubles(2), doubles(3)],
                     left=[PLENTY_US, 200_000, PLENTY_US])
    assert frontend.reply(identity) == [(OK, b"1"), (SKIPPED, b""), (OK, b"1")]
    assert asked == [[1, 2, 3], [1], [3]]


def test_serve_runs_the_sample_first(frontend):
    with pytest.raises(ZeroDivisionError):
        serve(lambda xs: 1 / 0, "m", 1, "doubles", frontend.endpoint,
              sample_input=[1.0])
    with pytest.raises(ValueError, match="not a valid input string"):
        serve(sums, "m", 1, "complex", frontend.endpoint)
    for name, version in (("a b", 1), ("m", "v/1"), ("n" * 256, 1)):
        with pytest.raises(ValueError, match="Invalid model (name|version) "):
            serve(sums, name, version, "doubles", frontend.endpoint)
