"""The log of a container, and the size of a cluster's logs."""

import os
import re
import threading

import pytest

from clipper_admin import ClipperConnection
from clipper_admin.local import rotation
from clipper_container import log as container_log
from clipper_container.log import Failures, identify, log
from harness.cluster import unsanitized
from harness.frontend import doubles
from harness.local import deploy, predict
from harness.util import wait_until

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


class Clock:
    def __init__(self):
        self.now = 100.0
        self.lines = []
        self.failures = Failures(lambda: self.now, self.lines.append)

    def fail(self, how, times=1):
        for _ in range(times):
            try:
                how()
            except Exception as error:
                self.failures.add(error)


@pytest.fixture
def clock():
    return Clock()


def divide():
    return 1 / 0


def convert(text="a"):
    return float(text)


def wrapped():
    try:
        convert()
    except ValueError as error:
        raise RuntimeError("no") from error


def test_equal_errors_are_logged_once_a_minute(clock):
    clock.fail(divide, 300)
    assert len(clock.lines) == 1
    assert "ZeroDivisionError" in clock.lines[0]
    clock.now += 59
    clock.failures.flush()
    assert len(clock.lines) == 1
    clock.now += 1
    clock.failures.flush()
    assert len(clock.lines) == 2
    assert clock.lines[1].startswith("The same 299 more times in 60 s:\n")
    assert "in divide" in clock.lines[1]
    # The next minute has its own number.
    clock.fail(divide, 3)
    clock.now += 61
    clock.failures.flush()
    assert clock.lines[2].startswith("The same 3 more times in 61 s:\n")
    # After a minute without it, it is news again.
    clock.now += 61
    clock.failures.flush()
    clock.fail(divide)
    assert len(clock.lines) == 4 and clock.lines[3] == clock.lines[0]


def test_other_errors_are_not_hidden(clock):
    """Catches a second error that counts as the first."""
    clock.fail(divide, 2)
    clock.fail(convert, 2)
    clock.fail(wrapped, 2)
    clock.fail(lambda: divide(), 2)
    assert len(clock.lines) == 4


def test_messages_may_differ(clock):
    """Catches a log that grows with each input that cannot be read."""
    for text in ("a", "b", "c"):
        clock.fail(lambda: convert(text))
    assert len(clock.lines) == 1


def test_many_different_errors_are_bounded(clock):
    for i in range(1000):
        clock.fail(divide if i % 2 else convert)
        clock.failures.note("note %d" % i)
    assert len(clock.failures._seen) <= 100
    clock.failures.flush(end=True)
    counted = sum(int(one.split()[2]) for one in clock.lines
                  if one.startswith("The same"))
    assert counted + sum(not one.startswith("The same")
                         for one in clock.lines) == 2000


def test_the_end_tells_what_was_counted(clock):
    clock.fail(divide, 5)
    clock.failures.flush(end=True)
    assert clock.lines[1].startswith("The same 4 more times in 0 s")


def test_an_error_that_is_counted_is_not_kept(clock):
    """Catches tracebacks that keep the inputs of failed batches alive."""
    import gc
    import weakref

    class Input:
        pass

    def fail(one):
        raise ValueError(one is None)

    def fail_once():
        one = Input()
        clock.fail(lambda: fail(one))
        return weakref.ref(one)

    found = [fail_once() for _ in range(3)]
    gc.collect()
    assert [one() for one in found] == [None] * 3


def test_every_line_has_time_model_and_replica(capsys, monkeypatch):
    monkeypatch.setattr(container_log, "_process", "")

    def run():
        log("before")
        identify("m:1", b"t" * 16)
        log("one\ntwo")
        log("")

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    # Another thread of the process.
    log("watch")
    assert re.fullmatch(
        "{0} before\n{0} m:1 a4a870f8 one\n{0} m:1 a4a870f8 two\n"
        "{0} m:1 a4a870f8 \n{0} m:1 a4a870f8 watch\n".format(STAMP),
        capsys.readouterr().out)


# Containers.


def test_a_move_loses_nothing(frontend, run, capfd):
    """Catches the word of a lost connection in each reload."""
    run(lambda xs: ["1"] * len(xs))
    old, _ = frontend.register()
    for _ in range(3):
        frontend.move(old)
        new, _ = frontend.register()
        frontend.request(new, "doubles", [], kind=1)
        assert frontend.reply(new) == []
        assert frontend.receive()[0] == old
        old = new
    frontend.request(old, "doubles", [doubles(1)])
    frontend.reply(old)
    text = capfd.readouterr().out
    assert "Registered" in text and "Lost" not in text


