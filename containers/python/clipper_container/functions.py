"""Mistakes of a model's function that are seen before it is called."""

import functools
import inspect
from collections import abc
from typing import Any


def check_function(func: Any, takes: int = 1) -> None:
    """Refuse what cannot be a model's function.

    A function that only a call shows to be wrong passes.

    Args:
        takes: with how many arguments it is called: the batch, and before it
            what the container has loaded.

    Raises:
        TypeError: it cannot be called, or not with these arguments, or the
            call answers nothing.
    """
    if isinstance(func, type) and _makes_objects(func):
        raise TypeError(
            "The function is the class %s: a call of it makes an object and "
            "no outputs. Give an object of the class, or one of its methods"
            % func.__qualname__
        )
    if not callable(func):
        raise TypeError(
            "The function is of type %s and cannot be called%s"
            % (type(func).__name__, _instead(func))
        )
    called = _called(func)
    if inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(
        called
    ):
        raise TypeError(
            "%s is defined with async def: a call of it returns no outputs. "
            "Define it with def (asyncio.run runs what it awaits)"
            % name_of(func)
        )
    _check_arguments(func, takes)


def _makes_objects(kind: type) -> bool:
    """Whether a call of a class gives an object without outputs."""
    made: Any = kind
    return (
        made.__new__ is object.__new__
        and type(made).__call__ is type.__call__
        and not issubclass(kind, abc.Iterable)
        and not hasattr(kind, "__getitem__")
    )


def name_of(func: Any) -> str:
    """How messages name a function."""
    return getattr(_called(func), "__qualname__", type(func).__qualname__)


def _called(func: Any) -> Any:
    """The function that a call runs: of a partial, or of an object."""
    while isinstance(func, functools.partial):
        func = func.func
    if inspect.isroutine(func) or isinstance(func, type):
        return func
    return type(func).__call__


def _instead(func: Any) -> str:
    if callable(getattr(func, "predict", None)):
        return ". Give its method predict, or a function that calls it"
    return ""


def _check_arguments(func: Any, takes: int) -> None:
    if "__signature__" in getattr(func, "__dict__", {}):
        # It may be that of a function that this one wraps.
        return
    try:
        signature = inspect.signature(func, follow_wrapped=False)
    except Exception:
        # Of a function in C, which does not say, or with annotations that
        # name nothing at run time.
        return
    try:
        signature.bind(*range(takes))
    except TypeError as error:
        raise TypeError(
            "%s%s is called with %s: %s"
            % (name_of(func), signature, _ARGUMENTS[takes], error)
        ) from None


_ARGUMENTS = {
    1: "one argument, the batch",
    2: "two arguments, the model and the batch",
    3: "three arguments, the session, the model and the batch",
}
