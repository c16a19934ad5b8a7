"""Votes, means and losses in C against the same rules over Python's values."""

import ctypes
import json
from fractions import Fraction

import numpy as np
import pytest

import oracle

ROUNDS = 10_000
D = ctypes.c_double


@pytest.fixture(scope="module")
def lib(tmp_path_factory):
    """The sources as a shared library."""
    so = oracle.build(tmp_path_factory.mktemp("oracle"), "combine_oracle")
    so.oracle_loss.restype = D
    so.oracle_loss.argtypes = [ctypes.c_int, D, D, ctypes.c_char_p,
                               ctypes.c_size_t, ctypes.c_char_p,
                               ctypes.c_size_t]
    so.oracle_combine.restype = ctypes.c_long
    return so


# --- the rules -----------------------------------------------------------

class NotJson(ValueError):
    pass


def refuse(text):
    raise NotJson(text)


def value(text):
    """The value of a text: a number, something else, or a bag of them."""
    try:
        return tag(json.loads(text, parse_constant=refuse,
                              object_pairs_hook=lambda pairs: ("{", pairs)))
    except (ValueError, OverflowError):
        return "string", text.decode("utf-8", "surrogateescape")


def tag(x):
    if isinstance(x, bool) or x is None:
        return "literal", x
    if isinstance(x, (int, float)):
        if x in (np.inf, -np.inf):
            raise NotJson(x)
        return "number", x
    if isinstance(x, str):
        return "string", x
    if isinstance(x, tuple):
        return ("{",) + tuple((k, tag(v)) for k, v in x[1])
    return ("[",) + tuple(tag(v) for v in x)


def shape(v):
    if v[0] == "number":
        return ("number",)
    if v[0] == "{":
        return ("{",) + tuple((k, shape(x)) for k, x in v[1:])
    if v[0] == "[":
        return ("[",) + tuple(shape(x) for x in v[1:])
    return v


def numbers(v):
    if v[0] == "number":
        return [float(v[1])]
    if v[0] == "{":
        return [n for _, x in v[1:] for n in numbers(x)]
    if v[0] == "[":
        return [n for x in v[1:] for n in numbers(x)]
    return []


def loss_number(kind, low, high, x, y):
    part = np.minimum(np.abs(x - y) / (high - low), 1)
    return (part != 0) * 1.0 if kind == 0 else part ** kind


def meant(text):
    """The value for a loss: a text counts as what an output of it is."""
    kind, *rest = value(text)
    return value(rest[0].encode("utf-8", "surrogateescape")) \
        if kind == "string" else (kind, *rest)


def loss(kind, low, high, output, label):
    if kind and output[0] == label[0] == "number":
        return loss_number(kind, low, high, float(output[1]), float(label[1]))
    return float(output != label)


def exact_mean(weights, rows):
    """The exact mean of each column, rounded once."""
    w = [Fraction(x) for x in weights]
    return np.array([float(sum(a * Fraction(x) for a, x in zip(w, column))
                           / sum(w)) for column in rows.T])


def winners(keys, weights):
    """The members of the heaviest group; of equal groups, the first."""
    groups = {}
    for i, key in enumerate(keys):
        if key is not None:
            groups.setdefault(key, []).append(i)
    heavy = max(sum(weights[g]) for g in groups.values())
    return next(g for g in groups.values()
                if np.isclose(sum(weights[g]), heavy, rtol=0, atol=1e-9))


# --- random texts --------------------------------------------------------

def spell_number(rng, x):
    """One of the ways to write it."""
    if isinstance(x, float):
        return rng.choice([repr(x), f"{x:.17g}", f"{x:.20e}", f"{x!r} "])
    return rng.choice([f"{x}", f"{x}.0", f"{x}e0", f"{x}0e-1", f" {x}"])


def spell_string(rng, x):
    quoted = json.dumps(x, ensure_ascii=bool(rng.integers(2)))
    escaped = '"' + "".join(f"\\u{ord(c):04X}" if ord(c) < 0x10000 else c
                            for c in x) + '"'
    return rng.choice([quoted, escaped] + ([x] if x.isalpha() and x.isascii()
                                           and x not in ("true", "null")
                                           else []))


