"""Selection policies in C against the same formulas written in NumPy.

The NumPy side keeps its sums the other way round (it discounts what it has
before it adds), knows nothing of deltas, and is written from the formulas of
Exp3-IX, Hedge, UCB, epsilon-greedy and Beta posteriors.
"""

import ctypes

import numpy as np
import pytest

import oracle

STEPS = 10_000
HALF_LIFE = 500.0
KAPPA = 10.0
D = ctypes.c_double
DP = ctypes.POINTER(D)


@pytest.fixture(scope="module")
def lib(tmp_path_factory):
    """The policies' sources as a shared library."""
    so = oracle.build(tmp_path_factory.mktemp("oracle"), "policy_oracle")
    so.oracle_open.restype = ctypes.c_void_p
    so.oracle_open.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int,
                               DP]
    so.oracle_close.argtypes = [ctypes.c_void_p]
    so.oracle_look.argtypes = [ctypes.c_void_p, D, ctypes.c_uint64,
                               ctypes.c_int]
    so.oracle_weights.argtypes = [ctypes.c_void_p, DP]
    so.oracle_select.argtypes = [ctypes.c_void_p, ctypes.c_uint64, DP]
    so.oracle_observe.argtypes = [ctypes.c_void_p, ctypes.c_uint64,
                                  ctypes.c_int, D, DP, ctypes.c_int]
    so.oracle_rows.argtypes = [ctypes.c_void_p, ctypes.c_int, DP]
    return so


def close(got, wanted, rtol, atol):
    """As numpy.allclose, which takes longer than a step."""
    return (np.abs(got - wanted) <= atol + rtol * wanted).all()


def pointer(array):
    return array.ctypes.data_as(DP)


class Server:
    """One application of k members, as the C code has it."""

    def __init__(self, lib, policy, params, weights):
        self.lib, self.k = lib, len(weights)
        self.h = lib.oracle_open(policy.encode(), params.encode(), self.k,
                                 pointer(weights))

    def look(self, now, up, personal):
        bits = sum(1 << int(i) for i in np.flatnonzero(up))
        self.lib.oracle_look(self.h, now, bits, personal)

    def weights(self):
        out = np.empty(self.k)
        self.lib.oracle_weights(self.h, pointer(out))
        return out

    def select(self, u):
        p = D()
        serve = self.lib.oracle_select(self.h, u, ctypes.byref(p))
        return serve, p.value

    def observe(self, seen, served, propensity, losses, personal):
        bits = sum(1 << int(i) for i in np.flatnonzero(seen))
        return self.lib.oracle_observe(self.h, bits, served, propensity,
                                       pointer(losses), personal)

    def rows(self, personal, fields):
        out = np.empty(self.k * fields)
        self.lib.oracle_rows(self.h, personal, pointer(out))
        return out.reshape(self.k, fields)


# --- the formulas --------------------------------------------------------

class Sums:
    """Discounted sums, discounted in place as textbooks write it."""

    def __init__(self, k, fields):
        self.values = np.zeros((k, fields))
        self.at = None

    def age(self, now):
        if self.at is not None:
            self.values *= 2.0 ** (-(now - self.at) / HALF_LIFE)
        self.at = now


def complete(losses, cover, eta, up):
    """Sums of losses; for the rounds that a sum does not cover, what a member
    with the mean of the weights known has."""
    known = up & (cover > 1e-9)
    if not known.any():
        return losses
    scaled = losses[known] / cover[known]
    mean = np.average(np.exp(-eta * (scaled - scaled.min())),
                      weights=cover[known])
    return losses + (1 - cover) * (scaled.min() - np.log(mean) / eta)


def softmax(logs, up):
    w = np.where(up, np.exp(np.where(up, logs, 0) - logs[up].max()), 0)
    return w / w.sum()


class Shares:
    """Hedge weights with a fixed share, for the application and its user."""

    def __init__(self, eta, alpha, rounds, cover, loss):
        self.eta, self.alpha = eta, alpha
        self.columns = rounds, cover, loss

    def losses(self, values, up):
        rounds, cover, loss = (values[:, c] for c in self.columns)
        top = rounds.max()
        part = np.minimum(cover / top, 1) if top > 0 else np.ones(len(up))
        return complete(loss, part, self.eta, up)

    def weights(self, app, user, up):
        p = softmax(-self.eta * self.losses(app, up), up)
        p = np.where(up, (1 - self.alpha) * p + self.alpha / up.sum(), 0)
        if user is None:
            return p
        with np.errstate(divide="ignore"):
            logs = np.log(p) - self.eta * self.losses(user, up)
        return (1 - self.alpha) * softmax(logs, up) + self.alpha * p


