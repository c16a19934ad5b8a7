"""Prometheus beside a cluster, as the original had it.

It scrapes the server, and each replica that is connected: a service in the
frontend container lists them.
"""

import json
from typing import Any, Tuple

from ..container_manager import (
    CLIPPER_DOCKER_PORT_LABELS,
    CLIPPER_INTERNAL_MANAGEMENT_PORT,
)
from . import engine
from .containers import Containers

#: Its port, and its files.
_PORT = 9090
_PLACE = "/etc"
_FILE = "clipper-prometheus.yml"


def start(
    containers: Containers,
    image: str,
    name: str,
    frontend: Tuple[str, str],
    bind: Tuple[str, int],
) -> Any:
    """Start the container.

    Args:
        image: one with the options and the directories of prom/prometheus.
        name: of the container.
        frontend: name and address of the frontend container.
        bind: interface and port of this host.
    """
    return containers.run(
        image,
        name,
        {CLIPPER_DOCKER_PORT_LABELS["metric"]: str(bind[1])},
        archive=lambda _: engine.archive(
            {_FILE: configuration(frontend[0]).encode()}, {}, 0
        ),
        place=_PLACE,
        command=["--config.file=%s/%s" % (_PLACE, _FILE),
                 "--storage.tsdb.path=/prometheus",
                 "--web.enable-lifecycle"],
        extra_hosts={frontend[0]: frontend[1]},
        ports={"%d/tcp" % _PORT: bind},
        restart_policy={"Name": "always"},
    )


def configuration(host: str) -> str:
    """prometheus.yml as JSON, which is YAML.

    Args:
        host: of the operator's port.
    """
    server = "%s:%d" % (host, CLIPPER_INTERNAL_MANAGEMENT_PORT)
    return json.dumps({
        "global": {"scrape_interval": "5s"},
        "scrape_configs": [
            {
                "job_name": "clipper",
                "metrics_path": "/metrics/server",
                "static_configs": [{"targets": [server]}],
            },
            {
                "job_name": "replicas",
                "http_sd_configs": [{
                    "url": "http://%s/metrics/targets" % server,
                    "refresh_interval": "5s",
                }],
            },
        ],
    }, indent=2)
