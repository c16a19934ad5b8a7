"""The original's central logging, see `fluentd`."""
