"""Selection policies in C against the same formulas written in NumPy.

The NumPy side keeps its sums the other way round (it discounts the old sum
before it adds), has no deltas, and is written from the formulas of
Exp3-IX, Hedge, UCB, epsilon-greedy and Beta posteriors.
"""

import ctypes

import numpy as np
import pytest

import oracle

STEPS = 10_000
HALF_LIFE = 500.0
FEEDBACKS = 700.0
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
    so.oracle_answers.argtypes = [ctypes.c_void_p, ctypes.c_uint64,
                                  ctypes.POINTER(ctypes.c_int)]
    so.oracle_confidence.argtypes = [ctypes.c_void_p, ctypes.c_int, D]
    so.oracle_confidence.restype = D
    return so


def close(got, wanted, rtol, atol):
    """Like numpy.allclose, which takes longer than a step."""
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

    def rows(self, personal, shape):
        out = np.empty(shape[0] * shape[1])
        self.lib.oracle_rows(self.h, personal, pointer(out))
        return out.reshape(shape)

    def answers(self, answered, outputs):
        bits = sum(1 << int(i) for i in np.flatnonzero(answered))
        array = np.ascontiguousarray(outputs, np.intc)
        self.lib.oracle_answers(
            self.h, bits, array.ctypes.data_as(ctypes.POINTER(ctypes.c_int)))

    def confidence(self, first, share):
        return self.lib.oracle_confidence(self.h, int(first), share)


# --- the formulas --------------------------------------------------------

class Sums:
    """Sums discounted in place, as in textbooks: by time, and by each
    feedback."""

    def __init__(self, k, fields):
        self.values = np.zeros((k, fields))
        self.at = None

    def age(self, now):
        if self.at is not None:
            self.values *= 2.0 ** (-(now - self.at) / HALF_LIFE)
        self.at = now

    def add(self, x):
        self.values = (self.values + x) * 2.0 ** (-1 / FEEDBACKS)


def complete(losses, cover, eta, up):
    """Sums of losses; a round that a sum does not cover counts as the loss of
    a member with the mean of the known weights."""
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


def shares(sums, eta, alpha, up):
    p = softmax(-eta * sums, up)
    return np.where(up, (1 - alpha) * p + alpha / up.sum(), 0)


def losses_of(values, columns, eta, up):
    """(sums for all rounds, rounds)"""
    rounds, cover, loss = (values[:, c] for c in columns)
    top = rounds.max()
    part = np.minimum(cover / top, 1) if top > 0 else np.ones(len(up))
    return complete(loss, part, eta(top), up), top


class Exp3:
    params, fields, extra = "eta=0.1 alpha=0.03 kappa=10", 4, 0

    def weights(self, app, user, up):
        def eta(n):
            return np.sqrt(0.01 + (16 * np.log(up.sum()) / n if n > 0 else 0))

        if user is not None and user[:, 0].any():
            n, loss = shrunk(app, user).T[:2]
            mean = np.divide(loss, n, out=np.zeros(len(n)), where=n > 0)
            return shares(mean * n.sum(), eta(n.sum()), 0.03, up)
        sums, rounds = losses_of(app, (2, 2, 3), eta, up)
        return shares(sums, eta(rounds), 0.03, up)

    def observe(self, app, user, up, seen, served, p, losses):
        x = np.zeros((len(up), 4))
        x[served] = 1, losses[served], 0, losses[served] / (p + 0.1 / 2)
        x[:, 2] = up
        return x


