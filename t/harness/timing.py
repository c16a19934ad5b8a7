"""Tests that depend on time, and how .ci/test learns about them.

``@pytest.mark.timing("why")`` marks a test that measures time, which a busy
machine can spoil. .ci/test may run such a test once more, alone. With the
variable CLIPPER_TEST_FAILED a run writes what failed to that file: a line
"timing TEST" for a marked test whose own checks failed, "other TEST" for
everything else, also for a marked test's set-up or tear-down (a crash, an
alert in the log, rows that are not given back: time is no excuse for those),
and at last "end". CLIPPER_TEST_ONLY names the one test to run.
"""

import os

import pytest


def reason(item):
    mark = item.get_closest_marker("timing")
    return mark and (mark.args[0] if len(mark.args) == 1 else "")


def pytest_collection_modifyitems(config, items):
    bare = [item.nodeid for item in items if reason(item) == ""]
    if bare:
        raise pytest.UsageError(f"timing without a reason: {bare}")

    only = os.environ.get("CLIPPER_TEST_ONLY")
    if only:
        others = [item for item in items if item.nodeid != only]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item.nodeid == only]


def tell(line):
    path = os.environ.get("CLIPPER_TEST_FAILED")
    if path:
        with open(path, "a") as f:
            f.write(line + "\n")


def pytest_runtest_logreport(report):
    if report.failed:
        time = report.when == "call" and "timing" in report.keywords
        tell(f"{'timing' if time else 'other'} {report.nodeid}")


def pytest_collectreport(report):
    if report.failed:
        tell(f"other {report.nodeid}")


def pytest_sessionfinish(exitstatus):
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        tell("end")
