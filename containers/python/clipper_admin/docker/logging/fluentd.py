"""A name that programs import; the engine's log drivers replace it."""

from typing import Any

from ...exceptions import ClipperException


class Fluentd:
    """Raises a ClipperException that says what to use instead."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise ClipperException(
            "This package starts no fluentd. nginx and the containers log to "
            "the engine: set its log driver to send the lines elsewhere "
            "(such as docker's --log-driver=fluentd), or copy them with "
            "get_clipper_logs"
        )


class FluentdConfig(Fluentd):
    """The same for its configuration."""
