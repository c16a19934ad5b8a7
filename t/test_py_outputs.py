"""What a model's function returns becomes JSON, at every depth.

The table of `docs/models.md`, row by row, with stand-ins for the tensors of
libraries that are large to install.
"""

import collections
import collections.abc
import dataclasses
import datetime
import decimal
import fractions
import ipaddress
import json
import math
import pathlib
import types
import uuid
from typing import NamedTuple

import ml_dtypes
import numpy as np
import pandas as pd
import pydantic
import pytest
import scipy.sparse

from clipper_container.arrays import own_digits
from clipper_container.errors import OutputError, PredictionError
from clipper_container.outputs import encode_outputs
from clipper_container.structures import MAX_DEPTH

from harness.values import Color, Level, Name

NAN, INF = float("nan"), float("inf")


@dataclasses.dataclass
class Box:
    left: np.float32
    inside: list


Point = collections.namedtuple("Point", "x y")


class Printed:
    def __str__(self):
        return "as printed"


class Silent:
    pass


class Tensor:
    """What the encoder knows of PyTorch."""

    def __init__(self, array, numpy=True, layout="torch.strided"):
        self.array, self.ok, self.layout = array, numpy, layout

    def detach(self):
        return types.SimpleNamespace(cpu=lambda: self)

    def cpu(self):
        raise RuntimeError("requires grad")

    def to_dense(self):
        return Tensor(self.array)

    def float(self):
        return Tensor(self.array.astype(np.float32))

    def numpy(self):
        if self.layout != "torch.strided":
            raise TypeError("can't convert a sparse tensor")
        if not self.ok:
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.array


class EagerTensor:
    """Of TensorFlow; with `Lazy`, of JAX."""

    def __init__(self, array):
        self.array = array

    def numpy(self):
        return self.array


class Lazy:
    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


class Lazily:
    """A query of Polars: it prints, and says what it would give."""

    def collect_schema(self):
        raise NotImplementedError

    def __str__(self):
        return "naive plan"


class Series:
    """What the encoder knows of Polars."""

    __module__ = "polars.series"

    def __init__(self, dtype, values):
        self.dtype, self.list = dtype, values

    def to_list(self):
        return self.list

    def to_numpy(self):
        return np.array([NAN if x is None else x for x in self.list], float)


class Frame:
    __module__ = "polars.frame"

    def __init__(self, **columns):
        self.columns, self.series = list(columns), list(columns.values())

    def to_dicts(self):
        raise AssertionError("it makes doubles of float32")

    def get_columns(self):
        return self.series


class Typed:
    """A type of Polars or Arrow, by its text."""

    def __init__(self, text, **members):
        self.text = text
        vars(self).update(members)

    def __str__(self):
        return self.text


class Arrow:
    __module__ = "pyarrow.lib"

    def __init__(self, dtype, values):
        self.type, self.list = dtype, values

    def to_pylist(self):
        return self.list


class Scalar:
    __module__ = "pyarrow.lib"

    def __init__(self, dtype, value):
        self.type, self.value = dtype, value

    def as_py(self):
        return self.value

    def __str__(self):
        return str(self.value)


class Open(pydantic.BaseModel):
    left: object = None
    right: object = None


class Written(pydantic.BaseModel):
    left: float

    @pydantic.field_serializer("left")
    def write(self, value):
        return "%.1f!" % value


class Longer(pydantic.BaseModel):
    xs: list

    @pydantic.field_serializer("xs")
    def write(self, value):
        return value + [sum(value)]


class Pair(NamedTuple):
    a: int
    b: int


class Paired(pydantic.BaseModel):
    pair: Pair

    @pydantic.field_serializer("pair")
    def write(self, value):
        return "%d/%d" % value


class Dicts:
    """A frame of a library that is not known."""

    def to_dicts(self):
        return [{"a": 1}, {"a": None}]


class Root(pydantic.RootModel[list]):
    pass


F4 = Typed("Float32")
WIDE = float(np.float32(0.1))


def encoded(value):
    return encode_outputs([value], 1)[0].decode()


def value_of(value):
    """As a strict reader of JSON takes it."""
    return json.loads(encoded(value), parse_constant=pytest.fail)


