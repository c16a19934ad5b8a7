"""The modules of the Python package import each other without a circle."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent / "containers/python"


def modules(root):
    """Paths of a tree's modules by their dotted names."""
    found = {}
    for path in root.glob("clipper_*/**/*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        found[".".join(parts)] = path
    return found


def imported(name, path, known):
    """Modules of the tree that a module imports, at the top or inside a
    function. A name from a package is the submodule of that name, if any."""
    package = name.split(".")
    if path.name != "__init__.py":
        package.pop()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) + 1 - node.level] \
                if node.level else []
            base = ".".join(base + [node.module] * bool(node.module))
            for one in node.names:
                part = base + "." + one.name
                yield part if part in known else base


def graph(root):
    """The imports of each module from the tree."""
    known = modules(root)
    return {name: {one for one in imported(name, path, known)
                   if one in known and one != name}
            for name, path in known.items()}


def circles(edges):
    """Groups of modules that all reach each other."""
    def reached(start):
        seen, ahead = set(), list(edges[start])
        while ahead:
            one = ahead.pop()
            if one not in seen:
                seen.add(one)
                ahead += edges[one]
        return seen

    reach = {name: reached(name) for name in edges}
    return sorted({tuple(sorted(other for other in reach[name]
                                if name in reach[other]))
                   for name in reach if name in reach[name]})


def test_no_circles():
    """Catches an import that closes a circle, also one inside a function or
    for the type checker only."""
    edges = graph(ROOT)
    assert circles(edges) == []
    assert len(edges) > 60
    assert sum(map(len, edges.values())) > 150


def test_container_runtime_stands_alone():
    """Catches an import of the administration package in a container."""
    edges = graph(ROOT)
    runtime = [one for one in edges if one.startswith("clipper_container")]
    assert len(runtime) > 8
    assert [(one, other) for one in runtime for other in edges[one]
            if not other.startswith("clipper_container")] == []


@pytest.mark.parametrize("statement", [
    "from .b import f",
    "from . import b",
    "import clipper_x.b",
    "def late():\n    from clipper_x import b",
    "if TYPE_CHECKING:\n    from .b import f",
    "from clipper_x import late",
])
def test_a_circle_is_found(tmp_path, statement):
    """Catches a form of import that the test above does not see."""
    package = tmp_path / "clipper_x"
    package.mkdir()
    (package / "__init__.py").write_text("from .a import late\n")
    (package / "a.py").write_text(statement + "\n")
    (package / "b.py").write_text("from . import c\n\n\nf = c\n")
    (package / "c.py").write_text("from .a import late\n")
    found, = circles(graph(tmp_path))
    assert "clipper_x.a" in found and len(found) > 1
