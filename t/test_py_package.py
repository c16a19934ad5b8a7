"""The Python package as pip builds it."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import clipper_admin

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "containers/python"


def test_a_wheel_is_complete_and_leaves_nothing(tmp_path):
    """Catches a module that is not packed, and an installation that leaves
    its work in the checkout."""
    copy = tmp_path / "python"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns(
        "build", "*.egg-info", "__pycache__"))
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel",
         "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path / "out",
         copy], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    left = {path.name for path in copy.iterdir()}
    assert left - {path.name for path in SOURCE.iterdir()} \
        <= {"clipper_nginx.egg-info"}
    assert "build" not in left
    wheel, = (tmp_path / "out").glob("*.whl")
    assert wheel.name.split("-")[1] == clipper_admin.__version__
    packed = {name for name in zipfile.ZipFile(wheel).namelist()
              if name.endswith((".py", "py.typed"))}
    assert packed == {
        str(path.relative_to(SOURCE)) for path in [
            *SOURCE.glob("clipper_*/**/*.py"),
            *SOURCE.glob("clipper_*/py.typed")]}


def test_the_frontend_image_has_what_the_package_needs():
    """Catches a dependency that Debian's packages in the image lack."""
    needed = re.search(r"^dependencies = \[(.*?)\]",
                       (SOURCE / "pyproject.toml").read_text(), re.M | re.S)
    recipe = (SOURCE / "Dockerfile.frontend").read_text()
    for name in re.findall(r'"([\w-]+)', needed.group(1)):
        assert "python3-" + name.replace("pyzmq", "zmq") in recipe.split()


def test_one_version():
    """Catches a release that names its version in one place and not in
    another: the module, the package, the Debian packages and the changes."""
    def first(path, pattern):
        return re.search(pattern, (ROOT / path).read_text(), re.M).group(1)

    version = first("containers/python/clipper_admin/version.py",
                    r'^__version__ = "(.*)"')
    assert first("src/conf/ngx_http_clipper.h",
                 r'^#define NGX_HTTP_CLIPPER_VERSION  "(.*)"') == version
    assert first("debian/changelog", r"^clipper-nginx \((.*?)\)") == version
    assert first("CHANGES.md", r"^## (\S+)") == version
    assert version not in (SOURCE / "pyproject.toml").read_text(), \
        "pyproject.toml takes it from the package"