def test_serializers_have_the_last_word():
    """Catches members that a serializer of pydantic adds, and those that it
    writes in another way."""
    assert value_of(Longer(xs=[1, 2])) == {"xs": [1, 2, 3]}
    assert value_of(Paired(pair=Pair(1, 2))) == {"pair": "1/2"}


def test_frames_of_other_libraries():
    rows = [{"a": 1}, {"a": None}]
    assert value_of(Dicts()) == rows
    assert [json.loads(one) for one in encode_outputs(Dicts(), 2)] == rows


MIDNIGHT = datetime.datetime(2020, 1, 2)
ZONED = datetime.datetime(2020, 1, 2, 3, tzinfo=datetime.timezone.utc)
ID = uuid.UUID(int=1)
TENTH = np.float32(0.1)

INSIDE = [
    (None, None), (True, True), (7, 7), (0.5, 0.5), ("ü", "ü"),
    (10 ** 30, 10 ** 30),
    (NAN, None), (INF, None), (-INF, None),
    (np.float64(NAN), None), (np.float32(INF), None),
    (np.float16(NAN), None),
    (TENTH, 0.1), (np.float16(0.1), 0.1), (np.float64(0.1), 0.1),
    (np.longdouble(0.25), 0.25),
    (np.int8(-1), -1), (np.uint64(2 ** 64 - 1), 2 ** 64 - 1),
    (np.bool_(True), True), (np.str_("a"), "a"), (np.bytes_(b"a"), "a"),
    (b"a", "a"), (bytearray(b"a"), "a"), (memoryview(b"a"), "a"),
    (b"\xff", "\ufffd"), ("\ud800", "\ufffd"), ("\U0001f600", "\U0001f600"),
    (datetime.date(2020, 1, 2), "2020-01-02"),
    (MIDNIGHT, "2020-01-02T00:00:00"), (ZONED, "2020-01-02T03:00:00+00:00"),
    (datetime.time(1, 2), "01:02:00"),
    (datetime.timedelta(hours=1), "1:00:00"),
    (pd.Timestamp(MIDNIGHT), "2020-01-02T00:00:00"), (pd.NaT, None),
    (pd.NA, None), (pd.Timedelta("1h"), "1:00:00"),
    (pd.Period("2020-01", "M"), "2020-01"),
    (np.datetime64("2020-01-02"), "2020-01-02"),
    (np.datetime64("2020-01-02T00:00:00.500000000"),
     "2020-01-02T00:00:00.500000"),
    (np.datetime64("2020-01-02T00:00:00.000000001"),
     "2020-01-02T00:00:00.000000001"),
    (np.datetime64("2020-01-02T03"), "2020-01-02T03:00:00"),
    (np.datetime64("2020-01"), "2020-01"),
    (datetime.datetime(2020, 1, 2, 0, 0, 0, 500000),
     "2020-01-02T00:00:00.500000"),
    (pd.Timestamp("2020-01-02 00:00:00.5"), "2020-01-02T00:00:00.500000"),
    (pd.Timestamp("2020-01-02", tz="Europe/Berlin"),
     "2020-01-02T00:00:00+01:00"),
    (np.datetime64("NaT"), None),
    (np.timedelta64(90, "s"), "0:01:30"), (np.timedelta64("NaT"), None),
    (np.timedelta64(1, "ns"), "0:00:00.000000001"),
    (np.timedelta64(-1, "h"), "-1 day, 23:00:00"),
    (np.timedelta64(3, "M"), "3 months"),
    (np.timedelta64(2 ** 62, "s"), "53375995583650 days, 7:45:04"),
    (pd.Timedelta(1, "ns"), "0:00:00.000000001"),
    (decimal.Decimal("1.10"), 1.1), (decimal.Decimal("NaN"), None),
    (decimal.Decimal(2 ** 70), 2 ** 70),
    (fractions.Fraction(1, 3), "1/3"), (1 + 2j, "(1+2j)"), (ID, str(ID)),
    (ipaddress.ip_address("::1"), "::1"), (pathlib.Path("/a"), "/a"),
    (Color.RED, "red"), (Color.ONE, 1), (Level.LOW, 3), (Name.A, "a"),
    ((1, "a"), [1, "a"]), ({2, 1}, [1, 2]), (frozenset("a"), ["a"]),
    ({"b", 1}, ["b", 1]),
    (collections.deque([1]), [1]), ({"a": 1}.keys(), ["a"]),
    (iter([1]), [1]), (iter({"a": 1}), ["a"]),
    (10 ** 309, "1" + "0" * 309), ([1, -10 ** 309], [1, "-1" + "0" * 309]),
    (np.array([1, 10 ** 309], object), [1, "1" + "0" * 309]),
    (decimal.Decimal(10 ** 40 + 1), 10 ** 40 + 1),
    (range(2), [0, 1]), ((x for x in "ab"), ["a", "b"]),
    (collections.UserString("a"), "a"),
    (np.complex64(0.1), "(0.1+0j)"), (np.array([0.1], "c8"), ["(0.1+0j)"]),
    (ml_dtypes.int4(3), 3), (np.array([-8, 7], ml_dtypes.int4), [-8, 7]),
    (memoryview(np.array([0.1], "f4")), [0.1]),
    (memoryview(np.array([[1, 2]])), [[1, 2]]),
    (Open(left=TENTH, right=[Open(left=NAN)]),
     {"left": 0.1, "right": [{"left": None, "right": None}]}),
    (Open(left=scipy.sparse.dok_matrix([[0, 1]]),
          right={"a": [Box(TENTH, scipy.sparse.dok_matrix([[2]]))]}),
     {"left": [[0, 1]],
      "right": {"a": [{"left": 0.1, "inside": [[2]]}]}}),
    (Open(left=Point(1, TENTH), right=(1, Point(2, 3))),
     {"left": {"x": 1, "y": 0.1}, "right": [1, {"x": 2, "y": 3}]}),
    (Written(left=1), {"left": "1.0!"}), (Root([NAN]), [None]),
    (Box(TENTH, [NAN]), {"left": 0.1, "inside": [None]}),
    (Point(TENTH, {1}), {"x": 0.1, "y": [1]}),
    (types.MappingProxyType({1: TENTH}), {"1": 0.1}),
    (collections.OrderedDict(a=NAN), {"a": None}),
    ([0.5, NAN], [0.5, None]), ([[INF]], [[None]]),
    (np.array([1, 2]), [1, 2]), (np.array(TENTH), 0.1),
    (np.array([[0.1, NAN]], np.float32), [[0.1, None]]),
    (np.array([0.1, 6e4, 1e-3], np.float16).reshape(1, 1, 3),
     [[[0.1, 6e4, 1e-3]]]),
    (np.array([True]), [True]), (np.array(["a"]), ["a"]),
    (np.array([b"a"]), ["a"]), (np.array([1j]), ["1j"]),
    (np.array([{"p": TENTH}, None, [NAN]], object),
     [{"p": 0.1}, None, [None]]),
    (np.array(["2020-01-02", "NaT"], "M8[D]"), ["2020-01-02", None]),
    (np.array([(1, 0.1)], [("a", "i4"), ("b", "f4")]),
     [{"a": 1, "b": 0.1}]),
    (np.ma.array([1.5, 2.5], mask=[0, 1]), [1.5, None]),
    (np.ma.array([0.1, 2], mask=[0, 1], dtype="f4"), [0.1, None]),
    (np.matrix([[1, 2]]), [[1, 2]]), (np.zeros((2, 0)), [[], []]),
    (scipy.sparse.csr_matrix([[0, 1.5]]), [[0, 1.5]]),
    (scipy.sparse.coo_array(np.array([[0, 0.1]], "f4")), [[0, 0.1]]),
    (pd.Series([0.1, NAN], dtype="f4"), [0.1, None]),
    (pd.Series([1, None], dtype="Int64"), [1, None]),
    (pd.Series(["a", "b"], dtype="category"), ["a", "b"]),
    (pd.Series([MIDNIGHT, None]), ["2020-01-02T00:00:00", None]),
    (pd.Series(np.array([0.1, 0.2], "f4"), dtype="category"), [0.1, 0.2]),
    (pd.Categorical([1, None]), [1, None]),
    (pd.array([2 ** 60 + 1, None], dtype="Int64"), [2 ** 60 + 1, None]),
    (pd.array([TENTH, None], dtype="Float32"), [0.1, None]),
    (pd.array([True, None], dtype="boolean"), [True, None]),
    (pd.DatetimeIndex(["2020-01-02", None]), ["2020-01-02T00:00:00", None]),
    (pd.DatetimeIndex(["2020-01-02"], tz="UTC"),
     ["2020-01-02T00:00:00+00:00"]),
    (pd.arrays.SparseArray(np.array([0, 0.1], "f4")), [0, 0.1]),
    (Series(F4, [WIDE, None]), [0.1, None]),
    (Series(Typed("Int64"), [2 ** 62 + 1, None]), [2 ** 62 + 1, None]),
    (Series(Typed("List(Float32)", inner=F4), [[WIDE], None]),
     [[0.1], None]),
    (Series(Typed("Struct({'a': Float32})", fields=[
        types.SimpleNamespace(name="a", dtype=F4)]), [{"a": WIDE}]),
     [{"a": 0.1}]),
    (Frame(f=Series(F4, [WIDE, None]), s=Series(Typed("String"), ["a", "b"])),
     [{"f": 0.1, "s": "a"}, {"f": None, "s": "b"}]),
    (Arrow(Typed("float"), [WIDE, None]), [0.1, None]),
    (Arrow(Typed("list<item: float>", value_type=Typed("float")), [[WIDE]]),
     [[0.1]]),
    (Arrow(Typed("map<string, float>", item_type=Typed("float")),
           [[("a", WIDE)]]), [{"a": 0.1}]),
    (Scalar(Typed("float"), WIDE), 0.1), (Scalar(Typed("bool"), True), True),
    (pd.Index([1, 2]), [1, 2]),
    (pd.DataFrame({"a": [1, 2], 3: np.array([0.1, NAN], "f4"),
                   "t": [MIDNIGHT, None]}),
     [{"a": 1, "3": 0.1, "t": "2020-01-02T00:00:00"},
      {"a": 2, "3": None, "t": None}]),
    (Tensor(np.array([[0.1]], "f4")), [[0.1]]),
    (Tensor(np.array([0.5]), numpy=False), [0.5]),
    (Tensor(np.array([0.5]), layout="torch.sparse_coo"), [0.5]),
    (Tensor(np.array(0.1, "f4")), 0.1),
    (EagerTensor(np.array([0.1, NAN], "f4")), [0.1, None]),
    (EagerTensor(np.array([b"a"], object)), ["a"]),
    (Lazy(np.array([0.1], "f4")), [0.1]),
    *[(getattr(scipy.sparse, name + kind)(np.array([[0, 0.1], [2, 0]], "f4")),
       [[0, 0.1], [2, 0]])
      for name in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
      for kind in ("_matrix", "_array")],
    (scipy.sparse.dok_array(np.array([0, 0.1], "f4")), [0, 0.1]),
    (types.SimpleNamespace(dense_shape=Lazy(np.array([1, 2])),
                           indices=Lazy(np.array([[0, 1]])),
                           values=Lazy(np.array([0.1], "f4"))), [[0, 0.1]]),
]


