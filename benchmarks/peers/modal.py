"""modAL: its sampling functions on a classifier, and on a committee of classifiers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from peers.case import Case


def _sampling(name: str) -> Callable[[Case], Callable[[], np.ndarray]]:
    def prepare(case: Case) -> Callable[[], np.ndarray]:
        import modAL.uncertainty

        sampling, classifier, vectors = getattr(modAL.uncertainty, name), case.classifier(), case.vectors
        return lambda: sampling(classifier, vectors, n_instances=case.k)[0]

    return prepare


def _vote_entropy(case: Case) -> Callable[[], np.ndarray]:
    from modAL.disagreement import vote_entropy_sampling
    from modAL.models import ActiveLearner, Committee

    committee = Committee([ActiveLearner(case.classifier(head)) for head in range(1, 6)])
    committee.classes_, committee.n_classes_ = np.arange(case.classes), case.classes
    vectors = case.vectors
    return lambda: vote_entropy_sampling(committee, vectors, n_instances=case.k)[0]


WORKS: dict[str, Any] = {
    "entropy": _sampling("entropy_sampling"), "margin": _sampling("margin_sampling"), "vote_entropy": _vote_entropy
}  # fmt: skip