def test_errors_of_version_3_are_counted(frontend, run, capfd):
    """Catches two lines for each failing batch of a version 3 container."""
    container = run(lambda xs: 1 / 0, version=3)
    for _ in range(5):
        identity, _ = frontend.receive()
        frontend.ask_metadata(identity)
        frontend.receive()
        frontend.request_3(identity, "doubles", [doubles(1)])
    frontend.receive()
    container.stop()
    text = capfd.readouterr().out
    assert text.count("Reconnecting: version 3 cannot carry an error") == 2
    assert text.count("The same 4 more times") == 2


@unsanitized
def test_the_log_of_a_failing_model(conn):
    def bad(xs):
        print("said by the model")
        raise ValueError("bad %r" % xs[0][0])

    conn.register_application("a", "doubles", "0", 5000000)
    deploy(conn, "bad", 1, bad)
    conn.link_model_to_app("a", "bad")
    for i in range(100):
        assert predict(conn, "a", [float(i)])["default"]
    for i in range(3):
        conn.register_application("b%d" % i, "doubles", "0", 100000)
    replica, = conn.cm.replicas.of("bad", "1")
    with open(replica["log"], encoding="utf-8") as f:
        lines = f.read().splitlines()
    own = [one for one in lines if "said by the model" not in one]
    assert len(lines) - len(own) == 100
    # Each begins with time, model and replica as the status knows it, once.
    # A container that moves is listed twice.
    shown, = {one["token_hash"][:8]
              for one in conn.inspect_instance()["replicas"]}
    head = re.compile("%s bad:1 %s " % (STAMP, shown))
    assert all(head.match(one) for one in lines)
    assert not any(head.search(one, 1) for one in lines)
    assert {head.sub("", one) for one in lines if one not in own} \
        == {"said by the model"}
    assert sum("Traceback" in one for one in own) <= 2
    assert not any("Lost" in one for one in own)
    assert len(own) < 60


# Sizes.


def test_a_log_that_is_too_long_is_rotated(tmp_path):
    path = str(tmp_path / "x.log")
    assert not rotation.rotate(path, 10)
    with open(path, "ab", 0) as kept_open:
        kept_open.write(b"0123456789")
        assert not rotation.rotate(path, 10)
        kept_open.write(b"a")
        assert not rotation.rotate(path, 0)
        assert rotation.rotate(path, 10)
        kept_open.write(b"next")
    assert open(path, "rb").read() == b"next"
    assert open(path + ".1", "rb").read() == b"0123456789a"


def test_the_access_log_is_kept(tmp_path):
    for name in ("access.log", "error.log", "m_1-0.log", "m_1-0.log.1"):
        (tmp_path / name).write_bytes(b"x" * 100)
    rotation.rotate_all(str(tmp_path), 10)
    sizes = {one: os.path.getsize(tmp_path / one)
             for one in os.listdir(tmp_path)}
    assert sizes == {"access.log": 100, "error.log": 0, "error.log.1": 100,
                     "m_1-0.log": 0, "m_1-0.log.1": 100}


@unsanitized
def test_a_cluster_bounds_its_logs(make_cluster, tmp_path):
    """Catches a model that fills the disk with what it prints."""
    conn = ClipperConnection(make_cluster("talks", log_size="64k"))
    conn.start_clipper()
    conn.register_application("a", "doubles", "0", 5000000)
    deploy(conn, "m", 1, lambda xs: print("x" * 70000) or [1] * len(xs))
    conn.link_model_to_app("a", "m")
    log_path = conn.cm.replicas.of("m", "1")[0]["log"]
    assert not predict(conn, "a", [1.0])["default"]
    wait_until(lambda: os.path.exists(log_path + ".1")
               and os.path.getsize(log_path) == 0, 30)
    assert not predict(conn, "a", [2.0])["default"]
    wait_until(lambda: 70000 < os.path.getsize(log_path)
               + os.path.getsize(log_path + ".1") < 160000)
    names = [os.path.basename(one)
             for one in conn.get_clipper_logs(str(tmp_path))]
    assert "talks-m_1-0.log" in names and "talks-m_1-0.log.1" in names
    # A change of the configuration after nginx's log was emptied.
    conn.register_application("b", "doubles", "0", 100000)
    conn.stop_all(graceful=False)