def scalar(rng):
    kind = rng.integers(5)
    if kind == 0:
        return spell_number(rng, int(rng.integers(-3, 4)))
    if kind == 1:
        return spell_number(rng, float(rng.choice([0.5, 1.0, 1e-7, 1e22, 0.1,
                                                   -2.25, 3.0])))
    if kind == 2:
        return str(rng.choice(["9007199254740993", "9007199254740992",
                               "18446744073709551615", "-9223372036854775808",
                               "9007199254740992.0"]))
    if kind == 3:
        return rng.choice(["true", "false", "null", "True", "nan", "01", "-",
                           '"1"', "1 2", '""'])
    return spell_string(rng, str(rng.choice(["cat", "dog", "\u00e9\u20ac",
                                             "\U0001f600", 'a"b\\c\n', "c"])))


def text(rng, kind):
    """kind 0: labels, 1: numbers, 2: arrays, 3: objects"""
    def number():
        return rng.choice([repr(float(rng.normal())),
                           str(rng.integers(-9, 9))])
    comma = rng.choice([",", ", ", " ,\n"])
    if kind == 0:
        return scalar(rng)
    if kind == 1:
        return number()
    if kind == 2:
        n = 3 if rng.uniform() < 0.8 else 2
        return "[" + comma.join(number() for _ in range(n)) + "]"
    return '{"p":' + number() + comma + '"q":[[' + number() + "]]" + comma \
        + '"c":' + rng.choice(['"a"', '"\\u0061"', "null"]) + "}"


def test_losses(lib):
    """Catches: a loss that differs from the rule for a spelling of a value."""
    rng = np.random.default_rng(3)
    zeros = 0
    for _ in range(ROUNDS):
        a, b = (text(rng, rng.integers(2)).encode() for _ in range(2))
        if rng.uniform() < 0.2:
            b = a
        kind = int(rng.integers(3))
        got = lib.oracle_loss(kind, -2.0, 6.0, a, len(a), b, len(b))
        wanted = loss(kind, -2.0, 6.0, meant(a), meant(b))
        assert abs(got - wanted) < 1e-12, (kind, a, b, got, wanted)
        zeros += wanted == 0
    assert ROUNDS / 5 < zeros < ROUNDS / 2


def run(lib, mean, kind, texts, weights):
    n = len(texts)
    dst = ctypes.create_string_buffer(4096)
    confidence, group = D(), ctypes.c_uint64()
    size = lib.oracle_combine(
        mean, kind, D(-2.0), D(6.0), n, (ctypes.c_char_p * n)(*texts),
        (ctypes.c_size_t * n)(*[len(t or b"") for t in texts]),
        (D * n)(*weights), dst, ctypes.c_size_t(4096),
        ctypes.byref(confidence), ctypes.byref(group))
    if size < 0:
        return None
    return (dst.raw[:size], confidence.value,
            [i for i in range(n) if group.value >> i & 1])


@pytest.mark.parametrize("mean", [0, 1], ids=["vote", "mean"])
def test_combinations(lib, mean):
    """Catches: a group, an answer or a confidence that differs from the
    rules, for labels, numbers, arrays and objects, with late members."""
    rng = np.random.default_rng(4 + mean)
    for _ in range(ROUNDS):
        n, what, kind = (int(rng.integers(a, b)) for a, b in
                         ((1, 7), (0, 4), (0, 3)))
        texts = [text(rng, what).encode() if rng.uniform() < 0.8 else None
                 for _ in range(n)]
        weights = rng.integers(0, 4, n) / 10.0 + 0.1
        values = [None if t is None else value(t) for t in texts]
        got = run(lib, mean, kind, texts, weights)

        if not any(values):
            assert got is None
            continue

        keys = [v and (shape(v) if mean else v) for v in values]
        group = winners(keys, weights)
        assert got[2] == group, (texts, weights)
        w = weights[group]
        confidence = w.sum() / weights.sum()
        first = values[group[0]]
        numeric = np.array([numbers(values[i]) for i in group])

        if mean and numeric.size:
            wanted = exact_mean(w, numeric)
            out = value(got[0])
            assert shape(out) == shape(first), (texts, got)
            np.testing.assert_allclose(numbers(out), wanted, rtol=1e-12,
                                       atol=1e-14 * np.abs(numeric).max(),
                                       err_msg=str((texts, weights)))
            if kind:
                lost = loss_number(kind, -2.0, 6.0, numeric,
                                   wanted).mean(axis=1)
                confidence *= 1 - w @ lost / w.sum()
        else:
            assert got[0].strip() == texts[group[0]].strip()

        # what cancels between numbers far from each other is lost in both

        far = np.abs(numeric).max() if numeric.size else 0
        assert abs(got[1] - confidence) < 1e-9 + 1e-15 * far, (texts, weights,
                                                               got)