@pytest.mark.parametrize("value, expected", INSIDE)
def test_inside_a_structure(value, expected):
    if isinstance(value, collections.abc.Iterator):
        assert value_of([value]) == [expected]
        return
    assert value_of([value]) == [expected]
    assert value_of({"a": [(value, 1)]}) == {"a": [[expected, 1]]}
    assert value_of(np.array([value, None], object)[:1].tolist()) \
        == [expected]


ALONE = [
    ("a", "a"), (b"\xff", None), (7, "7"), (True, "true"), (None, "null"),
    (0.1, "0.1"), (TENTH, "0.1"), (np.float16(0.1), "0.1"), (1e300, "1e+300"),
    (np.bool_(False), "false"), (np.int64(3), "3"),
    (NAN, "NaN"), (-INF, "-Infinity"), (np.float32(NAN), "NaN"),
    (np.array(NAN), "NaN"), (Tensor(np.array(INF, "f4")), "Infinity"),
    (np.str_("a"), "a"), (np.bytes_(b"a"), "a"), ("\ud800", "\ufffd"),
    (datetime.date(2020, 1, 2), "2020-01-02"),
    (MIDNIGHT, "2020-01-02 00:00:00"), (pd.NaT, "NaT"),
    (datetime.timedelta(1), "1 day, 0:00:00"), (ID, str(ID)),
    (decimal.Decimal("1.10"), "1.10"), (fractions.Fraction(1, 3), "1/3"),
    (1j, "1j"), (pathlib.Path("/a"), "/a"), (Printed(), "as printed"),
    (np.datetime64("2020-01-02"), "2020-01-02"), (Color.RED, "red"),
    (Level.LOW, "3"), (Name.A, "a"), ((1, 2), "[1, 2]"),
    (Point(1, 2), '{"x": 1, "y": 2}'), ({}, "{}"),
    (collections.UserString("a"), "a"), (np.complex64(0.1), "(0.1+0j)"),
    (ml_dtypes.int4(3), "3"), (Root([1.5]), "[1.5]"),
    (Scalar(Typed("float"), WIDE), "0.1"),
    (Scalar(Typed("float"), NAN), "NaN"), (Scalar(Typed("null"), None), "null"),
    (Scalar(Typed("bool"), True), "true"),
    (Scalar(Typed("binary"), b"a"), "a"),
]


