"""What explains what in `make soak-server`, without a server."""

import pytest

from soak.judge import (EXPLAINS, INFINITY, REASONS, SLO, STANDSTILL, Fault,
                        Seen, Versions, allowed, explanation, grows, is_one_of,
                        last_quarter, late, outputs, slope)


@pytest.mark.parametrize("kind", [*REASONS, "late", "connection", "wrong"])
def test_nothing_is_explained_without_a_fault(kind):
    """Catches a problem that is taken for none."""
    assert explanation(Seen(kind, 10, 11), [], []) is None
    early = [Fault(fault, 0, 10 - 2 * tail)
             for fault, (_, tail) in EXPLAINS.items()]
    assert explanation(Seen(kind, 10, 11), early, []) is None
    soon = [Fault(fault, 11.5, 12) for fault in EXPLAINS]
    assert explanation(Seen(kind, 10, 11), soon, []) is None


@pytest.mark.parametrize("fault, kind", [
    (fault, kind) for fault, (kinds, _) in EXPLAINS.items()
    for kind in sorted(kinds)])
def test_a_fault_explains_what_it_may_cause(fault, kind):
    """Catches a problem that a fault has caused: during it, in its tail, and
    while its end is not known."""
    tail = EXPLAINS[fault][1]
    for one in (Fault(fault, 10, 11), Fault(fault, 5, 11.9 - tail),
                Fault(fault, 5, INFINITY)):
        assert explanation(Seen(kind, 11, 12), [one], []) == fault
    assert explanation(Seen(kind, 10.5, 12), [Fault(fault, 10, 11)],
                       []) == fault
    assert explanation(Seen(kind, 11 + tail / 2, 20), [Fault(fault, 10, 11)],
                       []) == fault
    assert explanation(Seen(kind, 11 + tail, 20), [Fault(fault, 10, 11)],
                       []) is None


def test_a_fault_explains_nothing_else():
    """Catches a fault that excuses everything: a wrong or a late answer by
    any fault, a lost connection by another one than a killed worker."""
    for fault in EXPLAINS:
        during = [Fault(fault, 0, 100)]
        assert explanation(Seen("wrong", 10, 11), during, []) is None
        assert explanation(Seen("late", 10, 11), during, []) is None
        if fault != "worker killed":
            assert explanation(Seen("connection", 10, 11), during,
                               []) is None
    for fault in ("redis killed", "redis stopped", "reload", "junk",
                  "replica killed"):
        assert explanation(Seen("deadline", 10, 11), [Fault(fault, 0, 100)],
                           []) is None


@pytest.mark.parametrize("kind", sorted(STANDSTILL))
def test_a_standstill_explains_defaults(kind):
    """Catches a default of a machine that stood still, and one that is
    excused by a shorter moment, or by one at another time."""
    seen = Seen(kind, 10, 10 + SLO)
    assert explanation(seen, [], [(10, 10 + SLO / 2)]) == "standstill"
    assert explanation(seen, [], [(10 - SLO / 2, 10)]) == "standstill"
    assert explanation(seen, [], [(10, 10 + SLO / 8)]) is None
    assert explanation(seen, [], [(0, 10 - SLO), (10 + SLO, 99)]) is None


def test_a_standstill_explains_nothing_else():
    """Catches a lost connection or a wrong answer that is excused by it."""
    for kind in ("wrong", "late", "connection", "queue_full",
                 "low_confidence"):
        assert explanation(Seen(kind, 10, 13), [], [(0, 99)]) is None


def test_late_answers():
    """Catches an answer after the SLO, the floor and the standstills, and one
    on time."""
    assert not late(10, 10 + SLO + 0.04, [], 0.05)
    assert late(10, 10 + SLO + 0.06, [], 0.05)
    assert not late(10, 10 + SLO + 0.16, [(11, 11.2)], 0.05)
    assert late(10, 10 + SLO + 0.26, [(11, 11.2)], 0.05)
    assert late(10, 10 + SLO + 0.16, [(20, 21)], 0.05)
    assert allowed(3600, False) < allowed(3600, True) < allowed(120, False)


def test_versions():
    """Catches an answer of the version before after the change is complete,
    and of the next one before it began."""
    versions = Versions({"a": 1, "b": 7})
    change = versions.change("a", 2, 10)
    assert versions.valid("a", 5, 6) == {1}
    assert versions.valid("a", 9, 11) == {1, 2}
    assert versions.valid("a", 50, 51) == {1, 2}
    versions.settled(change, 20)
    assert versions.valid("a", 19, 30) == {1, 2}
    assert versions.valid("a", 20, 30) == {2}
    versions.settled(versions.change("a", 1, 40), 50)
    assert versions.valid("a", 5, 6) == {1}
    assert versions.valid("a", 21, 22) == {2}
    assert versions.valid("a", 60, 61) == {1}
    assert versions.valid("b", 15, 16) == {7}


def test_outputs():
    """Catches an output of another input, model or version."""
    assert outputs(3, [{11}, {21, 22}]) == {3011, 3021, 3022}
    assert outputs(3, [{11}, {21, 22}], mean=True) == {
        3011, 3021, 3022, 3016, 3016.5}
    assert is_one_of(3016.5, {3016.5}) and is_one_of(3011.0, {3011})
    for wrong in (3012, "3011", True, None, [3011], 4011):
        assert not is_one_of(wrong, {3011, 3021})
    large = outputs(1e6 + 3, [{11}])
    assert is_one_of(1000003011.0, large)
    assert not is_one_of(1000003012.0, large)
    assert not is_one_of(1000003011.01, large)


def wave(growth, count=240):
    return [(5.0 * i, 1000.0 + growth * i + 30 * ((i * 7919) % 13 - 6))
            for i in range(count)]


def test_slopes():
    """Catches growth that is not seen below the noise, and noise that is
    taken for growth."""
    found, error = slope(wave(2.0))
    assert abs(found - 0.4) < 4 * error < 0.1
    assert grows(wave(2.0), 100)
    assert not grows(wave(0.0), 0)
    assert not grows(wave(-2.0), 0)
    assert not grows(wave(2.0), 1000)
    assert not grows([], 0) and not grows([(0.0, 1.0)], 0)
    assert not grows(wave(2.0, 8), 0)
    assert [t for t, _ in last_quarter(wave(0, 5))] == [15.0, 20.0]
