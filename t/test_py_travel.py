"""What travels with a function: the modules that it imports when it runs,
and the reason when something cannot."""

import functools
import importlib
import os
import pickle
import subprocess
import sys
import threading

import pytest

from clipper_admin.deployers.deployer_utils import model_directory
from clipper_admin.exceptions import ClipperException
from clipper_admin.local.images import is_met

RUN = """
import json, sys
from clipper_container.loader import load
print(json.dumps(load(sys.argv[1]).func(json.loads(sys.argv[2]))))
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A directory of the program's own modules."""
    path = tmp_path / "program"
    path.mkdir()
    monkeypatch.syspath_prepend(str(path))
    before = set(sys.modules)

    def write(**files):
        for name, text in files.items():
            file = path / (name.replace("__", "/") + ".py")
            file.parent.mkdir(exist_ok=True)
            if file.parent != path:
                (file.parent / "__init__.py").touch()
            file.write_text(text)
        importlib.invalidate_caches()

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def run(func, xs, **options):
    """The outputs in a process that has nothing but the model directory."""
    with model_directory(func, "closure", **options) as path:
        done = subprocess.run(
            [sys.executable, "-c", RUN, path, repr(xs)], cwd="/",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=60)
        assert done.returncode == 0, done.stdout
        files = sorted(os.listdir(os.path.join(path, "modules"))) \
            if os.path.isdir(os.path.join(path, "modules")) else []
    return eval(done.stdout), files


def test_imported_in_the_function(place):
    """Catches a module of the program that the container does not find,
    whether the program has imported it or not, and its own imports."""
    place(units="from rates import RATE\ndef f(x): return x * RATE\n",
          rates="RATE = 3\n", other="")

    def predict(xs):
        from units import f
        return [f(x) for x in xs]

    assert run(predict, [1, 2]) == ([3, 6], ["rates.py", "units.py"])
    importlib.import_module("units")
    assert run(predict, [1, 2])[0] == [3, 6]


def test_imported_by_a_function_that_it_calls(place):
    """Catches an import in a helper, a nested function, a method, a partial
    or a decorated function."""
    place(one="A = 1\n", two="A = 20\n", three="A = 300\n", four="A = 4000\n")

    def helper():
        import one
        return one.A

    class Model:
        def __call__(self, xs):
            import two
            return [x + helper() + two.A for x in xs]

    def wrap(func):
        @functools.wraps(func)
        def inner(xs):
            import three
            return [y + three.A for y in func(xs)]
        return inner

    @wrap
    def decorated(xs):
        return [(lambda v: v + __import__("four").A)(x) for x in xs]

    assert run(Model(), [0])[0] == [21]
    assert run(Model().__call__, [0])[0] == [21]
    assert run(functools.partial(lambda m, xs: m(xs), Model()), [0])[0] == [21]
    assert run(decorated, [0]) == ([4300], ["four.py", "three.py"])


def test_imported_dynamically_and_from_packages(place):
    """Catches import_module, submodules, and imports relative to a package or
    in a function of a module."""
    place(pack__deep="from . import near\nfrom .near import N\n",
          pack__near="N = 5\ndef late():\n    import far\n    return far.F\n",
          far="import importlib\nG = importlib.import_module('dyn').D\nF = G\n",
          dyn="D = 7\n")

    def predict(xs):
        deep = importlib.import_module("pack.deep")
        return [x + deep.N + deep.near.late() for x in xs]

    assert run(predict, [0]) == ([12], ["dyn.py", "far.py", "pack"])


def nowhere(line, name="no_such_module"):
    return pytest.raises(ClipperException, match=(
        r"The module %s, imported in .*%s, cannot be found" % (name, line)))


def test_what_is_found_nowhere_is_refused(place):
    """Catches a deployment that fails at its first query, for a module that
    nothing has: imported in the function or a helper, dynamically, or by a
    local module."""
    place(user="import math\nimport no_such_module.inner\n",
          pack__deep="from no_such_module import x\n", pack__other="")

    def helper():
        import no_such_module
        return no_such_module

    def direct(xs):
        from no_such_module.sub import thing
        return [thing for x in xs]

    def dynamic(xs):
        return [importlib.import_module("no_such_module") for x in xs]

    def builtin(xs):
        return [__import__("no_such_module") for x in xs]

    def through(xs):
        return [helper() for x in xs]

    def by_a_module(xs):
        import user
        return [user for x in xs]

    def by_a_package(xs):
        from pack.deep import x
        return [x for _ in xs]

    def below(func):
        return "test_py_travel.py:%d" % (func.__code__.co_firstlineno + 1)

    for func, line, name in (
            (direct, below(direct), "no_such_module.sub"),
            (dynamic, below(dynamic), "no_such_module"),
            (builtin, below(builtin), "no_such_module"),
            (through, below(helper), "no_such_module"),
            (by_a_module, "user.py:2", "no_such_module.inner"),
            (by_a_package, "deep.py:1", "no_such_module")):
        with nowhere(line, name):
            run(func, [1])