class Exp4:
    params, fields, extra = "eta=0.3 alpha=0.05 kappa=10", 4, 10
    eta, alpha = 0.3, 0.05

    def odds(self, app, user, up):
        k = len(up)
        count, loss = app[:k, 2], app[:k, 3]
        if user is not None:
            own = user[:k]
            factor = np.where(own[:, 2] > 0,
                              np.minimum(1, KAPPA / np.maximum(count, 1e-300)),
                              1)
            count = count * factor + own[:, 2]
            loss = loss * factor + own[:, 3]
        error = np.minimum((1 + loss) / (2 + count), 0.5)
        return np.where(up, np.log((1 - error) / error), 0)

    def weights(self, app, user, up):
        k = len(up)
        sums, rounds = losses_of(app[:k], (0, 2, 3), lambda n: self.eta, up)
        if user is not None:
            mine, own = losses_of(user[:k], (0, 2, 3), lambda n: self.eta, up)
            if own > 0:
                prior = min(1, KAPPA / rounds) if rounds else 1
                sums, rounds = sums * prior + mine, rounds * prior + own
        odds = self.odds(app, user, up)
        if app[k, 2] == 0 or not odds.any():
            return shares(sums, self.eta, self.alpha, up)
        vote = app[k, 3] / app[k, 2] * rounds
        p = shares(np.append(sums, vote), self.eta, self.alpha,
                   np.append(up, True))
        return p[:k] + p[k] * odds / odds.sum()

    @staticmethod
    def winner(answers, weights):
        """The first of the heaviest group of (member, output)."""
        groups = {}
        for i, output in answers:
            groups.setdefault(output, []).append(i)
        best = max(groups.values(),
                   key=lambda g: (round(sum(weights[i] for i in g), 12),
                                  -g[0]))
        return best[0]

    @staticmethod
    def evidence(answers, odds, first):
        outputs = dict(answers)
        scores = {}
        for i, output in answers:
            scores[output] = scores.get(output, 0) + odds[i]
        total = 1 + sum(np.exp(score) for score in scores.values())
        return np.exp(scores[outputs[first]]) / total

    @staticmethod
    def place(evidence):
        return min(max((np.log(evidence / (1 - evidence)) + 1) / 0.5, 0), 8)

    def confidence(self, app, user, up, answers, first, share):
        k = len(up)
        if app[k, 2] == 0:
            return share
        e = self.evidence(answers, self.odds(app, user, up), first)
        nodes = app[k + 1:]
        # Least squares, with 25 answers at each node that say what is near.
        gram = np.diag(nodes[:, 1] + 25) + np.diag(nodes[:-1, 2], 1) \
            + np.diag(nodes[:-1, 2], -1)
        around = [self.around(nodes, 1 / (1 + np.exp(1 - i / 2)))
                  for i in range(9)]
        wrong = np.linalg.solve(gram, nodes[:, 3] + 25 * np.array(around))
        return np.clip(1 - np.interp(self.place(e), np.arange(9), wrong), 0, 1)

    def around(self, nodes, e):
        """The part of wrong answers near this evidence, as near as ten are."""
        for reach in range(1, 5):
            near = np.maximum(
                1 - np.abs(self.place(e) - np.arange(9)) / reach, 0)
            count, wrong = near @ nodes[:, 0], near @ nodes[:, 3]
            if count >= 10:
                break
        return (wrong + 1 - e) / (count + 1)

    def observe(self, app, user, up, seen, served, p, losses):
        k = len(up)
        x = np.zeros((k + 10, 4))
        pi = np.clip((1 + app[:k, 1]) / (1 + app[:k, 0]), 0.05, 1)
        x[:k] = np.stack([up * 1.0, seen * 1.0, seen / pi,
                          np.where(seen, losses, 0) / pi], axis=1)
        answers = [(i, self.outputs[i]) for i in np.flatnonzero(seen)]
        if not answers:
            return x
        odds = self.odds(app, user, up)
        x[k] = 1, 1, 1, losses[self.winner(answers, odds)]
        first = self.winner(answers, self.weights(app, user, up))
        at = self.place(self.evidence(answers, odds, first))
        near = np.maximum(1 - np.abs(at - np.arange(9)), 0)
        x[k + 1:, 0] = near
        x[k + 1:, 1] = near ** 2
        x[k + 1:-1, 2] = near[:-1] * near[1:]
        x[k + 1:, 3] = near * losses[first]
        return x


def shrunk(app, user):
    if user is None:
        return app
    factor = np.minimum(1, KAPPA / np.maximum(app[:, 0], 1e-300))
    return app * factor[:, None] + user


class Counts:
    fields, extra = 2, 0

    def observe(self, app, user, up, seen, served, p, losses):
        x = np.zeros((len(up), 2))
        x[served] = 1, losses[served]
        return x