@pytest.mark.parametrize("value, text", ALONE)
def test_alone(value, text):
    if text is None:
        assert encode_outputs([value], 1) == [value]
    else:
        assert encoded(value) == text


@pytest.mark.parametrize("outputs, texts", [
    (np.array([0.1, NAN], "f4"), ["0.1", "NaN"]),
    (np.array([[0.1, NAN]], "f4"), ["[0.1, null]"]),
    (np.array([1.5, INF]), ["1.5", "Infinity"]),
    (np.array(["a", "b"]), ["a", "b"]),
    (np.array([None, {"a": TENTH}], object), ["null", '{"a": 0.1}']),
    (np.array(["2020-01-02T03:04:05.500", "NaT"], "M8[ms]"),
     ["2020-01-02T03:04:05.500", "NaT"]),
    (np.array([90, "NaT"], "m8[s]"), ["90 seconds", "NaT"]),
    (pd.Series([0.1, NAN], dtype="f4"), ["0.1", "NaN"]),
    (pd.Series(["a", "b"]), ["a", "b"]),
    (pd.Series(["a", "b"], index=[7, 9], dtype="category"), ["a", "b"]),
    (pd.DataFrame({"p": np.array([0.1, 0.5], "f4"), "n": [1, 2]}),
     ['{"p": 0.1, "n": 1}', '{"p": 0.5, "n": 2}']),
    (scipy.sparse.csr_matrix([[0, 1], [2, 0]]), ["[0, 1]", "[2, 0]"]),
    (scipy.sparse.dok_matrix([[0, 1], [2, 0]]), ["[0, 1]", "[2, 0]"]),
    (pd.array([2 ** 60 + 1, None], dtype="Int64"),
     [str(2 ** 60 + 1), "<NA>"]),
    (pd.DatetimeIndex(["2020-01-02", None]), ["2020-01-02 00:00:00", "NaT"]),
    (pd.Series(np.array([0.1], "f4"), dtype="category"), ["0.1"]),
    (Series(F4, [WIDE, None, NAN]), ["0.1", "null", "NaN"]),
    (Frame(f=Series(F4, [WIDE])), ['{"f": 0.1}']),
    (Arrow(Typed("int64"), [2 ** 62 + 1, None]),
     [str(2 ** 62 + 1), "null"]),
    (memoryview(np.array([1, 2])), ["1", "2"]),
    (Tensor(np.array([0.1, 2], "f4")), ["0.1", "2.0"]),
    (EagerTensor(np.array([[1], [2]])), ["[1]", "[2]"]),
    (Lazy(np.array([1, 2])), ["1", "2"]),
    ((str(x) for x in range(2)), ["0", "1"]),
    (collections.deque(["a"]), ["a"]),
    (np.ma.array([1, 2], mask=[0, 1]), ["1", "null"]),
])
def test_a_batch(outputs, texts):
    assert encode_outputs(outputs, len(texts)) == [x.encode() for x in texts]


