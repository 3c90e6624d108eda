"""What learning curves may look like: many plausible ones, drawn before a label is seen.

Two families, because no one shape fits all: errors that fall as a power of the labels towards a floor, and log-odds of
an error that fall with the logarithm of the labels, slower and slower. Both are written relative to a reference size,
where the data speak loudest. The spread of shapes was set by hand, wide, with the random curves of the eight sets of
benchmarks/proof_savings.py in view; it was fitted to none of them, and proved on no set that was not looked at.

References
----------
Viering & Loog 2023, The shape of learning curves: a review, IEEE TPAMI 45(6), pp. 7799-7819.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tithe.proof.tallies import Bool, Float64

_LEAST, _MOST = 1e-4, 1 - 1e-4
#: Times the reference: what lies beyond is as good as never.
_FAR = 1e9


def log_odds(scores: Float64) -> Float64:
    """Log-odds of an error, of scores in [0, 1]; clipped short of the ends.

    Examples
    --------
    >>> log_odds(np.array([0.2, 0.9])).round(3).tolist()
    [1.386, -2.197]
    """
    errors = np.clip(1 - scores, _LEAST, _MOST)
    odds: Float64 = np.log(errors / (1 - errors))
    return odds


def score_at(odds: Float64) -> Float64:
    """The score with these log-odds of an error: what `log_odds` undoes."""
    score: Float64 = 1 / (1 + np.exp(odds))
    return score


@dataclass(frozen=True, slots=True)
class Curves:
    """P learning curves; none of them falls.

    Attributes
    ----------
    reference
        Labels at which a curve passes through its `level`.
    level
        float64, shape (P,): log-odds of an error there.
    power
        bool, shape (P,): which are of the first family.
    speed
        float64, shape (P,), positive: the power; in the second family the fall of the log-odds for each e-fold of
        labels, at the reference.
    bend
        float64, shape (P,): the share of the error that no labels take away; in the second family how fast the fall
        slows.
    """

    reference: float
    level: Float64
    power: Bool
    speed: Float64
    bend: Float64

    def at(self, labels: Float64) -> Float64:
        """Log-odds of an error at label counts, shape (n,): float64, shape (P, n)."""
        ratio = np.log(labels / self.reference)[None, :]
        level, speed, bend = self.level[:, None], self.speed[:, None], self.bend[:, None]
        error = (1 - score_at(level)) * (bend + (1 - bend) * np.exp(-speed * ratio))
        falling = log_odds(1 - error)
        slowing = level - speed * -np.expm1(-bend * ratio) / bend
        return np.where(self.power[:, None], falling, slowing)

    def labels_for(self, odds: Float64) -> Float64:
        """Labels at which each curve gets down to log-odds of its own, shape (P,); inf where it never does."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            left = ((1 - score_at(odds)) / (1 - score_at(self.level)) - self.bend) / (1 - self.bend)
            falling = -np.log(left) / self.speed
            left_slowing = 1 - self.bend * (self.level - odds) / self.speed
            slowing = -np.log(left_slowing) / self.bend
        ratio = np.where(self.power, falling, slowing)
        never = np.where(self.power, left <= 0, left_slowing <= 0)
        # a curve of the second family that speeds up has a flat start: above it, no labels are enough
        ratio = np.where(never, np.where(~self.power & (self.bend < 0), -np.inf, np.inf), ratio)
        labels: Float64 = np.where(
            ratio > np.log(_FAR), np.inf, self.reference * np.exp(np.minimum(ratio, np.log(_FAR)))
        )
        return labels


def draw(rng: np.random.Generator, count: int, reference: float, level: Float64) -> Curves:
    """Curves as likely as they seem before any label; `level`, shape (count,), is the caller's.

    The speed is exponential, so that flat curves are the likeliest of all: nothing is saved unless the labels say so.
    """
    power = np.arange(count) % 2 == 0
    speed = np.where(power, rng.lognormal(np.log(0.45), 0.6, count), rng.exponential(0.3, count) + 1e-3)
    floor = rng.beta(1.5, 1.0, count)
    slowing = np.clip(rng.normal(0.25, 0.25, count), -0.25, None)
    slowing = np.where(np.abs(slowing) < 1e-3, 1e-3, slowing)
    return Curves(reference, level, power, speed, np.where(power, np.minimum(floor, 0.999), slowing))
