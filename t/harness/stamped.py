"""Logs whose lines have time, model and replica."""

import os
import re
import sys

from clipper_container import stamp

STAMP = rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d "
ISOLATED = [sys.executable, "-I", "-S", stamp.__file__]
MODEL = {"CLIPPER_MODEL_NAME": "m", "CLIPPER_MODEL_VERSION": "1"}


def read(path):
    with open(path, "rb") as f:
        return f.read()


def count(path):
    """Lines of a file that may be missing."""
    return read(path).count(b"\n") if os.path.exists(path) else 0


def texts(data, who=rb"m:1 [0-9a-f]{8} "):
    """Texts of stamped lines; fails when one lacks its stamp, or its end."""
    assert data.endswith(b"\n"), data[-100:]
    head = re.compile(STAMP + who)
    lines = data[:-1].split(b"\n")
    assert all(head.match(one) for one in lines), \
        [one for one in lines if not head.match(one)][:10]
    return [head.sub(b"", one) for one in lines]
