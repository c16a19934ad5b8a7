"""What explains what. Pure: no clock, no input, no output.

Times are seconds of one monotonic clock.
"""

import itertools
import math

INFINITY = math.inf

#: Seconds that an application has for an answer.
SLO = 3.0

#: Reasons of defaults, as docs/reference.md lists them.
REASONS = ("no_replica", "deadline", "queue_full", "low_confidence",
           "model_error", "shedding")

#: What a fault explains, and for how many seconds after its end. Defaults are
#: known when the SLO of a query that began during the fault is over. Kinds
#: that are not here explain nothing.
EXPLAINS = {
    # its connections, and all that its replicas had in hand
    "worker killed": ({"connection", "no_replica", "deadline", "model_error",
                       "queue_full", "shedding"}, SLO),
    # a batch that is held, or that is lost and asked again with less time
    "replica hung": ({"deadline", "shedding", "model_error"}, SLO),
    "replica slow": ({"deadline", "shedding"}, SLO),
    # a reply that cannot be used fails its batch
    "replica lied": ({"model_error"}, SLO),
    # a label of a query that no record is left of, until nginx has tried to
    # connect again: after a pause of 7.5 s at most
    "redis killed": ({"not kept"}, 10.0),
    "redis stopped": ({"not kept"}, 10.0),
}

#: Defaults that a machine causes on which nobody gets the CPU: the containers
#: of the run are late together, so that their batches are lost.
STANDSTILL = {"deadline", "model_error", "no_replica", "shedding"}

#: Runs of at least so many seconds are judged by the machine's own lateness
#: and by slopes.
LONG = 1200.0


class Fault:
    """Something that was done to the server, from ``begin`` to ``end``: until
    then the end is not known."""

    def __init__(self, kind, begin, end=INFINITY, detail=""):
        self.kind, self.begin, self.end = kind, begin, end
        self.detail = detail

    def __repr__(self):
        return f"{self.kind} {self.detail} {self.begin:.1f}-{self.end:.1f}"


class Seen:
    """Something that a client saw that should not be, unless explained:
    ``kind`` is a reason of a default, "connection", "late", "wrong", or "not
    kept" of a label."""

    def __init__(self, kind, begin, end, text=""):
        self.kind, self.begin, self.end = kind, begin, end
        self.text = text

    def __repr__(self):
        return f"{self.kind} {self.begin:.2f}-{self.end:.2f} {self.text}"


def overlap(begin, end, gaps):
    """Seconds between two times that are in gaps, each (begin, end)."""
    return sum(max(0.0, min(end, b) - max(begin, a)) for a, b in gaps)


def explanation(seen, faults, gaps):
    """Why this could be seen, or None: then it is a problem."""
    if seen.kind == "wrong":
        return None
    for fault in reversed(faults):
        kinds, tail = EXPLAINS.get(fault.kind, ((), 0.0))
        if seen.kind in kinds and seen.begin < fault.end + tail \
                and seen.end > fault.begin:
            return fault.kind
    if seen.kind in STANDSTILL \
            and overlap(seen.begin - SLO, seen.end, gaps) > SLO / 4:
        return "standstill"
    return None


def allowed(seconds, checked):
    """Seconds by which an answer may be later than the SLO, besides the time
    for which the machine stood still."""
    if seconds < LONG:
        return SLO
    return 0.2 if checked else 0.05


def late(begin, end, gaps, floor):
    """Whether an answer came later than SLO, floor and the standstills."""
    over = end - begin - SLO - floor
    return over > 0 and over > overlap(begin, end, gaps)


class Versions:
    """Which version of each model may answer, and when."""

    def __init__(self, first):
        self.now = dict(first)
        self.changes = []

    def change(self, model, version, begin):
        """From ``begin`` on either version may answer, until ``settled``."""
        made = [model, self.now[model], version, begin, INFINITY]
        self.changes.append(made)
        self.now[model] = version
        return made

    def settled(self, change, end):
        change[4] = end

    def valid(self, model, begin, end):
        """The versions that may answer a query between two times."""
        found, current = set(), None
        for name, old, new, start, stop in self.changes:
            if name != model:
                continue
            if current is None:
                current = old
            if begin < stop and end > start:
                found |= {old, new}
            if start <= begin:
                current = new
        if not found:
            found.add(self.now[model] if current is None else current)
        return found


def outputs(value, codes, mean=False):
    """The outputs of models with these codes for an input. ``mean``: of any
    number of them together; ``codes`` has then a set for each model."""
    if not mean:
        return {value * 1000 + code for one in codes for code in one}
    found = set()
    for chosen in itertools.product(*(sorted(one) + [None] for one in codes)):
        chosen = [code for code in chosen if code is not None]
        if chosen:
            found.add(value * 1000 + sum(chosen) / len(chosen))
    return found


def is_one_of(output, expected):
    """Whether a number is one of these, but for the last bits of a mean."""
    return isinstance(output, (int, float)) and not isinstance(output, bool) \
        and any(abs(output - one) <= 1e-3 for one in expected)


def slope(samples, blocks=12):
    """The slope of (time, value) by least squares over the means of blocks,
    and its standard error: neighbours in a block are not independent."""
    size = len(samples) // blocks
    if size == 0:
        return 0.0, INFINITY
    points = []
    for i in range(blocks):
        part = samples[i * size:(i + 1) * size]
        points.append((sum(t for t, _ in part) / size,
                       sum(v for _, v in part) / size))
    mt = sum(t for t, _ in points) / blocks
    mv = sum(v for _, v in points) / blocks
    square = sum((t - mt) ** 2 for t, _ in points)
    if square == 0:
        return 0.0, INFINITY
    found = sum((t - mt) * (v - mv) for t, v in points) / square
    rest = sum((v - mv - found * (t - mt)) ** 2 for t, v in points)
    return found, math.sqrt(rest / (blocks - 2) / square)


def grows(samples, least):
    """Whether values grow: by more than four standard errors, and by more
    than ``least`` over the samples, below which it does not matter."""
    if len(samples) < 2:
        return False
    found, error = slope(samples)
    return found > 4 * error \
        and found * (samples[-1][0] - samples[0][0]) > least


def last_quarter(samples):
    """The samples of the last quarter of the time."""
    if not samples:
        return []
    begin = samples[0][0] + (samples[-1][0] - samples[0][0]) * 0.75
    return [one for one in samples if one[0] >= begin]
