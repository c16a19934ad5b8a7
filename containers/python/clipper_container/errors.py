"""Errors of model directories, and of what a model takes and returns."""

from typing import List


class ModelDirectoryError(Exception):
    """The directory has no model that this container can run."""


class PredictionError(Exception):
    """Inputs or outputs are malformed, such as a wrong number of outputs."""


class OutputError(TypeError):
    """An output, or a value inside one, has no JSON form.

    Args:
        problem: what is wrong with the value.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path: List[str] = []

    def __str__(self) -> str:
        place = "".join(reversed(self.path))
        return "%s%s" % ("at %s: " % place if place else "", self.problem)
