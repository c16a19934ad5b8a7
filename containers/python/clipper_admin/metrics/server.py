"""The endpoint of a container's metrics.

The runtime serves it; the original had a process and a Redis for it.
"""

from clipper_container import metrics


def exposition() -> str:
    """What `serve` answers with, as `str`."""
    return metrics.exposition().decode("utf-8")


def serve(port: int) -> None:
    """Serve the metrics over HTTP in a new thread, on all addresses.

    Containers do so on the port in CLIPPER_METRICS_PORT.

    Args:
        port: port to listen on.
    """
    metrics.serve(port)
