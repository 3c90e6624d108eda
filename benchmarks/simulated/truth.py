"""A simulated project's true scores, and the tallies its control arm would have."""

from __future__ import annotations

import numpy as np

from simulated.runs import Float64, Run
from tithe.learners import scores
from tithe.proof.tallies import Bool, Metric, Tally, of_classes, score_of


def truth(run: Run, point: int, metric: Metric) -> float:
    """The score of a point's model on items like the pool's, by the test set.

    Where an item carries one class, test items are weighed so that every class has the share it has in the pool: a
    rare class is thinned in the pool, and some sets come with a test of other shares.
    """
    known, said = scores.as_bool(run.test_answers, run.classes), scores.as_bool(run.test_pred[point], run.classes)
    weights = np.ones(len(known))
    if run.answers.ndim == 1:
        pool, test = (np.bincount(one, minlength=run.classes) / len(one) for one in (run.answers, run.test_answers))
        weights = np.divide(pool, test, out=np.zeros(run.classes), where=test > 0)[run.test_answers]
    single, rows = run.answers.ndim == 1, np.arange(len(known))
    adds = of_classes(metric, known.astype(float), said, rows, known, single=single).seen
    return float(score_of(metric, weights @ adds))


def control(run: Run, point: int, metric: Metric, labels: int) -> Tally:
    """What a point's model adds on the first so many control labels, and is expected to add on every drawn item."""
    sure, said = opinions(run, point)
    known = scores.as_bool(run.answers[run.preview[:labels]], run.classes)
    return of_classes(metric, sure, said, np.arange(labels), known, single=run.answers.ndim == 1)


def opinions(run: Run, point: int) -> tuple[Float64, Bool]:
    """A point's probabilities on the drawn items, and what it says of them: each shape (M, classes)."""
    sure = run.reserve_proba[point].astype(np.float64)
    single = run.answers.ndim == 1
    if single:
        sure /= sure.sum(axis=1, keepdims=True)
    return sure, scores.decide(sure, single=single, thresholds=run.thresholds[point])
