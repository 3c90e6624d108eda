"""Many regularised logistic regressions at once: the folds, the grid and the committee share every matrix product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Link = Literal["softmax", "sigmoid"]

#: The intercept is penalised this little (per unit of ``1 / C``): enough to keep it finite where a class has no weight.
INTERCEPT_PENALTY = 1e-6
#: Logits held at once, in numbers: problems are solved in blocks of about this size.
BLOCK_LOGITS = 4_000_000
_MEMORY = 8
_ARMIJO = 1e-4
_HALVINGS = 12


@dataclass(frozen=True)
class Problems:
    """What a batch of fits has in common, and the weights in which they differ.

    Parameters
    ----------
    features
        float32, shape (n, features + 1); the last column is one, for the intercept.
    onehot
        float32, shape (1 or problems, classes, n): 1 where the row carries the class. Sums to one over classes for
        ``"softmax"``; any number of ones a row for ``"sigmoid"``. The first axis is 1 where all problems agree.
    weights
        float32, shape (problems, n): how often each problem counts each row. Zero leaves the row out.
    positive, negative
        float32, shape (problems, classes): what a class's presence and its absence weigh. For ``"softmax"`` only
        ``positive`` is read: the weight of rows of that class.
    penalties
        float32, shape (problems,): ``1 / C``, positive.
    link
        ``"softmax"`` (one class a row) or ``"sigmoid"`` (each class by itself).
    """

    features: Float32
    onehot: Float32
    weights: Float32
    positive: Float32
    negative: Float32
    penalties: Float32
    link: Link

    def block(self, chosen: NDArray[np.intp]) -> Problems:
        """The same rows for some of the problems."""
        return Problems(
            self.features,
            self.onehot_of(chosen),
            self.weights[chosen],
            self.positive[chosen],
            self.negative[chosen],
            self.penalties[chosen],
            self.link,
        )

    def onehot_of(self, chosen: NDArray[np.intp]) -> Float32:
        """The classes as those problems see them, shape (1 or chosen, classes, n)."""
        return self.onehot if len(self.onehot) == 1 else self.onehot[chosen]

    def row_weights(self) -> Float32:
        """Weight of each row's loss, shape (problems, classes or 1, n)."""
        if self.link == "softmax":
            return self.weights[:, None, :] * (self.positive[:, None, :] @ self.onehot)
        by_class = self.negative[:, :, None] + (self.positive - self.negative)[:, :, None] * self.onehot
        return self.weights[:, None, :] * by_class


