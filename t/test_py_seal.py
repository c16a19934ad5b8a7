"""Files of a model directory that were changed after its deployment."""

import os
import re
import subprocess
import sys

import pytest

from clipper_admin import ClipperException
from clipper_container.loader import ModelDirectoryError, load, seal_of
from harness.cluster import unsanitized
from harness.local import deploy, predict


@pytest.fixture
def directory(tmp_path):
    model = tmp_path / "model"
    (model / "modules/__pycache__").mkdir(parents=True)
    (model / "site-packages").mkdir()
    (model / "clipper_model.json").write_text('{"kind": "noop"}')
    (model / "modules/one.py").write_text("x = 1\n")
    (model / "modules/__pycache__/one.cpython-311.pyc").write_bytes(b"1")
    (model / "site-packages/two.py").write_text("y = 1\n")
    (model / "link").symlink_to("modules")
    return model


def change(path):
    path.write_bytes(path.read_bytes() + b"\n")


def link_elsewhere(path):
    path.unlink()
    path.symlink_to("site-packages")


def become_a_link(path):
    content = path.read_bytes()
    path.unlink()
    (path.parent.parent / "beside.py").write_bytes(content)
    path.symlink_to("../beside.py")


@pytest.mark.parametrize("name, tamper", [
    ("clipper_model.json", change),
    ("modules/one.py", change),
    ("modules/__pycache__/one.cpython-311.pyc", change),
    ("site-packages/two.py", change),
    ("modules/one.py", os.remove),
    ("modules/one.py", lambda path: path.rename(path.parent / "other.py")),
    ("modules/new.py", lambda path: path.write_text("")),
    ("link", link_elsewhere),
    ("modules/one.py", become_a_link),
])
def test_any_change_is_seen(directory, name, tamper):
    seal = seal_of(str(directory))
    tamper(directory / name)
    with pytest.raises(ModelDirectoryError, match="Nothing of them was loaded"):
        load(str(directory), seal)


def test_a_sealed_model_stays_as_it_is(directory):
    """An import writes nothing into it; also in a child of the container."""
    (directory / "func.pkl").write_bytes(b"cimports\nwork\n.")
    (directory / "clipper_model.json").write_text("{}")
    (directory / "modules/imports.py").write_text(
        "import subprocess, sys, child\n"
        "subprocess.run([sys.executable, '-c', 'import grandchild'],\n"
        "               cwd=child.__file__.rpartition('/')[0], check=True)\n"
        "work = len\n")
    (directory / "modules/child.py").write_text("")
    (directory / "modules/grandchild.py").write_text("")
    seal = run("clipper_container.seal", str(directory))
    assert re.fullmatch("[0-9a-f]{64}\n", seal)
    program = ("import sys; from clipper_container.loader import load; "
               "load(sys.argv[1], sys.argv[2])")
    subprocess.run([sys.executable, "-c", program, str(directory),
                    seal.strip().upper()], check=True)
    assert seal_of(str(directory)) + "\n" == seal


def run(module, *arguments):
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], check=True,
        stdout=subprocess.PIPE, text=True).stdout


@unsanitized
def test_a_changed_model_is_not_started(conn):
    """The replica that runs goes on; another one is refused, and says why."""
    conn.register_application("a", "doubles", "-1", 5000000)
    deploy(conn, "m", 1, lambda xs: ["1"] * len(xs))
    conn.link_model_to_app("a", "m")
    conn.set_num_replicas("m", 2)
    image = conn.cm.directory.file("images", "%s-m@1" % conn.cm.cluster_name)
    with open(os.path.join(image, "func.pkl"), "ab") as f:
        f.write(b"\n")
    with pytest.raises(ClipperException, match="are not those that were"):
        conn.set_num_replicas("m", 3)
    answer = predict(conn, "a", [1.0])
    assert (answer["output"], answer["default"]) == (1, False)
