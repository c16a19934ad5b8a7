"""The first run on a fresh Debian 12: the commands of both READMEs as they
are printed, and every target at the head of the Makefile.

`make test-fresh` runs this (root); elsewhere it is skipped. Each test has a
root of its own with nothing but make, git, sudo and a checkout. `make test`
runs the tests named quickstart.
"""

import ast
import os
import re
import time
from pathlib import Path

import pytest

from harness.root import Fresh

pytestmark = [
    pytest.mark.skipif(not os.environ.get("CLIPPER_TEST_FRESH"),
                       reason="make test-fresh"),
    pytest.mark.timeout(3000),
]

ROOT = Path(__file__).resolve().parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

WHO = pytest.mark.parametrize("machine", ["user", "root"], indirect=True)


@pytest.fixture
def machine(request):
    made = Fresh(as_root=getattr(request, "param", "root") == "root")
    yield made
    made.close()


def commands(block):
    """The commands of a console block, with the lines that each prints."""
    found, lines = [], block.split("\n")
    while lines:
        line = lines.pop(0)
        if not line.startswith("$ "):
            if line:
                found[-1][1].append(line)
            continue
        command = line[2:]
        while command.endswith("\\") or command.count("'") % 2:
            command += "\n" + lines.pop(0)
        end = re.search(r"<< *'?(\w+)'?$", command)
        while end and not command.endswith("\n" + end.group(1)):
            command += "\n" + lines.pop(0)
        found.append((command, []))
    return found


def plain(line):
    return re.sub(r'"query_id":\d+', '"query_id":N', line.rstrip())


def shows(printed, expected):
    """Whether the expected lines are there, in their order."""
    lines = iter([plain(line) for line in printed.splitlines()])
    return all(any(plain(line) == one for one in lines) for line in expected)


def follow(machine, command, expected):
    """Runs a command as it is printed. A question is asked again until the
    model that was started in the background has connected."""
    if machine.as_root:
        command = re.sub(r"\bsudo ", "", command)
    deadline = time.monotonic() + 60
    while True:
        status, printed = machine.shell(command, 900)
        if status == 0 and shows(printed, expected):
            if command.startswith("kill "):
                # A model that still answers would fill the cache.
                machine.shell("wait", 60)
            return
        if not command.startswith("curl") or time.monotonic() > deadline:
            pytest.fail(f"{command}\nexit status {status}, expected "
                        f"{expected}:\n{machine.said[-6000:]}")
        time.sleep(0.2)


@WHO
def test_quickstart(machine):
    """Catches a step that only a machine with nginx, a compiler or Python
    has, apt-get's lines on the screen, and a question that is not followed
    by its answer."""
    printed = machine.do("make quickstart", 900)
    lines = printed.splitlines()
    assert len(lines) < 60 and "Unpacking" not in printed
    assert lines[-1] == "Everything works."
    asked = [i for i, line in enumerate(lines) if line.startswith("$ curl")]
    assert len(asked) == 1
    assert plain(lines[asked[0] + 1]) \
        == '{"query_id":N,"output":6.6,"default":false}'


def console(text):
    """The console blocks of a page, in their order."""
    return re.findall(r"```console\n(.*?)\n```", text, re.S)


#: Blocks with these words, and the test that runs what they show.
ELSEWHERE = {
    "docker": "test_image.py and test_docker.py",
    "make images": "test_docker.py",
    ".ci/podman": "test_docker.py",
    "clipper-replay": "test_py_replay.py",
    "apps/hello-world.conf": "test_image.py",
}


def here(block):
    return not any(words in block for words in ELSEWHERE)


@WHO
def test_readme(machine):
    """Catches a command of the README that does not work on a new machine,
    or prints something else."""
    blocks = console((ROOT / "README.md").read_text(encoding="utf-8"))
    done = [follow(machine, *one) for block in blocks if here(block)
            for one in commands(block)]
    assert len(done) >= 15


@WHO
def test_readme_of_the_package(machine):
    """Catches an example of the Python package that does not work on a new
    machine, or prints something else."""
    text = (ROOT / "containers/python/README.md").read_text(encoding="utf-8")
    machine.do("make quickstart", 900)
    machine.do(". .venv/bin/activate")
    first = re.search(r"```python\n(.*?)```", text, re.S).group(1)
    follow(machine, f"cat > /tmp/first.py << 'END'\n{first}END", [])
    follow(machine, "python /tmp/first.py", [])
    done = [follow(machine, *one) for block in console(text) if here(block)
            for one in commands(block)]
    assert len(done) >= 1
    machine.do("python -m clipper_admin stop")


