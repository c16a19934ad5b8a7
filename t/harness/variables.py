"""A server with all variables of the module in its access log."""

import pytest

from .util import wait_until

NAMES = ("app", "query_id", "outcome", "default_reason", "models", "model",
         "propensity", "uid", "confidence", "queue_time", "model_time",
         "batch_size")
LOG = ("log_format v '" + ";".join(f"{n}=$clipper_{n}" for n in NAMES)
       + "';\n")


@pytest.fixture
def logged(nginx):
    """A function that starts a server, and one that returns the variables
    of its n-th request as a dictionary."""
    def start(server, http="", **kw):
        made = nginx("access_log v.log v;\n" + server, http=LOG + http, **kw)
        made.lines = 0

        def last():
            text = made.dir / "v.log"
            wait_until(lambda: text.exists() and len(
                text.read_text().splitlines()) > made.lines)
            line = text.read_text().splitlines()[made.lines]
            made.lines += 1
            values = dict(part.split("=", 1) for part in line.split(";"))
            assert tuple(values) == NAMES
            return values

        return made, last

    return start
