"""What the Python package says about a function stands in one place."""

import ast
import pathlib
from collections import defaultdict

import pytest

ROOT = pathlib.Path(__file__).parent.parent / "containers/python"

#: Parameters from which on a signature is worth a place of its own.
MANY = 3

#: Functions with one signature, by the reason: a table calls all of its
#: entries in the same way, and `async def` cannot share a `def`.
ALLOWED = {
    "asyncio needs its own definitions": [
        ("Client." + one, "AsyncClient." + one)
        for one in ("predict", "predict_batch", "feedback")
    ],
    "entries of records._LOSSES": [("_zero_one", "_absolute", "_squared")],
    "entries of management.CALLS": [
        ("_set_model_version", "_delete_version"),
        ("_add_links", "_delete_links"),
    ],
}


class Package:
    """The classes and functions of a tree.

    Attributes:
        classes: nodes by name.
        functions: (dotted name, its class or None, its node).
    """

    def __init__(self, root):
        self.classes, self.functions = {}, []
        for path in sorted(root.glob("clipper_*/**/*.py")):
            self._walk(ast.parse(path.read_text()), [], None)

    def _walk(self, node, scope, owner):
        for one in ast.iter_child_nodes(node):
            name = scope + [getattr(one, "name", "")]
            if isinstance(one, ast.ClassDef):
                self.classes[one.name] = one
                self._walk(one, name, one)
            elif isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.functions.append((".".join(name), owner, one))
                self._walk(one, name, None)
            else:
                self._walk(one, scope, owner)

    def bases(self, owner):
        """The classes of the tree that a class inherits from."""
        for base in owner.bases if owner is not None else ():
            name = ast.unparse(base).rpartition(".")[2]
            if name in self.classes:
                yield self.classes[name]
                yield from self.bases(self.classes[name])

    def fills_in(self, owner, function):
        """Whether a function overrides one that has no body."""
        return any(
            isinstance(one, type(function)) and one.name == function.name
            and not has_body(one)
            for base in self.bases(owner) for one in base.body
        )


def has_body(function):
    """Whether a function has more than a docstring."""
    rest = function.body[ast.get_docstring(function) is not None:]
    return any(not isinstance(one, (ast.Pass, ast.Raise)) for one in rest)


def twice(found):
    """Names of those that share what they are listed by."""
    return sorted(tuple(names) for names in found.values() if len(names) > 1)


def same_docstrings(package):
    found = defaultdict(list)
    for name, _, node in package.functions + [
        (name, None, node) for name, node in package.classes.items()
    ]:
        text = ast.get_docstring(node)
        if text:
            found[" ".join(text.split())].append(name)
    return twice(found)


def same_signatures(package):
    found = defaultdict(list)
    for name, owner, node in package.functions:
        each = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        each = [one for one in each if one.arg not in ("self", "cls")]
        if len(each) >= MANY and not package.fills_in(owner, node):
            text = ast.unparse(node.args)
            found[text.replace("self, ", "", 1)].append(name)
    return twice(found)


def test_no_docstring_stands_twice():
    """Catches a contract that two functions keep, each in its own copy."""
    package = Package(ROOT)
    assert same_docstrings(package) == []
    assert len(package.functions) > 700


def test_no_signature_stands_twice():
    """Catches functions that only pass many parameters on to each other,
    and methods that repeat those of their base."""
    allowed = [one for pairs in ALLOWED.values() for one in pairs]
    assert same_signatures(Package(ROOT)) == sorted(allowed)


@pytest.mark.parametrize("second, docstrings, signatures", [
    ("class B:\n def f(self, a, b, c=1):\n  'Do it.'", 1, 1),
    ("class B(A):\n def f(self, a, b, c=1):\n  return 1", 0, 1),
    ("class B(A):\n def g(self, a, b, c):\n  return 1", 0, 0),
    ("def f(a, b, c=1):\n return 1", 0, 1),
    ("def f(a, b, c=2):\n 'Do\\n it.'", 1, 0),
    ("def f(a, b):\n return 1", 0, 0),
])
def test_what_stands_twice_is_found(
        tmp_path, second, docstrings, signatures):
    """Catches a copy that the tests above do not see, and an abstract method
    that they take for one."""
    package = tmp_path / "clipper_x"
    package.mkdir()
    (package / "a.py").write_text(
        "class A:\n"
        " def f(self, a, b, c=1):\n  'Do it.'\n  return 1\n"
        " def g(self, a, b, c):\n  'Do another thing.'\n"
    )
    (package / "b.py").write_text(second + "\n")
    found = Package(tmp_path)
    assert len(same_docstrings(found)) == docstrings
    assert len(same_signatures(found)) == signatures
