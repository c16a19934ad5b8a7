"""A name that programs import; the engine's log drivers replace it."""

from ...absent import Absent


class Fluentd(Absent):
    """The engine collects the logs."""

    instead = (
        "This package starts no fluentd. nginx and the containers log to "
        "the engine: set its log driver to send the lines elsewhere "
        "(such as docker's --log-driver=fluentd), or copy them with "
        "get_clipper_logs"
    )


class FluentdConfig(Fluentd):
    """The same for its configuration."""
