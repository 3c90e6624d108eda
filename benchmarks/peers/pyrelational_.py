"""PyRelationAL: its informativeness functions on the classifier's probabilities, then torch's top k."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from peers.case import Case

vars(np)["float_"] = np.float64  # gone since NumPy 2; PyRelationAL asks for it


def _by(name: str) -> Callable[[Case], Callable[[], np.ndarray]]:
    def prepare(case: Case) -> Callable[[], np.ndarray]:
        import torch
        from pyrelational.informativeness import classification

        torch.set_num_threads(1)
        measure, classifier, vectors = getattr(classification, name), case.classifier(), case.vectors

        def pick() -> np.ndarray:
            scores = measure(torch.from_numpy(classifier.predict_proba(vectors)))
            return torch.topk(scores, case.k).indices.numpy()

        return pick

    return prepare


WORKS: dict[str, Any] = {
    "entropy": _by("classification_entropy"), "margin": _by("classification_margin_confidence")
}  # fmt: skip
