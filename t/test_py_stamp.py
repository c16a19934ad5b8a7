"""Time, model and replica stand on each line of a container's output."""

import array
import fcntl
import os
import re
import resource
import signal
import subprocess
import sys
import termios

import pytest

from clipper_admin.local.programs import tail
from clipper_container import stamp
from harness.stamped import ISOLATED, MODEL, count, read, texts
from harness.supervised import Cluster, alive, wait_until


# The reader alone.


class Reader:
    """A reader of a pipe, and the end to write to."""

    def __init__(self, path, limit=0, **more):
        source, self.pipe = os.pipe()
        self.path = str(path)
        self.process = subprocess.Popen(
            ISOLATED + [self.path, str(limit), "m:1 0badcafe"], stdin=source,
            **more)
        os.close(source)

    def write(self, data):
        while data:
            data = data[os.write(self.pipe, data):]

    def end(self):
        os.close(self.pipe)
        assert self.process.wait(60) == 0
        return read(self.path)


@pytest.fixture
def reader(tmp_path):
    made = []

    def make(**more):
        made.append(Reader(tmp_path / "x.log", **more))
        return made[-1]

    yield make
    for one in made:
        one.process.kill()
        one.process.wait()


def test_a_line_that_has_a_stamp_keeps_it(reader):
    """Catches two stamps, and one of another model that counts as own."""
    one = reader()
    own = b"2026-01-02 03:04:05 m:1 0badcafe "
    one.write(own + b"a\n")
    one.write(b"2026-01-02 03:04:05 m:2 0badcafe b\n\n" + own[:10])
    one.write(own[10:] + b"\xff\n2026-01-02 03:04:05\n")
    lines = one.end().split(b"\n")
    assert lines[0] == own + b"a" and lines[3] == own + b"\xff"
    assert texts(b"\n".join(lines)) == [
        b"a", b"2026-01-02 03:04:05 m:2 0badcafe b", b"", b"\xff",
        b"2026-01-02 03:04:05"]


def test_the_last_line_needs_no_end(reader):
    one = reader()
    one.write(b"a\nhal")
    wait_until(lambda: os.path.exists(one.path) and read(one.path))
    one.write(b"f")
    assert texts(one.end()) == [b"a", b"half"]


def test_a_line_without_an_end_is_cut(reader):
    """Catches a reader that keeps a line of any length, and a character
    that is cut in two."""
    one = reader()
    piece = "é".encode() * (1 << 16)
    one.write(b"x")
    for _ in range(400):
        one.write(piece)
    wait_until(lambda: os.path.getsize(one.path) > 49 * stamp.LONGEST, 60)
    assert memory(one.process.pid) < 40 << 20
    found = texts(one.end())
    assert b"".join(found) == b"x" + 400 * piece
    assert max(map(len, found)) <= stamp.LONGEST
    assert all(line.decode() for line in found)


def memory(pid):
    """Most bytes that a process has had in memory."""
    status = read("/proc/%d/status" % pid)
    return int(re.search(rb"VmHWM:\s+(\d+) kB", status).group(1)) << 10


def test_a_full_disk_loses_lines_and_tells(reader):
    """Catches a model that stops or waits, and lines that are missing
    without a word, when nothing can be written."""
    one = reader(preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_FSIZE, (10000, 10000)))
    for i in range(20000):
        one.write(b"line %d\n" % i)
    wait_until(lambda: os.path.getsize(one.path) == 10000)
    kept = read(one.path)
    assert kept[-1:] != b"\n" or kept.count(b"\n") < 20000
    wait_until(lambda: unread(one.pipe) == 0 and sleeps(one.process.pid))
    os.truncate(one.path, 0)
    # It is told although nothing more is printed.
    wait_until(lambda: b"are lost" in read(one.path))
    one.write(b"works again\n")
    told, again = texts(one.end().lstrip(b"\n"))
    assert again == b"works again"
    lost = re.fullmatch(
        rb"(\d+) lines are lost, the log could not be written: File too large",
        told)
    whole = texts(kept[:kept.rindex(b"\n") + 1])
    assert int(lost.group(1)) + len(whole) == 20000
    assert whole == [b"line %d" % i for i in range(len(whole))]


