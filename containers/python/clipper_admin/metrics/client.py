"""What a model's function calls, under the original's names."""

from typing import List, Optional

from clipper_container import metrics
from clipper_container.metrics import DEFAULT_BUCKETS, TYPES, MetricError

from ..exceptions import ClipperException

__all__ = ["DEFAULT_BUCKETS", "TYPES", "add_metric", "report_metric"]


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
        ClipperException: the type is unknown or the name is not valid.
    """
    try:
        metrics.add_metric(name, metric_type, description, buckets)
    except MetricError as error:
        raise ClipperException(str(error)) from None


def report_metric(name: str, val: float) -> None:
    """Set a gauge, increase a counter, or observe a value.

    Raises:
        ClipperException: the metric does not exist, or the value would
            decrease a counter.
    """
    try:
        metrics.report_metric(name, val)
    except MetricError as error:
        raise ClipperException(str(error)) from None
