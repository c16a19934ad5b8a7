"""Exceptions of the package."""

from typing import Any


#: Begins the text of a request that is not valid.
REFUSED = "Received error status code: 400 and message: "


class ClipperException(Exception):
    """Clipper cannot do what the program asked for.

    Attributes:
        msg: the reason, which is the first argument.
    """

    def __init__(self, msg: str, *args: Any) -> None:
        self.msg = msg
        super().__init__(msg, *args)


class UnconnectedException(ClipperException):
    """A method needs a connection to a cluster, and there is none.

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
    """The exception for a request that is not valid.

    Its text has the form of Clipper's management service: programs search
    for parts of it.
    """
    return ClipperException(REFUSED + text)
