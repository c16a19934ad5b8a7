"""Each command of the Python packages says how it is used."""

import pathlib
import re
import subprocess
import sys

import pytest

PYTHON = pathlib.Path(__file__).parents[1] / "containers" / "python"
SCRIPTS = dict(re.findall(
    r'^(clipper-[\w-]+) = "([\w.]+:\w+)"$',
    (PYTHON / "pyproject.toml").read_text(), re.M))
COMMANDS = ("keys", "management", "metrics", "replay", "state", "stop")


def modules():
    for package in ("clipper_admin", "clipper_container"):
        for path in sorted((PYTHON / package).rglob("*.py")):
            if '\nif __name__ == "__main__":' in path.read_text():
                parts = path.relative_to(PYTHON).with_suffix("").parts
                yield ".".join(p for p in parts if p != "__main__")


#: It runs without the package of which it is a part.
BY_PATH = "clipper_container.stamp"

MODULES = [name for name in modules() if name != BY_PATH]


def python(*arguments):
    return subprocess.run(
        [sys.executable, *arguments], cwd=PYTHON, capture_output=True,
        text=True, timeout=60)


def assert_help(done, name):
    assert done.returncode == 0 and done.stderr == ""
    assert "usage:" in done.stdout or name in done.stdout


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("module", MODULES)
def test_module(module, option):
    """Catches --help that is taken for a directory, or is an error."""
    assert_help(python("-m", module, option), "python -m " + module)


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_module_by_path(option):
    """Catches --help that is taken for the name of a log."""
    path = BY_PATH.replace(".", "/") + ".py"
    assert_help(python("-I", "-S", path, option), "stamp.py")


@pytest.mark.parametrize("name", COMMANDS)
def test_command(name):
    """Catches a command of `python -m clipper_admin` without --help."""
    assert_help(python("-m", "clipper_admin", name, "--help"), name)


@pytest.mark.parametrize("name", SCRIPTS)
def test_script(name):
    """Catches an installed command without --help."""
    module, function = SCRIPTS[name].split(":")
    assert_help(python(
        "-c", "import sys; from %s import %s; sys.argv[0] = %r;"
        "sys.exit(%s())" % (module, function, name, function), "--help"),
        "python -m " + module.replace(".__main__", ""))


@pytest.mark.parametrize("module", [
    "clipper_container.check", "clipper_container.seal",
    "clipper_admin.local"])
def test_no_argument(module):
    """Catches a traceback where an argument is missing."""
    done = python("-m", module)
    assert done.returncode == 2 and "python -m " + module in done.stderr
