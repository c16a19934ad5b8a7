"""Which tests .ci/test repeats, and its report: in a tree with empty steps
and a few tests that fail."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MAKEFILE = """
%:
\t@echo $@ >> steps

unit:
\t@echo $@ >> steps; {unit}

behaviour:
\t@echo $@-$(WORKERS) >> steps; {pytest}

behaviour-asan:
\t@echo $@ >> steps; {asan}
"""

PYTEST = f"{sys.executable} -m pytest -p no:cacheprovider t $(ARGS)"

STEPS = 21

#: Shared by the tests below: they fail a number of times, then pass.
TESTS = """
import fcntl, os, pytest

def fails(name, times):
    with open(name, "a") as runs:
        fcntl.flock(runs, fcntl.LOCK_EX)
        count = os.fstat(runs.fileno()).st_size
        runs.write("x")
        runs.flush()
    assert count >= times

def test_any():
    pass

def test_without_server():
    pass

@pytest.mark.timing('measures')
def test_any_time():
    pass

"""
REPEATED = "tests that were repeated:\n"
TIMING = "@pytest.mark.timing('measures')\n"


def test(name, times, mark=TIMING):
    return f"{mark}def test_{name}():\n    fails('{name}', {times})\n\n"


test.__test__ = False


@pytest.fixture
def run(tmp_path):
    """Runs .ci/test with these tests; its exit status and its output."""
    def start(*tests, unit=":", behaviour=PYTEST, asan=":"):
        for directory in (".ci", "t/harness"):
            (tmp_path / directory).mkdir(parents=True)
        for name in (".ci/test", "t/pytest.ini", "t/harness/timing.py"):
            (tmp_path / name).write_bytes((ROOT / name).read_bytes())
            (tmp_path / name).chmod(0o755)
        deps = tmp_path / ".ci/deps"
        deps.write_text("#!/bin/sh\n")
        deps.chmod(0o755)
        (tmp_path / "t/harness/__init__.py").touch()
        (tmp_path / "t/conftest.py").write_text(
            'pytest_plugins = ["harness.timing"]\n\n'
            "def pytest_collection_modifyitems(items):\n"
            "    for item in items:\n"
            "        if item.name != 'test_without_server':\n"
            "            item.add_marker('server')\n")
        (tmp_path / "t/test_some.py").write_text(TESTS + "".join(tests))
        (tmp_path / "Makefile").write_text(MAKEFILE.format(
            unit=unit, pytest=behaviour, asan=asan))

        env = {name: value for name, value in os.environ.items()
               if not name.startswith(("CLIPPER_", "PYTEST", "MAKE"))}
        # Most of the time of these small runs.
        env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        done = subprocess.run([".ci/test"], cwd=tmp_path, env=env, timeout=110,
                              capture_output=True, text=True)
        start.text = done.stdout + done.stderr
        last = done.stdout.rstrip().rsplit("\n", 1)[-1]
        return done.returncode, last

    def runs(name):
        return len((tmp_path / name).read_text())

    start.runs = runs
    start.steps = lambda: (tmp_path / "steps").read_text().split()
    return start


def test_all_pass(run):
    """Catches a step that is not run, or run twice."""
    assert run(test("good", 0)) == (0, f"steps: {STEPS} passed, 0 failed")
    assert sorted(run.steps()) == sorted([
        "venv", "module", "unit", "unit", "analyze", "behaviour-",
        "behaviour-2", "behaviour-1", "behaviour-4", "behaviour-2",
        "behaviour-1", "behaviour-4", "behaviour-asan", "test-models",
        "fuzz-short", "soak", "soak-server", "test-image", "test-docker",
        "test-fresh"])
    assert REPEATED not in run.text


def test_marked_test_passes_alone(run):
    """Catches a marked test that is not repeated, not alone, or not named."""
    assert run(test("slow", 1), test("slow2", 1), test("good", 0, "")) \
        == (0, f"steps: {STEPS} passed, 0 failed")
    said = run.text[run.text.index(REPEATED):].split("\n")
    assert said[1:3] == ["  timing-2 test_some.py::test_slow: passed",
                         "  timing-2 test_some.py::test_slow2: passed"]
    assert not said[3].startswith(" ")
    # One failed and one repeated run with two workers, one each with 1 and 4.
    assert run.runs("slow") == run.runs("slow2") == 4
    assert run.runs("good") == 3


def test_marked_test_fails_twice(run):
    """Catches a third try, and a second failure that counts as passed."""
    assert run(test("slow", 2), test("fine", 1)) \
        == (1, f"steps: {STEPS - 1} passed, 1 failed")
    assert "  timing-2 test_some.py::test_slow: failed again\n" in run.text
    assert "  timing-2 test_some.py::test_fine: passed\n" in run.text
    assert "failed steps: timing-2\n" in run.text
    assert run.runs("slow") == 4


def test_other_test_is_not_repeated(run):
    """Catches a test without the mark that passes at the second try."""
    assert run(test("flaky", 1, "")) \
        == (1, f"steps: {STEPS - 1} passed, 1 failed")
    assert REPEATED not in run.text
    assert run.runs("flaky") == 3


TEARDOWN = TIMING + """def test_tidy(request):
    request.addfinalizer(lambda: fails('tidy', 1))

