"""Mistakes of programs that are seen before anything is deployed."""

import functools
import inspect

import numpy as np
import pytest

import clipper_container
from clipper_admin import ClipperException
from clipper_admin.deployers import keras, onnx, pyspark, python, pytorch
from clipper_container.functions import check_function


class Nobody:
    """A connection on which nothing may be done."""

    def __getattr__(self, name):
        raise AssertionError("%s was called" % name)


class Estimator:
    def predict(self, xs):
        return [1.0 for _ in xs]


class Callable:
    def __call__(self, xs):
        return [1.0 for _ in xs]


class Rows(list):
    """Of the batch: a class may be a function."""


async def awaited(xs):
    return [1.0]


async def generated(xs):
    yield 1.0


class Awaited:
    async def __call__(self, xs):
        return [1.0]


def two(model, xs):
    return [1.0]


def keyword(xs, *, scale):
    return [1.0]


def wrapped(func):
    @functools.wraps(func)
    def answer(xs):
        return func(None, xs)

    return answer


class Everything:
    """A proxy that has every attribute, as of a remote object."""

    def __getattr__(self, name):
        return self

    def __call__(self, xs):
        return [1.0 for _ in xs]


class Made:
    """Its call gives outputs, and no object."""

    def __new__(cls, xs):
        return [1.0 for _ in xs]


class Sequence:
    def __init__(self, xs):
        self.xs = xs

    def __getitem__(self, i):
        return self.xs[i]


def signed(func):
    """A wrapper with the signature of what it wraps."""
    func.__signature__ = inspect.signature(func)
    return wrapped(func)


def untyped(xs):
    return [1.0 for _ in xs]


untyped.__annotations__ = {"xs": "Nothing"}


def iterated(xs):
    for x in xs:
        yield str(x)


@pytest.mark.parametrize("func, takes, why", [
    (None, 1, "type NoneType and cannot be called"),
    ("predict", 1, "type str and cannot be called"),
    (Estimator(), 1, r"type Estimator and cannot be called\. Give its method "
                     "predict"),
    (Estimator, 1, "the class Estimator"), (Callable, 1, "an object"),
    (awaited, 1, "awaited is defined with async def"),
    (generated, 1, "async def"), (Awaited(), 1, "async def"),
    (functools.partial(awaited), 1, "async def"),
    (lambda: [1.0], 1, r"<lambda>\(\) is called with one argument, the "
                       "batch: too many"),
    (two, 1, r"two\(model, xs\) is called with one argument.*'xs'"),
    (keyword, 1, "missing a required.*'scale'"),
    (functools.partial(two, None, None), 1, "too many"),
    (Estimator.predict, 1, "missing a required argument: 'xs'"),
    (len, 2, "two arguments, the model and the batch: too many"),
    (two, 3, "three arguments"),
])
def test_what_is_no_function_of_a_batch(func, takes, why):
    with pytest.raises(TypeError, match=why):
        check_function(func, takes)


@pytest.mark.parametrize("func, takes", [
    (len, 1), (list, 1), (Rows, 1), (np.sum, 1), (np.negative, 1),
    (Callable(), 1), (Estimator().predict, 1), (iterated, 1),
    (wrapped(two), 1), (functools.partial(two, None), 1),
    (lambda xs, scale=2: xs, 1), (lambda *xs: xs, 3), (two, 2),
    (functools.partial(keyword, scale=1), 1), (str.upper, 1),
    (Everything(), 1), (Made, 1), (Sequence, 1), (np.float64, 1),
    (signed(lambda model, xs: xs), 1), (untyped, 1),
])
def test_what_is_one(func, takes):
    """Catches functions that are refused although they work."""
    check_function(func, takes)


def deployments(module):
    deploy, = [one for name, one in vars(module).items()
               if name.startswith("deploy_") and hasattr(one, "takes")]
    return [(deploy, ["m", 1, "doubles"]),
            (module.create_endpoint, ["m", "doubles"])]


@pytest.mark.parametrize("module, takes", [
    (python, 1), (pytorch, 2), (onnx, 2), (keras, 2), (pyspark, 3)])
@pytest.mark.parametrize("which", [0, 1])
def test_nothing_is_deployed(module, takes, which):
    """Catches a container that is started, or an application that is
    registered, for a function that cannot be called."""
    call, arguments = deployments(module)[which]
    own = [one for one in inspect.signature(call).parameters
           if one.endswith(("_model", "_object")) or one == "sc"]
    wrong = [lambda: 1, awaited, Estimator(), Estimator,
             [two, len, len][takes - 1]]
    for func in wrong:
        with pytest.raises(ClipperException, match="function|called|async def"):
            call(Nobody(), *arguments, func, **dict.fromkeys(own))
    right = [len, two, lambda spark, model, xs: [1.0]][takes - 1]
    arguments[-1] = "numbers"
    with pytest.raises(ClipperException, match="numbers is not a valid"):
        call(Nobody(), *arguments, right, **dict.fromkeys(own))


def test_an_own_image_may_have_any_function():
    """Catches a function that is refused although the program of its base
    image calls it in its own way, or does not call it."""
    for func in [two, awaited, Estimator(), {"a": 1}]:
        with pytest.raises(ClipperException, match="numbers is not a valid"):
            python.deploy_python_closure(Nobody(), "m", 1, "numbers", func,
                                         base_image="me/own-main:1")


@pytest.mark.parametrize("func, input_type, error, why", [
    (two, "doubles", TypeError, "one argument"),
    (awaited, "doubles", TypeError, "async def"),
    (Estimator(), "doubles", TypeError, "Give its method predict"),
    (Estimator, "doubles", TypeError, "the class"),
    (len, "numbers", ValueError, "numbers is not a valid input"),
    (len, None, ValueError, "None is not a valid input"),
])
def test_nothing_is_served(func, input_type, error, why):
    """Catches a container that connects, and fails on each input."""
    with pytest.raises(error, match=why):
        clipper_container.serve(func, "m", 1, input_type, "nowhere")
