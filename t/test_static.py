"""What tools say that only read: types, lint, shell scripts."""

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "containers/python"


def run(*command, cwd=ROOT):
    done = subprocess.run([*map(str, command)], cwd=cwd, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("command", [
    ("mypy", "--strict", "--cache-dir=/dev/null", "clipper_admin",
     "clipper_container"),
    ("ruff", "check", "--no-cache", "."),
], ids=lambda command: command[0])
def test_the_python_package(command):
    run(ROOT / ".venv/bin" / command[0], *command[1:], cwd=PACKAGE)


def test_names_in_the_tests():
    """Imports and names that are wrong fail only where they are used."""
    run(ROOT / ".venv/bin/ruff", "check", "--no-cache", "--isolated",
        "--select=F,E9,PLE", "t")


def test_shell_scripts():
    scripts = [
        path for directory in (".ci", "conf", "containers", "debian", "t")
        for path in sorted((ROOT / directory).rglob("*"))
        if path.is_file()
        and re.match(rb"#! */bin/(ba|da)?sh\b", path.read_bytes()[:80])
    ]
    assert len(scripts) >= 9
    run("shellcheck", "--severity=warning", *scripts)
