"""small-text: its strategies on a classifier with ``predict_proba``; its core-set function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from peers.case import LABELED, Case


class _Classifier:
    """What small-text asks of a classifier; the data set given to it is the vectors."""

    def __init__(self, classifier: Any) -> None:
        self._classifier = classifier

    def predict_proba(self, vectors: np.ndarray) -> np.ndarray:
        return self._classifier.predict_proba(vectors)


def _query(name: str) -> Callable[[Case], Callable[[], np.ndarray]]:
    def prepare(case: Case) -> Callable[[], np.ndarray]:
        from small_text.query_strategies import strategies

        strategy, classifier, vectors = getattr(strategies, name)(), _Classifier(case.classifier()), case.vectors
        everyone, none = np.arange(case.n), np.empty(0, np.int64)
        return lambda: strategy.query(classifier, vectors, everyone, none, none, n=case.k)

    return prepare


def _k_center(case: Case) -> Callable[[], np.ndarray]:
    from small_text.query_strategies.coresets import greedy_coreset

    rows = np.arange(case.n)  # candidates first: the function takes positions among them for rows of the whole
    return lambda: greedy_coreset(
        case.vectors, rows[:-LABELED], rows[-LABELED:], case.k, distance_metric="euclidean"
    )  # fmt: skip


WORKS: dict[str, Any] = {
    "entropy": _query("PredictionEntropy"), "margin": _query("BreakingTies"), "k_center": _k_center
}  # fmt: skip
