"""The units for systemd and the compose file: read by the programs that they
are for, where these are there."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
UNITS = sorted((ROOT / "conf/systemd").glob("*.service"))
COMPOSE = ROOT / "conf/docker/compose.yaml"


@pytest.mark.skipif(not shutil.which("systemd-analyze"),
                    reason="no systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units(unit, tmp_path):
    """Catches a setting that systemd does not know, and a program that is
    not there."""
    name = unit.name.replace("@.", "@m.")
    (tmp_path / name).write_text(unit.read_text())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
         tmp_path / name], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and str(tmp_path) not in done.stderr, \
        done.stderr


def test_there_are_units():
    assert [unit.name for unit in UNITS] == [
        "clipper-model@.service", "clipper.service"]


def compose():
    """docker compose, if this client has it; it needs no engine here."""
    done = shutil.which("docker") and subprocess.run(
        ["docker", "compose", "version"], capture_output=True)
    return done and done.returncode == 0


@pytest.mark.skipif(not compose(), reason="no docker compose")
def test_compose_is_read(tmp_path):
    """Catches a compose file with an unknown member."""
    done = subprocess.run(
        ["docker", "compose", "-f", COMPOSE, "config", "-q"], cwd=tmp_path,
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_compose_names_this_version():
    """Catches images or variables that this version does not have."""
    text = COMPOSE.read_text()
    version = re.search(r'__version__ = "(.*)"', (
        ROOT / "containers/python/clipper_admin/version.py"
    ).read_text()).group(1)
    assert set(re.findall(r"image: clipper/\w[\w-]*:(.*)", text)) == {version}
    help_text = (ROOT / "containers/python/clipper_container/__main__.py"
                 ).read_text()
    variables = re.findall(r"(CLIPPER_\w+):", text)
    assert len(variables) == 5
    for variable in variables:
        assert variable in help_text
