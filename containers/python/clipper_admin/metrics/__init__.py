"""Metrics that a model's function reports.

    from clipper_admin import metrics

    metrics.add_metric("confidence", "Histogram", "best class", [0.5, 1])
    metrics.report_metric("confidence", 0.7)

Each container serves them as Prometheus text on the port in the environment
variable CLIPPER_METRICS_PORT: 1390 with an engine, a port of its own in a local
cluster with `model_metrics=True`, which also joins them in `/metrics`.
"""

from .client import DEFAULT_BUCKETS, TYPES, add_metric, report_metric
from .server import exposition, serve

__all__ = [
    "DEFAULT_BUCKETS",
    "TYPES",
    "add_metric",
    "exposition",
    "report_metric",
    "serve",
]