"""


def test_teardown_is_not_repeated(run):
    """Catches a marked test that is repeated after an alert in the log or
    after a leak of rows, or next to another one with these."""
    assert run(TEARDOWN, test("slow", 1)) \
        == (1, f"steps: {STEPS - 1} passed, 1 failed")
    assert REPEATED not in run.text
    assert run.runs("slow") == 3


@pytest.mark.parametrize("end, failed", [
    (test("a", 1) + TIMING + "def test_gone():\n    os._exit(1)\n", 3),
    ("def test_gone():\n    os._exit(1)\n", 3),
    ("import nothing_of_this_name\n", 7),
    ("@pytest.mark.timing\ndef test_bare():\n    pass\n", 7),
], ids=["timed", "exit", "import", "reason"])
def test_end_before_the_end(run, end, failed):
    """Catches a run that counts as passed although not all tests ran, and a
    mark without a reason."""
    assert run(end) == (1, f"steps: {STEPS - failed} passed, {failed} failed")
    assert REPEATED not in run.text


@pytest.mark.parametrize("step, args", [
    ("unit", ""), ("asan", ""), ("behaviour", ""), ("behaviour", "-m timing"),
], ids=["unit", "asan", "behaviour", "timed"])
def test_steps_that_are_never_repeated(run, step, args):
    """Catches a repeated failure of units, sanitizers or a build."""
    once = f"[ '{args}' -a '{args}' != '$(ARGS)' ] || ! mkdir {step}.begun"
    assert run(**{"behaviour": ":", step: once}) \
        == (1, f"steps: {STEPS - 1} passed, 1 failed")
    assert REPEATED not in run.text


SPOILED = TIMING + """def test_spoiled():
    assert "SPOILT" not in os.environ

"""


def test_marked_test_under_sanitizers(run):
    """Catches a marked test that is repeated under sanitizers, were it run
    there."""
    assert run(SPOILED, asan=f"SPOILT=1 {PYTEST} -m server") \
        == (1, f"steps: {STEPS - 1} passed, 1 failed")
    assert REPEATED not in run.text


INTERRUPT = """if [ "$(SAN)" ]; then \
\techo $$$$ > pid; exec sleep 600; \
\telse until [ -s pid ]; do sleep 0.01; done; \
\tkill -TERM $$(ps -o ppid= -p $$PPID); fi"""


def test_interrupted(run, tmp_path):
    """Catches a step that goes on beside after the run was told to end."""
    assert run(unit=INTERRUPT)[0] == 1
    assert run.steps().count("unit") == 2
    assert not {"behaviour-", "behaviour-asan"} & set(run.steps())
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