class Exp3(Shares):
    params, fields = "eta=0.1 alpha=0.03", 2

    def __init__(self):
        super().__init__(0.1, 0.03, 0, 0, 1)

    def observe(self, app, up, seen, served, p, losses):
        x = np.zeros((len(up), 2))
        x[:, 0] = up
        x[served, 1] = losses[served] / (p + 0.1 / 2)
        return x


class Exp4(Shares):
    params, fields = "eta=0.3 alpha=0.05", 4

    def __init__(self):
        super().__init__(0.3, 0.05, 0, 2, 3)

    def observe(self, app, up, seen, served, p, losses):
        pi = np.clip((1 + app[:, 1]) / (1 + app[:, 0]), 0.05, 1)
        return np.stack([up * 1.0, seen * 1.0, seen / pi,
                         np.where(seen, losses, 0) / pi], axis=1)


class Counts:
    fields = 2

    def shrunk(self, app, user):
        if user is None:
            return app
        factor = np.minimum(1, KAPPA / np.maximum(app[:, 0], 1e-300))
        return app * factor[:, None] + user

    def observe(self, app, up, seen, served, p, losses):
        x = np.zeros((len(up), 2))
        x[served] = 1, losses[served]
        return x


class EpsilonGreedy(Counts):
    params = "epsilon=0.15"

    def weights(self, app, user, up):
        n, loss = self.shrunk(app, user).T
        mean = np.where(up, np.divide(loss, n, out=np.zeros(len(n)),
                                      where=n > 0), np.inf)
        best = mean == mean.min()
        return 0.15 * up / up.sum() + 0.85 * best / best.sum()


class Ucb(Counts):
    params = "kappa=10"

    def weights(self, app, user, up):
        n, loss = self.shrunk(app, user).T
        t = n[up].sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            bound = loss / n - np.sqrt(2 * np.log(max(t, 1)) / n)
        bound = np.where(n > 0, bound, -np.inf)
        best = up & (bound == bound[up].min())
        return best / best.sum()


class Thompson:
    params, fields = "kappa=10", 2

    def beta(self, app, user):
        ab = 1 + app
        if user is None:
            return ab
        return KAPPA * ab / ab.sum(axis=1, keepdims=True) + user

    def weights(self, app, user, up):
        """By brute force: densities on a fine grid of log-odds."""
        a, b = self.beta(app, user)[up].T
        z = np.linspace(-60, 60, 120_001)
        log_f = (-a[:, None] * np.logaddexp(0, -z)
                 - b[:, None] * np.logaddexp(0, z))
        f = np.exp(log_f - log_f.max(axis=1, keepdims=True))
        f /= f.sum(axis=1, keepdims=True)
        cdf = np.cumsum(f, axis=1) - f / 2
        p = np.zeros(len(up))
        p[up] = [(f[i] * np.delete(cdf, i, 0).prod(axis=0)).sum()
                 for i in range(len(a))]
        return p / p.sum()

    def observe(self, app, up, seen, served, p, losses):
        x = np.zeros((len(up), 2))
        x[served] = 1 - losses[served], losses[served]
        return x


class Fixed:
    params, fields = "", 0

    def __init__(self, link_weights):
        self.link_weights = link_weights

    def weights(self, app, user, up):
        w = self.link_weights * up
        return w / w.sum()

    def observe(self, *args):
        return None


# --- random walks --------------------------------------------------------

