"""Local modules that a function imports when it runs: found and copied.

`cloudpickle` takes along what a function refers to, but not what it imports
in its body, nor what its modules import. Such modules are copied, with those
that they import in turn, into a directory that the container has on its path.
"""

import ast
import dis
import functools
import importlib.machinery
import importlib.util
import os
import shutil
import sys
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Set,
    Tuple,
)

from ..exceptions import ClipperException
from .missing import Forgiven, Need, is_nowhere, need_of_parts

#: More than this is not code: somebody's data lies beside it.
MOST_BYTES = 200 << 20

#: Directories of a package that are not copied.
_SKIPPED = ("__pycache__", ".git", ".venv", "node_modules")

#: Calls that import a module by its name.
_DYNAMIC = ("import_module", "__import__")


class Found(NamedTuple):
    """An import.

    Attributes:
        name: of the module, with its package.
        where: file and line of the import.
        need: whether what imports it fails without it.
    """

    name: str
    where: str
    need: Need = Need.CERTAIN


def imports_of(func: Any, is_local: Callable[[str], bool]) -> List[Found]:
    """The modules that a function, or a local one that it uses, imports.

    Args:
        func: a function, method, partial or object that can be called.
        is_local: whether a file is not part of an installation.
    """
    found: List[Found] = []
    forgiven = Forgiven()
    for code in _codes(func, is_local):
        for name, line, need in _imports_of_code(code):
            if forgiven.covers(code.co_filename, line, code.co_names):
                need = Need.OPTIONAL
            found.append(
                Found(name, "%s:%d" % (code.co_filename, line), need)
            )
    return found


def _imports_of_code(code: CodeType) -> Iterator[Tuple[str, int, Need]]:
    """(module, line, need) of each import in a function's own code."""
    steps = list(dis.get_instructions(code))
    names = {one.argval for one in steps if one.opname.startswith("LOAD_")}
    line = code.co_firstlineno
    for i, one in enumerate(steps):
        line = one.starts_line or line
        if one.opname == "IMPORT_NAME":
            # Relative to a package, which the code does not name.
            relative = i > 1 and steps[i - 2].argval not in (0, None)
            yield (str(one.argval), line,
                   Need.OPTIONAL if relative else Need.CERTAIN)
        elif (
            one.opname == "LOAD_CONST"
            and isinstance(one.argval, str)
            and names.intersection(_DYNAMIC)
            and all(part.isidentifier() for part in one.argval.split("."))
        ):
            # Any text may be the name, but only of a call with it alone.
            called = steps[i - 1].argval in _DYNAMIC and steps[
                i + 1].opname.startswith(("CALL", "PRECALL"))
            yield (one.argval, line,
                   Need.CERTAIN if called else Need.OPTIONAL)


def _codes(func: Any, is_local: Callable[[str], bool]) -> Iterator[CodeType]:
    """The code of a function and of the local ones that it refers to."""
    waiting: List[Any] = [func]
    seen: Set[int] = set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, functools.partial):
            waiting += [one.func, *one.args, *one.keywords.values()]
        elif isinstance(one, MethodType):
            waiting += [one.__func__, one.__self__]
        elif isinstance(one, type):
            if one.__module__ == "__main__" or is_local(_file_of(one)):
                waiting += list(vars(one).values()) + list(one.__bases__)
        elif isinstance(one, (staticmethod, classmethod)):
            waiting.append(one.__func__)
        elif isinstance(one, property):
            waiting += [one.fget, one.fset]
        elif isinstance(one, CodeType):
            yield one
            waiting += [c for c in one.co_consts if isinstance(c, CodeType)]
        elif isinstance(one, FunctionType):
            if one.__module__ != "__main__" and not is_local(
                one.__code__.co_filename
            ) and one is not func:
                continue
            waiting.append(one.__code__)
            waiting += list(one.__defaults__ or ())
            for cell in one.__closure__ or ():
                try:
                    waiting.append(cell.cell_contents)
                except ValueError:      # not set yet
                    pass
            for name in _names(one.__code__):
                if name in one.__globals__:
                    waiting.append(one.__globals__[name])
            wrapped = getattr(one, "__wrapped__", None)
            waiting += [wrapped] if wrapped is not None else []
        elif not isinstance(one, ModuleType):
            waiting.append(type(one))


def _names(code: CodeType) -> Set[str]:
    names = set(code.co_names)
    for one in code.co_consts:
        if isinstance(one, CodeType):
            names |= _names(one)
    return names


def _file_of(one: Any) -> str:
    module = sys.modules.get(getattr(one, "__module__", None) or "")
    return getattr(module, "__file__", None) or ""


