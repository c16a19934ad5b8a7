"""Errors of model directories."""


class ModelDirectoryError(Exception):
    """The directory has no model that this container can run."""