@pytest.mark.parametrize("members", [
    [frozenset({1, 2}), frozenset({3}), frozenset({0, 9})],
    [(frozenset({i, 7}), i) for i in range(9)],
])
def test_equal_sets_give_equal_answers(members):
    """Catches an order that follows the set's own: sets inside have none."""
    answers = {encoded(set(members[i:] + members[:i]))
               for i in range(len(members))}
    assert len(answers) == 1


@pytest.mark.parametrize("keys, texts", [
    (np.array([0, 1]), ["0", "1"]),
    (np.array([False, True]), ["false", "true"]),
    (np.array([0.1, 0.5], "f4"), ["0.1", "0.5"]),
    (np.array(["no", "yes"]), ["no", "yes"]),
    ([None, 1.5], ["null", "1.5"]),
    ([NAN], ["NaN"]), ([np.float32("inf")], ["Infinity"]),
    ([(1, TENTH)], ["(1, 0.1)"]),
    ([Point(TENTH, None)], ["(0.1, None)"]),
    ([Scalar(Typed("float"), WIDE)], ["0.1"]),
    ([Scalar(Typed("float"), NAN)], ["NaN"]),
    ([b"a", "\ud800"], ["a", "\ufffd"]),
    ([Color.RED, Level.LOW, Name.A], ["red", "3", "a"]),
    ([datetime.date(2020, 1, 2), ID], ["2020-01-02", str(ID)]),
])
def test_keys(keys, texts):
    answer = value_of({key: TENTH for key in keys})
    assert answer == {text: 0.1 for text in texts}
    assert list(answer) == texts


