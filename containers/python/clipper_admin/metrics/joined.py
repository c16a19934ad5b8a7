"""The metrics of the server and of all models of a local cluster, as one page.

    python -m clipper_admin metrics DIRECTORY

nginx passes `/metrics` to this service when the manager was made with
`model_metrics=True`; the server's own page is at `/metrics/server`. Each
sample of a model gets the labels `clipper_model`, `clipper_version` and
`clipper_replica`. Names and samples are bounded, and what is left out is
counted.
"""

import concurrent.futures
import contextlib
import os
import sys
import urllib.request
from typing import Any, Dict, Iterable, Iterator, List, Tuple

from ..containers import parse_model_container_label
from ..local.control import ask
from ..local.directory import CLUSTER, ClusterDirectory
from ..local.service import Handler, serve_unix

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
    from prometheus_client import Metric  # type: ignore[attr-defined]
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
        _Families(families)  # type: ignore[arg-type]
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
        return response.read().decode("utf-8", "replace")


def _page(one: Dict[str, Any]) -> Tuple[Dict[str, str], str]:
    """Labels and page of a replica; no page when it does not answer."""
    label, _, number = one["id"].rpartition("-")
    model, version = parse_model_container_label(label)
    labels = {
        "clipper_model": model, "clipper_version": version,
        "clipper_replica": number,
    }
    with contextlib.suppress(OSError):
        return labels, _fetch(
            "127.0.0.1:%d" % one["metrics_port"], "/metrics"
        )
    return labels, ""


def joined(directory: str) -> bytes:
    """The whole page of the cluster in a directory."""
    from ..address import join as join_address
    from ..address import reachable

    cluster = ClusterDirectory(directory).read_json(CLUSTER) or {}
    operator = join_address(
        reachable(cluster["address"]), cluster["management_port"]
    )
    replicas = [
        one for one in ask(directory, "state")["replicas"]
        if one["metrics_port"] and one["pid"]
    ]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        own = pool.submit(_fetch, operator, "/metrics/server")
        pages = list(pool.map(_page, replicas))
        return own.result().encode() + page_of(*join(pages))


class _Handler(Handler):
    """Answers every GET with the page."""

    directory = ""
    timeout = 30.0

    def do_GET(self) -> None:
        """Answer with the page; nginx has its own after an error."""
        try:
            status, body = 200, joined(self.directory)
        except Exception as error:
            print("%r" % error, flush=True)
            status, body = 502, b""
        self.answer(
            status, body, "text/plain; version=0.0.4; charset=utf-8"
        )

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


def main(arguments: List[str]) -> int:
    """Serve the cluster in a directory until a signal ends the process."""
    if len(arguments) != 1:
        print("usage: python -m clipper_admin metrics DIRECTORY",
              file=sys.stderr)
        return 2
    os.chdir(arguments[0])
    handler = type(
        "ClusterHandler", (_Handler,), {"directory": os.getcwd()}
    )
    serve_unix("metrics.sock", handler)
    return 0
