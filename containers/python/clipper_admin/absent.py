"""Names of the original that have no part here, so that imports work."""

from typing import Any, Callable

from .exceptions import ClipperException


class Absent:
    """Cannot be made; the error says what to use instead.

    Attributes:
        instead: text of the error.
    """

    instead = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise ClipperException(self.instead)


def absent(module: str, name: str, instead: str) -> Callable[..., None]:
    """A function that raises a ClipperException.

    Args:
        module: that has the function.
        name: of the function.
        instead: text of the error.
    """

    def refuse(*args: Any, **kwargs: Any) -> None:
        """Raises a ClipperException that says what to use instead."""
        raise ClipperException(instead)

    refuse.__module__ = module
    refuse.__name__ = refuse.__qualname__ = name
    return refuse
