"""Random values of everything that the table of `docs/models.md` names.

A `Case` is a value that a model returns, and what it must become: the oracle
is made with the value and knows nothing of the encoder.
"""

import base64
import collections
import dataclasses
import datetime
import enum
import functools
import ipaddress
import json
import pathlib
import pickle
import re
import types
from decimal import Decimal
from typing import Any, NamedTuple

import attrs
import ml_dtypes
import numpy as np
import pandas as pd
import pydantic
import scipy.sparse
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


#: The first integer that is not a double.
DOUBLES = 2 ** 1024 - 2 ** 970


class Case(NamedTuple):
    value: Any
    inside: Any     # as a JSON value
    alone: Any      # the same, of an output that is this value


class Made:
    """Unpickled, it is the result of a call: for what has no pickle."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call

    def __repr__(self):
        return "Made(%s, %r)" % (self.call[0].__name__, self.call[1])


class Color(enum.Enum):
    RED = "red"
    ONE = np.int64(1)
    TENTH = np.float32(0.1)


class Level(enum.IntEnum):
    LOW = 3


class Name(str, enum.Enum):
    A = "a"


@dataclasses.dataclass
class Box:
    left: Any
    right: Any


@attrs.define
class Cell:
    left: Any
    right: Any


class Model(pydantic.BaseModel):
    left: Any
    right: Any


Pair = collections.namedtuple("Pair", "left right")


class Printed:
    def __init__(self, text):
        self.text = text

    def __str__(self):
        return self.text


class Silent:
    """Has no form in JSON."""


def answer(text):
    """What a client sees of an output that is this text."""
    def refuse(constant):
        raise ValueError(constant)

    def number(digits):
        if abs(float(digits)) == float("inf"):
            raise ValueError("beyond doubles")
        return Decimal(digits)

    try:
        return json.loads(text, parse_float=number, parse_int=number,
                          parse_constant=refuse)
    except ValueError:
        return text


def parsed(text):
    """JSON with all the digits of its numbers."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def comparable(value):
    """The value with numbers that are equal only if their digits are."""
    if isinstance(value, dict):
        return {key: comparable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [comparable(one) for one in value]
    if isinstance(value, bool) or value is None:
        return str(value), "constant"
    if isinstance(value, (int, float)):
        return Decimal(repr(value))
    return value


def same(value):
    """A case that is the same value alone and inside."""
    return Case(value, value, value)


def printed(value, inside=None):
    """A case that is its `str` alone."""
    return Case(value, str(value) if inside is None else inside,
                answer(str(value)))


def of_text(text):
    text = re.sub("[\ud800-\udfff]", "\ufffd", text)
    return Case(text, text, answer(text))


def of_int(value):
    """The server reads no number that is beyond doubles."""
    if -DOUBLES < value < DOUBLES:
        return same(value)
    return same(str(Decimal(value)))._replace(value=value)


def of_str(text):
    return of_text(text)._replace(value=text)


def of_bytes(data, kind=bytes):
    text = bytes(data).decode("utf-8", "replace")
    value = Made(kind, data) if kind is memoryview else kind(data)
    return Case(value, text, answer(text))


def of_number(value):
    """A float or a NumPy float: its own digits, NaN and infinities."""
    text = str(value)
    if text in ("nan", "inf", "-inf"):
        return Case(value, None, {
            "nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[text])
    return Case(value, Decimal(text), Decimal(text))


def of_decimal(value):
    if not value.is_finite():
        return Case(value, None, str(value))
    text = answer(str(value))
    number = float(value)
    if abs(number) == float("inf"):
        return Case(value, str(value), str(value))
    whole = value == value.to_integral_value()
    return Case(value, int(value) if whole else number, text)


def of_date(value):
    return Case(value, value.isoformat(), str(value))


def of_datetime64(value):
    if np.isnat(value):
        return Case(value, None, "NaT")
    inside = re.sub(r"(T\d\d)$", r"\1:00", str(value))
    inside = re.sub(r"(T\d\d:\d\d)$", r"\1:00", inside)
    inside = re.sub(r"(\.\d*?)(000)+$", r"\1", inside).rstrip(".")
    # No more groups of three than needed, but at least two.
    inside = re.sub(r"\.(\d{3})$", r".\g<1>000", inside)
    return Case(value, inside, answer(str(value)))


def of_timedelta64(value):
    if np.isnat(value):
        return Case(value, None, "NaT")
    parts = 1000 if value.dtype == "m8[ns]" else 1
    kind = "m8[ns]" if parts > 1 else "m8[us]"
    micros, rest = divmod(value.astype(kind).astype(np.int64).item(), parts)
    inside = str(datetime.timedelta(microseconds=micros))
    if rest:
        inside += ("" if "." in inside else ".000000") + "%03d" % rest
    return Case(value, inside, str(value))


def of_enum(value):
    one = of_number(value.value) if isinstance(
        value.value, np.floating) else same(value.value)
    inside = one.inside if isinstance(one.inside, (str, Decimal)) \
        else int(one.inside)
    return Case(value, inside, inside)


texts = st.one_of(
    st.text(max_size=20), st.text(st.sampled_from("\ud800\udc00a\\u\"7"),
                                  max_size=6),
    st.sampled_from(["7", "1e400", "[1,2]", '{"a":NaN}', "null", "NaN", "",
                     "01", " 7 ", '"x"', "[1,]", "1.", "\x00", "\ufeff7"]))

dates = st.one_of(st.dates(), st.datetimes(), st.datetimes(
    timezones=st.just(datetime.timezone.utc)))

stamps = st.datetimes(datetime.datetime(1700, 1, 1),
                      datetime.datetime(2200, 1, 1)).map(pd.Timestamp)


def numpy_scalars(kinds):
    return st.sampled_from(kinds).flatmap(
        lambda kind: hnp.from_dtype(np.dtype(kind)))


INTEGERS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
FLOATS = ["f2", "f4", "f8"]

numbers = st.one_of(
    st.integers().map(same),
    st.integers(-10 ** 400, 10 ** 400).map(of_int),
    st.sampled_from([DOUBLES - 1, DOUBLES, -DOUBLES]).map(of_int),
    st.integers(400, 9000).map(lambda x: of_int(10 ** x)._replace(
        value=Made(pow, 10, x))),
    st.floats().map(of_number),
    numpy_scalars(FLOATS).map(of_number),
    numpy_scalars(INTEGERS).map(lambda x: Case(x, int(x), int(x))),
    numpy_scalars(["?"]).map(lambda x: Case(x, bool(x), bool(x))),
    st.floats(width=16).map(
        lambda x: of_number(np.float32(ml_dtypes.bfloat16(x)))._replace(
            value=ml_dtypes.bfloat16(x))),
    st.decimals().map(of_decimal),
    st.integers(-10 ** 320, 10 ** 320).map(Decimal).map(of_decimal))

times = st.one_of(
    dates.map(of_date), stamps.map(of_date),
    st.times().map(lambda x: Case(x, x.isoformat(), str(x))),
    st.timedeltas().map(printed),
    hnp.datetime64_dtypes().flatmap(hnp.from_dtype).map(of_datetime64),
    st.builds(np.timedelta64, st.integers(-10 ** 6, 10 ** 6),
              st.sampled_from(["W", "D", "h", "m", "s", "ms", "us", "ns"]))
    .map(of_timedelta64),
    st.sampled_from([np.datetime64("NaT"), np.timedelta64("NaT")]).map(
        lambda x: Case(x, None, "NaT")))

scalars = st.one_of(
    numbers, times, texts.map(of_str),
    # NumPy's texts end before their last zeros.
    texts.map(lambda x: x.rstrip("\0")).map(
        lambda x: of_str(x)._replace(value=np.str_(x))),
    st.builds(of_bytes, st.binary(max_size=8),
              st.sampled_from([bytes, bytearray, memoryview])),
    st.sampled_from([None, True, False]).map(same),
    st.sampled_from([Case(pd.NA, None, "<NA>"), Case(pd.NaT, None, "NaT"),
                     Case(np.ma.masked, None, None)]),
    st.sampled_from([*Color, *Level, *Name]).map(of_enum),
    st.uuids().map(printed), st.fractions().map(printed),
    st.complex_numbers().map(printed), st.ip_addresses().map(printed),
    st.just(pathlib.Path("/a/b")).map(printed),
    st.just(ipaddress.ip_network("10.0.0.0/8")).map(printed),
    st.dates(datetime.date(1700, 1, 1)).map(
        lambda x: printed(pd.Period(x, "D"))),
    texts.map(lambda x: of_str(x)._replace(value=Printed(x))),
    texts.map(lambda x: of_str(x)._replace(value=ValueError(x))))


def iterated(values):
    yield from values


def mapped(values):
    return map(lambda x: x, values)


def proxied(value):
    return types.MappingProxyType(value)


def structure(value, inside):
    return Case(value, inside, inside)


def listed(cases, make):
    return structure(make([one.value for one in cases]),
                     [one.inside for one in cases])


def of_array(array, element):
    """A NumPy array, with the case of each element."""
    if array.ndim == 0:
        one = element(array[()])
        return one._replace(value=array)
    return structure(array, [of_array(one, element).inside
                             if isinstance(one, np.ndarray)
                             else element(one).inside for one in array])


def element(one):
    """The case of an element of an array or a column."""
    for kind, case in ELEMENTS:
        if isinstance(one, kind):
            return case(one)
    raise TypeError(type(one))


ELEMENTS = [
    (np.timedelta64, of_timedelta64),
    (np.datetime64, of_datetime64),
    (np.bool_, lambda x: Case(x, bool(x), bool(x))),
    (np.integer, lambda x: Case(x, int(x), int(x))),
    (np.complexfloating, lambda x: printed(complex(x))),
    (np.floating, of_number),
    (str, of_str),
    (bytes, of_bytes),
]

ARRAY_TYPES = st.one_of(
    st.sampled_from(INTEGERS + FLOATS + ["?", "U5", "S5", "c16", "M8[D]",
                                         "M8[us]", "M8[ns]", "m8[s]"]))


def arrays(min_dims=0, min_side=0, max_dims=3):
    return ARRAY_TYPES.flatmap(lambda kind: hnp.arrays(
        kind, hnp.array_shapes(min_dims=min_dims, max_dims=max_dims,
                               min_side=min_side, max_side=3),
        elements=st.integers(-1000, 1000).map(
            lambda x: np.timedelta64(x, "s")) if kind == "m8[s]" else None))


@st.composite
def masked_arrays(draw):
    array = draw(hnp.arrays(draw(st.sampled_from(["i8", "f4", "f8"])),
                            hnp.array_shapes(max_dims=2, max_side=3)))
    mask = draw(hnp.arrays(bool, array.shape))
    inside = of_array(array, element).inside

    def hide(values, hidden):
        if isinstance(values, list):
            return [hide(*both) for both in zip(values, hidden)]
        return None if hidden else values

    return structure(np.ma.array(array, mask=mask), hide(inside, mask))


@st.composite
def records(draw):
    array = draw(hnp.arrays(
        [("a", "i4"), ("b", "f4"), ("c", "U3")], draw(st.integers(0, 3))))
    return structure(array, [
        {name: element(one[name]).inside for name in array.dtype.names}
        for one in array])


@st.composite
def sparse(draw, min_side=1):
    array = draw(hnp.arrays(
        draw(st.sampled_from(["f4", "f8", "i4"])),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=3,
                         min_side=min_side),
        elements={"allow_nan": False}))
    make = draw(st.sampled_from([
        scipy.sparse.csr_matrix, scipy.sparse.csc_matrix,
        scipy.sparse.coo_array, scipy.sparse.lil_matrix,
        scipy.sparse.dok_matrix]))
    return of_array(array, element)._replace(value=make(array))


@st.composite
def columns(draw, size):
    """(values of a column, cases of its elements)"""
    kind = draw(st.sampled_from(
        ["i8", "f4", "f8", "?", "M8[us]", "Int64", "category", "str",
         "object"]))
    if kind == "Int64":
        values = draw(st.lists(st.one_of(st.none(), st.integers(-99, 99)),
                               min_size=size, max_size=size))
        return pd.array(values, dtype="Int64"), [
            Case(x, x, "<NA>" if x is None else x) for x in values]
    if kind in ("category", "str"):
        values = draw(st.lists(st.text(max_size=3), min_size=size,
                               max_size=size))
        return pd.Series(values, dtype=kind), [of_str(x) for x in values]
    if kind == "object":
        cases = draw(st.lists(scalars.filter(
            lambda x: not isinstance(x.value, Made)
            and x.value is not np.ma.masked),
            min_size=size, max_size=size))
        values = pd.Series([None] * size, dtype=object)
        for i, one in enumerate(cases):
            values.iat[i] = one.value
        return values, cases
    if kind == "M8[us]":
        stamps_ = draw(st.lists(stamps, min_size=size, max_size=size))
        return pd.Series(stamps_, dtype="M8[us]"), [
            of_date(x) for x in stamps_]
    array = draw(hnp.arrays(kind, size))
    return pd.Series(array), [element(x) for x in array]


@st.composite
def series(draw, size=st.integers(0, 4)):
    """(series, cases of its values)"""
    size = draw(size)
    values, cases = draw(columns(size))
    made = pd.Series(values)
    made.index = range(7, 7 + size)
    return made, cases


def of_series(both):
    return structure(both[0], [one.inside for one in both[1]])


@st.composite
def frames(draw, size=st.integers(0, 4)):
    size = draw(size)
    names = draw(st.lists(keys, max_size=4, unique_by=lambda x: x[1]))
    made = [draw(columns(size)) for _ in names]
    frame = pd.DataFrame({i: column for i, (column, _) in enumerate(made)},
                         index=range(size))
    frame.columns = pd.Index([key for key, _ in names], dtype=object,
                             tupleize_cols=False)
    return structure(frame, [
        {text: cases[row].inside
         for (_, text), (_, cases) in zip(names, made)}
        for row in range(size)])


#: (key, its text)
keys = st.one_of(
    st.text(max_size=5).map(lambda x: (x, x)),
    st.integers().map(lambda x: (x, str(x))),
    numpy_scalars(INTEGERS).map(lambda x: (x, str(x))),
    st.floats(-1e15, 1e15).map(lambda x: (x, repr(x))),
    st.integers(-10 ** 4, 10 ** 4).map(
        lambda x: (np.float32(x / 8), repr(x / 8))),
    st.sampled_from([(True, "true"), (np.bool_(False), "false"),
                     (None, "null"), (float("nan"), "NaN"),
                     (Color.RED, "red"), (Level.LOW, "3"), (Name.A, "a"),
                     (Printed("as printed"), "as printed")]),
    dates.map(lambda x: (x, x.isoformat())),
    st.tuples(st.integers(0, 9), st.text(max_size=3)).map(
        lambda x: (x, str(x))))


def mapping(pairs, make):
    return structure(make({key: case.value for (key, _), case in pairs}),
                     {text: case.inside for (_, text), case in pairs})


def of_two(kind, left, right):
    return structure(kind(left.value, right.value) if kind is not Model
                     else Model(left=left.value, right=right.value),
                     {"left": left.inside, "right": right.inside})


LISTS = [list, tuple, collections.deque,
         functools.partial(Made, iterated), functools.partial(Made, mapped),
         functools.partial(Made, iter)]


def object_array(values):
    array = np.empty(len(values), object)
    for i, one in enumerate(values):
        array[i] = one
    return array


sets = st.one_of(
    st.sets(st.integers()), st.sets(st.text(max_size=3)), st.sets(st.floats(
        allow_nan=False, allow_infinity=False)),
    st.sets(st.tuples(st.integers(), st.integers()))).flatmap(
        lambda x: st.sampled_from([set, frozenset]).map(
            lambda kind: structure(kind(x), [
                list(one) if isinstance(one, tuple) else one
                for one in sorted(x)])))

leaves = st.one_of(
    scalars, scalars, arrays().map(lambda x: of_array(x, element)),
    masked_arrays(), records(), sparse(), series().map(of_series), frames(),
    sets, st.integers(0, 4).map(lambda x: structure(range(x), list(range(x)))),
    series().filter(lambda x: x[0].dtype != object).map(
        lambda x: of_series((pd.Index(x[0]), x[1]))))

cases = st.recursive(leaves, lambda inner: st.one_of(
    st.builds(listed, st.lists(inner, max_size=4),
              st.sampled_from(LISTS)),
    st.builds(mapping, st.lists(st.tuples(keys, inner), max_size=4,
                                unique_by=lambda x: x[0][1]),
              st.sampled_from([
                  dict, collections.OrderedDict,
                  functools.partial(Made, proxied)])),
    st.builds(of_two, st.sampled_from([Box, Cell, Pair]), inner, inner),
    st.builds(of_two, st.just(Model), leaves, leaves)), max_leaves=6)


def one_by_one(case_list, make):
    return make([one.value for one in case_list]), \
        [one.alone for one in case_list]


@st.composite
def batches(draw):
    """(what a function returns, the answer to each input)"""
    kind = draw(st.sampled_from(
        ["list", "array", "records", "sparse", "series", "frame"]))
    some = st.integers(1, 4)
    if kind == "list":
        made = draw(st.lists(cases, min_size=1, max_size=4))
        return one_by_one(made, draw(st.sampled_from(
            LISTS + [object_array])))
    if kind == "array":
        array = draw(arrays(1, 1))
        return array, [element(one).alone if array.ndim == 1
                       else of_array(one, element).inside for one in array]
    if kind == "records":
        one = draw(records().filter(lambda x: len(x.value)))
        return one.value, one.inside
    if kind == "sparse":
        one = draw(sparse())
        return one.value, one.inside
    if kind == "series":
        value, made = draw(series(some))
        return value, [one.alone for one in made]
    one = draw(frames(some))
    return one.value, one.inside


def sent(value):
    """The value as an input of type strings."""
    return base64.b64encode(pickle.dumps(value)).decode()


def returned(texts):
    """A model: each input is the output that it returns."""
    return [pickle.loads(base64.b64decode(one)) for one in texts]


def returned_rows(texts):
    """A model: each input names a row of what the function returns."""
    both = [one.split(" ") for one in texts]
    value, rows = returned([both[0][0]])[0], [int(row) for _, row in both]
    if hasattr(value, "iloc"):
        return value.iloc[rows]
    if scipy.sparse.issparse(value):
        return value.tocsr()[rows]
    if isinstance(value, np.ndarray):
        return value[rows]
    values = list(value)
    return values if len(rows) == len(values) else [
        values[row] for row in rows]


def description(one):
    """What a model must say of an input: its type, its bytes, its values."""
    if isinstance(one, np.ndarray):
        return {"type": "%s, %d" % (one.dtype, one.ndim),
                "bytes": one.tobytes().hex(),
                "values": of_array(one, element).inside}
    data = one.encode() if isinstance(one, str) else one
    return {"type": type(one).__name__, "bytes": data.hex(),
            "values": data.decode()}


def described(inputs):
    """A model: what it got, as `description` and by the encoder.

    Inputs of one length are an array, others are a list.
    """
    if not isinstance(inputs[0], (str, bytes)):
        form = np.ndarray if len({len(one) for one in inputs}) == 1 else list
        if not isinstance(inputs, form):
            raise TypeError(type(inputs))
    return [dict(description(one), values=one) for one in inputs]
