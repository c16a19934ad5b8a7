"""Fixtures of the behaviour tests; see harness/__init__.py."""

import itertools
import signal
import threading
from pathlib import Path

import pytest

from harness import (Load, Nginx, Redis, Settings, Sim3, application,
                     wait_until)

pytest_plugins = ["harness.docker", "harness.frontend", "harness.local",
                  "harness.timing", "harness.variables"]

ROOT = Path(__file__).resolve().parent.parent


def pytest_sessionstart():
    """A run that is told to end ends its servers like one interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def settings():
    return Settings(ROOT)


def pytest_collection_modifyitems(items):
    """Marks what depends on the build of the module and on the workers."""
    for item in items:
        if "make_nginx" in getattr(item, "fixturenames", ()) \
                and not item.get_closest_marker("once"):
            item.add_marker(pytest.mark.server)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the servers' logs with a test that failed."""
    outcome = yield
    report = outcome.get_result()

    if report.failed:
        for server in getattr(item, "clipper_servers", ()):
            log = server.log_text()
            report.sections.append(
                (f"nginx in {server.dir}", log[-6000:]))


@pytest.fixture
def make_nginx(settings, tmp_path, request):
    """Makes servers without starting them; stops and checks them all."""
    if not settings.module.exists():
        pytest.fail(f"{settings.module} is not built")
    servers = []
    numbers = itertools.count()
    request.node.clipper_servers = servers

    def make(server="", **kw):
        made = Nginx(settings, tmp_path / f"nginx{next(numbers)}",
                     server=server, **kw)
        servers.append(made)
        return made

    yield make

    wrong = []
    for server in reversed(servers):
        wrong += server.finish()

    assert not wrong, "\n".join(wrong)


@pytest.fixture
def nginx(make_nginx):
    """Starts an nginx and waits until it serves."""
    def start(server="", **kw):
        return make_nginx(server, **kw).start()

    return start


@pytest.fixture
def check(make_nginx):
    """``nginx -t`` for parts of a configuration: a function that returns the
    message of the first ``[emerg]``, or None when they are accepted."""
    def run(server="", **kw):
        made = make_nginx(server, **kw)
        text = made.render()
        accepted, printed = made.test(text)
        emergs = [line for line in printed.splitlines()
                  if "[emerg]" in line]
        assert accepted == (not emergs), printed
        run.printed, run.text, run.path = printed, text, made.conf
        (made.dir / "error.log").unlink(missing_ok=True)
        return emergs[0] if emergs else None

    return run


@pytest.fixture
def served(nginx):
    """One application "a" with a connected container of model "m"."""
    def start(input_type="doubles", model=None, http="", extra="", setting="",
              **kw):
        server = nginx(application("a", "m:1", input_type + setting,
                                   extra=extra),
                       http="clipper_cache_zone off;\n" + http, **kw)
        options = {"model": model} if model else {}
        sim = Sim3(server, "m", input_type=input_type, **options)
        sim.wait_registered()
        server.wait_replicas("m")
        return server, sim

    return start


@pytest.fixture
def neighbour(make_nginx):
    """Starts a model "other" and a client of application "b" that asks it
    all the time, also while the test misbehaves. At the end each answer must
    be right, and some answers must be later than all that the test did."""
    loads = []

    def make(thread, number):
        def check(response):
            return "" if response.json().get("output") == number + 0.25 \
                else repr(response)

        threading.Event().wait(0.002)
        return "/b/predict", {"input": [number + 0.25]}, check

    def start(server):
        Sim3(server, "other").wait_registered()
        server.wait_replicas("other")
        loads.append(Load(server, make, threads=1))
        wait_until(lambda: loads[-1].done > 5)

    yield start

    for load in loads:
        done = load.done
        wait_until(lambda: load.done > done + 5, what="answers to others")
        load.stop()
        assert load.failures == []


@pytest.fixture
def redis(tmp_path):
    made = []

    def start(*options):
        made.append(Redis(tmp_path / f"redis{len(made)}", *options))
        return made[-1].start()

    yield start

    for server in made:
        if server.process.poll() is None:
            server.signal(signal.SIGCONT)
        server.kill()
