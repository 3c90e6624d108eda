"""Who competes against the product: scikit-activeml's strategies, with the same vectors, learner and first labels."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from learning_curves.replay import Contestant, Now
from learning_curves.sets import Int64, Vectors

#: Name here: class there, how it takes the model, its options.
STRATEGIES: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "peer: entropy": ("UncertaintySampling", "clf", {"method": "entropy"}),
    "peer: margin": ("UncertaintySampling", "clf", {"method": "margin_sampling"}),
    "peer: least confident": ("UncertaintySampling", "clf", {"method": "least_confident"}),
    "peer: Falcun": ("Falcun", "clf", {}),
    "peer: Badge": ("Badge", "clf", {}),
    "peer: ContrastiveAL": ("ContrastiveAL", "clf", {}),
    "peer: DropQuery": ("DropQuery", "clf", {}),
    "peer: Clue": ("Clue", "estimator", {}),
    "peer: CoreSet": ("CoreSet", None, {}),
    "peer: ProbCover": ("ProbCover", None, {}),
    "peer: TypiClust": ("TypiClust", None, {}),
}


def of_scikit_activeml(name: str, cold_start: Contestant) -> Contestant:
    """A strategy of scikit-activeml with its own defaults, from the same first labels as everybody.

    Raises
    ------
    ImportError
        Where it is not installed.
    """
    import skactiveml.pool

    kind, takes, options = STRATEGIES[name]
    make = getattr(skactiveml.pool, kind)

    def contestant(now: Now, k: int) -> Int64:
        if now.model is None:
            return cold_start(now, k)
        known = np.full(len(now.vectors), np.nan)
        # Where an item carries several labels only strategies without a model are run: they ask which items have any.
        known[now.labeled] = 0.0 if now.answers.ndim > 1 else now.answers
        more = {"n_classes": now.classes} if kind == "ProbCover" else {}
        strategy = make(random_state=now.seed % 2**31, **options, **more)
        model = {} if takes is None else {takes: _wrapped(now), f"fit_{takes}": False}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(strategy.query(X=now.vectors, y=known, batch_size=k, **model), dtype=np.int64)

    return contestant


def _wrapped(now: Now) -> Any:
    """The last fit, as something scikit-activeml takes for its own."""
    from skactiveml.base import SkactivemlClassifier

    class Ours(SkactivemlClassifier):
        """Says what our model says; is never fitted."""

        def __init__(self, model: Any = None, classes: Any = None) -> None:
            super().__init__(classes=classes, missing_label=np.nan)
            self.model = model
            self.classes_ = np.asarray(classes)

        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:  # noqa: ARG002, N803 -- the library's names
            return self

        def predict_proba(self, X: Vectors, **_: Any) -> npt.NDArray[np.float64]:  # noqa: N803
            answers: npt.NDArray[np.float64] = self.model.predict_proba(np.asarray(X, np.float32))
            return answers

        def predict(self, X: Vectors, **_: Any) -> Int64:  # noqa: N803
            return self.predict_proba(X).argmax(axis=1)

    return Ours(now.model, list(range(now.classes)))