def test_what_may_be_missing_is_not_refused(place, caplog):
    """Catches a refusal of a module that is optional, of another system, in
    code that does not run, or that the container gets another way."""
    place(careful="try:\n    import no_such_module as fast\n"
                  "except ImportError:\n    fast = None\n"
                  "def late():\n    import no_such_module_2\n"
                  "if fast:\n    import no_such_module_3\n",
          pack__inside="def f():\n    from . import near\n    return near.A\n"
                       "from .near import A\n",
          pack__near="A = 5\n", pack__tests="import no_such_module_4\n")

    def predict(xs):
        import contextlib
        from pack.inside import f
        try:
            import no_such_module
            from no_such_module import more
        except (ValueError, ModuleNotFoundError):
            no_such_module = more = None
        with contextlib.suppress(ImportError):
            more = importlib.import_module("no_such_module")
        if sys.platform == "win32":
            import winreg
            return winreg
        import careful
        return [[int(no_such_module is more is careful.fast is None), f(),
                 "text"] for x in xs]

    assert run(predict, [1])[0] == [[1, 5, "text"]]
    # What may run is told of.
    for name, line in (("_2", "careful.py:6"), ("_3", "careful.py:8"),
                       ("_4", "tests.py:1")):
        assert "no_such_module%s, imported in " % name in caplog.text
        assert line + ", cannot be found" in caplog.text
    assert len(caplog.records) == 3


def test_the_container_may_have_what_is_not_here(place, caplog):
    def predict(xs):
        import no_such_module
        return [no_such_module for x in xs]

    with model_directory(predict, "closure", elsewhere=True):
        assert "The module no_such_module, imported in " in caplog.text


def test_type_checking_guards_only_its_own_imports(place):
    """Catches a module that is left behind because of a guard elsewhere, or
    that travels though only a type checker reads it."""
    place(guarded="from typing import TYPE_CHECKING\n"
                  "if TYPE_CHECKING:\n    import never\nelse:\n    import a1\n"
                  "import a2\nX = a1.X + a2.X\n",
          never="raise Exception\n", a1="X = 1\n", a2="X = 2\n")

    def predict(xs):
        import guarded
        return [x + guarded.X for x in xs]

    assert run(predict, [0]) == ([3], ["a1.py", "a2.py", "guarded.py"])


def test_modules_always_helps(place):
    """Catches modules= that needs an import before, or is not found by an
    import in the container."""
    place(named="Y = 40\n")

    def predict(xs):
        import sys
        name = "".join(["nam", "ed"])
        __import__(name)
        return [x + sys.modules[name].Y for x in xs]

    assert run(predict, [2], modules=["named"]) == ([42], ["named.py"])
    module = importlib.import_module("named")
    assert run(predict, [2], modules=[module])[0] == [42]
    with pytest.raises(ClipperException,
                       match="nowhere in modules= is neither"):
        run(predict, [2], modules=["nowhere"])


def test_a_class_exists_once(place):
    """Catches an object whose class is another one after an import."""
    place(shapes="class Shape:\n    pass\n")
    shape = importlib.import_module("shapes").Shape()

    def predict(xs):
        from shapes import Shape
        return [isinstance(shape, Shape) for x in xs]

    with model_directory(predict, "closure") as path:
        done = subprocess.run(
            [sys.executable, "-c", RUN, path, "[1]"], cwd="/", text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert done.stdout == "[true]\n"


def test_too_large_to_travel(place, monkeypatch):
    """Catches data beside a module that is copied without a word, and an
    error that does not name the module and the line."""
    place(data__big="")
    monkeypatch.setattr("clipper_admin.deployers.travel.MOST_BYTES", 10)
    os.path.getsize(importlib.import_module("data").__file__)
    with open(os.path.join(os.path.dirname(
            sys.modules["data"].__file__), "x.bin"), "wb") as f:
        f.write(b"x" * 11)

    def predict(xs):
        import data.big
        return [data.big for x in xs]

    line = predict.__code__.co_firstlineno + 1
    with pytest.raises(ClipperException, match=r"module data, imported in "
                       r".*test_py_travel.py:%d, cannot travel" % line):
        run(predict, [1])


class Holder:
    def __init__(self):
        self.inner = {"lock": threading.Lock()}


HOLDER = Holder()


def test_what_cannot_be_pickled_is_named():
    """Catches an error that only names a type somewhere."""
    local = [1, threading.Lock()]

    def closure(xs):
        return [local for x in xs]

    def glob(xs):
        return [HOLDER for x in xs]

    def default(xs, lock=threading.Lock()):
        return xs

    def nested(xs):
        return [closure(x) for x in xs]

    for func, path in (
            (closure, r"closure: variable local: \[1\] \(_thread.lock\)"),
            (glob, r"glob: global HOLDER: attribute inner: \['lock'\] "
                   r"\(_thread.lock\)"),
            (default, r"default: default 0 \(_thread.lock\)"),
            (nested, r"nested: variable closure: variable local: \[1\] ")):
        with pytest.raises(ClipperException, match=path):
            with model_directory(func, "closure"):
                pass
    assert isinstance(pickle.dumps(1), bytes)


@pytest.mark.parametrize("requirement, met", [
    ("numpy", True), ("numpy>=1.0", True), ("NumPy >= 1.0, < 999", True),
    ("numpy>999", False), ("numpy==0.1", False), ("numpy~=0.1", False),
    ("no-such-package-here", False), ("numpy[extra]", False),
    ("numpy @ https://example.com/numpy.whl", False), ("./numpy", False),
    ("git+https://example.com/x", False), ("-r file", False),
    ("no-such-package-here; python_version < '3'", True),
    ("numpy>=1.0; python_version >= '3'", True),
])
def test_requirements_that_are_met(requirement, met):
    """Catches a package that is installed a second time beside each version,
    and one that is missing and not installed."""
    assert is_met(requirement) is met