@WHO
def test_server_that_stays(machine):
    """Catches a server of KEEP=1 that does not stay up, and next commands
    that do not work."""
    printed = machine.do("make quickstart KEEP=1", 900)
    said = printed[printed.index("The server stays up"):]
    following = [line[2:] for line in said.splitlines()
                 if line.startswith("$ ")]
    assert len(following) == 3
    assert '"output":6' in machine.do(following[0]).replace(".0", "")
    assert ast.literal_eval(machine.do(following[1]).strip().replace(
        "true", "True").replace("false", "False").replace(
            "null", "None"))["models"]
    machine.do(following[2])
    assert machine.shell(following[1])[0] != 0


#: Targets whose first run takes long: the same with less to do.
SHORT = {
    "check": "make unit T=hash && make behaviour ARGS='-k test_static_form'",
    "unit": "make unit T=hash",
    "behaviour": "make behaviour ARGS='-k test_prediction'",
    "fuzz-short": "make fuzz-short FUZZ_SECONDS=1",
    "storm": "make storm STORM_SECONDS=2 STORM_FEEDBACKS=100 STORM_CALLS=2",
    "soak": "make soak SOAK_SECONDS=5",
    "case": "make case C=A12",
    "bench": "make bench B='--seconds 1 --pairs 1 c1'",
    "figures": "make figures B='--quick wait'",
}

#: Targets that are not run here, with the reason.
NOT_HERE = {
    "test": "CI runs it, an hour",
    "test-fresh": "this", "test-long": "runs this",
    "fuzz-long": "the same as fuzz-short, for ten minutes a target",
    "image": "needs an engine: test-image",
    "images": "needs an engine: test-docker",
    "test-docker": "needs mounts of its own: a step of make test",
    "test-image": "needs mounts of its own: a step of make test",
    "test-models": "gigabytes: a step of make test",
    "clean": "removes", "distclean": "removes",
}


#: Targets that make pages of the docs.
MAKES = ("docs", "grid", "sweep")

FILES = ("find conf containers docs src t -type f | grep -v -e egg-info "
         "-e __pycache__ -e '[.]pytest_cache' | sort | xargs sha1sum")


def targets():
    """The targets at the head of the Makefile."""
    head = MAKEFILE.split("\n\nBUILD")[0]
    return sorted(set(re.findall(r"\bmake ([a-z][a-z-]*)", head))
                  | set(re.findall(r"^# {3}make ([a-z-]+)", head, re.M))
                  | {"fuzz-short", "distclean"})


@pytest.mark.parametrize("target", [
    one for one in targets() if one not in NOT_HERE and one != "quickstart"])
def test_target(machine, target):
    """Catches a target that works only where another one ran before, and one
    that changes files of the checkout that it does not make."""
    before = machine.do(FILES)
    machine.do(SHORT.get(target, f"make {target}"), 1500)
    assert target in MAKES or machine.do(FILES) == before


def test_make_names_what_is_missing(machine):
    """Catches a first "make" that ends with the number of an error."""
    status, _ = machine.shell("make")
    assert status != 0
    said = machine.said
    for package in ("gcc", "nginx-dev", "libzmq3-dev", "libjansson-dev"):
        assert package in said
    assert '"make deps"' in said
    machine.do("make deps", 900)
    machine.do("make")


OLD = """
NGINX_BIN := $(shell command -v nginx)
export NGINX_BIN
quickstart:
\t@.ci/deps build python
\t+@$(MAKE) -f Makefile.new module NGINX_BIN="$(NGINX_BIN)"
"""


def test_flaw_is_seen(machine):
    """Catches a fresh machine that is none: a Makefile that looks for nginx
    before it has installed it must fail at its first run, not at its
    second."""
    machine.do("mv Makefile Makefile.new")
    (machine.path / "root/clipper/Makefile").write_text(OLD)
    assert machine.shell("make quickstart", 900)[0] != 0
    assert "no nginx is installed" in machine.said
    machine.do("make quickstart", 900)
