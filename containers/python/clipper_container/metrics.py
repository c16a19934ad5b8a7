"""Metrics that a model's function reports, served as Prometheus text.

`prometheus_client` does the work: its registry also has what a function
makes with it directly. `clipper_admin.metrics` has the original's names.
"""

import http.server
import threading
from typing import Any, Dict, List, Optional

from .log import log

DEFAULT_BUCKETS = [
    5, 10, 20, 35, 50, 75, 100, 150, 200, 250, 300, 400, 500, float("inf"),
]

TYPES = ("Gauge", "Counter", "Histogram", "Summary")

_metrics: Dict[str, Any] = {}
_lock = threading.Lock()


class MetricError(Exception):
    """A metric cannot be added or reported."""


def add_metric(
    name: str,
    metric_type: str,
    description: str,
    buckets: Optional[List[float]] = None,
) -> None:
    """Add a metric; a metric that exists stays as it is.

    Args:
        name: letters, digits and `_`. `prometheus_client` adds `_total` to
            the name of a counter.
        metric_type: Gauge, Counter, Histogram or Summary.
        description: the metric's help text.
        buckets: upper bounds of a histogram, in the unit of its values.

    Raises:
        MetricError: the type is unknown or the name is not valid. From
            `clipper_admin.metrics` it is a ClipperException.
    """
    import prometheus_client

    if metric_type not in TYPES:
        raise MetricError(
            "Unknown metric type %s. It is one of %s"
            % (metric_type, ", ".join(TYPES))
        )
    if not name.isidentifier() or not name.isascii():
        raise MetricError(
            "Invalid metric name %r. It must consist of letters, digits and "
            "'_' and not begin with a digit" % name
        )
    more: Dict[str, Any] = {}
    if metric_type == "Histogram":
        more["buckets"] = sorted(float(one) for one in
                                 buckets or DEFAULT_BUCKETS)
    with _lock:
        if name in _metrics:
            return
        try:
            _metrics[name] = getattr(prometheus_client, metric_type)(
                name, description, **more
            )
        except ValueError as error:
            raise MetricError(str(error)) from None


def report_metric(name: str, val: float) -> None:
    """Set a gauge, increase a counter, or observe a value.

    Raises:
        MetricError: the metric does not exist, or the value would decrease
            a counter. From `clipper_admin.metrics` it is a ClipperException.
    """
    with _lock:
        found = _metrics.get(name)
    if found is None:
        raise MetricError(
            "Metric %s has not been added; call add_metric first" % name
        )
    value = float(val)
    if hasattr(found, "observe"):
        found.observe(value)
    elif hasattr(found, "set"):
        found.set(value)
    elif value < 0:
        raise MetricError("Counter %s can only be increased" % name)
    else:
        found.inc(value)


def exposition() -> bytes:
    """All metrics as Prometheus text."""
    import prometheus_client

    return prometheus_client.generate_latest()


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers every GET with the metrics."""

    timeout = 30.0

    def do_GET(self) -> None:
        """Answer with the metrics."""
        try:
            status, body = 200, exposition()
        except ImportError as error:
            status, body = 501, ("%s\n" % error).encode()
        self.send_response(status)
        self.send_header(
            "Content-Type", "text/plain; version=0.0.4; charset=utf-8"
        )
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


def serve(port: int, address: str = "") -> Optional[int]:
    """Serve the metrics over HTTP in a new thread.

    `prometheus_client` is loaded by the first request or metric.

    Args:
        port: port to listen on; 0 lets the system choose.
        address: address to listen on; empty for all.

    Returns:
        the port; None when it cannot be used, which is logged: a model
        serves without its metrics.
    """
    try:
        server = http.server.ThreadingHTTPServer((address, port), _Handler)
    except OSError as error:
        log("The metrics are not served on port %d: %s" % (port, error))
        return None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]
