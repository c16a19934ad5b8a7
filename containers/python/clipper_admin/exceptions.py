"""What the package raises."""

from typing import Any


class ClipperException(Exception):
    """Something that Clipper was asked for cannot be done.

    Attributes:
        msg: the reason, the first argument.
    """

    def __init__(self, msg: str, *args: Any) -> None:
        self.msg = msg
        super().__init__(msg, *args)


class UnconnectedException(ClipperException):
    """A method was called that needs a connection to a cluster.

    Attributes:
        msg, message: the fixed text.
    """

    def __init__(self, *args: Any) -> None:
        self.message = (
            "No connection to Clipper cluster. Call "
            "ClipperConnection.start_clipper to start a new cluster or "
            "ClipperConnection.connect to connect to an existing one."
        )
        super().__init__(self.message, *args)


def refused(text: str) -> ClipperException:
    """The exception of a request that breaks a rule.

    It has the form that Clipper's management service gave it, since
    programs look for parts of these texts.
    """
    return ClipperException(
        "Received error status code: 400 and message: " + text
    )