def solve(
    problems: Problems, start: Float32 | None = None, *, tolerance: float = 1e-4, iterations: int = 200
) -> Float32:
    """Minimise every problem's regularised loss.

    Each problem is ``sum_i w_i loss_i + |W|^2 / (2 C)``, the objective of scikit-learn's ``LogisticRegression``,
    convex, so that the answer does not depend on `start`. All of them advance together by limited-memory BFGS with a
    backtracking line search of their own; the ones that have converged drop out.

    Parameters
    ----------
    problems
        The batch.
    start
        float32, shape (problems, classes, features + 1) or None for zeros: where to begin.
    tolerance
        Stop a problem when its largest gradient entry, divided by its total row weight, is below this.
    iterations
        At most so many steps.

    Returns
    -------
    float32, shape (problems, classes, features + 1): weights, the intercept last.

    Notes
    -----
    Time O(iterations * problems * n * features * classes), in matrix products; memory `BLOCK_LOGITS` floats and a few
    copies.

    References
    ----------
    Liu & Nocedal (1989), On the limited memory BFGS method for large scale optimization, Math. Programming 45, 503-528.
    """
    count, classes = problems.positive.shape
    width = problems.features.shape[1]
    solution = np.zeros((count, classes, width), np.float32) if start is None else start.astype(np.float32)
    per_block = max(1, BLOCK_LOGITS // (classes * problems.features.shape[0]))
    for first in range(0, count, per_block):
        chosen = np.arange(first, min(first + per_block, count))
        solution[chosen] = _lbfgs(problems.block(chosen), solution[chosen], tolerance, iterations)
    return solution


class _Objective:
    """Loss and gradient of a block of problems, each divided by its total row weight."""

    def __init__(self, problems: Problems) -> None:
        self.features, self.onehot, self.link = problems.features, problems.onehot, problems.link
        self.rows = problems.row_weights()
        total = np.maximum(self.rows.sum(axis=(1, 2), dtype=np.float64) / self.rows.shape[1], 1e-12)
        self.rows = (self.rows / total[:, None, None]).astype(np.float32)
        shrink = (problems.penalties / total).astype(np.float32)
        self.ridge = np.repeat(shrink[:, None], problems.features.shape[1], axis=1)
        self.ridge[:, -1] *= INTERCEPT_PENALTY

    def keep(self, kept: NDArray[np.intp]) -> None:
        """Forget the problems that are done."""
        self.rows, self.ridge = self.rows[kept], self.ridge[kept]
        if len(self.onehot) > 1:
            self.onehot = self.onehot[kept]

    def __call__(self, weights: Float32, chosen: NDArray[np.intp]) -> tuple[Float64, Float32]:
        """Losses, shape (chosen,), and gradients, shape of `weights`, of those problems."""
        count, classes, width = weights.shape
        features, onehot = self.features, self.onehot if len(self.onehot) == 1 else self.onehot[chosen]
        logits = (weights.reshape(count * classes, width) @ features.T).reshape(count, classes, -1)
        rows = self.rows[chosen]
        if self.link == "softmax":
            logits -= logits.max(axis=1, keepdims=True)
            own = (logits * onehot).sum(axis=1, keepdims=True)
            np.exp(logits, out=logits)
            mass = logits.sum(axis=1, keepdims=True)
            loss = rows * (np.log(mass) - own)
            logits /= mass
        else:
            tail = np.exp(-np.abs(logits))
            loss = rows * (np.maximum(logits, 0) - logits * onehot + np.log1p(tail))
            logits = np.where(logits >= 0, 1, tail) / (1 + tail)
        logits -= onehot
        logits *= rows
        gradient = (logits.reshape(count * classes, -1) @ features).reshape(weights.shape)
        shrunk = self.ridge[chosen][:, None, :] * weights
        gradient += shrunk
        value: Float64 = loss.sum(axis=(1, 2), dtype=np.float64)
        value += 0.5 * (shrunk * weights).sum(axis=(1, 2), dtype=np.float64)
        return value, gradient.astype(np.float32, copy=False)


def _lbfgs(problems: Problems, start: Float32, tolerance: float, iterations: int) -> Float32:
    objective = _Objective(problems)
    answer = start.copy()
    live = np.arange(start.shape[0])  # which problems the rows of the state below belong to
    weights = start
    value, gradient = objective(weights, live)
    steps: list[Float32] = []
    turns: list[Float32] = []
    for _ in range(iterations):
        direction = -_inverse_hessian(gradient, steps, turns)
        moved, next_value, next_gradient, stuck = _line_search(objective, weights, value, gradient, direction)
        steps.append(moved - weights)
        turns.append(next_gradient - gradient)
        del steps[:-_MEMORY], turns[:-_MEMORY]
        weights, value, gradient = moved, next_value, next_gradient
        done = stuck | (np.abs(gradient).max(axis=(1, 2)) < tolerance)
        if done.all():
            break
        if done.mean() >= 0.2:
            kept = np.flatnonzero(~done)
            answer[live[done]] = weights[done]
            live, weights, value, gradient = live[kept], weights[kept], value[kept], gradient[kept]
            steps, turns = [s[kept] for s in steps], [t[kept] for t in turns]
            objective.keep(kept)
    answer[live] = weights
    return answer


def _dot(a: Float32, b: Float32) -> Float32:
    product: Float32 = np.vecdot(a.reshape(len(a), -1), b.reshape(len(b), -1))[:, None, None]
    return product


def _inverse_hessian(gradient: Float32, steps: list[Float32], turns: list[Float32]) -> Float32:
    """Two-loop recursion, for all problems side by side; pairs without curvature are passed over."""
    tiny = np.float32(1e-30)
    direction = gradient.copy()
    scale = (1 / np.maximum(np.sqrt(_dot(gradient, gradient)), tiny)).astype(np.float32)
    pairs: list[tuple[Float32, Float32, Float32, Float32]] = []
    for step, turn in zip(reversed(steps), reversed(turns), strict=True):
        curvature = _dot(step, turn)
        good = curvature > tiny
        rho = np.where(good, 1 / np.maximum(curvature, tiny), 0).astype(np.float32)
        if not pairs:
            scale = np.where(good, curvature / np.maximum(_dot(turn, turn), tiny), scale).astype(np.float32)
        alpha = rho * _dot(step, direction)
        direction -= alpha * turn
        pairs.append((step, turn, rho, alpha))
    direction *= scale
    for step, turn, rho, alpha in reversed(pairs):
        direction += (alpha - rho * _dot(turn, direction)) * step
    return direction


def _line_search(
    objective: _Objective, weights: Float32, value: Float64, gradient: Float32, direction: Float32
) -> tuple[Float32, Float64, Float32, NDArray[np.bool_]]:
    """Halve each problem's step until its loss falls enough; one whose loss cannot fall stays put and is stuck."""
    slope = _dot(gradient, direction)[:, 0, 0].astype(np.float64)
    moved, next_value, next_gradient = weights.copy(), value.copy(), gradient.copy()
    pending = np.arange(len(weights))
    step = np.float32(1)
    for _ in range(_HALVINGS):
        trial = weights[pending] + step * direction[pending]
        trial_value, trial_gradient = objective(trial, pending)
        fell = trial_value <= value[pending] + _ARMIJO * float(step) * slope[pending]
        where = pending[fell]
        moved[where], next_value[where], next_gradient[where] = trial[fell], trial_value[fell], trial_gradient[fell]
        pending = pending[~fell]
        if not len(pending):
            break
        step = np.float32(step / 2)
    stuck = np.zeros(len(weights), bool)
    stuck[pending] = True
    return moved, next_value, next_gradient, stuck
