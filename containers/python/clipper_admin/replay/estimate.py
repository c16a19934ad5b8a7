"""Off-policy estimates: IPS and SNIPS with confidence intervals.

The reward of a record is r = 1 - loss and its weight is w = pi(a) / p. The
logged policy chose model a with probability p; the estimated policy would
choose it with probability pi(a). IPS is the mean of w r (Horvitz and Thompson
1952), SNIPS is sum(w r) / sum(w) (Swaminathan and Joachims 2015); weights
are clipped, which trades variance for a bias towards 0.
"""

import math
from statistics import NormalDist
from typing import Any, Dict, Iterable, List, NamedTuple, Tuple

import numpy as np

from ..exceptions import ClipperException
from .policies import Policy
from .records import Record


class Interval(NamedTuple):
    """An estimate with its confidence interval."""

    value: float
    low: float
    high: float


class Estimate(NamedTuple):
    """Estimated mean reward of a policy.

    Attributes:
        ips: mean reward by inverse propensity scoring.
        snips: the same, self-normalized.
        logged: mean reward of the logged policy.
        records: number of records.
        effective: effective sample size, (sum w)^2 / sum w^2.
        clipped: share of the records whose weight was clipped, 0 to 1.
        mean_weight: mean weight; near 1 when the logged policy could choose
            all that this policy chooses, and no weight is clipped.
    """

    ips: Interval
    snips: Interval
    logged: float
    records: int
    effective: float
    clipped: float
    mean_weight: float

    def as_dict(self) -> Dict[str, Any]:
        """Plain data, for JSON."""
        found = self._asdict()
        for name in ("ips", "snips"):
            found[name] = getattr(self, name)._asdict()
        return found


def evaluate(
    policy: Policy,
    records: Iterable[Record],
    clip: float = 100.0,
    confidence: float = 0.95,
    interval: str = "normal",
    resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Estimate a policy, which learns from the records in their order.

    Args:
        clip: maximum weight; `math.inf` for none.
        confidence: level of the intervals, such as 0.95.
        interval: ``normal`` (approximation) or ``bootstrap`` (percentiles).
        resamples: number of samples of the bootstrap.
        seed: random seed of the bootstrap.

    Raises:
        ClipperException: there is no record, or an argument is not valid.
    """
    if not clip > 0 or not 0 < confidence < 1:
        raise ClipperException(
            "clip must be above 0 and confidence between 0 and 1"
        )
    raw, rewards = _weigh(policy, records)
    if not len(raw):
        raise ClipperException(
            "The log has no query with feedback and a propensity"
        )
    weights = np.minimum(raw, clip)
    if interval == "normal":
        ips, snips = _normal(weights, rewards, confidence)
    elif interval == "bootstrap":
        ips, snips = _bootstrap(
            weights, rewards, confidence, resamples, seed
        )
    else:
        raise ClipperException(
            "Unknown interval %s. It is normal or bootstrap" % interval
        )
    squares = float((weights**2).sum())
    return Estimate(
        ips,
        snips,
        float(rewards.mean()),
        len(weights),
        float(weights.sum() ** 2 / squares) if squares else 0.0,
        float((raw > clip).mean()),
        float(weights.mean()),
    )


def _weigh(
    policy: Policy, records: Iterable[Record]
) -> Tuple["np.ndarray", "np.ndarray"]:
    weights: List[float] = []
    rewards: List[float] = []
    for one in records:
        chosen = policy.probabilities(one.models, one.time)
        weights.append(
            float(chosen[one.models.index(one.model)]) / one.propensity
        )
        rewards.append(1 - one.loss)
        policy.observe(one.model, one.propensity, one.loss, one.time)
    return np.array(weights), np.array(rewards)


def _snips(weighted: "np.ndarray", weights: "np.ndarray") -> "np.ndarray":
    total = np.asarray(weights)
    return np.where(total > 0, weighted / np.maximum(total, 1e-300), np.nan)


def _normal(
    weights: "np.ndarray", rewards: "np.ndarray", confidence: float
) -> Tuple[Interval, Interval]:
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    n = len(weights)
    products = weights * rewards
    ips = float(products.mean())
    spread = float(products.std(ddof=1)) if n > 1 else math.nan
    half = z * spread / math.sqrt(n)
    snips = float(_snips(products.sum(), weights.sum()))
    error = math.sqrt(float((weights**2 * (rewards - snips) ** 2).sum()))
    total = float(weights.sum())
    half_snips = z * error / total if total else math.nan
    return (
        Interval(ips, ips - half, ips + half),
        Interval(snips, snips - half_snips, snips + half_snips),
    )


def _bootstrap(
    weights: "np.ndarray",
    rewards: "np.ndarray",
    confidence: float,
    resamples: int,
    seed: int,
) -> Tuple[Interval, Interval]:
    rng = np.random.default_rng(seed)
    n = len(weights)
    products = weights * rewards
    sums = np.empty((resamples, 2))
    for row in sums:
        drawn = rng.integers(0, n, n)
        row[:] = products[drawn].sum(), weights[drawn].sum()
    found = []
    for value, values in (
        (products.mean(), sums[:, 0] / n),
        (_snips(products.sum(), weights.sum()),
         _snips(sums[:, 0], sums[:, 1])),
    ):
        low, high = np.nanquantile(
            values, [0.5 - confidence / 2, 0.5 + confidence / 2]
        )
        found.append(Interval(float(value), float(low), float(high)))
    return found[0], found[1]
