"""A local cluster of the Python package that the tests of a file share, with
helpers to query it."""

import json
import os
import re
import urllib.error
import urllib.request

import pytest

from clipper_admin import ClipperConnection, ClipperException
from clipper_admin.deployers import python as python_deployer

from .cluster import local_manager
@pytest.fixture(scope="module")
def make_cluster(settings, tmp_path_factory):
    """Makes managers of clusters; ends and checks all of them."""
    made = []

    def make(name="test", path=None, **kwargs):
        path = path or str(tmp_path_factory.mktemp("cluster") / name)
        manager = local_manager(settings, path, name, **kwargs)
        made.append(manager)
        return manager

    yield make
    for manager in made:
        manager.stop_all()
        log = manager.directory.file("logs", "error.log")
        if os.path.exists(log):
            with open(log, encoding="utf-8", errors="replace") as f:
                assert not re.findall(
                    r".*\[(?:alert|emerg|crit)\].*", f.read())


@pytest.fixture(scope="module")
def shared(make_cluster):
    conn = ClipperConnection(make_cluster())
    conn.start_clipper()
    return conn


@pytest.fixture
def conn(shared):
    """A connection to an empty cluster."""
    yield shared
    if shared.get_all_apps() or shared.get_all_models():
        shared._change(
            lambda catalog: (catalog.applications.clear(),
                             catalog.models.clear()))
    shared.cm.stop_all_model_containers()


def post(conn, path, body):
    """(status, answer) of a query."""
    request = urllib.request.Request(
        "http://%s%s" % (conn.get_query_addr(), path),
        json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def predict(conn, app, value, **more):
    status, answer = post(conn, "/%s/predict" % app, dict(more, input=value))
    assert status == 200, answer
    return answer


def deploy(conn, name, version, func, kind="doubles", **kwargs):
    python_deployer.deploy_python_closure(
        conn, name, version, kind, func, **kwargs)


def refused(text):
    return pytest.raises(ClipperException, match=re.escape(text))
