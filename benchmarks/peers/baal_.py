"""Baal: its heuristics on the classifier's probabilities; they rank the whole pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from peers.case import Case


def _by(name: str) -> Callable[[Case], Callable[[], np.ndarray]]:
    def prepare(case: Case) -> Callable[[], np.ndarray]:
        from baal.active import heuristics

        heuristic, classifier, vectors = getattr(heuristics, name)(), case.classifier(), case.vectors
        return lambda: np.asarray(heuristic(classifier.predict_proba(vectors)))[: case.k]

    return prepare


WORKS: dict[str, Any] = {"entropy": _by("Entropy"), "margin": _by("Margin")}