class EpsilonGreedy(Counts):
    params = "epsilon=0.15"

    def weights(self, app, user, up):
        n, loss = shrunk(app, user).T
        mean = np.where(up, np.divide(loss, n, out=np.zeros(len(n)),
                                      where=n > 0), np.inf)
        best = mean == mean.min()
        return 0.15 * up / up.sum() + 0.85 * best / best.sum()


class Ucb(Counts):
    params = "kappa=10"

    def weights(self, app, user, up):
        n, loss = shrunk(app, user).T
        t = n[up].sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            mean, ln_t = loss / n, np.log(max(t, 1))
            variance = np.minimum(
                0.25, mean * (1 - mean) + np.sqrt(2 * ln_t / n))
            bound = mean - np.sqrt(variance * ln_t / n)
        bound = np.where(n > 0, bound, -np.inf)
        best = up & (bound == bound[up].min())
        return best / best.sum()


class Thompson:
    params, fields, extra = "kappa=10", 2, 0

    def beta(self, app, user):
        ab = 1 + app
        if user is None or not user.any():
            return ab
        return 3 * (KAPPA * ab / ab.sum(axis=1, keepdims=True) + user)

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

    def observe(self, app, user, up, seen, served, p, losses):
        x = np.zeros((len(up), 2))
        x[served] = 1 - losses[served], losses[served]
        return x


class Fixed:
    params, fields, extra = "", 0, 0

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
            params += f" half_life={HALF_LIFE:.0f}s|{FEEDBACKS:.0f}"
        self.server = Server(lib, name, params, link_weights)
        self.app = Sums(self.k + formula.extra, formula.fields)
        self.user = Sums(self.k + formula.extra, formula.fields)
        self.now = 1.7e9
        self.means = self.rng.uniform(size=self.k)
        self.excess = np.zeros(self.k)
        self.variance = np.zeros(self.k)

    def situation(self):
        """Advances the time; draws the members that are up and the user."""
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
        """The served member is where u falls on the cumulated shares."""
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
        s = self.server
        s.look(self.now, up, True)
        np.testing.assert_allclose(s.rows(False, self.app.values.shape),
                                   self.app.values, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(s.rows(True, self.user.values.shape),
                                   self.user.values, rtol=1e-8, atol=1e-12)

    def ensemble(self, up, seen, losses, personal):
        """The seen members answer, with different wrong answers."""
        o, s = self.formula, self.server
        o.outputs = np.where(losses > 0.5, self.rng.integers(
            1, 3, size=self.k), 0)
        user = self.user.values if personal else None
        s.answers(seen, o.outputs)
        answers = [(i, o.outputs[i]) for i in np.flatnonzero(seen)]
        if not answers:
            return np.where(o.outputs > 0, 1.0, 0.0)
        first = o.winner(answers, o.weights(self.app.values, user, up))
        wanted = o.confidence(self.app.values, user, up, answers, first, 0.7)
        assert abs(s.confidence(first, 0.7) - wanted) < 1e-8
        return np.where(o.outputs > 0, 1.0, 0.0)

    def learn(self, up, personal, serve, propensity):
        rng, o, s = self.rng, self.formula, self.server
        losses = np.clip(rng.normal(self.means, 0.3), 0, 1)
        seen = up & (np.arange(self.k) == serve)
        if serve == -1:
            slow = 0.6 if self.hard else 0.0
            seen = up & (rng.uniform(size=self.k) >= slow * self.means)
        if isinstance(o, Exp4):
            losses = self.ensemble(up, seen, losses, personal)
        user = self.user.values if personal else None
        x = o.observe(self.app.values, user, up, seen, serve, propensity,
                      losses)
        assert bool(s.observe(seen, serve, propensity, losses, personal)) \
            == (x is not None)
        if x is None:
            return
        self.app.add(x)
        if personal:
            self.user.add(x)


POLICIES = {"exp3": Exp3, "exp4": Exp4, "epsilon_greedy": EpsilonGreedy,
            "ucb": Ucb, "thompson": Thompson}


@pytest.mark.parametrize("hard", [False, True], ids=["plain", "hard"])
@pytest.mark.parametrize("name", POLICIES)
def test_learning_policy_is_its_formula(lib, name, hard):
    """Catches: any deviation of weights, choice, propensity or state from the
    formulas over 10 000 random steps; `hard` adds members that come and go,
    late answers, and a user with their own state."""
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
