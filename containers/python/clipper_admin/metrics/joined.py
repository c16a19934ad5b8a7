"""The metrics of the server and of all models of a cluster, as one page.

    python -m clipper_admin metrics DIRECTORY

nginx passes `/metrics` to this service when the manager was made with
`model_metrics=True`; the server's own page is at `/metrics/server`. With an
engine it runs in the frontend container, and the status says where the replicas
are. Each
sample of a model gets the labels `clipper_model`, `clipper_version` and
`clipper_replica`. Names and samples are bounded, and what is left out is
counted.
"""

import concurrent.futures
import contextlib
import http.client
import json
import os
import sys
import urllib.request
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Tuple

from .. import status
from ..address import join as join_address
from ..address import reachable
from ..container_manager import CLIPPER_INTERNAL_METRIC_PORT
from ..containers import parse_model_container_label
from ..local.control import ask
from ..local.directory import CLUSTER, METRICS_SOCKET, ClusterDirectory
from ..local.service import Handler, serve_unix
from ..local.supervisor import SETTINGS

#: Most names of all models together, and most samples of one replica.
NAMES = 200
SAMPLES = 2000

#: Seconds for the page of one replica.
_PATIENCE = 2.0

#: Names that every Python process has, or that the server uses.
_NOT_MODELS = ("python_", "process_", "clipper_")


def join(pages: Iterable[Tuple[Dict[str, str], str]]) -> Tuple[Any, int]:
    """Join the pages of replicas.

    Args:
        pages: labels of the replica, and its page.

    Returns:
        families for `prometheus_client`, and how many samples are left out.
    """
    from prometheus_client import Metric
    from prometheus_client.parser import text_string_to_metric_families

    found: Dict[str, Any] = {}
    left_out = 0
    for labels, page in pages:
        room = SAMPLES
        for family in text_string_to_metric_families(page):
            if family.name.startswith(_NOT_MODELS):
                continue
            samples = [
                one for one in family.samples
                # When a counter was made is of no use here.
                if not one.name.endswith("_created")
            ]
            if family.name.endswith("_created"):
                continue
            mine = found.get(family.name)
            if mine is None and len(found) < NAMES and samples:
                mine = found[family.name] = Metric(
                    family.name, family.documentation, family.type
                )
            if (
                mine is None or mine.type != family.type
                or len(samples) > room
            ):
                left_out += len(samples)
                continue
            room -= len(samples)
            for one in samples:
                mine.add_sample(one.name, {**one.labels, **labels}, one.value)
    return list(found.values()), left_out


class _Families:
    """What `prometheus_client` writes."""

    def __init__(self, families: List[Any]) -> None:
        self._families = families

    def collect(self) -> Iterator[Any]:
        """The families."""
        return iter(self._families)


def page_of(families: List[Any], left_out: int) -> bytes:
    """The page of joined families."""
    import prometheus_client

    page = prometheus_client.generate_latest(
        _Families(families)
    )
    return page + (
        "# HELP clipper_model_metrics_dropped Samples of models that are over "
        "the bounds of this page\n"
        "# TYPE clipper_model_metrics_dropped gauge\n"
        "clipper_model_metrics_dropped %d\n" % left_out
    ).encode()


def _fetch(address: str, path: str) -> str:
    with urllib.request.urlopen(
        "http://%s%s" % (address, path), timeout=_PATIENCE
    ) as response:
        page: bytes = response.read()
    return page.decode("utf-8", "replace")


class _Endpoint(NamedTuple):
    """Where a replica serves its metrics, and whose they are."""

    address: str
    model: str
    version: str
    number: str


def _page(one: _Endpoint) -> Tuple[Dict[str, str], str]:
    """Labels and page of a replica; no page when it does not answer."""
    labels = {
        "clipper_model": one.model, "clipper_version": one.version,
        "clipper_replica": one.number,
    }
    with contextlib.suppress(OSError, http.client.HTTPException):
        return labels, _fetch(one.address, "/metrics")
    return labels, ""


def _of_supervisor(directory: str) -> Iterator[_Endpoint]:
    """The replicas of a local cluster."""
    for one in ask(directory, "state")["replicas"]:
        if one["metrics_port"] and one["pid"]:
            label, _, number = one["id"].rpartition("-")
            model, version = parse_model_container_label(label)
            yield _Endpoint("127.0.0.1:%d" % one["metrics_port"],
                            model, version, number)


def _of_status(operator: str) -> Iterator[_Endpoint]:
    """The replicas that are connected to the server of this container."""
    for one in status.containers(status.fetch(operator)):
        if one["address"]:
            yield _Endpoint(
                join_address(one["address"], CLIPPER_INTERNAL_METRIC_PORT),
                one["model"], one["version"], str(one["replica_id"]),
            )


def _operator(directory: str) -> str:
    cluster = ClusterDirectory(directory).read_json(CLUSTER) or {}
    return join_address(
        reachable(cluster["address"]), cluster["management_port"]
    )


def joined(directory: str) -> bytes:
    """The whole page of the cluster in a directory."""
    operator = _operator(directory)
    replicas = list(
        _of_supervisor(directory)
        if os.path.exists(os.path.join(directory, SETTINGS))
        else _of_status(operator)
    )
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        own = pool.submit(_fetch, operator, "/metrics/server")
        pages = list(pool.map(_page, replicas))
        return own.result().encode() + page_of(*join(pages))


def targets(directory: str) -> bytes:
    """The replicas of a frontend container, for Prometheus's HTTP discovery.
    """
    return json.dumps([
        {
            "targets": [one.address],
            "labels": {
                "clipper_model": one.model, "clipper_version": one.version,
                "clipper_replica": one.number,
            },
        }
        for one in _of_status(_operator(directory))
    ]).encode()


#: Path -> the type of its answer, and what makes it.
_PAGES = {
    "/metrics": ("text/plain; version=0.0.4; charset=utf-8", joined),
    "/metrics/targets": ("application/json", targets),
}


class _Handler(Handler):
    """Answers a GET with its page."""

    directory = ""
    timeout = 30.0

    def do_GET(self) -> None:
        """Answer with the page; nginx has its own after an error."""
        kind, make = _PAGES.get(self.path, _PAGES["/metrics"])
        try:
            code, body = 200, make(self.directory)
        except Exception as error:
            print("%r" % error, flush=True)
            code, body = 502, b""
        self.answer(code, body, kind)


def main(arguments: List[str]) -> int:
    """Serve the pages of the cluster in a directory."""
    if {"-h", "--help"} & set(arguments):
        print("usage: python -m clipper_admin metrics DIRECTORY")
        return 0
    if len(arguments) != 1:
        print("usage: python -m clipper_admin metrics DIRECTORY",
              file=sys.stderr)
        return 2
    os.chdir(arguments[0])
    handler = type(
        "ClusterHandler", (_Handler,), {"directory": os.getcwd()}
    )
    serve_unix(METRICS_SOCKET, handler)
    return 0
