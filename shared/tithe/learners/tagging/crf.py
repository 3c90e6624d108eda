"""A linear-chain conditional random field over dense features, fitted by L-BFGS to many documents at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tithe.learners.protocol import Float32, Float64
from tithe.learners.tagging.lattice import Order, Sums, sums
from tithe.learners.tagging.scheme import Scheme
from tithe.learners.words import Int64

#: What the features of the words before and after count for, beside the word's own.
NEARBY = np.float32(0.5)
#: Whatever the scores say, no tag weighs less than this beside the likeliest: sums never come to nothing.
_LEAST = 1e-100
#: No probability is less, that of a tag which cannot stand there included: its logarithm is finite.
_SLIGHTEST = 1e-12
#: A fit is done when no entry of the gradient of the mean loss, a word, is larger.
TOLERANCE = 3e-4
MAX_ITERATIONS = 300


@dataclass(frozen=True)
class Potentials:
    """What a fitted field is: scores of tags by features, and of pairs of tags.

    Attributes
    ----------
    slopes
        float32, shape (3 * tags, w): by the word's own features, by those of the word before, of the word after.
    intercepts
        float64, shape (tags,).
    steps
        float64, shape (tags, tags): score of the second tag after the first, where the scheme allows it.
    """

    slopes: Float32
    intercepts: Float64
    steps: Float64

    @property
    def flat(self) -> Float64:
        """All numbers in a row, as the optimiser wants them."""
        return np.concatenate([self.slopes.ravel().astype(np.float64), self.intercepts, self.steps.ravel()])

    @classmethod
    def from_flat(cls, numbers: Float64, tags: int) -> Potentials:
        """What :attr:`flat` was."""
        slopes, rest = np.split(numbers, [len(numbers) - tags - tags * tags])
        return cls(slopes.reshape(3 * tags, -1).astype(np.float32), rest[:tags], rest[tags:].reshape(tags, tags))


def scores(said: NDArray[np.floating], intercepts: Float64, order: Order) -> Float64:
    """Scores of the tags, neighbours included.

    Parameters
    ----------
    said
        Shape (W, 3 * tags), rows as the order has them: features times slopes.
    intercepts
        float64, shape (tags,).
    order
        Of the same words.

    Returns
    -------
    float64, shape (W, tags).
    """
    tags = len(intercepts)
    found: Float64 = said[:, :tags] + intercepts
    found[order.after] += NEARBY * said[order.before, tags : 2 * tags]
    found[order.before] += NEARBY * said[order.after, 2 * tags :]
    return found


def weights_of(found: Float64) -> tuple[Float64, Float64]:
    """``exp(scores)`` with each row's largest at one, and what was taken off: float64, shapes (W, tags) and (W,)."""
    top = found.max(axis=1)
    weights = np.exp(found - top[:, None])
    return np.maximum(weights, _LEAST, out=weights), top


def step_weights(steps: Float64, scheme: Scheme) -> Float64:
    """``exp(steps)`` where the scheme allows the pair, 0 elsewhere: float64, shape (tags, tags)."""
    return np.where(scheme.allowed, np.exp(steps), 0.0)


def posterior(found: Float64, steps: Float64, scheme: Scheme, order: Order, temperature: float = 1.0) -> Float64:
    """How likely each tag is at each word, over all well-formed sequences of its document.

    Parameters
    ----------
    found
        float64, shape (W, tags): :func:`scores`, rows as the order has them.
    steps
        float64, shape (tags, tags).
    temperature
        Divides scores and steps.

    Returns
    -------
    float64, shape (W, tags), all in (0, 1); rows sum to one.
    """
    weights, _ = weights_of(found / temperature)
    summed = sums(weights, step_weights(steps / temperature, scheme), scheme.starts, scheme.ends, order)
    marginal = np.maximum(summed.forward * summed.backward, _SLIGHTEST)
    marginal /= marginal.sum(axis=1, keepdims=True)
    return marginal


