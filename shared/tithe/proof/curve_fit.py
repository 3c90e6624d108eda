"""The learning curve carried on: how much the next labels change the score, as a distribution.

Few control labels cannot tell one curve from another, so no single curve is fitted. Each of a grid of curves gets the
weight that its likelihood earns it, beside a prior of what learning curves of texts are like: the score rises by
``slope * (1 - (N / now) ** -bend) / bend`` from now on (inverse powers of the labels N; with a bend of 0 their
logarithm), drifts from that by a random walk in log N, and each round's model is a little better or worse than the
curve by the luck of its training. Given bend, spread of slopes, drift and luck, all of it is Gaussian and exact.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import block_diag
from scipy.special import logsumexp, ndtr

from tithe.proof.curve_fit_readings import Readings

Float64 = npt.NDArray[np.float64]

#: Each (values…, prior weight). The bend; the slope's mean and spread, and the drift's, as shares of the error now by
#: each e-fold of labels; a round's luck as a multiple of `_LUCK`.
_BENDS = ((0.0, 0.1), (0.5, 0.35), (1.0, 0.35), (2.0, 0.2))
_SLOPES = ((0.03, 0.03, 0.35), (0.12, 0.08, 0.40), (0.40, 0.25, 0.25))
_DRIFTS = ((0.01, 0.5), (0.06, 0.5))
_LUCKS = ((0.5, 0.25), (1.0, 0.5), (2.0, 0.25))
#: A model's luck of training in score with 60 labels, falling with this power of the labels.
_LUCK, _LUCK_AT, _LUCK_FALLS = 0.008, 60.0, 0.75
#: What a score may be before anything is seen: standard deviation.
_LEVEL = 0.5


@dataclass(frozen=True, slots=True)
class Mixture:
    """A number not known: normal distributions, each with a weight. All float64, shape (cells,); weights sum to 1.

    Examples
    --------
    >>> even = Mixture(np.array([0.5, 0.5]), np.array([-1.0, 1.0]), np.array([1.0, 1.0]))
    >>> even.mean(), round(even.below(0.0), 3), round(even.quantile(0.9), 2)
    (0.0, 0.5, 1.85)
    """

    weights: Float64
    means: Float64
    deviations: Float64

    def mean(self) -> float:
        """Its expected value."""
        return float(self.weights @ self.means)

    def below(self, value: float) -> float:
        """The probability that it is less than `value`."""
        return float(self.weights @ ndtr((value - self.means) / self.deviations))

    def quantile(self, share: float) -> float:
        """The value below which it lies with probability `share`, in (0, 1); to a billionth of the range."""
        low = float((self.means - 9 * self.deviations).min())
        high = float((self.means + 9 * self.deviations).max())
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if self.below(middle) < share else (low, middle)
        return (low + high) / 2


def gains(sources: Sequence[Readings], ahead: Sequence[int]) -> tuple[Mixture, ...]:
    """What the score of the next model is, less the score of the model now, for each number of further labels.

    Time O(cells * rounds ** 3), a hundredth of a second for 30 rounds.

    Parameters
    ----------
    sources
        At least one curve of the same rounds' models, each on its own labeled items (the control arm; a gold test set).
        Each has a level of its own, so that items of another kind do no harm; they share the shape.
    ahead
        Further labels, each at least 1.

    References
    ----------
    Figueroa, Zeng-Treitler, Kandula & Ngo 2012, Predicting sample size required for classification performance, BMC
    Medical Informatics and Decision Making 12:8 (inverse power curves). Rasmussen & Williams 2006, Gaussian processes
    for machine learning, MIT Press, pp. 27-29 (explicit basis functions).
    """
    seen = _Seen.of(sources)
    further = np.log1p(np.asarray(ahead, dtype=np.float64) / seen.now)
    cells = [
        seen.given(further, bend, slope, spread, drift, luck, np.log(w1 * w2 * w3 * w4))
        for (bend, w1), (slope, spread, w2), (drift, w3), (luck, w4) in itertools.product(
            _BENDS, _SLOPES, _DRIFTS, _LUCKS
        )
    ]
    evidence = np.array([cell[0] for cell in cells])
    weights = np.exp(evidence - logsumexp(evidence))
    means, deviations = (np.stack([cell[i] for cell in cells]) for i in (1, 2))
    return tuple(Mixture(weights, means[:, i], deviations[:, i]) for i in range(len(ahead)))


def _rise(log_ratio: Float64, bend: float) -> Float64:
    """How far the curve is above now, with a slope of 1 now; negative in the past."""
    risen: Float64 = log_ratio if bend == 0 else -np.expm1(-bend * log_ratio) / bend
    return risen


@dataclass(frozen=True, slots=True)
class _Seen:
    """All scores in a row, and what of their covariance is the same in every cell."""

    now: float
    error: float
    labels: Float64
    past: Float64  #: log of labels by now, at most 0
    above: Float64  #: scores less the level each is expected at
    drawn: Float64  #: covariance by the draw of items and by levels not known
    together: Float64  #: 1 where two scores are of models of the same round

    @classmethod
    def of(cls, sources: Sequence[Readings]) -> _Seen:
        labels = np.concatenate([one.labels for one in sources])
        now = float(sources[0].labels[-1])
        best = max(sources, key=lambda one: one.items)
        above = np.concatenate([one.scores - (1 - one.error) for one in sources])
        drawn = block_diag(*[one.covariance + _LEVEL**2 for one in sources])
        past = np.minimum(np.log(labels / now), 0.0)
        return cls(now, best.error, labels, past, above, drawn, (labels[:, None] == labels).astype(np.float64))

    def given(
        self, further: Float64, bend: float, slope: float, spread: float, drift: float, luck: float, prior: float
    ) -> tuple[float, Float64, Float64]:
        """Log evidence with the prior, means and standard deviations of the gains, each (ahead,)."""
        error, unit = self.error, luck * _LUCK * _LUCK_AT**_LUCK_FALLS
        lucks = (unit * self.labels**-_LUCK_FALLS) ** 2
        luck_now, luck_then = unit * self.now**-_LUCK_FALLS, unit * (self.now * np.exp(further)) ** -_LUCK_FALLS
        past, then = _rise(self.past, bend), _rise(further, bend)
        steep, wander = (spread * error) ** 2, (drift * error) ** 2
        whole = self.drawn + steep * np.outer(past, past) + self.together * np.sqrt(np.outer(lucks, lucks))
        whole += wander * np.minimum(-self.past[:, None], -self.past)
        link = steep * np.outer(then, past) - luck_now**2 * (self.labels == self.now)
        root = np.linalg.cholesky(whole)
        rest = np.linalg.solve(root, np.column_stack([self.above - slope * error * past, link.T]))
        off, reach = rest[:, 0], rest[:, 1:]
        evidence = prior - 0.5 * float(off @ off) - float(np.log(np.diag(root)).sum())
        means = slope * error * then + reach.T @ off
        variance = steep * then**2 + wander * further + luck_then**2 + luck_now**2 - (reach**2).sum(axis=0)
        return evidence, means, np.sqrt(np.maximum(variance, 1e-8))