def sleeps(pid):
    """Whether a process waits."""
    return read("/proc/%d/stat" % pid).rpartition(b")")[2].split()[0] == b"S"


def unread(pipe):
    """Bytes in a pipe."""
    found = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, found)
    return found[0]


def test_a_log_that_cannot_be_opened(reader, tmp_path):
    (tmp_path / "x.log").mkdir()
    one = reader()
    one.write(b"a\nb\n")
    wait_until(lambda: unread(one.pipe) == 0)
    # Who reads this has tried to write what came before.
    one.write(b"c")
    wait_until(lambda: unread(one.pipe) == 0)
    (tmp_path / "x.log").rmdir()
    wait_until(lambda: os.path.exists(one.path) and read(one.path))
    one.write(b"\n")
    assert texts(one.end()) == [
        b"2 lines are lost, the log could not be written: Is a directory",
        b"c"]


def test_the_reader_bounds_the_log_and_loses_nothing(reader):
    """Catches lines that are written while the log is moved."""
    one = reader(limit=600000)
    for i in range(20000):
        one.write(b"line %d\n" % i)
    last = one.end()
    old = read(one.path + ".1")
    assert 600000 < len(old) < 900000
    assert texts(old + last) == [b"line %d" % i for i in range(20000)]


# A container of a local cluster.


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path, log_size=0)
    yield made
    made.process.kill()
    made.process.wait()


def run(cluster, program, *arguments):
    """Run a program as a container to its end; returns code and texts."""
    log = cluster.add("m_1-0", [sys.executable, "-S", "-c", program,
                                *arguments], MODEL)
    wait_until(lambda: cluster.replica("m_1-0")["exit_code"] is not None, 60)
    one = cluster.replica("m_1-0")
    token = bytes.fromhex(one["token"])
    return one["exit_code"], texts(
        read(log), stamp.who("m:1", token).encode() + b" ")


@pytest.mark.parametrize("program, code, expected", [
    ("print('a'); print('b')", 0, [b"a", b"b"]),
    ("import os; os.write(1, b'a\\nb\\n'); os.write(2, b'c\\n')", 0,
     [b"a", b"b", b"c"]),
    ("import os; os.system('echo child; echo error >&2; sh -c \"echo more\"')",
     0, [b"child", b"error", b"more"]),
    ("import os, signal; os.write(1, b'last\\nwo'); os.write(1, b'rds'); "
     "os.kill(os.getpid(), signal.SIGKILL)", -9, [b"last", b"words"]),
    ("import sys; sys.stdout.write('a\\nhalf'); sys.exit(3)", 3,
     [b"a", b"half"]),
], ids=["print", "write", "child", "kill", "partial"])
def test_every_line_is_stamped(cluster, program, code, expected):
    assert run(cluster, program) == (code, expected)


def test_the_traceback_of_an_abort_is_stamped(cluster):
    code, lines = run(cluster, "import faulthandler, os; "
                      "faulthandler.enable(); print('a', flush=True); "
                      "os.abort()")
    assert code == -6 and lines[0] == b"a"
    assert b"Fatal Python error: Aborted" in lines
    assert b"<string>" in lines[-1] or b"Extension" in lines[-1]


def test_a_program_that_cannot_be_started_is_stamped(cluster):
    log = cluster.add("m_1-0", ["/no/such/program"], MODEL)
    wait_until(lambda: cluster.replica("m_1-0")["exit_code"] == 127)
    wait_until(lambda: read(log))
    line, = texts(read(log))
    assert b"No such file" in line


def test_the_hung_model_is_found_in_a_stamped_log(cluster):
    """Catches a supervisor that looks for the watchdog's words without
    their stamp."""
    run(cluster, "import os; os.write(2, b'Timeout (0:00:05)!\\n'); "
        "os._exit(1)")
    said = cluster.said()
    assert "m_1-0: model m:1 did not return from a batch for 0:00:05" in said


