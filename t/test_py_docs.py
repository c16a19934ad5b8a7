"""The reference of the Python package agrees with its docstrings."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import clipper_admin
from clipper_admin import ClipperConnection
from clipper_admin.client import AsyncClient, Client
from clipper_admin.deployers import (
    keras,
    onnx,
    pyspark,
    python,
    pytorch,
    tensorflow,
)

ROOT = Path(__file__).resolve().parent.parent


def test_reference_is_made_of_the_docstrings():
    """Catches a docstring or signature that changed without `make docs`."""
    done = subprocess.run([sys.executable, ROOT / ".ci/api-reference"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (ROOT / "docs/python-api.md").read_text() == done.stdout


def test_everything_has_a_docstring():
    for name, member in inspect.getmembers(ClipperConnection):
        if not name.startswith("_") and not inspect.getdoc(member):
            pytest.fail("%s has no docstring" % name)


def overriding(package):
    """(class, method, its own docstring, those that it overrides)."""
    for found in pkgutil.walk_packages(package.__path__,
                                       package.__name__ + "."):
        module = importlib.import_module(found.name)
        for one in vars(module).values():
            if inspect.isclass(one) and one.__module__ == found.name:
                yield from overrides(one, package.__name__)


def overrides(one, package):
    def text(member):
        member = getattr(member, "fget", None) or member
        return inspect.isfunction(member) and member.__doc__ or ""

    for name, member in vars(one).items():
        above = [text(vars(base)[name]) for base in one.__mro__[1:]
                 if name in vars(base) and base.__module__.startswith(package)]
        if any(above) and not name.startswith("__"):
            yield one.__name__, name, text(member), above


def hidden(found):
    """Methods whose docstring only refers to the one that it hides, or
    repeats it."""
    return [f"{one}.{name}" for one, name, own, above in found
            if re.match(r"\s*See `\w+\.\w+`", own)
            or own and inspect.cleandoc(own) in map(inspect.cleandoc, above)]


def test_a_contract_stands_once():
    """Catches a docstring that hides the one of the method it overrides
    without more to say, so that inspect.getdoc gives no full text."""
    found = list(overriding(clipper_admin))
    assert hidden(found) == []
    assert len(found) > 40


def test_a_hidden_contract_is_found():
    class Base:
        def refers(self):
            """Do it."""

        def repeats(self):
            """Do it, too."""

        def inherits(self):
            """Do it again."""

    class Part(Base):
        def refers(self):
            """See `Base.refers`."""

        def repeats(self):
            """Do it, too."""

        def inherits(self):
            pass

    assert hidden(overrides(Part, __name__)) == ["Part.refers", "Part.repeats"]


def test_both_clients_have_the_full_text():
    """Catches a method of AsyncClient without the text of Client's."""
    for name in ("predict", "predict_batch", "feedback"):
        assert inspect.getdoc(getattr(AsyncClient, name)) \
            == inspect.getdoc(getattr(Client, name))


BEFORE = ["clipper_conn", "name", "version", "input_type", "func"]
AFTER = [("base_image", "default"), ("labels", None), ("registry", None),
         ("num_replicas", 1), ("batch_size", -1), ("pkgs_to_install", None)]
ENDPOINT = [("default_output", "None"), ("version", 1),
            ("slo_micros", 3000000), ("labels", None), ("registry", None),
            ("base_image", "default"), ("num_replicas", 1),
            ("batch_size", -1), ("pkgs_to_install", None)]


@pytest.mark.parametrize("module, deploy, own", [
    (python, "deploy_python_closure", []),
    (pytorch, "deploy_pytorch_model", ["pytorch_model"]),
    (tensorflow, "deploy_tensorflow_model", ["tf_sess_or_saved_model_path"]),
    (keras, "deploy_keras_model", ["model_path_or_object"]),
    (pyspark, "deploy_pyspark_model", ["pyspark_model", "sc"]),
    (onnx, "deploy_onnx_model", ["onnx_model"]),
])
def test_arguments_of_deployers(module, deploy, own):
    """Catches an order or a default that is not Clipper's."""
    def parameters(function):
        return [(one.name, one.default) for one in
                inspect.signature(function).parameters.values()]

    empty = inspect.Parameter.empty
    expected = [(one, empty) for one in BEFORE + own] + AFTER
    assert parameters(getattr(module, deploy))[:len(expected)] == expected
    expected = [(one, empty) for one in BEFORE + own if one != "version"] \
        + ENDPOINT
    assert parameters(module.create_endpoint)[:len(expected)] == expected


def test_arguments_of_the_onnx_deployer_for_pytorch():
    names = list(inspect.signature(onnx.deploy_pytorch_model).parameters)
    assert names[:13] == [
        "clipper_conn", "name", "version", "input_type", "inputs", "func",
        "pytorch_model", "base_image", "labels", "registry", "num_replicas",
        "onnx_backend", "batch_size"]
    names = list(inspect.signature(onnx.create_pytorch_endpoint).parameters)
    assert names[:6] == ["clipper_conn", "name", "input_type", "inputs",
                         "func", "pytorch_model"]


def test_a_deployer_says_what_is_wrong_with_its_arguments():
    with pytest.raises(TypeError, match="missing a required argument: 'sc'"):
        pyspark.create_endpoint(None, "m", "doubles", len, object())
    with pytest.raises(TypeError, match="too many positional"):
        python.create_endpoint(*[None] * 20)