def place_of(name: str) -> Optional[str]:
    """The file or directory of a top-level module; None when there is none.

    A module that exists only in memory has no place.
    """
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    if spec is None:
        path = getattr(module, "__file__", None)
        if module is not None:
            return path if path and os.path.exists(path) else None
        try:
            spec = importlib.machinery.PathFinder.find_spec(name)
        except (ImportError, ValueError):
            return None
    if spec is None:
        return None
    if spec.submodule_search_locations is not None:
        places = [one for one in spec.submodule_search_locations
                  if os.path.isdir(one)]
        return places[0] if places else None
    origin = spec.origin
    return origin if origin and os.path.exists(origin) else None


def travelling(
    imports: Iterable[Found], is_local: Callable[[str], bool],
    named: Iterable[str] = (),
) -> Tuple[Dict[str, Tuple[str, str]], List[Found]]:
    """The top-level modules that have to travel, and the imports of those
    that are found nowhere.

    Args:
        imports: of the function.
        is_local: whether a file is not part of an installation.
        named: modules that travel wherever they are.

    Returns:
        name -> place, import; imports.
    """
    found: Dict[str, Tuple[str, str]] = {}
    missing: List[Found] = []
    waiting = [Found(name, "modules=", Need.OPTIONAL) for name in named]
    always = {one.name.partition(".")[0] for one in waiting}
    waiting += imports
    while waiting:
        one = waiting.pop()
        name = one.name.partition(".")[0]
        if name in found or name in sys.builtin_module_names:
            continue
        place = place_of(name)
        if place is None and one.need and is_nowhere(name):
            missing.append(one)
        if place is None or not (name in always or is_local(place)):
            continue
        found[name] = (place, one.where)
        waiting += _imports_in(place, one)
    return found, missing


def _imports_in(place: str, of: Found) -> Iterator[Found]:
    """The absolute imports in the source of a module or package.

    Args:
        of: the import of it. The files on the way to its module do run.
    """
    for path in _sources(place):
        name = path[len(os.path.dirname(place)):].strip(os.sep)
        name = name[:-len(".py")].replace(os.sep, ".")
        runs = (of.name + ".__init__.").startswith(
            name.replace(".__init__", "") + ".")
        need = of.need if runs else min(of.need, Need.PERHAPS)
        try:
            with open(path, "rb") as f:
                tree = ast.parse(f.read(), path)
        except (SyntaxError, ValueError):
            continue
        yield from _imports(tree, path, need)


def _sources(place: str) -> Iterator[str]:
    if os.path.isfile(place):
        if place.endswith(".py"):
            yield place
        return
    for directory, inner, names in os.walk(place):
        inner[:] = sorted(one for one in inner if one not in _SKIPPED)
        for name in sorted(names):
            if name.endswith(".py"):
                yield os.path.join(directory, name)


def _imports(tree: ast.AST, path: str, need: Need) -> Iterator[Found]:
    waiting: List[Tuple[ast.AST, Need]] = [(tree, need)]
    while waiting:
        node, need = waiting.pop()
        where = "%s:%d" % (path, getattr(node, "lineno", 0))
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            waiting += [(one, need) for one in node.orelse]
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Found(alias.name, where, need)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield Found(str(node.module), where, need)
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            name = getattr(node.args[0], "value", None)
            if called in _DYNAMIC and isinstance(name, str):
                yield Found(name, where, need)
        waiting += need_of_parts(node, need)


def _is_type_checking(test: ast.AST) -> bool:
    return "TYPE_CHECKING" in (
        getattr(test, "id", None), getattr(test, "attr", None)
    )


def copy(modules: Dict[str, Tuple[str, str]], target: str) -> None:
    """Copy modules into a directory.

    Raises:
        ClipperException: one is too large to travel; the message names it
            and the import.
    """
    for name, (place, where) in sorted(modules.items()):
        size = _size(place)
        if size > MOST_BYTES:
            raise ClipperException(
                "The module %s, imported in %s, cannot travel with the "
                "function: %s has %d MB. Install it in the container, or move "
                "the data out of it" % (name, where, place, size >> 20)
            )
        os.makedirs(target, exist_ok=True)
        if os.path.isdir(place):
            shutil.copytree(
                place, os.path.join(target, name),
                ignore=shutil.ignore_patterns(*_SKIPPED),
            )
        else:
            shutil.copy2(place, os.path.join(target, os.path.basename(place)))


def _size(place: str) -> int:
    if os.path.isfile(place):
        return os.path.getsize(place)
    total = 0
    for directory, inner, names in os.walk(place):
        inner[:] = [one for one in inner if one not in _SKIPPED]
        total += sum(
            os.path.getsize(os.path.join(directory, name)) for name in names
            if os.path.exists(os.path.join(directory, name))
        )
    return total
