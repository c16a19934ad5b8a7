"""The first run on a fresh Debian 12: the commands of both READMEs as they
are printed, and every target at the head of the Makefile.

`make test-fresh` runs this (root); elsewhere it is skipped. Each test has a
root of its own with nothing but make, git, sudo and a checkout. `make test`
runs test_one_root alone: the same with one root for a user and one for root.
"""

import json
import os
import re
from pathlib import Path

import pytest

from harness.console import commands, console, follow, plain
from harness.root import Fresh

pytestmark = [
    pytest.mark.skipif(not os.environ.get("CLIPPER_TEST_FRESH"),
                       reason="make test-fresh"),
    pytest.mark.timeout(3000),
]

ROOT = Path(__file__).resolve().parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")

WHO = pytest.mark.parametrize("machine", ["user", "root"], indirect=True)


@pytest.fixture
def machine(request):
    made = Fresh(as_root=getattr(request, "param", "root") == "root")
    yield made
    made.close()


def stays(machine):
    """The server of KEEP=1, and the three commands that it names."""
    printed = quickstart(machine, "KEEP=1")
    said = printed[printed.index("The server stays up"):]
    following = [line[2:] for line in said.splitlines()
                 if line.startswith("$ ")]
    assert len(following) == 3
    assert '"output":6' in machine.do(following[0]).replace(".0", "")
    assert json.loads(machine.do(following[1]))["models"]
    machine.do(following[2])
    assert machine.shell(following[1])[0] != 0


def quickstart(machine, *options):
    printed = machine.do(" ".join(["make quickstart", *options]), 900)
    lines = printed.splitlines()
    assert len(lines) < 60 and "Unpacking" not in printed
    assert "Everything works." in lines[-7:]
    asked = [i for i, line in enumerate(lines)
             if line.startswith("$ curl -X POST")]
    assert len(asked) == 1
    assert plain(lines[asked[0] + 1]) \
        == '{"query_id":N,"output":6.6,"default":false}'
    return printed


#: Blocks with these words, and the test that runs what they show.
ELSEWHERE = {
    "docker": "test_docker.py",
    "make images": "test_docker.py",
    ".ci/podman": "test_docker.py",
    "clipper-replay": "test_py_replay.py",
}


def here(block):
    return not any(words in block for words in ELSEWHERE)


def readme(machine):
    """The blocks of the README, from the first command on."""
    done = [follow(machine, *one) for block in console(README) if here(block)
            for one in commands(block)]
    assert len(done) >= 15


def server_of_root(machine):
    """The commands of the README that start nginx as root."""
    started = re.search(r"^or as root, .*?(`.*`)\.$", README, re.M).group(1)
    for command in re.findall("`(.*?)`", started):
        follow(machine, command, [])
    follow(machine, "curl -sf 127.0.0.1:1338/status -o /tmp/status", [])
    follow(machine, f"{command} -s quit", [])


def readme_of_the_package(machine):
    """Its first example and its blocks, where the quickstart has run."""
    text = (ROOT / "containers/python/README.md").read_text(encoding="utf-8")
    machine.do(". .venv/bin/activate")
    first = re.search(r"```python\n(.*?)```", text, re.S).group(1)
    follow(machine, f"cat > /tmp/first.py << 'END'\n{first}END", [])
    follow(machine, "python /tmp/first.py", [])
    done = [follow(machine, *one) for block in console(text) if here(block)
            for one in commands(block)]
    assert len(done) >= 1
    machine.do("python -m clipper_admin stop")


def names_what_is_missing(machine):
    """A first "make" that does not end with the number of an error."""
    status, _ = machine.shell("make")
    assert status != 0
    said = machine.said
    for package in ("gcc", "nginx-dev", "libzmq3-dev", "libjansson-dev"):
        assert package in said
    assert '"make deps"' in said


#: Targets whose first run takes long: the same with less to do.
SHORT = {
    "check": "make check T=hash ARGS='-k test_static_form'",
    "unit": "make unit T=hash",
    "behaviour": "make behaviour ARGS='-k test_path_of_another_name'",
    "fuzz-short": "make fuzz-short FUZZ_SECONDS=1",
    "storm": "make storm STORM_SECONDS=2 STORM_FEEDBACKS=100 STORM_CALLS=2",
    "soak": "make soak SOAK_SECONDS=5",
    "soak-server": "make soak-server SECONDS=5",
    "case": "make case C=A12",
    "bench": "make bench B='--seconds 1 --pairs 1 c1'",
    "figures": "make figures B='--quick wait'",
}

#: Targets that are not run here, with the reason.
NOT_HERE = {
    "test": "CI runs it, an hour",
    "test-fresh": "this", "test-long": "runs this",
    "test-builds": "has roots of its own",
    "test-packages": "has roots of its own",
    "test-versions": "needs the history, which a copy of the files lacks",
    "fuzz-long": "the same as fuzz-short, for ten minutes a target",
    "image": "needs an engine: test-image",
    "images": "needs an engine: test-docker",
    "test-docker": "needs mounts of its own: a step of make test",
    "test-image": "needs mounts of its own: a step of make test",
    "test-models": "gigabytes: a step of make test",
}


#: Targets that test_one_root runs after the quickstart, in this order.
SOON = ("unit", "fuzz-short", "distclean")

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


def first_run(target):
    def step(machine):
        before = machine.do(FILES)
        machine.do(SHORT.get(target, f"make {target}"), 1500)
        assert target in MAKES or machine.do(FILES) == before
    return step


@pytest.mark.parametrize("target", [
    one for one in targets() if one not in NOT_HERE and one != "quickstart"])
def test_target(machine, target):
    """Catches a target that works only where another one ran before, and one
    that changes files of the checkout that it does not make."""
    first_run(target)(machine)


@WHO
def test_quickstart(machine):
    """Catches a step that only a machine with nginx, a compiler or Python
    has, apt-get's lines on the screen, a question that is not followed by its
    answer, a server of KEEP=1 that does not stay up, and an example of the
    Python package that does not work, or prints something else."""
    stays(machine)
    readme_of_the_package(machine)


@WHO
def test_readme(machine):
    """Catches a command of the README that does not work on a new machine,
    or prints something else."""
    readme(machine)
    server_of_root(machine)


def test_make(machine):
    """Catches a "make" that does not name what is missing, and "make deps"
    that does not bring it."""
    names_what_is_missing(machine)
    machine.do("make deps", 900)
    machine.do("make")


@pytest.mark.parametrize("machine, steps", [
    ("user", (names_what_is_missing, readme, server_of_root)),
    ("root", (stays, readme_of_the_package, *map(first_run, SOON))),
], indirect=["machine"], ids=["user", "root"])
def test_one_root(machine, steps):
    """Catches most of what the other tests catch: a target lacks what no
    step before it has installed."""
    for step in steps:
        step(machine)


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
