"""Errors of a container's model."""


class ModelDirectoryError(Exception):
    """The directory holds no model that this container can run."""
