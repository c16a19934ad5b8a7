"""Clusters on a container engine, for the tests of `make test-docker`."""

import os
from pathlib import Path

import pytest

from clipper_admin import DockerContainerManager
from clipper_admin.container_manager import CLIPPER_DOCKER_LABEL

from .engine import Engine
from .util import free_port

ROOT = Path(__file__).resolve().parent.parent.parent

#: Mark of tests that need an engine.
needs_engine = pytest.mark.skipif(
    not os.environ.get("CLIPPER_TEST_DOCKER"), reason="make test-docker")


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    made = Engine(ROOT, str(tmp_path_factory.mktemp("engine")))
    before = os.environ.get("DOCKER_HOST")
    os.environ["DOCKER_HOST"] = made.address
    try:
        made.make_images()
        yield made
    finally:
        if before is None:
            del os.environ["DOCKER_HOST"]
        else:
            os.environ["DOCKER_HOST"] = before
        made.stop()


@pytest.fixture(scope="module")
def make_docker_cluster(engine):
    """Makes managers of clusters with free ports; ends all of them."""
    made = []

    def make(name="test", **kwargs):
        for key in ("query", "management", "rpc"):
            kwargs.setdefault("clipper_%s_port" % key, free_port())
        manager = DockerContainerManager(
            name, docker_network="clipper_test", **kwargs)
        made.append(manager)
        return manager

    yield make
    for manager in made:
        manager.stop_all(graceful=False)
        assert containers(manager) == []


def containers(manager):
    """Names of all containers of a cluster, running or not."""
    label = "%s=%s" % (CLIPPER_DOCKER_LABEL, manager.cluster_name)
    return [one.name for one in manager.client.containers.list(
        all=True, filters={"label": label})]
