"""The watchdog of the Python container, and who starts it again."""

import re
import time

import pytest

from clipper_container.watchdog import Watchdog, read_limit
from harness import PythonContainer, application, wait_until
from harness.cluster import unsanitized
from harness.local import deploy, predict
from harness.session import NOCACHE

POISON = [13.0]


def hanging(how):
    """A function that never returns for one input."""
    def func(xs):
        if any(x[0] == 13.0 for x in xs):
            if how == "waits":
                import threading
                threading.Event().wait()
            elif how == "loops":
                while True:
                    pass
            else:
                import ctypes
                ctypes.PyDLL(None).sleep(1000)
        return [float(x[0]) for x in xs]

    return func


@pytest.fixture
def server(nginx):
    return nginx(application("a", "m:1", slo="300ms"), http=NOCACHE
                 + "clipper_model m { batch_timeout 1s; hedge off; }")


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("how", ["waits", "loops", "holds the lock"])
def test_a_function_that_does_not_return(server, how, version):
    """Catches a process that stays for ever; also when the function holds
    the lock of the interpreter, and no thread in Python runs."""
    container = PythonContainer(server, "m", hanging(how),
                                rpc_version=version,
                                env={"CLIPPER_BATCH_TIMEOUT": "1s"})
    server.wait_replicas("m", 1)
    wait_until(lambda: not server.predict("a", [1.0])["default"])
    assert server.predict("a", POISON)["default"]
    wait_until(lambda: container.process.poll() is not None, 15,
               "the end of the process")
    assert container.process.returncode == 1
    output = container.output()
    assert "Timeout (0:00:0" in output and "in func" in output
    assert "has not answered a batch" in server.log_text()


def test_what_returns_in_time_is_left_alone(server):
    """Catches a process that is ended while it is idle, or by the time of
    several batches."""
    def slow(xs):
        import time
        time.sleep(0.2 * len(xs))
        return [float(x[0]) for x in xs]

    container = PythonContainer(server, "m", slow,
                                env={"CLIPPER_BATCH_TIMEOUT": "1s"})
    server.wait_replicas("m", 1)
    end = time.monotonic() + 4
    while time.monotonic() < end:
        server.predict("a", [time.monotonic()])
    # Longer than the limit and all that is added to it, without a batch.
    time.sleep(4)
    assert container.process.poll() is None
    assert len(server.replicas("m")) == 1


def test_the_limit():
    watchdog = Watchdog()
    assert watchdog.limit() == 60
    watchdog.end()
    watchdog._longest = 0.1
    assert watchdog.limit() == 10
    watchdog._longest = 2.0
    assert watchdog.limit() == 60
    watchdog._longest = 0.0
    watchdog.connected()
    assert watchdog.limit() == 60
    assert Watchdog(0.5).limit() == 0.5


def test_each_batch_has_its_own_time(monkeypatch):
    """Catches a batch with the time of an earlier one, such as the minute of
    the first, and a timer that is set anew for each batch."""
    set_to = []
    monkeypatch.setattr("faulthandler.dump_traceback_later",
                        lambda seconds, **_: set_to.append(seconds))
    monkeypatch.setattr("faulthandler.cancel_dump_traceback_later",
                        lambda: set_to.append(None))
    watchdog = Watchdog()
    for _ in range(3):
        watchdog.begin()
        watchdog.end()
    assert set_to == pytest.approx([62, 12])
    watchdog.idle()
    watchdog.idle()
    assert set_to[2:] == [None] and not watchdog.runs
    watchdog.begin()
    assert watchdog.runs and set_to[3:] == pytest.approx([12])


@pytest.mark.parametrize("text, seconds", [
    ("", None), ("auto", None), ("500ms", 0.5), ("30s", 30), ("45", 45),
    ("2m", 120)])
def test_times(text, seconds):
    assert read_limit(text) == seconds


@pytest.mark.parametrize("text", ["0", "0s", "soon", "-1s", "1 s", "1x"])
def test_times_that_are_not_valid(text):
    with pytest.raises(ValueError, match="CLIPPER_BATCH_TIMEOUT"):
        read_limit(text)


@unsanitized
def test_the_local_manager_starts_it_again(conn):
    """Catches a model that stays away after one input hung it, and a log
    that does not tell which one did."""
    conn.register_application("a", "doubles", "-1.0", 500000)
    deploy(conn, "hangs", 7, hanging("holds the lock"), batch_timeout="1s")
    conn.link_model_to_app("a", "hangs")
    wait_until(lambda: not predict(conn, "a", [1.0])["default"])
    assert predict(conn, "a", POISON)["default"]
    wait_until(lambda: not predict(conn, "a", [2.0])["default"], 30,
               "an answer")
    replica, = conn.cm.replicas.of("hangs", "7")
    assert replica["starts"] == 2
    path = conn.cm.directory.file("logs", "supervisor.log")
    with open(path, encoding="utf-8") as f:
        assert re.search(r"model hangs:7 did not return from a batch for "
                         r"0:00:0\d", f.read())