class Walk:
    """The same random queries and feedbacks for both sides."""

    def __init__(self, lib, name, formula, link_weights, seed, hard):
        self.rng = np.random.default_rng(seed)
        self.formula, self.hard, self.k = formula, hard, len(link_weights)
        params = formula.params
        if formula.fields:
            params += f" half_life={HALF_LIFE:.0f}s"
        self.server = Server(lib, name, params, link_weights)
        self.app = Sums(self.k, formula.fields)
        self.user = Sums(self.k, formula.fields)
        self.now = 1.7e9
        self.means = self.rng.uniform(size=self.k)
        self.excess = np.zeros(self.k)
        self.variance = np.zeros(self.k)

    def situation(self):
        """Time passes; who is up, and does the user ask?"""
        self.now += self.rng.exponential()
        up, personal = np.ones(self.k, bool), False
        if self.hard:
            up = self.rng.uniform(size=self.k) < 0.8
            up[self.rng.integers(self.k)] = True
            personal = bool(self.rng.uniform() < 0.3)
        self.server.look(self.now, up, personal)
        self.app.age(self.now)
        self.user.age(self.now)
        return up, personal

    def drawn(self, serve, propensity, p, u):
        """The served one is where u falls on the cumulated shares."""
        x = (u >> 11) * 2.0 ** -53
        assert serve == np.searchsorted(np.cumsum(p), x, side="right")
        assert abs(propensity - p[serve]) <= 1e-9 * p[serve]

    def sampled(self, serve, p):
        self.excess += (np.arange(self.k) == serve) - p
        self.variance += p * (1 - p)

    def step(self, t):
        o, s = self.formula, self.server
        up, personal = self.situation()
        user = self.user.values if personal else None
        u = int(self.rng.integers(2 ** 64, dtype=np.uint64))
        serve, propensity = s.select(u)
        sampling = isinstance(o, Thompson)

        if not sampling or t % 200 == 0:
            p = o.weights(self.app.values, user, up)
            rtol, atol = (1e-2, 1e-5) if sampling else (1e-8, 1e-13)
            assert close(s.weights(), p, rtol, atol), (t, s.weights(), p)
        if sampling:
            assert propensity == -1 and up[serve]
            self.sampled(serve, s.weights())
        elif serve == -1:
            assert propensity == -1
        else:
            self.drawn(serve, propensity, p, u)

        self.learn(up, personal, serve, propensity)
        if t % 20 == 0 and o.fields:
            self.compare(up)

    def compare(self, up):
        s, fields = self.server, self.formula.fields
        s.look(self.now, up, True)
        np.testing.assert_allclose(s.rows(False, fields), self.app.values,
                                   rtol=1e-9)
        np.testing.assert_allclose(s.rows(True, fields), self.user.values,
                                   rtol=1e-9)

    def learn(self, up, personal, serve, propensity):
        rng, o, s = self.rng, self.formula, self.server
        losses = np.clip(rng.normal(self.means, 0.3), 0, 1)
        seen = up & (np.arange(self.k) == serve)
        if serve == -1:
            slow = 0.6 if self.hard else 0.0
            seen = up & (rng.uniform(size=self.k) >= slow * self.means)
        x = o.observe(self.app.values, up, seen, serve, propensity, losses)
        assert bool(s.observe(seen, serve, propensity, losses, personal)) \
            == (x is not None)
        if x is None:
            return
        self.app.values += x
        self.user.values += x * personal


POLICIES = {"exp3": Exp3, "exp4": Exp4, "epsilon_greedy": EpsilonGreedy,
            "ucb": Ucb, "thompson": Thompson}


@pytest.mark.parametrize("hard", [False, True], ids=["plain", "hard"])
@pytest.mark.parametrize("name", POLICIES)
def test_learning_policy_is_its_formula(lib, name, hard):
    """Catches: any deviation of weights, choice, propensity or state from the
    formulas over 10 000 random steps; `hard` adds members that come and go,
    late answers, and a user with a state of her own."""
    walk = Walk(lib, name, POLICIES[name](), np.ones(5), 1, hard)
    for t in range(STEPS):
        walk.step(t)
    if name == "thompson":
        z = walk.excess / np.sqrt(walk.variance)
        assert np.abs(z).max() < 4.5, z


@pytest.mark.parametrize("name", ["first", "split", "majority", "mean"])
def test_fixed_policy_is_its_formula(lib, name):
    """Catches: members without a replica that keep a share, weights that are
    not the links', feedback that changes a policy without a state."""
    links = np.array([5.0, 1.0, 3.0, 0.5])
    formula = Fixed(links)
    if name == "first":
        formula.weights = lambda app, user, up: \
            (np.arange(4) == np.argmax(up)) * 1.0
    walk = Walk(lib, name, formula, links, 2, True)
    for t in range(STEPS):
        walk.step(t)
