"""The command that runs a Python container, `python -m clipper_container`."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time

import cloudpickle
import pytest

from harness.frontend import OK, doubles, sums, u32


def write_model(path, func=None, sample=None, **metadata):
    path.mkdir(exist_ok=True)
    if func is not None:
        (path / "func.pkl").write_bytes(cloudpickle.dumps(func))
    if sample is not None:
        (path / "sample_input.pkl").write_bytes(pickle.dumps(sample))
    (path / "clipper_model.json").write_text(json.dumps(metadata))


def command(path, endpoint="tcp://127.0.0.1:1", arguments=(), **env):
    environment = {
        **os.environ, "CLIPPER_MODEL_NAME": "m", "CLIPPER_MODEL_VERSION": "1",
        "CLIPPER_MODEL_PATH": str(path), "CLIPPER_ENDPOINT": endpoint, **env}
    return subprocess.Popen(
        [sys.executable, "-m", "clipper_container", *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True)


def test_command_finishes_the_batch_on_sigterm(frontend, tmp_path):
    def slow(xs):
        import time
        time.sleep(0.5)
        return ["done"] * len(xs)

    write_model(tmp_path, slow)
    ready = tmp_path / "ready"
    process = command(tmp_path, frontend.endpoint,
                      CLIPPER_READY_FILE=str(ready),
                      CLIPPER_REPLICA_TOKEN="ab" * 16)
    try:
        identity, frames = frontend.register(20)
        assert frames[4] == b"\xab" * 16 and len(frames[5]) == 32
        assert ready.read_text() == "READY"
        frontend.request(identity, "doubles", [doubles(1)])
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert frontend.reply(identity) == [(OK, b"done")]
        assert frontend.receive() == (identity, [u32(5)])
        output, _ = process.communicate(timeout=5)
        assert process.returncode == 0, output
    finally:
        process.kill()
        process.wait()


def test_command_stops_without_a_frontend(tmp_path):
    write_model(tmp_path, kind="noop")
    process = command(tmp_path)
    try:
        assert "Serving m:1" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=5)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()


def test_command_missing_module(tmp_path):
    (tmp_path / "func.pkl").write_bytes(
        b"cno_such_module_here\nfunc\n.")
    process = command(tmp_path)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 3
    assert "no_such_module_here" in output and "pkgs_to_install" in output


@pytest.mark.parametrize("func", [
    lambda xs: 1 / 0, lambda xs: ["a", "b"], lambda xs: None])
def test_command_failing_sample(tmp_path, func):
    write_model(tmp_path, func, sample=[1.0, 2.0])
    process = command(tmp_path)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 4
    assert "Traceback" in output and "sample" in output


def test_command_without_a_usable_model(tmp_path):
    write_model(tmp_path, sums, python="3.1.4")
    for path, text in ((tmp_path, "3.1.4"), (tmp_path / "none", "none")):
        process = command(path)
        output, _ = process.communicate(timeout=20)
        assert process.returncode == 1
        assert text in output


def test_command_shows_how_it_is_used(tmp_path):
    """Catches --help that asks for an environment first, and a word that is
    taken for a model."""
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "clipper_container", *arguments],
            capture_output=True, text=True, timeout=20)

    for option in ("-h", "--help"):
        done = run(option)
        assert done.returncode == 0 and done.stderr == ""
        assert "python -m clipper_container [MODEL:VERSION]" in done.stdout
        assert "CLIPPER_RPC_VERSION" in done.stdout
    for words in (["m"], ["m:"], [":1"], ["m:1", "n:1"], ["--serve"]):
        done = run(*words)
        assert done.returncode == 2 and "--help" in done.stdout


def test_command_with_a_model(tmp_path):
    """Catches a process whose command line says nothing of its model."""
    write_model(tmp_path, kind="noop")
    process = command(tmp_path, CLIPPER_MODEL_NAME="", arguments=["n:7"])
    try:
        assert "Serving n:7" in process.stdout.readline()
    finally:
        process.kill()
        process.wait()


def test_command_without_a_name(tmp_path):
    write_model(tmp_path, sums)
    process = command(tmp_path, CLIPPER_INPUT_TYPE="complex")
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 1 and "not a valid input" in output


def test_command_with_a_name_of_no_model(tmp_path):
    """Catches a container that the frontend would always refuse."""
    write_model(tmp_path, kind="noop")
    process = command(tmp_path, CLIPPER_MODEL_VERSION="one two")
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "Invalid model version 'one two'" in output
