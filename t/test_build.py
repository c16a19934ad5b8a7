"""The build: dynamic and static, and with missing libraries."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NGINX_SRC = Path(os.environ.get("NGINX_SRC") or "/usr/share/nginx/src")


def configure(directory, *arguments):
    """nginx's configure with few modules, in a directory of its own."""
    for name in ("auto", "src", "configure"):
        (directory / name).symlink_to(NGINX_SRC / name)

    return subprocess.run(
        ["./configure", "--without-http_rewrite_module",
         "--without-http_gzip_module", *arguments],
        cwd=directory, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=300)


def sources():
    return [str(ROOT / "ngx_http_clipper_module.c")] + sorted(
        str(p) for p in (ROOT / "src").glob("**/*.c"))


@pytest.mark.timeout(320)
def test_static_form(tmp_path):
    """Catches a source file or a library that a static build misses."""
    done = configure(tmp_path, f"--add-module={ROOT}")
    assert done.returncode == 0, done.stdout[-2000:]
    makefile = (tmp_path / "objs/Makefile").read_text()
    for source in sources():
        assert source in makefile
    for library in ("-lzmq", "-lhiredis", "-ljansson", "-lz"):
        assert library in makefile
    assert "ngx_http_clipper_module" in (
        tmp_path / "objs/ngx_modules.c").read_text()


@pytest.mark.timeout(320)
def test_missing_libraries(tmp_path):
    """Catches a missing library that only the compiler reports, or an error
    that does not say what to install. All are named at once."""
    compiler = tmp_path / "cc"
    compiler.write_text(
        "#!/bin/sh\n"
        "for arg in \"$@\"; do\n"
        "    case $arg in *.c) grep -qsE "
        "'<(zmq|hiredis/async|jansson|zlib).h>' \"$arg\" && exit 1 ;; esac\n"
        "done\n"
        "exec cc \"$@\"\n")
    compiler.chmod(0o755)
    done = configure(tmp_path, f"--with-cc={compiler}",
                     f"--add-dynamic-module={ROOT}")
    assert done.returncode != 0
    said = done.stdout + done.stderr
    for package in ("libzmq3-dev", "libhiredis-dev", "libjansson-dev",
                    "zlib1g-dev"):
        assert f'"{package}"' in said
    assert said.count("error: the clipper module needs") == 4


def make(*arguments, **environment):
    return subprocess.run(["make", "-s", *arguments], cwd=ROOT, timeout=100,
                          env={**os.environ, **environment}, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True)


def test_make_alone_builds_the_module():
    """Catches a target that was put before the one that "make" means."""
    done = subprocess.run(["make", "-npq"], cwd=ROOT, text=True,
                          capture_output=True, timeout=60)
    assert ".DEFAULT_GOAL := all\n" in done.stdout


def test_nginx_that_a_step_before_has_installed():
    """Catches a first "make quickstart" that looks for nginx before its own
    first step has installed it, and hands the empty name on to the rest."""
    done = make("--eval", "show: ; @echo '$(NGINX_BIN)'", "show",
                NGINX_BIN="")
    assert Path(done.stdout.strip()).name == "nginx"


def test_sources_of_another_nginx(tmp_path):
    """Catches a module for another version, which nginx refuses to load."""
    nginx = tmp_path / "nginx"
    nginx.write_text("#!/bin/sh\necho 'nginx version: nginx/1.27.3 (x)' >&2\n"
                     "echo 'configure arguments: --with-compat' >&2\n")
    nginx.chmod(0o755)
    done = subprocess.run(
        [ROOT / ".ci/configure-nginx", tmp_path / "tree", ROOT], text=True,
        env={**os.environ, "NGINX_BIN": str(nginx)}, capture_output=True)
    assert done.returncode != 0
    assert re.search(r"are nginx 1\.\d+\.\d+, but .*is 1\.27\.3", done.stderr)


def test_what_is_installed(tmp_path):
    """Catches a package that counts as installed because its name is known,
    or because another's begins or ends like it."""
    query = tmp_path / "dpkg-query"
    query.write_text("#!/bin/sh\nprintf 'installed gcc\\nconfig-files nginx"
                     "\\nnot-installed make\\ninstalled nginx-dev\\n'\n")
    query.chmod(0o755)
    (tmp_path / "apt-get").symlink_to("/bin/false")
    done = subprocess.run(
        [ROOT / ".ci/deps", "-m", "build"], text=True, capture_output=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert done.returncode == 0 and done.stdout == ""
    missing = done.stderr.splitlines()[0].split(": ")[1].split()
    assert {"nginx", "make", "libzmq3-dev", "libc6-dev"} <= set(missing)
    assert not {"gcc", "nginx-dev"} & set(missing)


def test_short_forms_of_first_runs():
    """Catches a test that a first run on a fresh machine names and that is
    not there any more: the run takes minutes to say so."""
    text = (ROOT / "t/test_fresh.py").read_text(encoding="utf-8")
    named = re.findall(r"-k '?(\w+)",
                       re.search(r"^SHORT = \{$.*?^\}$", text, re.M | re.S)[0])
    tests = "".join(path.read_text(encoding="utf-8")
                    for path in (ROOT / "t").glob("test_*.py"))
    assert len(named) >= 2
    assert [one for one in named if f"def {one}(" not in tests] == []


def test_no_nginx(tmp_path):
    """Catches a build without nginx that does not say what to do."""
    done = make("-f", ".ci/module.mk", str(tmp_path / "module.so"),
                NGINX_BIN="", VARIANT="none", OUT=str(tmp_path / "module.so"),
                BUILD=str(tmp_path))
    assert done.returncode != 0
    assert "make deps" in done.stderr
