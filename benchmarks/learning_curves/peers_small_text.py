"""Who competes against the product: small-text's strategies, with the same vectors, learner and first labels."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from learning_curves.replay import Contestant, Now
from learning_curves.sets import Int64, Vectors

#: Name here: class there, its options.
STRATEGIES: dict[str, tuple[str, dict[str, Any]]] = {
    "small-text: BreakingTies": ("BreakingTies", {}),
    "small-text: LeastConfidence": ("LeastConfidence", {}),
    "small-text: PredictionEntropy": ("PredictionEntropy", {}),
    "small-text: EmbeddingKMeans": ("EmbeddingKMeans", {}),
    "small-text: LightweightCoreset": ("LightweightCoreset", {}),
    "small-text: GreedyCoreset": ("GreedyCoreset", {}),
    "small-text: ContrastiveActiveLearning": ("ContrastiveActiveLearning", {"pbar": None}),
}
#: For items that may carry several labels.
OF_SEVERAL: dict[str, tuple[str, dict[str, Any]]] = {
    "small-text: CategoryVector": ("CategoryVectorInconsistencyAndRanking", {"pbar": None}),
    "small-text: LightweightCoreset": ("LightweightCoreset", {}),
}


def of_small_text(name: str, cold_start: Contestant) -> Contestant:
    """A strategy of small-text with its own defaults, from the same first labels as everybody.

    Raises
    ------
    ImportError
        Where it is not installed.
    """
    from small_text import query_strategies

    kind, options = (STRATEGIES | OF_SEVERAL)[name]
    make = getattr(query_strategies, kind)

    def contestant(now: Now, k: int) -> Int64:
        if now.model is None:
            return cold_start(now, k)
        left = np.setdiff1d(np.arange(len(now.vectors)), now.labeled)
        np.random.seed(now.seed % 2**32)  # noqa: NPY002 -- the only source of chance it has
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            strategy = make(**options)
            picked = strategy.query(_Ours(now), now.vectors, left, now.labeled, _answers(now), n=k)
        return np.asarray(picked, dtype=np.int64)

    return contestant


class _Ours:
    """The last fit, as small-text asks a classifier; the data set given to it is the vectors."""

    def __init__(self, now: Now) -> None:
        self._model, self.num_classes = now.model, now.classes

    def predict_proba(self, vectors: Vectors) -> npt.NDArray[np.float64]:
        answers: npt.NDArray[np.float64] = self._model.predict_proba(vectors)
        return answers

    def embed(self, vectors: Vectors, return_proba: bool = False, **_: Any) -> Any:
        return (vectors, self.predict_proba(vectors)) if return_proba else vectors


def _answers(now: Now) -> Any:
    if now.answers.ndim == 1:
        return now.answers
    from scipy.sparse import csr_matrix

    return csr_matrix(now.answers.astype(np.int64))
