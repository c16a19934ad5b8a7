"""The Debian packages on a fresh root: from nothing to an answer, an upgrade
under load, and what a removal leaves.

`make test-packages` runs this (root); elsewhere it is skipped.
"""

import contextlib
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from harness.console import commands, console, follow
from harness.root import Fresh

pytestmark = [
    pytest.mark.skipif(not os.environ.get("CLIPPER_TEST_FRESH"),
                       reason="make test-packages"),
    pytest.mark.timeout(1500),
]

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "build/dist"
PAGE = (ROOT / "docs/packages.md").read_text(encoding="utf-8")

#: One client of several: asks until it is told to stop. Each answer that is
#: none is a line.
CLIENT = r"""
n=0
while [ ! -e /tmp/stop ]; do
    n=$((n + 1))
    curl -s -m 20 -d "{\"input\": [$1, $n]}" 127.0.0.1:1337/sum/predict \
        > /tmp/answer.$1 || echo "curl $?" >> /tmp/lost
    grep -q '"default":false' /tmp/answer.$1 \
        || { cat /tmp/answer.$1; echo; } >> /tmp/lost
    echo $n > /tmp/asked.$1
done
"""

CLIENTS = 4


@pytest.fixture(scope="module")
def machine():
    made = Fresh(as_root=True)
    for path in DIST.iterdir():
        shutil.copy(path, made.path / "root")
    made.do("apt-get update && apt-get install -y curl ca-certificates", 600)
    made.do("cd /root && rm -r clipper")
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
    site = re.search(r"```nginx\n(.*?)\n```", PAGE, re.S).group(1)
    model = re.search(r"```python\n(.*?)\n```", PAGE, re.S).group(1)
    install, start, ask = [command for command, _ in
                           commands(console(PAGE)[0])]

    (machine.path / "etc/nginx/conf.d").mkdir(parents=True, exist_ok=True)
    machine.do(install.replace("sudo ", ""), 900)
    (machine.path / "etc/nginx/conf.d/clipper.conf").write_text(site + "\n")
    (machine.path / "root/sum_model.py").write_text(model + "\n")
    machine.do("nginx -t")
    began = time.monotonic()
    machine.do("[ -s /run/nginx.pid ] && nginx -s reload "
               "|| /etc/init.d/nginx start")
    machine.do(start)
    answer = until(machine, ask, '"default":false')
    assert '"output":3.75' in answer
    assert time.monotonic() - began < 60


@contextlib.contextmanager
def clients(machine, allowed="nothing"):
    """Queries from several clients before, during and after what is done
    here; none of them is lost, except for answers with the allowed word."""
    machine.do("rm -f /tmp/stop /tmp/lost /tmp/asked.*; touch /tmp/lost")
    (machine.path / "tmp/client.sh").write_text(CLIENT)
    machine.do(f"for i in $(seq {CLIENTS}); do bash /tmp/client.sh $i & done")

    def all_ask(more):
        asked = [int(text) for text in
                 machine.do("cat /tmp/asked.* 2> /dev/null || :").split()]
        before = sum(asked)
        until(machine, "cat /tmp/asked.* | awk '{ n += $1; if ($1 > 9) k++ } "
              f"END {{ if (k == {CLIENTS} && n > {before + more}) "
              "print \"more\" }'", "more")

    all_ask(40)
    yield
    all_ask(100)
    machine.do("touch /tmp/stop; for job in $(jobs -l | grep client.sh "
               "| awk '{ print $2 }'); do wait $job; done")
    assert machine.do(f"grep -v -e {allowed} -e '^$' /tmp/lost || :") == ""


