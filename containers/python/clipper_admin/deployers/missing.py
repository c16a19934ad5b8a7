"""Imports that no module answers to: which of them a function needs."""

import ast
import enum
import importlib.util
import linecache
import sys
from typing import Any, Dict, Iterable, Iterator, List, Set

#: An import that one of these is caught for may fail.
_FORGIVING = {"ImportError", "ModuleNotFoundError", "Exception",
              "BaseException"}

#: Of newer Pythons; it has the modules of other systems as well.
_STANDARD: Any = getattr(sys, "stdlib_module_names", ())

_SUITES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.If)


class Need(enum.IntEnum):
    """Whether the code with an import fails without the module."""

    OPTIONAL = 0    # the error is caught
    PERHAPS = 1     # in a branch, a function or a file that may not run
    CERTAIN = 2


def is_nowhere(name: str) -> bool:
    """Whether a top-level module can be imported from no place."""
    if not name or name in sys.modules or name in _STANDARD:
        return False
    try:
        return importlib.util.find_spec(name) is None
    except (ImportError, ValueError):
        return False


def need_of_parts(node: ast.AST, need: Need) -> Iterator[Any]:
    """The parts of a node, each with the need of the imports in it."""
    forgiven = _is_forgiving(node)
    if isinstance(node, _SUITES):
        need = min(need, Need.PERHAPS)
    for field, value in ast.iter_fields(node):
        inner = Need.OPTIONAL if forgiven and field == "body" else need
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, ast.AST):
                yield one, inner


def _is_forgiving(node: ast.AST) -> bool:
    if isinstance(node, ast.Try):
        return any(one.type is None or _FORGIVING & _names(one.type)
                   for one in node.handlers)
    if isinstance(node, ast.With):
        return any(isinstance(one.context_expr, ast.Call)
                   and _FORGIVING & _names(one.context_expr)
                   for one in node.items)
    return False


def _names(node: ast.AST) -> Set[str]:
    return {getattr(one, "id", getattr(one, "attr", ""))
            for one in ast.walk(node)}


class Forgiven:
    """The lines of source files where an import may fail."""

    def __init__(self) -> None:
        self._lines: Dict[str, Any] = {}

    def covers(self, path: str, line: int, names: Iterable[str]) -> bool:
        """Whether a line is such a one.

        Args:
            path: file of the line, or another name that `linecache` knows.
            line: its number.
            names: that the code refers to; they decide when there is no
                source.
        """
        if path not in self._lines:
            self._lines[path] = _forgiven_lines(linecache.getlines(path))
        lines = self._lines[path]
        if lines is None:
            return bool(_FORGIVING.intersection(names))
        return line in lines


def _forgiven_lines(source: List[str]) -> Any:
    """Numbers of lines; None when it is not source code."""
    try:
        tree = ast.parse("".join(source))
    except (SyntaxError, ValueError):
        return None
    found: Set[int] = set()
    for node in ast.walk(tree) if source else ():
        if _is_forgiving(node):
            for one in node.body:   # type: ignore[attr-defined]
                found.update(range(one.lineno, (one.end_lineno or 0) + 1))
    return found if source else None
