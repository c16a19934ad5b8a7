"""Instants and spans of NumPy in the forms of Python's `datetime`."""

from typing import Optional

import numpy as np

#: Unit -> what NumPy leaves out of the text of an instant.
_MISSING = {"h": ":00:00", "m": ":00"}

#: Unit of a span -> its seconds, or the digits of its part of a second.
_SECONDS = {"W": 604800, "D": 86400, "h": 3600, "m": 60, "s": 1}
_PARTS = {"ms": 3, "us": 6, "ns": 9, "ps": 12, "fs": 15, "as": 18}


def instant(value: np.datetime64) -> Optional[str]:
    """ISO 8601, as `isoformat` of a `datetime` or a pandas `Timestamp`.

    A unit of a day or more has no time; NaT is None.
    """
    if np.isnat(value):
        return None
    head, _, fraction = str(value).partition(".")
    rest = _MISSING.get(np.datetime_data(value.dtype)[0], "")
    return head + rest + _fraction(fraction)


def span(value: np.timedelta64) -> Optional[str]:
    """As the `str` of a `timedelta`, with all digits; NaT is None.

    Months and years have no length, and are written as NumPy does.
    """
    if np.isnat(value):
        return None
    unit, count = np.datetime_data(value.dtype)
    number, fraction = int(value.astype(np.int64)) * count, ""
    if unit in _PARTS:
        digits = _PARTS[unit]
        number, part = divmod(number, 10 ** digits)
        fraction = "%0*d" % (digits, part)
    elif unit in _SECONDS:
        number *= _SECONDS[unit]
    else:
        return str(value)
    days, seconds = divmod(number, 86400)
    text = "%d:%02d:%02d%s" % (
        seconds // 3600, seconds // 60 % 60, seconds % 60,
        _fraction(fraction),
    )
    if not days:
        return text
    return "%d day%s, %s" % (days, "" if abs(days) == 1 else "s", text)


def _fraction(digits: str) -> str:
    """Of a second: none, or 6 digits, or more in groups of three."""
    digits = digits.rstrip("0")
    if not digits:
        return ""
    return "." + digits.ljust(max(6, -(-len(digits) // 3) * 3), "0")
