"""Policies that can be estimated from a log: probabilities of the models.

A policy that learns sees the records in their order. It gives the
probabilities for a record before it learns from it, so that they depend on
the past only, as the estimates require.
"""

import math
from typing import Callable, Dict, List, Sequence, Tuple

import numpy as np

from ..exceptions import ClipperException

#: Seconds.
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_GRID = 2048

#: Of the server's Exp3: how much faster it learns from few rounds.
_HASTE = 16


class Policy:
    """The base of all policies; decayed sums for those that learn.

    Args:
        params: parameters by name.
    """

    #: Parameter -> default value. `kappa` is about users, whom a replay does
    #: not tell apart.
    defaults: Dict[str, float] = {}

    #: Default of `half_life`: a time, or a time and feedbacks.
    memory = "1d"

    def __init__(self, params: Dict[str, str]) -> None:
        unknown = sorted(set(params) - set(self.defaults) - {"half_life"})
        if unknown:
            raise ClipperException(
                "Unknown parameter %s. This policy has: %s"
                % (unknown[0], ", ".join([*self.defaults, "half_life"]))
            )
        self.param = dict(self.defaults)
        for name, text in params.items():
            if name != "half_life":
                self.param[name] = _number(name, text)
        seconds, feedbacks = _half_life(params.get("half_life", self.memory))
        self._decay = math.log(2) / seconds
        self._fade = math.log(2) / feedbacks
        self._count = 0
        self._sums: Dict[Tuple[str, str], Tuple[float, float, int]] = {}

    def probabilities(
        self, models: Sequence[str], time: float
    ) -> "np.ndarray":
        """Probability of each model, of shape (models,); the sum is 1.

        Args:
            time: seconds since the epoch.
        """
        raise NotImplementedError

    def observe(
        self, model: str, propensity: float, loss: float, time: float
    ) -> None:
        """Learn from one record.

        Args:
            time: seconds since the epoch.
        """

    def _add(self, field: str, model: str, value: float, time: float) -> None:
        before = self._get(field, model, time)
        self._sums[field, model] = (before + value, time, self._count)

    def _get(self, field: str, model: str, time: float) -> float:
        value, at, count = self._sums.get((field, model), (0.0, time, 0))
        return value * math.exp(
            -self._decay * max(0.0, time - at)
            - self._fade * (self._count - count)
        )

    def _floor(self, chances: "np.ndarray") -> "np.ndarray":
        k = len(chances)
        least = min(self.param["floor"], 1 / k)
        return (1 - k * least) * chances + least

    def _all(
        self, field: str, models: Sequence[str], time: float
    ) -> "np.ndarray":
        return np.array([self._get(field, one, time) for one in models])


class First(Policy):
    """Always the first candidate."""

    def probabilities(
        self, models: Sequence[str], time: float
    ) -> "np.ndarray":
        found = np.zeros(len(models))
        found[0] = 1
        return found


class Split(Policy):
    """Fixed weights: ``split linear=3 forest:2=1``; other models get 0."""

    def __init__(self, params: Dict[str, str]) -> None:
        super().__init__({})
        self._weights = {
            name: _number(name, text) for name, text in params.items()
        }
        if any(weight < 0 for weight in self._weights.values()):
            raise ClipperException("Weights must not be negative")

    def probabilities(
        self, models: Sequence[str], time: float
    ) -> "np.ndarray":
        weights = np.array([self._weight(one) for one in models])
        total = weights.sum()
        if total <= 0:
            raise ClipperException(
                "None of the models %s has a weight" % ", ".join(models)
            )
        shares: np.ndarray = weights / total
        return shares

    def _weight(self, model: str) -> float:
        name = model.partition(":")[0]
        if not self._weights:
            return 1.0
        return self._weights.get(model, self._weights.get(name, 0.0))


class _Counting(Policy):
    """Decayed counts and losses of each model."""

    def observe(
        self, model: str, propensity: float, loss: float, time: float
    ) -> None:
        self._add("count", model, 1.0, time)
        self._add("loss", model, loss, time)
        self._count += 1

    def _share_of_least(self, values: "np.ndarray") -> "np.ndarray":
        least = (values == values.min()).astype(float)
        shares: np.ndarray = least / least.sum()
        return shares

    def _means(
        self, models: Sequence[str], time: float
    ) -> Tuple["np.ndarray", "np.ndarray"]:
        counts = self._all("count", models, time)
        losses = self._all("loss", models, time)
        return counts, losses / np.maximum(counts, 1e-300)


class EpsilonGreedy(_Counting):
    """The lowest mean loss; with probability epsilon any model."""

    defaults = {"epsilon": 0.04, "kappa": 10, "floor": 0}
    memory = "1d|300"

    def probabilities(
        self, models: Sequence[str], time: float
    ) -> "np.ndarray":
        _, means = self._means(models, time)
        epsilon = self.param["epsilon"]
        return self._floor(
            epsilon / len(models)
            + (1 - epsilon) * self._share_of_least(means)
        )


