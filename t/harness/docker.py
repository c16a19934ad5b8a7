"""Clusters on a container engine, for the tests of `make test-docker`."""

import importlib.metadata
import os
from pathlib import Path

import pytest

from clipper_admin import DockerContainerManager
from clipper_admin.container_manager import CLIPPER_DOCKER_LABEL

from .engine import DEBIAN, Engine
from .util import free_port

ROOT = Path(__file__).resolve().parent.parent.parent

#: Mark of tests that need an engine.
needs_engine = pytest.mark.skipif(
    not os.environ.get("CLIPPER_TEST_DOCKER"), reason="make test-docker")


#: Redis and Prometheus.
SERVERS = "docker.io/clipper/test-servers:1"

#: A container's image with libraries of data frames and models.
LIBRARIES = "localhost/test-libraries:1"

#: Mark of tests that need one of these images; they call `engine.wait_for`.
needs_image = pytest.mark.image


#: Recipe of SERVERS.
_SERVERS = """FROM %s
RUN apt-get -q update && apt-get -q -y --no-install-recommends install \
    prometheus redis-server && mkdir /prometheus
""" % DEBIAN

#: Recipe for the base of LIBRARIES: the environment that the container's
#: package will be installed in, which does not change with it.
_ENVIRONMENT = """FROM %s
RUN apt-get -q update && apt-get -q -y --no-install-recommends install \
    python3 python3-venv && python3 -m venv /opt/clipper \
    && /opt/clipper/bin/pip install -q %s
"""


def environment(base):
    libraries = ["%s==%s" % (name, importlib.metadata.version(name))
                 for name in ("numpy", "pandas", "scikit-learn")]
    return _ENVIRONMENT % (base, " ".join(libraries))


@pytest.fixture(scope="session")
def engine(request, tmp_path_factory):
    made = Engine(ROOT, str(tmp_path_factory.mktemp("engine")))
    # Images that take long are built beside tests that do not need them.
    wanted = {mark.args[0] for item in request.session.items
              for mark in item.iter_markers("image")}
    before = os.environ.get("DOCKER_HOST")
    os.environ["DOCKER_HOST"] = made.address
    try:
        made.make_base()
        if SERVERS in wanted:
            made.begin(SERVERS, made.build, _SERVERS, {})
        if LIBRARIES in wanted:
            made.begin(LIBRARIES, made.make_container_image,
                       environment(made.base))
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
