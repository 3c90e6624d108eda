"""Scores as functions of sums: what one item adds to each sum, as it is and as the model expects it.

Accuracy, macro-F1 and entity F1 are each a smooth function of the means of a few numbers an item. So one estimator, one
interval and one comparison serve all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Metric = Literal["accuracy", "macro_f1", "entity_f1"]


@dataclass(frozen=True, slots=True)
class Tally:
    """What drawn items add to a model's score.

    Attributes
    ----------
    metric
        Which score. Columns K: accuracy 2 (right, 1); macro_f1 3 * classes (both, said, true; each by class); entity_f1
        3 (both, found, marked).
    rows
        int64, shape (m,), ascending: which of the M drawn items have a label.
    seen
        float64, shape (m, K): what these add, by their labels.
    expected
        float64, shape (M, K): what the model expects every drawn item to add, labeled or not; None: it cannot say.
        The drawn items are in the order of the draw, so all of them are a random sample of the pool.
    """

    metric: Metric
    rows: Int64
    seen: Float64
    expected: Float64 | None


def score_of(metric: Metric, means: Float64) -> Float64:
    """The score at means (or sums) of what items add: shape (..., K) to (...), in [0, 1].

    Macro-F1 is the plain mean over the classes that are said or true somewhere; 0 if there are none.

    Examples
    --------
    >>> score_of("accuracy", np.array([[8.0, 10.0], [0.9, 1.0]])).tolist()
    [0.8, 0.9]
    >>> score_of("entity_f1", np.array([3.0, 4.0, 5.0])).round(3).tolist()
    0.667
    """
    if metric == "accuracy":
        right, all_ = means[..., 0], means[..., 1]
        share: Float64 = np.divide(right, all_, out=np.zeros(right.shape), where=all_ > 0)
        return share
    both, said, true = np.moveaxis(means.reshape(*means.shape[:-1], 3, -1), -2, 0)
    either = said + true
    f1 = np.divide(2 * both, either, out=np.full(both.shape, np.nan), where=either > 0)
    classes = (either > 0).sum(axis=-1)
    mean: Float64 = np.divide(np.nansum(f1, axis=-1), classes, out=np.zeros(classes.shape), where=classes > 0)
    return mean


def of_classes(
    metric: Metric, probabilities: Float64, decided: Bool, rows: Int64, truth: Bool, *, single: bool
) -> Tally:
    """The tally of a model of classes.

    Parameters
    ----------
    metric
        accuracy (with several classes an item: the exact match ratio) or macro_f1.
    probabilities
        float64, shape (M, classes): of every drawn item, in the order of the draw.
    decided
        bool, shape (M, classes): what is said of it.
    rows
        int64, shape (m,): which of them have a label.
    truth
        bool, shape (m, classes): their labels.
    single
        Whether an item carries exactly one class.
    """
    said, known = decided[rows], truth
    if metric == "accuracy":
        right = (said == known).all(axis=1).astype(np.float64)
        sure = probabilities[decided] if single else np.where(decided, probabilities, 1 - probabilities).prod(axis=1)
        return Tally(metric, rows, np.stack([right, np.ones(len(rows))], 1), np.stack([sure, np.ones(len(decided))], 1))
    seen = np.concatenate([said & known, said, known], axis=1).astype(np.float64)
    expected = np.concatenate([decided * probabilities, decided, probabilities], axis=1).astype(np.float64)
    return Tally(metric, rows, seen, expected)


def of_entities(rows: Int64, both: Int64, found: Int64, marked: Int64) -> Tally:
    """The tally of a model of entities: exact spans of the right type in both, found and marked, each shape (m,)."""
    return Tally("entity_f1", rows, np.stack([both, found, marked], axis=1).astype(np.float64), None)


def shared_rows(tallies: Sequence[Tally]) -> Int64:
    """The labeled items that every tally knows: what models are compared on."""
    common = tallies[0].rows
    for one in tallies[1:]:
        common = np.intersect1d(common, one.rows, assume_unique=True)
    return common
