"""What the actively chosen labels say of quality by themselves: cross-validated, and levelled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from learning_curves.replay import the_learner
from learning_curves.sets import Int64

from simulated.runs import Float64, Run, folder, problem
from tithe.learners import scores
from tithe.learners.protocol import NotEnoughClasses
from tithe.policy import round_seed
from tithe.proof.tallies import Bool

FOLDS = 5


def cross_validated(run: Run, point: int) -> tuple[Int64, Bool]:
    """Positions in the pool of the labels that trained a point's model, and what models of the other folds say of them.

    Kept beside the runs. What no fold could be trained for is left out.
    """
    count = int(run.labels[point])
    path = folder() / "crossed" / f"{run.set.replace(' ', '_').replace('%', 'pc')}-{run.seed}-{count}.npz"
    if not path.is_file():
        given, labeled = problem(run.set, run.seed), run.labeled[:count]
        fold = np.random.default_rng([run.seed, 31]).permutation(count) % FOLDS
        said, known = np.zeros((count, run.classes), dtype=np.bool_), np.zeros(count, dtype=np.bool_)
        for out in range(FOLDS):
            try:
                model = the_learner(given, labeled[fold != out], round_seed(run.seed, out), None)
            except NotEnoughClasses:
                continue
            sure = model.predict_proba(given.pool[labeled[fold == out]]).astype(np.float64)
            single = run.answers.ndim == 1
            said[fold == out] = scores.decide(sure, single=single, thresholds=model.thresholds)
            known[fold == out] = True
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, labeled=labeled[known], said=said[known])
    with np.load(path) as kept:
        return kept["labeled"], kept["said"]


def levelled(wanted: Float64, labels: int, rng: np.random.Generator) -> tuple[Int64, Float64]:
    """A draw without replacement, each time with a probability proportional to `wanted`, and its levelling weights.

    The mean of weight times loss is an unbiased estimate of the pool's mean loss (Farquhar, Gal & Rainforth 2021, On
    statistical bias in active learning, ICLR, eq. 8: R_LURE). It divides by the probability with which each was chosen.
    A queue that hands out its best items chooses those with probability 1 and all others with 0, so it has none.
    """
    rows = len(wanted)
    order = np.argsort(-(np.log(wanted) + rng.gumbel(size=rows)), kind="stable")[:labels]
    left = wanted.sum() - np.concatenate([[0.0], np.cumsum(wanted[order])[:-1]])
    chosen, step = wanted[order] / left, np.arange(1, labels + 1)
    return order, 1 + (rows - labels) / (rows - step) * (1 / ((rows - step + 1) * chosen) - 1)


PROPOSALS: dict[str, Callable[[Float64], Float64]] = {
    "levelled, by uncertainty": lambda sure: 1 - sure.max(axis=1) + 0.01,
    "levelled, by uncertainty to the 4th": lambda sure: (1 - sure.max(axis=1) + 0.01) ** 4,
}
