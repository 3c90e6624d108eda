"""Which labels a fine-tuning does not see, and what they say of it without flattering it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from tithe.learners import folds

Int64 = NDArray[np.int64]
Answers = TypeVar("Answers")

#: With fewer labels training lasts a fixed number of epochs: so few held-out rows could not tell when to stop.
FEWEST_TO_STOP = 50
#: From so many labels on a tenth is held out, before that a fifth; never more than `MOST_HELD_OUT` rows.
MANY = 400
MOST_HELD_OUT = 1000
#: An earlier epoch must score better by this, times 1 / sqrt(held-out rows), to be preferred to a later one: about a
#: standard error of the difference of two models that answer one row in ten differently.
CAUTION = 0.3


def held_out(onehot: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw the rows that are held out, the same share of each stratum.

    A row alone in its stratum is never held out, and neither is the last example of a class.

    Parameters
    ----------
    onehot
        float32, shape (classes, n): 1 where the row carries the class.
    rng
        Draws.

    Returns
    -------
    bool, shape (n,).
    """
    rows = onehot.shape[1]
    share = max(5 if rows < MANY else 10, -(-rows // MOST_HELD_OUT))
    chosen: NDArray[np.bool_] = folds.stratified_folds(folds.strata(onehot), share, rng) == 0
    for present in (onehot > 0, onehot == 0):
        lost = present.any(axis=1) & ~(present & ~chosen).any(axis=1)
        for label in np.flatnonzero(lost):
            chosen[np.flatnonzero(present[label])[0]] = False
    return chosen


@dataclass
class Judge(Generic[Answers]):
    """Follows a training on its held-out rows: which epoch was best, and how good it is on rows that did not choose it.

    The epoch is chosen by its score on all held-out rows, so that this very score would flatter it. Each half of the
    rows is therefore scored by the answers of the epoch the other half would have chosen.

    Parameters
    ----------
    answer
        The network's answers to the held-out rows, as it is now.
    join
        ``join(a, b, in_a)``: the rows of `a` where `in_a`, those of `b` elsewhere.
    score
        ``score(answers, rows)``: how good the answers to these rows (bool) are, in [0, 1]; higher is better.
    rows
        How many rows are held out.
    rng
        Halves them.
    """

    answer: Callable[[], Answers]
    join: Callable[[Answers, Answers, NDArray[np.bool_]], Answers]
    score: Callable[[Answers, NDArray[np.bool_]], float]
    rows: int
    rng: np.random.Generator
    seen: list[Answers] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    def look(self) -> float:
        """Ask the network as it is now, and remember; the score on all held-out rows."""
        self.seen.append(self.answer())
        self.scores.append(self.score(self.seen[-1], np.ones(self.rows, bool)))
        return self.scores[-1]

    def honest(self) -> Answers:
        """Answers to the held-out rows, each from the epoch chosen without it. After at least one :meth:`look`."""
        half = np.zeros(self.rows, bool)
        half[self.rng.permutation(self.rows)[: self.rows // 2]] = True
        by_half = self.seen[latest_good([self.score(answers, half) for answers in self.seen], int(half.sum()))]
        by_rest = self.seen[latest_good([self.score(answers, ~half) for answers in self.seen], int((~half).sum()))]
        return self.join(by_rest, by_half, half)


def caution(rows: int) -> float:
    """How much better an earlier epoch must score on so many rows to be preferred: `CAUTION` / sqrt(rows)."""
    return CAUTION / math.sqrt(max(1, rows))


def latest_good(scores: Sequence[float], rows: int) -> int:
    """The last epoch that is not clearly worse than the best one.

    Held-out scores of few rows are mostly noise, and as the learning rate falls to zero, later is better on average:
    the one-standard-error rule (Breiman et al. 1984, Classification and regression trees, section 3.4.3), turned to
    favour the longer training.

    Examples
    --------
    >>> latest_good([0.5, 0.7, 0.68, 0.6], 100), latest_good([0.5, 0.7, 0.68, 0.6], 1000)
    (2, 1)
    """
    enough = max(scores) - caution(rows)
    return max(at for at, score in enumerate(scores) if score >= enough)
