"""Scores of successive models on the same labeled items, and how much of their differences is the luck of the draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tithe.proof.tallies import Tally, shared_rows

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Points = Sequence[tuple[int, Tally]]

#: A class's F1 leans on that of all classes together as if it had been met so many times more (said plus true).
_LEAN = 2.0
#: So many items of a usual score stand beside what is seen of the score's own spread.
_FEW, _USUAL = 4.0, 0.7
#: How two models' errors differ, as a share of the score's variance: at once, and by each log step of labels; its
#: weight in items; and the least that is believed.
_APART, _APART_ITEMS, _LEAST_APART = np.array([0.1, 0.2]), 20.0, np.array([0.01, 0.02])
#: With so many items a class the covariance that is seen weighs as much as the smooth one fitted to it.
_SEEN = 100.0
#: Rounds a curve is read at; of more, those evenly apart in log labels.
_ROUNDS = 40
#: A curve's shape is believed over this factor of labels: what a model of a few labels scored says little of now.
_SPAN, _LEAST_ROUNDS = 16, 5


@dataclass(frozen=True, slots=True)
class Readings:
    """A curve as labeled items show it.

    Attributes
    ----------
    labels
        float64, shape (K,), not falling: labels in all when each round's model was trained. The last is now.
    scores
        float64, shape (K,).
    covariance
        float64, shape (K, K), positive definite: of the scores' errors that come from which items were drawn.
    items
        Labeled items every model is scored on.
    error
        1 - the score now, pulled toward a usual one while items are few, at least 0.01: what gains are measured by.
    """

    labels: Float64
    scores: Float64
    covariance: Float64
    items: int
    error: float


def read(points: Points) -> Readings:
    """The curve at the points, of the items that all of the tallies know.

    Macro-F1 with few items a class is mostly luck, so each class's F1 leans on the F1 of all together. A covariance
    estimated from few items looks certain where it is not; so a smooth one is fitted to it, whose correlation falls
    with the ratio of the labels, and the two are mixed.

    Parameters
    ----------
    points
        At least one; each the labels in all, at least 1, and the tally of the model trained then.
    """
    points = _kept(points)
    rows = shared_rows([tally for _, tally in points])
    seen = np.stack([tally.seen[np.searchsorted(tally.rows, rows)] for _, tally in points])
    labels = np.array([count for count, _ in points], dtype=np.float64)
    if points[0][1].metric == "accuracy":
        scores = seen[:, :, 0].mean(axis=1)
        pulls, by_class, per_class = seen[:, :, 0] - scores[:, None], scores[-1:], np.array([float(len(rows))])
    else:
        scores, pulls, by_class, per_class = _f1(seen, _known([tally for _, tally in points], seen))
    leaned = (by_class * per_class + _FEW * _USUAL) / (per_class + _FEW)
    usual = float((leaned * (1 - leaned) / (per_class + 1)).sum() / len(leaned) ** 2)
    items_a_class = float(1 / (1 / (per_class + 1)).mean())
    error = 1 - (len(rows) * float(scores[-1]) + _FEW * _USUAL) / (len(rows) + _FEW)
    spread = _covariance(pulls / len(rows), np.log(labels), usual, items_a_class)
    return Readings(labels, scores, spread, len(rows), max(error, 0.01))


def _kept(points: Points) -> list[tuple[int, Tally]]:
    """The last point and those before it, in the order of labels: not those beyond it (labels may be withdrawn)."""
    now = points[-1][0]
    past = sorted((point for point in points[:-1] if 1 <= point[0] <= now), key=lambda point: point[0])
    near = [point for point in past if point[0] * _SPAN >= now]
    past = near if len(near) >= _LEAST_ROUNDS - 1 else past[1 - _LEAST_ROUNDS :]
    if len(past) >= _ROUNDS:
        at = np.log([count for count, _ in past])
        wanted = np.linspace(at[0], at[-1], _ROUNDS - 1)
        past = [past[i] for i in np.unique(np.abs(at[:, None] - wanted).argmin(axis=0))]
    return [*past, points[-1]]


def _known(tallies: Sequence[Tally], seen: Float64) -> Bool:
    """Classes that are said or true somewhere, or expected at least once among all drawn items: bool, (classes,)."""
    classes = seen.shape[2] // 3
    known = np.asarray(seen[:, :, classes:].reshape(-1, 2, classes).any(axis=(0, 1)), dtype=np.bool_)
    for tally in tallies:
        if tally.expected is not None:
            known |= tally.expected[:, classes:].reshape(-1, 2, classes).sum(axis=(0, 1)) >= 1
    return known


def _f1(seen: Float64, known: Bool) -> tuple[Float64, Float64, Float64, Float64]:
    """Scores (K,), each item's pull on them (K, m), and of the last model each class's F1 and items, (classes,)."""
    both, said, true = (part[:, :, known] for part in np.split(seen, 3, axis=2))
    twice, either = 2 * both, said + true
    sums, times = twice.sum(axis=1), either.sum(axis=1)
    overall = (sums.sum(axis=1) + 0.5) / (times.sum(axis=1) + 1)
    by_class = (sums + _LEAN * overall[:, None]) / (times + _LEAN)
    pulls = ((twice - by_class[:, None] * either) / (times + _LEAN)[:, None]).mean(axis=2) * seen.shape[1]
    pulls -= pulls.mean(axis=1, keepdims=True)
    return by_class.mean(axis=1), pulls, by_class[-1], np.minimum(times[-1] / 2, seen.shape[1])


def _covariance(pulls: Float64, at: Float64, usual: float, items: float) -> Float64:
    """Of the scores: from what each item pulls (K, m), at these log labels; `usual` is a score's variance elsewhere."""
    seen = pulls @ pulls.T
    own = np.diag(seen)
    variance = (items * own.mean() + _FEW * usual) / (items + _FEW)
    apart = np.abs(at[:, None] - at)
    pairs = np.tril_indices(len(at), -1)
    half = ((own[:, None] + own) / 2 - seen)[pairs] / variance
    terms = np.stack([np.ones(len(half)), np.minimum(apart[pairs], 2.0)], axis=1)
    weights = 1 / (1 + apart[pairs])
    weights *= items / max(weights.sum(), 1.0)
    weighed = terms * weights[:, None]
    at_once, by_step = np.maximum(
        np.linalg.solve(weighed.T @ terms + _APART_ITEMS * np.eye(2), weighed.T @ half + _APART_ITEMS * _APART),
        _LEAST_APART,
    )
    at_once = min(at_once, 0.5)
    smooth = (1 - at_once) * np.exp(-by_step / (1 - at_once) * apart) + at_once * np.eye(len(at))
    share = items / (items + _SEEN)
    mixed: Float64 = share * seen + (1 - share) * variance * smooth
    return mixed