class Labeled:
    """Labeled documents, laid out to be fitted to again and again.

    Parameters
    ----------
    features
        float32, shape (W, w), standardised.
    tags
        int64, shape (W,), well-formed.
    starts
        int64, shape (n + 1,).
    scheme
        Of the tags.
    """

    def __init__(self, features: Float32, tags: Int64, starts: Int64, scheme: Scheme) -> None:
        self.scheme = scheme
        self.order = Order(starts)
        self.features = np.ascontiguousarray(features[self.order.words])
        self.tags = tags[self.order.words]

    def fit(
        self, c: float, weights: Float64 | None = None, start: Potentials | None = None, tolerance: float = TOLERANCE
    ) -> Potentials:
        """Minimise ``sum_i w_i (-log p(tags of document i)) + (|slopes|^2 / c + |steps|^2) / 2``; intercepts are free.

        Parameters
        ----------
        c
            Inverse regularisation.
        weights
            float64, shape (n,): how often each document counts; None, once.
        start
            Where to begin, instead of zeros. The loss is convex: this saves time and changes the answer by no more
            than the tolerance.
        tolerance
            Of the gradient of the mean loss, a word.

        Notes
        -----
        Time O(W tags (w + tags)) a step, 30 to 100 steps; memory a few times W * (w + 3 tags) floats.

        References
        ----------
        Lafferty, McCallum & Pereira (2001), Conditional random fields, ICML, 282-289.
        Liu & Nocedal (1989), On the limited memory BFGS method for large scale optimization, Mathematical
        Programming 45, 503-528.
        """
        from scipy.optimize import minimize  # half a second that only trainers pay

        order, tags = self.order, self.scheme.tags
        counts = np.ones(len(order.words)) if weights is None else weights[order.documents].astype(np.float64)
        total = max(counts.sum(), 1.0)
        seen = np.zeros((tags, tags))
        np.add.at(seen, (self.tags[order.before], self.tags[order.after]), counts[order.after])
        rows = np.arange(len(counts))

        def loss(numbers: Float64) -> tuple[float, Float64]:
            at = Potentials.from_flat(numbers, tags)
            found = scores(self.features @ at.slopes.T, at.intercepts, order)
            own = found[rows, self.tags]
            weighing, top = weights_of(found)
            step = step_weights(at.steps, self.scheme)
            summed = sums(weighing, step, self.scheme.starts, self.scheme.ends, order)
            wrong = counts @ (np.log(summed.scale) + top - own) - (seen * at.steps).sum()
            excess = summed.forward * summed.backward
            excess[rows, self.tags] -= 1
            excess *= counts[:, None]
            slope = self._slope(excess) + at.slopes / c
            steps = np.where(self.scheme.allowed, pairs(summed, step, counts, order) - seen, 0) + at.steps
            penalty = (np.vdot(at.slopes, at.slopes) / c + np.vdot(at.steps, at.steps)) / 2
            gradient = np.concatenate([slope.ravel(), excess.sum(axis=0), steps.ravel()])
            return float(wrong + penalty) / total, gradient / total

        begin = np.zeros(tags * (3 * self.features.shape[1] + 1 + tags)) if start is None else start.flat
        options = {"maxiter": MAX_ITERATIONS, "gtol": tolerance, "maxcor": 10}
        return Potentials.from_flat(minimize(loss, begin, jac=True, method="L-BFGS-B", options=options).x, tags)

    def _slope(self, excess: Float64) -> Float32:
        """The gradient of the slopes, float32, shape (3 * tags, w)."""
        tags = excess.shape[1]
        own = np.zeros((len(excess), 3 * tags), np.float32)
        own[:, :tags] = excess
        own[self.order.before, tags : 2 * tags] = NEARBY * own[self.order.after, :tags]
        own[self.order.after, 2 * tags :] = NEARBY * own[self.order.before, :tags]
        gradient: Float32 = own.T @ self.features
        return gradient


def pairs(summed: Sums, step: Float64, counts: Float64, order: Order) -> Float64:
    """How often each tag is expected after each, float64, shape (tags, tags)."""
    earlier = summed.forward[order.before] * counts[order.after, None]
    expected: Float64 = (earlier.T @ summed.ahead[order.after]) * step
    return expected
