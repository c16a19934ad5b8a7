"""A library's model is used once before its first query, without a sample.

`test_py_frameworks.py` shows it with the libraries themselves.
"""

import json
import types

import numpy as np
import pytest

from clipper_container.warm import warm_up
from harness.runtime import PythonContainer
from harness.server import application


class Keras:
    """As much of a Keras model as a warm-up uses."""

    def __init__(self, *shapes):
        self.inputs = [types.SimpleNamespace(shape=shape, dtype="float32")
                       for shape in shapes]
        self.seen = []
        self.predict_function = None

    def __call__(self, batch):
        self.seen.append(batch)

    def predict(self, batch, verbose):
        assert verbose == 0
        self.predict_function = "compiled for this rank"
        self.seen.append(batch)


def test_keras_gets_zeros_of_its_own_shape_and_of_the_type_of_the_inputs():
    model = Keras((None, 28, 28))
    warm_up("keras", (model,), "<i4")
    assert [(one.shape, one.dtype, one.any()) for one in model.seen] == [
        ((1, 28, 28), np.int32, False)] * 2
    assert model.predict_function is None


def test_several_inputs_have_their_own_types():
    model = Keras((None, 2), (None,))
    warm_up("keras", (model,), "<f8")
    assert [[(one.shape, one.dtype) for one in batch]
            for batch in model.seen] == [
        [((1, 2), np.float32), ((1,), np.float32)]] * 2


@pytest.mark.parametrize("model", [Keras((None, None, 3)), Keras()])
def test_a_shape_that_nobody_knows(model):
    warm_up("keras", (model,), "<f4")
    assert model.seen == []


def test_other_kinds_have_none():
    warm_up("closure", (), "<f8")
    warm_up("pytorch", (object(),), "<f8")


FAKE = '''
import types

class Model:
    inputs = [types.SimpleNamespace(shape=(None, 3), dtype="float32")]

    def __call__(self, batch):
        print("called with", batch.shape, batch.dtype, flush=True)
        raise RuntimeError("no such kernel")

models = types.SimpleNamespace(load_model=lambda file, compile: Model())
'''


def test_a_failure_is_logged_and_harmless(nginx, tmp_path):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/keras.py").write_text(FAKE)
    (tmp_path / "keras_model.h5").write_text("")
    (tmp_path / "clipper_model.json").write_text(json.dumps({"kind": "keras"}))
    server = nginx(application("a", "m:1", "floats"))
    container = PythonContainer(
        server, "m", lambda model, xs: [len(x) for x in xs],
        input_type="floats", directory=str(tmp_path))
    server.wait_replicas("m")
    assert server.predict("a", [1, 2])["output"] == 2
    log = container.output()
    warmed = log.index("called with (1, 3) float32")
    assert warmed < log.index("was not warmed up: RuntimeError: no such") \
        < log.index("Serving m:1")
    assert log.count("called with") == 1