def itself():
    made = []
    made.append(made)
    return made


def waiting():
    async def answer():
        pass

    made = answer()
    made.close()
    return made


def deep(n):
    made = 1
    for _ in range(n):
        made = {"a": [made]}
    return made


@pytest.mark.parametrize("value, why", [
    (Silent(), "output[1]: a value of type test_py_outputs.Silent has no "
               "JSON form"),
    ({"a": [1, Silent()]}, 'output[1]["a"][1]: a value of type '
                           "test_py_outputs.Silent has no JSON form"),
    (np.array([0, Silent()]), "test_py_outputs.Silent has no JSON form"),
    (len, "a value of type builtin_function_or_method has no JSON form"),
    (Silent, "a value of type type has no JSON form"),
    ({Silent(): 3}, "test_py_outputs.Silent has no JSON form"),
    ({1: 2, "1": 3}, 'output[1]: two keys "1"'),
    (waiting(), "a value of type coroutine has no JSON form"),
    (Lazily(), "test_py_outputs.Lazily has no JSON form"),
    (itself(), "contains itself"), (deep(300), "deeper than"),
    (pd.DataFrame([[1, 2]], columns=["a", "a"]),
     "two columns have the same name"),
])
def test_what_cannot_be_encoded_is_named(value, why):
    with pytest.raises(OutputError) as error:
        encode_outputs(["ok", value], 2)
    assert why in str(error.value)


class Represented:
    def __repr__(self):
        return "Represented(1)"


@pytest.mark.parametrize("value, text", [
    (Printed(), "as printed"), (Represented(), "Represented(1)"),
    (ValueError("x"), "x"), (decimal.Decimal("1E400"), "1E+400"),
    (slice(1, 2), "slice(1, 2, None)"),
])
def test_what_has_no_json_form_is_printed_at_every_depth(value, text):
    """As the original printed it; an error would be the default."""
    assert encoded(value) == text
    assert value_of([{"a": (value,)}]) == [{"a": [text]}]
    assert value_of(np.array([value], object)) == [text]
    assert value_of({(1, "b"): value, Printed(): 2}) \
        == {"(1, 'b')": text, "as printed": 2}


@pytest.mark.parametrize("outputs", [
    "text", b"bytes", {"a": 1}, {1}, 7, None, np.array(1), Silent(), TENTH,
])
def test_no_list_of_outputs(outputs):
    with pytest.raises(PredictionError, match="must return a list"):
        encode_outputs(outputs, 1)


def test_deep_answers_are_written():
    assert value_of(deep(MAX_DEPTH // 2 - 1))["a"]


@pytest.mark.parametrize("dtype, bits", [("f4", "u4"), ("f2", "u2")])
def test_own_digits(dtype, bits):
    """Catches digits that are not those of NumPy's own text, for numbers of
    all sizes."""
    rng = np.random.default_rng(7)
    count = 1 << 16
    numbers = np.concatenate([
        (rng.integers(0, 1 << 32, count, dtype=np.uint64)
         if bits == "u4" else np.arange(count)).astype(bits).view(dtype),
        rng.standard_normal(2000).astype(dtype),
        np.array([0, -0.0, 0.1, 1e-5, 5e4], dtype)])
    for number, wide in zip(numbers, own_digits(numbers).tolist()):
        text = float(str(number))
        assert wide == text or math.isnan(wide) and math.isnan(text)
