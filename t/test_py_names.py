"""Modules, functions and attributes under the names that programs of the
original use."""

import importlib
import pickle
import shutil

import pytest

from clipper_admin import ClipperException, DockerContainerManager
from clipper_admin.container_manager import CLIPPER_DOCKER_LABEL
from clipper_admin.decorators import retry
from clipper_admin.deployers.deployer_utils import save_python_function
from clipper_admin.docker import engine
from harness.cluster import unsanitized


@pytest.mark.parametrize("module, names", [
    ("clipper_admin.docker.docker_container_manager",
     "DockerContainerManager find_unbound_port"),
    ("clipper_admin.deployers.deployer_utils", "save_python_function"),
    ("clipper_admin.docker.logging.fluentd", "Fluentd FluentdConfig"),
    ("clipper_admin.metrics", "add_metric report_metric"),
    ("clipper_admin.metrics.client", "add_metric report_metric"),
    ("clipper_admin.metrics.server", "serve"),
    ("clipper_admin.decorators", "retry"),
])
def test_modules(module, names):
    found = importlib.import_module(module)
    assert [name for name in names.split() if not hasattr(found, name)] == []


def test_fluentd_says_what_replaces_it():
    from clipper_admin.docker.logging import fluentd

    with pytest.raises(ClipperException, match="log driver"):
        fluentd.Fluentd()


def test_a_saved_function():
    path = save_python_function("name", lambda xs: [x + 1 for x in xs])
    try:
        with open(path + "/func.pkl", "rb") as f:
            assert pickle.load(f)([1, 2]) == [2, 3]
    finally:
        shutil.rmtree(path)


def test_retry():
    calls = []

    @retry(KeyError, tries=3, delay=0)
    def fails(times):
        calls.append(times)
        if len(calls) <= times:
            raise KeyError("again")
        return len(calls)

    assert fails(2) == 3
    calls.clear()
    with pytest.raises(KeyError):
        fails(3)
    assert len(calls) == 3


def test_attributes_of_the_docker_manager(monkeypatch):
    """Without an engine: only the attributes are looked at."""
    client = object()
    monkeypatch.setattr(engine, "connect", lambda: client)
    manager = DockerContainerManager(
        "c", clipper_query_port=2337, clipper_management_port=2338,
        clipper_rpc_port=2700, redis_ip="10.0.0.1", redis_port=7379,
        prometheus_port=9191, extra_container_kwargs={"labels": {"a": "b"}})
    assert manager.docker_client is client and manager.client is client
    assert (manager.clipper_query_port, manager.clipper_management_port,
            manager.clipper_rpc_port) == (2337, 2338, 2700)
    assert (manager.redis_ip, manager.redis_port, manager.prometheus_port) \
        == ("10.0.0.1", 7379, 9191)
    assert manager.extra_container_kwargs == {"labels": {"a": "b"}}
    assert manager.common_labels == {CLIPPER_DOCKER_LABEL: "c"}
    assert manager.centralize_log is False
    assert manager.docker_network == "clipper_network"
    # The ports of a running cluster may be others than those wanted.
    manager._ports = {"query": 1, "management": 2, "rpc": 3}
    assert (manager.clipper_query_port, manager.clipper_management_port,
            manager.clipper_rpc_port) == (1, 2, 3)


@unsanitized
def test_ports_of_the_local_manager(make_cluster):
    manager = make_cluster("ports")
    assert manager.clipper_query_port > 0
    manager.start_clipper()
    assert manager.get_query_addr() \
        == "127.0.0.1:%d" % manager.clipper_query_port
    assert manager.get_admin_addr().endswith(
        ":%d" % manager.clipper_management_port)
    assert manager.clipper_rpc_port == manager.cluster["rpc_port"]
