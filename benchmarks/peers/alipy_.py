"""ALiPy, by its entry points that take predictions; its core-set."""

from __future__ import annotations

import collections
import collections.abc
from collections.abc import Callable
from typing import Any

import numpy as np

from peers.case import LABELED, Case

collections.Iterable = collections.abc.Iterable  # type: ignore[attr-defined]  # gone since Python 3.10; ALiPy asks for it


def _by(measure: str) -> Callable[[Case], Callable[[], np.ndarray]]:
    def prepare(case: Case) -> Callable[[], np.ndarray]:
        from alipy.query_strategy import QueryInstanceUncertainty

        strategy, classifier, vectors = QueryInstanceUncertainty(measure=measure), case.classifier(), case.vectors
        everyone = np.arange(case.n)
        return lambda: strategy.select_by_prediction_mat(everyone, classifier.predict_proba(vectors), batch_size=case.k)

    return prepare


def _vote_entropy(case: Case) -> Callable[[], np.ndarray]:
    from alipy.query_strategy import QueryInstanceQBC

    strategy, members = QueryInstanceQBC(disagreement="vote_entropy"), [case.classifier(head) for head in range(1, 6)]
    vectors, everyone = case.vectors, np.arange(case.n)

    def pick() -> np.ndarray:
        votes = [member.predict(vectors) for member in members]
        return strategy.select_by_prediction_mat(everyone, votes, batch_size=case.k)

    return pick


def _k_center(case: Case) -> Callable[[], np.ndarray]:
    from alipy.query_strategy.query_labels import QueryInstanceCoresetGreedy

    rows = np.arange(case.n)
    candidates, labeled = rows[:-LABELED], rows[-LABELED:]

    def pick() -> np.ndarray:
        strategy = QueryInstanceCoresetGreedy(case.vectors, case.labels, rows)
        return np.array(strategy.select(labeled, candidates, batch_size=case.k))

    return pick


WORKS: dict[str, Any] = {
    "entropy": _by("entropy"), "margin": _by("margin"), "vote_entropy": _vote_entropy, "k_center": _k_center
}  # fmt: skip