class Ucb(_Counting):
    """The lowest lower bound of the mean loss (UCB1-Tuned)."""

    defaults = {"kappa": 10}
    memory = "1d|600"

    def probabilities(
        self, models: Sequence[str], time: float
    ) -> "np.ndarray":
        counts, means = self._means(models, time)
        if (counts == 0).any():
            return self._share_of_least(np.where(counts == 0, 0.0, 1.0))
        log_t = math.log(max(1.0, counts.sum()))
        variance = means * (1 - means) + np.sqrt(2 * log_t / counts)
        return self._share_of_least(
            means - np.sqrt(np.minimum(variance, 0.25) * log_t / counts)
        )


class Exp3(Policy):
    """Exp3-IX with a fixed share, on decayed sums of estimated losses."""

    defaults = {"eta": 0.1, "alpha": 0.03, "kappa": 5, "floor": 0}
    memory = "1d|1000"

    def probabilities(
        self, models: Sequence[str], time: float
    ) -> "np.ndarray":
        sums = self._all("loss", models, time)
        rounds = self._get("rounds", "", time)
        few = _HASTE * math.log(len(models)) / rounds if rounds else 0.0
        eta = math.sqrt(self.param["eta"] ** 2 + few)
        weights = np.exp(-eta * (sums - sums.min()))
        alpha = self.param["alpha"]
        return self._floor(
            (1 - alpha) * weights / weights.sum() + alpha / len(models)
        )

    def observe(
        self, model: str, propensity: float, loss: float, time: float
    ) -> None:
        gamma = self.param["eta"] / 2
        self._add("loss", model, loss / (propensity + gamma), time)
        self._add("rounds", "", 1.0, time)
        self._count += 1


class Thompson(Policy):
    """The largest of draws from Beta distributions of decayed counts."""

    defaults = {"kappa": 4, "floor": 0}
    memory = "1d|600"

    def probabilities(
        self, models: Sequence[str], time: float
    ) -> "np.ndarray":
        a = 1 + self._all("win", models, time)
        b = 1 + self._all("loss", models, time)
        x = (np.arange(_GRID) + 0.5) / _GRID
        log_f = np.outer(a - 1, np.log(x)) + np.outer(b - 1, np.log1p(-x))
        f = np.exp(log_f - log_f.max(axis=1, keepdims=True))
        f /= f.sum(axis=1, keepdims=True)
        # Up to the middle of each cell.
        F = np.maximum(np.cumsum(f, axis=1) - f / 2, 1e-300)
        found = (f / F * F.prod(axis=0)).sum(axis=1)
        return self._floor(found / found.sum())

    def observe(
        self, model: str, propensity: float, loss: float, time: float
    ) -> None:
        self._add("win", model, 1 - loss, time)
        self._add("loss", model, loss, time)
        self._count += 1


_POLICIES: Dict[str, Callable[[Dict[str, str]], Policy]] = {
    "first": First,
    "split": Split,
    "epsilon_greedy": EpsilonGreedy,
    "ucb": Ucb,
    "thompson": Thompson,
    "exp3": Exp3,
}


def make_policy(text: str) -> Policy:
    """Make a policy from a text such as ``exp3 eta=0.1 half_life=30m``.

    `split` takes weights by model or ``model:version``; without weights all
    models are equal. Policies that ask several models cannot be estimated:
    the log has one model's answer.

    Raises:
        ClipperException: the policy or a parameter is not valid.
    """
    words = text.split()
    if not words or words[0] not in _POLICIES:
        raise ClipperException(
            "Cannot estimate policy '%s'. It must be one of %s"
            % (text, ", ".join(_POLICIES))
        )
    params: Dict[str, str] = {}
    for word in words[1:]:
        name, equals, value = word.rpartition("=")
        if not equals or not name:
            raise ClipperException(
                "Invalid parameter %s. It has the form NAME=VALUE" % word
            )
        params[name] = value
    return _POLICIES[words[0]](params)


def names() -> List[str]:
    """Policies that `make_policy` knows."""
    return list(_POLICIES)


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ClipperException(
            "Invalid value of %s: %s. It must be a number" % (name, text)
        )
    return value


def _half_life(text: str) -> Tuple[float, float]:
    """Seconds and feedbacks of ``TIME``, ``TIME|N``, ``off`` or ``off|N``."""
    time, bar, count = text.partition("|")
    feedbacks = _number("half_life", count) if bar else math.inf
    if feedbacks < 1:
        raise ClipperException("Invalid value of half_life: %s" % text)
    return _seconds(time), feedbacks


def _seconds(text: str) -> float:
    if text == "off":
        return math.inf
    for unit in ("ms", "s", "m", "h", "d"):
        if text.endswith(unit):
            value = _number("half_life", text[: -len(unit)])
            break
    else:
        unit, value = "s", _number("half_life", text)
    if value <= 0:
        raise ClipperException(
            "Invalid value of half_life: %s. It must be a positive time such "
            "as 30m, or off" % text
        )
    return value * _UNITS[unit]
