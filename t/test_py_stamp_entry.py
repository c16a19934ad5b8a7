"""The entry point of an image stamps what a model prints, and ends like it."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading

import pytest

from clipper_container import stamp
from harness.stamped import ISOLATED, MODEL, texts
from harness.supervised import alive, wait_until
from harness.util import session_pids


@pytest.fixture
def enter():
    """Starts the entry point with a command; ends it after the test."""
    started = []

    def start(*command, before=(), env=None):
        process = subprocess.Popen(
            [*before, *ISOLATED, "--", *command],
            env={**os.environ, **MODEL, "CLIPPER_REPLICA_TOKEN": "ab" * 16,
                 **(env or {})},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True)
        started.append(process)
        return process

    yield start
    for one in started:
        if one.poll() is None:
            end_session(one.pid)
            one.wait()
        one.stdout.close()


def end_session(session):
    """Kill all processes of a session."""
    for pid in session_pids(session):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def finish(process):
    said, _ = process.communicate(timeout=60)
    return process.returncode, said


WHO = stamp.who("m:1", b"\xab" * 16).encode() + b" "
PYTHON = [sys.executable, "-S", "-c"]


@pytest.mark.parametrize("program, code, expected", [
    ("echo a; echo b >&2; sh -c 'printf c'; exit 5", 5, [b"a", b"b", b"c"]),
    ("echo a; kill -9 $$", -9, [b"a"]),
    ("printf a; ulimit -c 0; kill -ABRT $$", -6, [b"a"]),
    ("echo a; exec /no/such", 127, None),
], ids=["exit", "kill", "abort", "shell"])
def test_the_entry_point_ends_like_the_model(enter, program, code, expected):
    found, said = finish(enter("sh", "-c", program))
    assert found == code
    lines = texts(said, WHO)
    assert expected is None or lines == expected


def test_the_entry_point_names_what_does_not_start(enter):
    code, said = finish(enter("/no/such"))
    assert code == 127
    assert texts(said, WHO) == [b"/no/such: No such file or directory"]


@pytest.mark.parametrize("number", [
    signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_reach_the_model(enter, number):
    """Catches a process that ends alone, and signals that stay with it."""
    process = enter(*PYTHON, "import os, signal, sys\n"
                    "def end(number, frame):\n"
                    "    os.write(1, b'bye %d' % number); os._exit(3)\n"
                    "signal.signal(int(sys.argv[1]), end)\n"
                    "os.write(1, b'ready\\n')\n"
                    "while True: signal.pause()", str(int(number)))
    first = process.stdout.readline()
    process.send_signal(number)
    code, rest = finish(process)
    assert code == 3
    assert texts(first + rest, WHO) == [b"ready", b"bye %d" % number]


def test_a_signal_that_ends_the_model_ends_the_entry_point(enter):
    process = enter("sh", "-c", "echo ready; exec sleep 1000")
    first = process.stdout.readline()
    process.terminate()
    assert finish(process) == (-signal.SIGTERM, b"")
    assert texts(first, WHO) == [b"ready"]


def test_many_lines_of_the_entry_point(enter):
    """Catches what is in the pipe, here a large one, when the model ends."""
    code, said = finish(enter(
        *PYTHON, "import fcntl, os, sys\n"
        "fcntl.fcntl(1, 1031, 1 << 20)  # F_SETPIPE_SZ\n"
        "for i in range(200000): print('line', i)\n"
        "sys.stdout.flush(); os.kill(os.getpid(), 9)"))
    assert code == -9
    assert texts(said, WHO) == [b"line %d" % i for i in range(200000)]


def test_a_process_that_is_left_does_not_keep_the_entry_point(enter):
    """Catches an exit that waits for the end of a pipe that others hold."""
    process = enter("sh", "-c", "yes & yes & yes & echo $! >&2; exit 4")
    found = []
    drain = threading.Thread(
        target=lambda: found.extend(texts(process.stdout.read(), WHO)))
    drain.start()
    try:
        assert process.wait(60) == 4
        drain.join(60)
        assert not drain.is_alive()
    finally:
        process.kill()
    left = [one for one in found if one.isdigit()]
    assert len(left) == 1
    # Nobody reads its output any more.
    wait_until(lambda: not alive(int(left[0])))


class Taken:
    """Stands for a stamper; too much fails instead of going on for ever."""

    wait = None

    def __init__(self):
        self.size = 0

    def feed(self, data):
        self.size += len(data)
        assert self.size < 4 << 20

    def end(self):
        pass


@pytest.fixture
def ended():
    """An entry point whose program has ended, and what it takes."""
    one = stamp.Program(["true"], MODEL)
    one._status, one._stamper = 0, Taken()
    return one, one._stamper


def test_all_that_is_in_the_pipe_at_the_end_is_taken(ended):
    program, taken = ended
    output, end = os.pipe()
    wakes, wake = os.pipe()
    try:
        size = fcntl.fcntl(end, 1031, 1 << 20)  # F_SETPIPE_SZ
        assert os.write(end, b"x" * size) == size == 1 << 20
        program._copy(output, wakes)
        assert taken.size == size
    finally:
        for one in (output, end, wakes, wake):
            os.close(one)


def test_what_is_printed_after_the_end_is_bounded(ended):
    program, taken = ended
    wakes, wake = os.pipe()
    with open("/dev/zero", "rb") as endless:
        program._copy(endless.fileno(), wakes)
    assert 1 << 20 <= taken.size <= 2 << 20
    os.close(wakes)
    os.close(wake)


def test_a_replica_without_a_token_gets_one(enter):
    process = enter("sh", "-c", "echo $CLIPPER_REPLICA_TOKEN",
                    env={"CLIPPER_REPLICA_TOKEN": ""})
    code, said = finish(process)
    token, = texts(said)
    assert stamp.who("m:1", bytes.fromhex(token.decode())).encode() in said


def test_the_model_of_an_argument_is_named(enter):
    """Catches lines without a model, where the command has its name."""
    process = enter(sys.executable, "-m", "clipper_container", "n:2",
                    env={"CLIPPER_MODEL_NAME": "", "CLIPPER_PORT": "1",
                         "CLIPPER_MODEL_PATH": "/no/such"})
    code, said = finish(process)
    assert code == 1
    assert texts(said, rb"n:2 [0-9a-f]{8} ")
    assert said.count(b"n:2 ") == said.count(b"\n")


def test_a_bad_environment_is_told_with_one_stamp(enter):
    process = enter(sys.executable, "-m", "clipper_container",
                    env={"CLIPPER_INPUT_TYPE": "songs"})
    code, said = finish(process)
    assert code == 1
    assert texts(said, WHO)[0].startswith(b"clipper_container: ")
    assert said.count(WHO) == said.count(b"\n")


def in_namespace():
    """The command that makes a process 1; None when it is not allowed."""
    for more in ([], ["--user", "--map-root-user"]):
        before = ["unshare", *more, "--pid", "--fork", "--kill-child"]
        try:
            subprocess.run(before + ["true"], check=True, capture_output=True)
        except (FileNotFoundError, subprocess.CalledProcessError):
            continue
        return before
    return None


@pytest.fixture(scope="module")
def namespace():
    found = in_namespace()
    if found is None:
        pytest.skip("a namespace of processes is not allowed here")
    return found


def test_process_1_reaps_orphans(enter, namespace):
    """Catches zombies of processes whose parent has ended."""
    code, said = finish(enter(
        *PYTHON, "import os, time\n"
        "ends, end = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    orphan = os.fork()\n"
        "    if orphan: os.write(end, b'%d' % orphan)\n"
        "    os._exit(0)\n"
        "assert os.getppid() == 1\n"
        "os.wait()\n"
        "orphan = int(os.read(ends, 99))\n"
        "while True:\n"
        "    try: os.kill(orphan, 0)\n"
        "    except ProcessLookupError: break\n"
        "    time.sleep(0.01)\n"
        "print('reaped')", before=namespace))
    assert (code, texts(said, WHO)) == (0, [b"reaped"])


@pytest.mark.parametrize("number", [9, 6, 15])
def test_process_1_ends_with_the_number_of_the_signal(enter, namespace, number):
    """Catches process 1, which its own signals do not end, with 0."""
    code, said = finish(enter(
        "sh", "-c", "ulimit -c 0; echo a; kill -%d $$" % number,
        before=namespace))
    assert (code, texts(said, WHO)) == (128 + number, [b"a"])
