"""The Debian packages on a fresh root: from nothing to an answer, an upgrade
under load, and what a removal leaves.

`make test-packages` runs this (root); elsewhere it is skipped.
"""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from harness.root import Fresh

pytestmark = [
    pytest.mark.skipif(not os.environ.get("CLIPPER_TEST_FRESH"),
                       reason="make test-packages"),
    pytest.mark.timeout(1500),
]

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "build/dist"
PAGE = (ROOT / "docs/packages.md").read_text(encoding="utf-8")

ASK = "curl -s -d '{\"input\": [1.5, 2.25]}' 127.0.0.1:1337/sum/predict"

#: Asks until it is told to stop; each answer that is none is a line.
LOAD = r"""
n=0
while [ ! -e /tmp/stop ]; do
    n=$((n + 1))
    curl -s -m 20 -d "{\"input\": [$n]}" 127.0.0.1:1337/sum/predict \
        > /tmp/answer || echo "curl $?" >> /tmp/lost
    grep -q '"default":false' /tmp/answer || cat /tmp/answer >> /tmp/lost
    echo $n > /tmp/asked
done
"""


@pytest.fixture(scope="module")
def machine():
    made = Fresh(as_root=True)
    for path in DIST.glob("*.deb"):
        shutil.copy(path, made.path / "root")
    # A container has no init: the package's service is nginx itself.
    made.do("apt-get update && apt-get install -y curl ca-certificates", 600)
    made.do("cd /root")
    yield made
    made.close()


def until(machine, command, pattern, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        _, printed = machine.shell(command)
        if re.search(pattern, printed):
            return printed
        assert time.monotonic() < deadline, (command, machine.said[-3000:])
        time.sleep(0.2)


def test_three_commands(machine):
    """Catches a dependency that is missing, a module that is not loaded, and
    an example in docs/packages.md that does not work."""
    block = re.search(r"```console\n(.*?)\n```", PAGE, re.S).group(1)
    site = re.search(r"```nginx\n(.*?)\n```", PAGE, re.S).group(1)
    model = re.search(r"```python\n(.*?)\n```", PAGE, re.S).group(1)
    commands = [line[2:].replace("sudo ", "") for line in block.split("\n")
                if line.startswith("$ ")]
    assert len(commands) == 3

    (machine.path / "etc/nginx/conf.d").mkdir(parents=True, exist_ok=True)
    machine.do(commands[0], 900)
    (machine.path / "etc/nginx/conf.d/clipper.conf").write_text(site + "\n")
    (machine.path / "root/sum_model.py").write_text(model + "\n")
    machine.do("nginx -t")
    began = time.monotonic()
    machine.do("pgrep nginx > /dev/null && nginx -s reload || nginx")
    machine.do(commands[1])
    answer = until(machine, commands[2], '"default":false')
    assert '"output":3.75' in answer
    assert time.monotonic() - began < 60


def test_upgrade_under_load(machine):
    """Catches queries that are lost while the package is replaced."""
    deb, = DIST.glob("libnginx-mod-http-clipper_*.deb")
    newer = machine.path / "root/newer"
    subprocess.run(["dpkg-deb", "-R", deb, newer], check=True)
    control = newer / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*$", "Version: 9.0",
                              control.read_text()))
    subprocess.run(["dpkg-deb", "-b", newer, machine.path / "root/new.deb"],
                   check=True, stdout=subprocess.DEVNULL)
    (machine.path / "tmp/load.sh").write_text(LOAD)
    machine.do("bash /tmp/load.sh &")
    until(machine, "cat /tmp/asked", r"^\d\d")
    machine.do("dpkg -i new.deb && nginx -t && nginx -s reload", 300)
    before = int(machine.do("cat /tmp/asked"))
    wanted = before + 50
    until(machine, f"[ $(cat /tmp/asked) -gt {wanted} ] && echo more", "more")
    machine.do("touch /tmp/stop")
    assert machine.shell("cat /tmp/lost")[1] == ""


def test_removal_leaves_nothing(machine):
    """Catches files and links that stay, and an nginx that does not start
    any more."""
    machine.do("rm /etc/nginx/conf.d/clipper.conf")
    machine.do("apt-get purge -y libnginx-mod-http-clipper "
               "python3-clipper-nginx", 300)
    found = machine.do("find /usr /etc /var -iname '*clipper*' "
                       "-not -path '*/apt/*' -not -path '/var/lib/dpkg/*' "
                       "-not -path '/var/cache/*' "
                       "-not -path '*/examples-of-nginx/*'")
    assert found.strip() == ""
    machine.do("nginx -t")


def test_checksums():
    """Catches a sum that is missing or wrong."""
    done = subprocess.run(["sha256sum", "-c", "--strict", "SHA256SUMS"],
                          cwd=DIST, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    names = {line.split(": ")[0] for line in done.stdout.splitlines()}
    assert names == {path.name for path in DIST.iterdir()} - {"SHA256SUMS"}
    assert {name.rsplit(".", 1)[-1] for name in names} == {
        "deb", "whl", "gz"}