def readers(cluster):
    """Processes of a cluster that read output."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = read("/proc/%s/cmdline" % pid)
        except OSError:
            continue
        if stamp.__file__.encode() in command \
                and cluster.path.encode() in command:
            found.append(int(pid))
    return found


def test_a_million_lines(cluster, tmp_path):
    """Catches a lost line, a reader that grows and a model that waits."""
    path = str(tmp_path / "go")
    log = cluster.add("m_1-0", [
        sys.executable, "-S", "-c",
        "import os, sys, time\n"
        "for i in range(1000000): print('line', i)\n"
        "sys.stdout.flush()\n"
        "while not os.path.exists(sys.argv[1]): time.sleep(0.01)", path,
    ], MODEL)
    wait_until(lambda: tail(log, 1).endswith(" line 999999"), 120)
    reader, = readers(cluster)
    assert memory(reader) < 40 << 20
    open(path, "w").close()
    wait_until(lambda: cluster.replica("m_1-0")["exit_code"] == 0)
    assert not readers(cluster)
    found = texts(read(log))
    assert len(found) == 1000000
    assert all(line == b"line %d" % i for i, line in enumerate(found))


PRINTS = ("import sys, time\n"
          "i = 0\n"
          "while True: print('line', i, flush=True); i += 1; time.sleep(0.01)")


def test_a_reader_that_is_killed_harms_no_model(cluster):
    """Catches a model that ends by SIGPIPE or waits for a full pipe."""
    log = cluster.add("m_1-0", [sys.executable, "-S", "-c", PRINTS], MODEL)
    wait_until(lambda: count(log) > 3)
    old, = readers(cluster)
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: not alive(old))
    before = count(log)
    wait_until(lambda: count(log) > before + 3)
    assert cluster.replica("m_1-0")["starts"] == 1
    new, = readers(cluster)
    assert new != old
    assert "the reader of its output ended with -9" in cluster.said()


def test_what_outlives_the_supervisor_is_read(cluster, tmp_path):
    """Catches a process of a model that waits for a full pipe, or ends by
    SIGPIPE, when the supervisor was killed, and a reader that stays."""
    path = str(tmp_path / "stop")
    program = ("import os, sys\n"
               "i = 0\n"
               "while not os.path.exists(sys.argv[1]):\n"
               "    os.write(1, b'line %d\\n' % i)\n"
               "    i += 1\n"
               "os.write(1, b'end')")
    log = cluster.add("m_1-0", [
        sys.executable, "-S", "-c",
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-S', '-c', *sys.argv[1:]],\n"
        "                 start_new_session=True)\n"
        "time.sleep(1000)", program, path], MODEL)
    try:
        wait_until(lambda: count(log) > 3)
        model = cluster.replica("m_1-0")["pid"]
        # With all that is in its group.
        os.killpg(cluster.process.pid, signal.SIGKILL)
        cluster.process.wait()
        wait_until(lambda: not alive(model))
        reader, = readers(cluster)
        # More than a pipe takes.
        before = os.path.getsize(log)
        wait_until(lambda: os.path.getsize(log) > before + (1 << 20))
    finally:
        open(path, "w").close()
    wait_until(lambda: not alive(reader))
    found = texts(read(log))
    assert found[:-1] == [b"line %d" % i for i in range(len(found) - 1)]
    assert found[-1] == b"end"


def test_a_log_is_rotated_by_its_reader_alone(tmp_path):
    """Catches a supervisor that moves a log while its reader does, so that
    the copy replaces what the reader has moved."""
    cluster = Cluster(tmp_path, log_size=1000)
    try:
        log = cluster.add("m_1-0", ["sleep", "1000"], MODEL)
        wait_until(lambda: readers(cluster))
        nginx = os.path.join(cluster.path, "logs", "nginx.log")
        # The second round has looked at all files after the first.
        for text in (b"a" * 2000, b"b" * 2000):
            for path in (log, nginx):
                with open(path, "ab") as f:
                    f.write(text)
            wait_until(lambda: os.path.exists(nginx + ".1")
                       and read(nginx + ".1") == text, 60)
        assert os.path.getsize(log) == 4000
        assert not os.path.exists(log + ".1")
    finally:
        cluster.process.kill()
        cluster.process.wait()
