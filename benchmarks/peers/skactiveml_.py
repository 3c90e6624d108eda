"""scikit-activeml: its pool strategies, the classifier given as fitted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from peers.case import LABELED, Case


def _classifier(case: Case, head: int = 0) -> Any:
    from skactiveml.classifier import SklearnClassifier

    classes = np.arange(case.classes)
    rows = np.asarray(case.vectors[: 4 * case.classes])
    fitted = SklearnClassifier(case.classifier(head), classes=classes)
    fitted.fit(rows, np.arange(len(rows)) % case.classes)  # only to be taken as fitted; its weights are replaced
    fitted.estimator_ = case.classifier(head)
    return fitted


def _query(name: str, **options: Any) -> Callable[[Case], Callable[[], np.ndarray]]:
    """A strategy that asks a classifier."""

    def prepare(case: Case) -> Callable[[], np.ndarray]:
        from skactiveml import pool

        strategy, classifier = getattr(pool, name)(random_state=0, **options), _classifier(case)
        vectors, nothing = case.vectors, np.full(case.n, np.nan)
        return lambda: strategy.query(X=vectors, y=nothing, clf=classifier, fit_clf=False, batch_size=case.k)

    return prepare


def _vote_entropy(case: Case) -> Callable[[], np.ndarray]:
    from skactiveml.pool import QueryByCommittee

    strategy, members = QueryByCommittee("vote_entropy", random_state=0), [_classifier(case, h) for h in range(1, 6)]
    vectors, nothing = case.vectors, np.full(case.n, np.nan)
    return lambda: strategy.query(X=vectors, y=nothing, ensemble=members, fit_ensemble=False, batch_size=case.k)


def _vectors_only(name: str, *, labeled: bool) -> Callable[[Case], Callable[[], np.ndarray]]:
    """A strategy that looks at vectors alone."""

    def prepare(case: Case) -> Callable[[], np.ndarray]:
        from skactiveml import pool

        strategy, y = getattr(pool, name)(random_state=0), np.full(case.n, np.nan)
        if labeled:
            y[-LABELED:] = case.labels[-LABELED:]
        vectors = case.vectors
        return lambda: strategy.query(X=vectors, y=y, batch_size=case.k)

    return prepare


WORKS: dict[str, Any] = {
    "entropy": _query("UncertaintySampling", method="entropy"),
    "margin": _query("UncertaintySampling", method="margin_sampling"),
    "vote_entropy": _vote_entropy,
    "k_center": _vectors_only("CoreSet", labeled=True),
    "k_center_kept": _vectors_only("CoreSet", labeled=True),
    "badge": _query("Badge"),
    "typical": _vectors_only("TypiClust", labeled=False),
    "max_herding": _vectors_only("MaxHerding", labeled=False),
}
