"""One task for all contestants: a pool on disk, a model, what is labeled, how many to pick."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

LABELED = 1000


@dataclass(frozen=True)
class Case:
    """A work on the first `n` rows of the pool. The labeled rows of coverage works are the last thousand of these."""

    folder: Path
    work: str
    n: int
    classes: int
    k: int
    over: int = 1  #: how many times the rows come, one after the other: a larger pool than the disk has room for

    @classmethod
    def read(cls, text: str) -> Case:
        """What :meth:`write` wrote."""
        values = json.loads(text)
        return cls(Path(values.pop("folder")), **values)

    def write(self) -> str:
        """For a child's command line."""
        return json.dumps({**self.__dict__, "folder": str(self.folder)})

    @property
    def vectors(self) -> np.ndarray:
        """float32, shape (n, d), memory-mapped."""
        return np.load(self.folder / "pool.npy", mmap_mode="r")[: self.n]

    @property
    def heads(self) -> np.ndarray:
        """float32, shape (6, classes, d + 1), the temperature divided out: the model's own, then five members'."""
        return np.load(self.folder / f"heads{self.classes}.npy")

    @property
    def labels(self) -> np.ndarray:
        """int64, shape (n,): every row's class, of which contestants may read the labeled rows'."""
        return np.load(self.folder / "topics.npy")[: self.n] % self.classes

    def classifier(self, head: int = 0) -> Any:
        """A head as scikit-learn's logistic regression: what the peers are made for."""
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression()
        weights = self.heads[head].astype(np.float32)
        model.coef_, model.intercept_ = weights[:, :-1].copy(), weights[:, -1].copy()
        model.classes_, model.n_features_in_ = np.arange(self.classes), weights.shape[1] - 1
        model.n_iter_ = np.array([1])
        return model