def newer(machine, deb):
    """The same package with a higher version, which dpkg unpacks again."""
    name = deb.name.split("_")[0]
    tree = machine.path / f"root/{name}.tree"
    subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^(Version: .*)$", r"\1+newer1",
                              control.read_text()))
    made = machine.path / f"root/{name}.deb"
    subprocess.run(["dpkg-deb", "-b", tree, made], check=True,
                   stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    return f"/root/{made.name}"


def master(machine):
    return machine.do("cat /run/nginx.pid").strip()


def test_upgrade_of_the_module(machine):
    """Catches queries that are lost while the package is replaced."""
    deb, = DIST.glob("libnginx-mod-http-clipper_*.deb")
    new = newer(machine, deb)
    with clients(machine):
        machine.do(f"apt-get install -y {new} && nginx -t && "
                   "nginx -s reload", 300)
    assert "+newer1" in machine.do(
        "dpkg-query -W libnginx-mod-http-clipper")


def test_upgrade_of_nginx(machine):
    """Catches queries that fail while Debian's package replaces nginx, and
    defaults once the containers have moved: its script starts the new one
    beside the old one (USR2), with the new module. A root has no init for
    invoke-rc.d to ask: the test calls what it would call."""
    machine.do("cd /tmp && apt-get download nginx && cd /root")
    deb, = (machine.path / "tmp").glob("nginx_*.deb")
    new = newer(machine, deb)
    before = master(machine)
    with clients(machine, "no_replica"):
        machine.do(f"apt-get install -y {new}", 300)
        machine.do("/etc/init.d/nginx upgrade")
        until(machine, f"[ -e /proc/{before} ] || echo gone", "gone")
    with clients(machine):
        assert master(machine) != before
    assert "+newer1" in machine.do("dpkg-query -W nginx")
    maps = machine.do("cat /proc/[0-9]*/maps 2> /dev/null | grep clipper_")
    assert "ngx_http_clipper_module.so" in maps and "deleted" not in maps


def test_model_as_a_service(machine):
    """Catches a unit that the package lacks or systemd does not accept, and
    one whose program does not serve the model of its environment file. There
    is no systemd in this root that runs it: the shell does."""
    machine.do("kill %1; wait %1 || :")
    *before, (start, _) = commands(console(PAGE)[1])
    assert start == "sudo systemctl enable --now clipper-model@sum"
    for one in before:
        follow(machine, *one)
    machine.do("apt-get install -y systemd", 600)
    path = machine.do("dpkg -L python3-clipper-nginx "
                      "| grep '/systemd/system/.*@'").strip()
    assert path.endswith("/clipper-model@.service")
    machine.do("systemd-analyze verify --man=no clipper-model@sum.service "
               "2>&1 | tee /tmp/verified")
    assert "clipper" not in machine.do("cat /tmp/verified")
    unit = (machine.path / path[1:]).read_text()
    program, = re.findall(r"(?m)^ExecStart=(.*)$", unit)
    environment, = re.findall(r"(?m)^EnvironmentFile=(.*)$", unit)
    machine.do(f"(set -a; . {environment.replace('%i', 'sum')}; "
               f"exec {program}) > /tmp/model.log 2>&1 &")
    until(machine, "curl -s -d '{\"input\": [7, 1]}' "
          "127.0.0.1:1337/sum/predict", '"output":8.0,"default":false')
    machine.do("kill $!; wait $!")


def test_removal_leaves_nothing(machine):
    """Catches files and links that stay, and an nginx that does not start
    any more."""
    machine.do("rm -r /etc/nginx/conf.d/clipper.conf /etc/clipper")
    machine.do("apt-get purge -y libnginx-mod-http-clipper "
               "python3-clipper-nginx", 300)
    found = machine.do("find /usr /etc /var -iname '*clipper*' "
                       "-not -path '*/apt/*' -not -path '/var/lib/dpkg/*' "
                       "-not -path '/var/cache/*' "
                       "-not -path '*/examples-of-nginx/*'")
    assert found.strip() == ""
    machine.do("nginx -t")


TEN_LINES = re.search(r"\*\*5\. .*?(```console\n.*?\n```)",
                      (ROOT / "README.md").read_text(encoding="utf-8"), re.S)


@pytest.mark.parametrize("files", ["*.whl", "clipper*nginx-*.tar.gz"],
                         ids=["wheel", "sdist"])
def test_pip_without_a_checkout(machine, files):
    """Catches a file of the checkout that a wheel or an sdist lacks, and a
    Python package that does not find the module of the Debian package."""
    machine.do("nginx -s quit 2> /dev/null || :")
    machine.do("apt-get install -y python3-venv ./libnginx-mod-http-"
               "clipper_*.deb", 600)
    machine.do("rm -rf /tmp/venv && python3 -m venv /tmp/venv && "
               ". /tmp/venv/bin/activate")
    machine.do(f"pip install -q {files} scikit-learn", 900)
    block, = console(TEN_LINES.group(1))
    for one in commands(block):
        follow(machine, *one)
    machine.do("clipper-container --help && deactivate")


def test_checksums():
    """Catches a sum that is missing or wrong."""
    done = subprocess.run(["sha256sum", "-c", "--strict", "SHA256SUMS"],
                          cwd=DIST, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    names = {line.split(": ")[0] for line in done.stdout.splitlines()}
    assert names == {path.name for path in DIST.iterdir()} - {"SHA256SUMS"}
    assert {name.rsplit(".", 1)[-1] for name in names} == {
        "deb", "whl", "gz"}
