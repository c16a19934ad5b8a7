"""The script that adds deltas in Redis, against its model."""

import collections
import math
import random
import re
from pathlib import Path

import pytest


def script():
    """The script that adds deltas, from the module's source."""
    source = Path(__file__).resolve().parent.parent / "src"
    text = (source / "query/ngx_http_clipper_state_flush.c").read_text()
    text = text.split("state_script[] =", 1)[1].split(";\n\n", 1)[0]
    return "".join(re.findall(r'"(.*)\\n"', line)[0] + "\n"
                   for line in text.strip().splitlines())


class Forward:
    """Forward-decayed sums as clipper_policy_state.h has them."""

    def __init__(self, n):
        self.t0 = self.t1 = self.rate = self.u0 = self.mu = self.v = 0.0
        self.sums = [0.0] * n

    def scale(self, factor):
        self.sums = [s * factor for s in self.sums]
        self.v *= factor

    def growth(self):
        return math.exp(-self.u0) + self.mu * self.v if self.mu else 1.0

    def clock(self):
        return self.u0 + math.log(self.growth())

    def add(self, now, t, rate, u, mu, v, deltas):
        ahead = max(self.t0, self.t1) - now
        self.t0 -= ahead if ahead > 60 else 0
        self.t1 = now
        if mu != self.mu:
            growth = self.growth()
            self.u0 += math.log(growth)
            self.scale(1 / growth)
            self.v = (1 - math.exp(-self.u0)) / mu if mu else self.v
            self.mu = mu
        if u - self.u0 > 64:
            self.scale(math.exp(self.u0 - u))
            self.u0 = u
        self.v += v * math.exp(u - self.u0)
        age = t - self.t0
        if (age > 0 if rate != self.rate else rate * age > 64):
            factor = math.exp(-self.rate * age)
            self.sums = [s * factor for s in self.sums]
            self.t0, age = t, 0.0
        self.rate = rate
        factor = math.exp(rate * age + u - self.u0)
        self.sums = [s + d * factor for s, d in zip(self.sums, deltas)]


def test_script_adds_as_policies_do(redis):
    """Catches arithmetic of the script that differs from the module's: times
    that move, half-lives that change, deltas out of order, numbers twice,
    clocks that are set back. The script may not ask Redis for the time, so it
    is the test's."""
    store, text, rng = redis(), script(), random.Random(3)
    store("ACL", "SETUSER", "default", "-time")
    wanted, now, seqs = Forward(3), 1.7e9, collections.Counter()
    for i in range(2000):
        now += rng.expovariate(1) * rng.choice((0.01, 1, 1, 30))
        now -= {700: 100, 900: 50, 1100: 86400, 1300: 3e6}.get(i, 0)
        rate = 0.5 if i < 1500 else 0.25
        # half-lives of about two feedbacks, so that clocks move, of many, none
        mu = (0.4, 0.4, 0.001, 0.0, 0.4)[i // 400]
        u = max(0.0, wanted.clock() - rng.choice((0, 0, 1.0)))
        v = float(rng.randrange(1, 4))
        t = now - rng.choice((0, 0, 3.0))
        source = f"@{rng.randrange(3)}"
        deltas = [rng.random() * rng.randrange(2) for _ in range(3)]
        seqs[source] += 1
        args = [source, seqs[source], repr(now - t), repr(rate), repr(u),
                repr(mu), repr(v), 20, repr(now)]
        for name, delta in zip(("m:1/a", "m:1/b", "n:2/a"), deltas):
            args += [name, repr(delta)]
        wanted.add(now, t, rate, u, mu, v, deltas)
        for _ in range(rng.choice((1, 1, 2))):
            got = store("EVAL", text, 1, "k", *args)
        numbers = [float(v or 0) for v in got]
        assert numbers[:3] == pytest.approx([now, wanted.t0, wanted.rate],
                                            rel=1e-15)
        assert numbers[3:6] == pytest.approx(
            [wanted.u0, wanted.mu, wanted.v], rel=1e-9)
        assert numbers[6:8] == [wanted.t1, seqs[source]]
        assert numbers[8:] == pytest.approx(wanted.sums, rel=1e-9)
    for i in range(100):
        store("EVAL", text, 1, "k", f"@x{i}", 1, 0, 0.25, 0, 0.4, 1,
              0, now, "m:1/a", "1")
    sources = [f for f in store.state("k") if f[0] == "@"]
    assert len(sources) == 16 and "@x99" in sources and "@0" not in sources
