"""Why a function cannot be pickled: the path to the value that cannot."""

import types
from typing import Any, Iterator, Optional, Set, Tuple

import cloudpickle

#: Deeper nesting is not searched.
_DEPTH = 8


def culprit(value: Any, name: str) -> Optional[str]:
    """The path to the innermost value that cannot be pickled.

    Args:
        value: that cannot be pickled.
        name: of it, the beginning of the path.

    Returns:
        such as ``predict: global model: attribute lock (_thread.lock)``;
        None when each part can be pickled alone.
    """
    path = _search(value, set(), _DEPTH)
    if path is None:
        return None
    steps, last = path
    return "%s (%s.%s)" % (
        ": ".join((name,) + steps), type(last).__module__,
        type(last).__qualname__,
    )


def _search(
    value: Any, seen: Set[int], depth: int
) -> Optional[Tuple[Tuple[str, ...], Any]]:
    if depth == 0 or id(value) in seen:
        return None
    seen.add(id(value))
    parts = False
    for step, part in _parts(value):
        parts = True
        if _fits(part):
            continue
        found = _search(part, seen, depth - 1)
        if found is not None:
            return (step,) + found[0], found[1]
        if id(part) not in seen or not any(True for _ in _parts(part)):
            return (step,), part
    if parts and depth == _DEPTH:
        return None
    return (), value


def _fits(value: Any) -> bool:
    try:
        cloudpickle.dumps(value)
    except Exception:  # noqa: B902 - whatever a class raises
        return False
    return True


def _parts(value: Any) -> Iterator[Tuple[str, Any]]:
    if isinstance(value, types.MethodType):
        yield "its object", value.__self__
        value = value.__func__
    if isinstance(value, types.FunctionType):
        names = value.__code__.co_freevars
        for name, cell in zip(names, value.__closure__ or ()):
            try:
                yield "variable %s" % name, cell.cell_contents
            except ValueError:          # not set yet
                continue
        for name in _names(value.__code__):
            if name in value.__globals__:
                yield "global %s" % name, value.__globals__[name]
        for index, one in enumerate(value.__defaults__ or ()):
            yield "default %d" % index, one
        for name, one in (value.__kwdefaults__ or {}).items():
            yield "default %s" % name, one
    elif isinstance(value, dict):
        for key, one in value.items():
            yield "[%r]" % (key,), one
    elif isinstance(value, (list, tuple)):
        for index, one in enumerate(value):
            yield "[%d]" % index, one
    elif isinstance(getattr(value, "__dict__", None), dict) and not isinstance(
        value, (type, types.ModuleType)
    ):
        for name, one in vars(value).items():
            yield "attribute %s" % name, one


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            yield from _names(one)
