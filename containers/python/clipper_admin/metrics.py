"""Metrics that a model's function reports.

    from clipper_admin import metrics

    metrics.add_metric("confidence", "Histogram", "best class", [0.5, 1])
    metrics.report_metric("confidence", 0.7)

A container serves them as Prometheus text on the port in the environment
variable CLIPPER_METRICS_PORT, when it is set.
"""

import threading
from typing import Callable, Dict, List, Optional, Tuple

from .exceptions import ClipperException

DEFAULT_BUCKETS = [
    5, 10, 20, 35, 50, 75, 100, 150, 200, 250, 300, 400, 500, float("inf"),
]

TYPES = ("Gauge", "Counter", "Histogram", "Summary")


class _Metric:
    """One metric: its values and its text."""

    def __init__(
        self, name: str, kind: str, description: str, buckets: List[float]
    ) -> None:
        self.name = name
        self.kind = kind
        self.description = description
        self.value = 0.0
        self.count = 0
        bounds = sorted(float(one) for one in buckets)
        if not bounds or bounds[-1] != float("inf"):
            bounds.append(float("inf"))
        self.buckets: List[Tuple[float, int]] = [(one, 0) for one in bounds]

    def report(self, value: float) -> None:
        if self.kind == "Gauge":
            self.value = value
            return
        if self.kind == "Counter" and value < 0:
            raise ClipperException(
                "Counter %s can only be increased" % self.name
            )
        self.value += value
        self.count += 1
        if self.kind == "Histogram":
            self.buckets = [
                (bound, count + (value <= bound))
                for bound, count in self.buckets
            ]

    def lines(self) -> List[str]:
        text = self.description.replace("\\", "\\\\").replace("\n", "\\n")
        lines = [
            "# HELP %s %s" % (self.name, text),
            "# TYPE %s %s" % (self.name, self.kind.lower()),
        ]
        if self.kind in ("Gauge", "Counter"):
            return lines + ["%s %s" % (self.name, repr(self.value))]
        if self.kind == "Histogram":
            for bound, count in self.buckets:
                edge = "+Inf" if bound == float("inf") else repr(bound)
                lines.append(
                    '%s_bucket{le="%s"} %d' % (self.name, edge, count)
                )
        lines.append("%s_sum %s" % (self.name, repr(self.value)))
        lines.append("%s_count %d" % (self.name, self.count))
        return lines


_metrics: Dict[str, _Metric] = {}
_lock = threading.Lock()


def add_metric(
    name: str,
    metric_type: str,
    description: str,
    buckets: Optional[List[float]] = None,
) -> None:
    """Add a metric; a metric that exists stays as it is.

    Args:
        name: letters, digits and `_`.
        metric_type: Gauge, Counter, Histogram or Summary.
        description: the metric's help text.
        buckets: upper bounds of a histogram, in the unit of its values.

    Raises:
        ClipperException: the type is unknown or the name is not valid.
    """
    if metric_type not in TYPES:
        raise ClipperException(
            "Unknown metric type %s. It is one of %s"
            % (metric_type, ", ".join(TYPES))
        )
    if not name.isidentifier() or not name.isascii():
        raise ClipperException(
            "Invalid metric name %r. It must consist of letters, digits and "
            "'_' and not begin with a digit" % name
        )
    with _lock:
        if name not in _metrics:
            _metrics[name] = _Metric(
                name, metric_type, description, buckets or DEFAULT_BUCKETS
            )


def report_metric(name: str, val: float) -> None:
    """Set a gauge, increase a counter, or observe a value.

    Raises:
        ClipperException: the metric does not exist, or the value would
            decrease a counter.
    """
    with _lock:
        if name not in _metrics:
            raise ClipperException(
                "Metric %s has not been added; call add_metric first" % name
            )
        _metrics[name].report(float(val))


def exposition() -> str:
    """All metrics as Prometheus text."""
    with _lock:
        return "".join(
            line + "\n" for one in _metrics.values() for line in one.lines()
        )


def serve(port: int, more: Callable[[], str] = str) -> None:
    """Serve the metrics over HTTP in a new thread.

    Args:
        port: port to listen on, on all addresses.
        more: returns text to add to the metrics.
    """
    import http.server

    class Handler(http.server.BaseHTTPRequestHandler):
        """Answers every GET with the metrics."""

        def do_GET(self) -> None:
            body = (exposition() + more()).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
