"""Series, frames and scalars of Polars and Arrow that a model returns.

Each test runs where the library is installed; `test_py_outputs` has
stand-ins for everywhere else.
"""

import datetime
import decimal
import json

import numpy as np
import pandas as pd
import pytest

from clipper_container.errors import OutputError, PredictionError
from clipper_container.outputs import encode_outputs

NAN = float("nan")
TENTH = np.float32(0.1)
MIDNIGHT = datetime.datetime(2020, 1, 2)
BIG = 2 ** 62 + 1


def value_of(value):
    text = encode_outputs([value], 1)[0].decode()
    return json.loads(text, parse_constant=pytest.fail)


def check(made, *expected):
    """As the result of the function, as an output, and inside of one."""
    texts = [json.dumps(one) if not isinstance(one, str) else one
             for one in expected]
    found = [one.decode() for one in encode_outputs(made, len(texts))]
    assert found == texts
    inside = [None if one == "NaN" else one for one in expected]
    assert value_of(made) == inside
    assert value_of({"a": [made]}) == {"a": [inside]}


@pytest.fixture
def pl():
    return pytest.importorskip("polars")


@pytest.fixture
def pa():
    return pytest.importorskip("pyarrow")


def test_polars_series(pl):
    """Catches float32 as a double, integers that a null makes floats of,
    structs without their names, and a null that becomes NaN."""
    check(pl.Series([TENTH, None], dtype=pl.Float32), 0.1, None)
    check(pl.Series([[TENTH], None], dtype=pl.List(pl.Float32)), [0.1], None)
    check(pl.Series([[TENTH]], dtype=pl.Array(pl.Float32, 1)), [0.1])
    check(pl.Series([{"a": float(TENTH)}],
                    dtype=pl.Struct({"a": pl.Float32})), {"a": 0.1})
    check(pl.Series([[{"a": [float(TENTH)]}]], dtype=pl.List(pl.Struct(
        {"a": pl.List(pl.Float32)}))), [{"a": [0.1]}])
    check(pl.Series([0.5, NAN]), 0.5, "NaN")
    check(pl.Series([BIG, None]), BIG, None)
    check(pl.Series([True, None]), True, None)
    check(pl.Series(["a", None], dtype=pl.Categorical), "a", None)
    check(pl.Series([{1}], dtype=pl.Object), [1])
    assert value_of(pl.Series([MIDNIGHT, None])) \
        == ["2020-01-02T00:00:00", None]
    assert value_of(pl.Series([datetime.timedelta(hours=1)])) == ["1:00:00"]
    assert value_of(pl.Series([decimal.Decimal("1.10")])) == [1.1]


def test_polars_frames(pl):
    check(pl.DataFrame({
        "f": pl.Series([TENTH, None], dtype=pl.Float32),
        "l": pl.Series([[TENTH], None], dtype=pl.List(pl.Float32)),
        "s": ["a", None], "n": [BIG, None],
    }), {"f": 0.1, "l": [0.1], "s": "a", "n": BIG},
        {"f": None, "l": None, "s": None, "n": None})
    assert encode_outputs(pl.DataFrame({"a": []}), 0) == []


def test_a_query_of_polars_that_has_not_run(pl):
    """Catches its plan as the answer."""
    lazy = pl.LazyFrame({"a": [1]})
    with pytest.raises(PredictionError, match="LazyFrame"):
        encode_outputs(lazy, 1)
    with pytest.raises(OutputError, match="LazyFrame has no JSON form"):
        encode_outputs([lazy], 1)


def test_arrow_arrays(pa):
    check(pa.array(np.array([0.1, 0.2], "f4")), 0.1, 0.2)
    check(pa.array([TENTH, None], type=pa.float32()), 0.1, None)
    check(pa.array(np.array([0.1], "f2")), 0.1)
    check(pa.chunked_array([pa.array([TENTH], type=pa.float32())]), 0.1)
    check(pa.array([[TENTH], None], type=pa.list_(pa.float32())),
          [0.1], None)
    check(pa.array([{"a": TENTH}], type=pa.struct({"a": pa.float32()})),
          {"a": 0.1})
    check(pa.array([[("a", TENTH)]], type=pa.map_(
        pa.string(), pa.float32())), {"a": 0.1})
    check(pa.array([TENTH], type=pa.float32()).dictionary_encode(), 0.1)
    check(pa.array(["a", None]).dictionary_encode(), "a", None)
    check(pa.array([BIG, None]), BIG, None)
    check(pa.array([True, None]), True, None)
    check(pa.array([0.5, NAN]), 0.5, "NaN")
    zoned = pa.array([MIDNIGHT, None], type=pa.timestamp("us", "UTC"))
    assert value_of(zoned) == ["2020-01-02T00:00:00+00:00", None]
    assert value_of(pa.array([MIDNIGHT])) == ["2020-01-02T00:00:00"]
    assert value_of(pa.array([decimal.Decimal("1.10")])) == [1.1]
    check(pa.Tensor.from_numpy(np.array([[0.1, 0.2]], "f4")), [0.1, 0.2])


def test_arrow_tables(pa):
    columns = {"f": pa.array([TENTH, None], type=pa.float32()),
               "s": ["a", None]}
    rows = {"f": 0.1, "s": "a"}, {"f": None, "s": None}
    check(pa.table(columns), *rows)
    check(pa.record_batch(columns), *rows)
    with pytest.raises(OutputError, match="two columns"):
        encode_outputs(pa.table([[1], [2]], names=["a", "a"]), 1)


def test_arrow_scalars(pa):
    """Catches their Python text, which is no JSON."""
    for scalar, text, inside in [
        (pa.scalar(TENTH, type=pa.float32()), "0.1", 0.1),
        (pa.scalar(None), "null", None), (pa.scalar(True), "true", True),
        (pa.scalar(NAN), "NaN", None), (pa.scalar(b"a"), "a", "a"),
        (pa.scalar(BIG), str(BIG), BIG),
        (pa.scalar([TENTH], type=pa.list_(pa.float32())), "[0.1]", [0.1]),
        (pa.scalar({"a": TENTH}, type=pa.struct({"a": pa.float32()})),
         '{"a": 0.1}', {"a": 0.1}),
        (pa.scalar(MIDNIGHT), "2020-01-02 00:00:00", "2020-01-02T00:00:00"),
    ]:
        assert encode_outputs([scalar], 1) == [text.encode()]
        assert value_of([scalar]) == [inside]
    keys = {pa.scalar(TENTH, type=pa.float32()): 1, pa.scalar("a"): 2,
            pa.scalar(NAN): 3}
    assert value_of(keys) == {"0.1": 1, "a": 2, "NaN": 3}


def test_pandas_with_arrow(pa):
    check(pd.Series([TENTH], dtype=pd.ArrowDtype(pa.float32())), 0.1)
    nested = pd.ArrowDtype(pa.list_(pa.float32()))
    check(pd.DataFrame({"l": pd.Series([[TENTH], None], dtype=nested)}),
          {"l": [0.1]}, {"l": None})
