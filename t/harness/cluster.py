"""Local clusters of the Python package, and what any manager must do."""

import contextlib
import os
import subprocess
import sys
import threading
import time

import pytest

from clipper_admin import ClipperConnection, LocalContainerManager
from clipper_admin.client import Client
from clipper_admin.deployers import python as python_deployer

from .util import free_port

#: Mark of tests with a local cluster.
unsanitized = pytest.mark.skipif(
    bool(os.environ.get("CLIPPER_TEST_SANITIZER")),
    reason="the package starts nginx without the sanitizers' libraries")


def local_manager(settings, path, name="test", **options):
    """The manager of a local cluster on free ports, with this build."""
    if not settings.module.exists():
        pytest.fail(f"{settings.module} is not built")
    return LocalContainerManager(
        name, free_port(), free_port(), free_port(), state_dir=str(path),
        workers=settings.workers, module=str(settings.module),
        nginx=settings.nginx, **options)


@contextlib.contextmanager
def local_cluster(settings, path, name="test", **options):
    """A connection to a local cluster, which ends with the context."""
    conn = ClipperConnection(local_manager(settings, path, name, **options))
    conn.start_clipper()
    try:
        yield conn
    finally:
        conn.stop_all()


def outputs(conn, app, inputs):
    """What an application answers to a batch; a default is an error."""
    with Client(conn.get_query_addr(), raise_on_default=True) as client:
        return [one.output for one in client.predict_batch(app, inputs)]


class Questions(threading.Thread):
    """Asks an application that answers with its input, until `stop`.

    No two of its questions are equal. `wrong` has the questions without the
    right answer, with their times.
    """

    def __init__(self, conn, app, first=0.0, pause=0.0):
        super().__init__()
        self.app = app
        self.asked = 0
        self.wrong = []
        self._client = Client(conn.get_query_addr())
        self._first = first
        self._pause = pause
        self._going = True
        self.start()

    def run(self):
        while self._going:
            self.asked += 1
            value = self._first + self.asked
            try:
                got = self._client.predict(self.app, [value])
                if got.default or got.output != value:
                    self.wrong.append((time.time(), value, got))
            except Exception as error:
                self.wrong.append((time.time(), value, repr(error)))
            time.sleep(self._pause)
        self._client.close()

    def stop(self):
        self._going = False
        self.join()


def check_that_no_change_is_lost(conn, manager, count, timeout=90):
    """Two programs register applications under a load of queries.

    Args:
        conn: a connection to an empty cluster.
        manager: Python source of a manager of this cluster.
        count: applications that each registers.
    """
    python_deployer.create_endpoint(
        conn, "a", "doubles", lambda xs: [str(x[0]) for x in xs],
        slo_micros=5000000, num_replicas=2)
    program = (
        "import sys\n"
        "from clipper_admin import *\n"
        f"conn = ClipperConnection({manager})\n"
        "conn.connect()\n"
        f"for i in range({count}):\n"
        "    conn.register_application(\n"
        "        'p%s-%d' % (sys.argv[1], i), 'doubles', '0', 100000)\n")
    questions = Questions(conn, "a")
    try:
        programs = [subprocess.Popen(
            [sys.executable, "-c", program, str(i)],
            stderr=subprocess.DEVNULL) for i in range(2)]
        assert [one.wait(timeout) for one in programs] == [0, 0]
    finally:
        questions.stop()
    assert sorted(conn.get_all_apps()) == ["a"] + [
        "p%d-%d" % (i, j) for i in range(2) for j in range(count)]
    assert questions.asked > 100 and questions.wrong == []
