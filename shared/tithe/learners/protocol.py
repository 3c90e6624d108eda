"""What an encoder, a learner and a model are. Imports NumPy only: services name these types without paying for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from tithe.errors import Conflict

Task = Literal["single", "multi"]  #: one class a row, or any number of classes a row
Metric = Literal["macro_f1", "accuracy"]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Targets = NDArray[np.int64] | NDArray[np.bool_]
Progress = Callable[[int, int], None]  #: called with (texts done, texts in all)


class NotEnoughClasses(Conflict):
    """The labels so far are all of one class: there is nothing to tell apart yet."""

    code = "not_enough_classes"


class Encoder(Protocol):
    """Turns texts into vectors of length one."""

    @property
    def identity(self) -> str:
        """Name, version and limits of what computes the vectors: vectors of two identities must never share a pool."""

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Float32:
        """Encode each text by itself: its vector does not depend on its neighbours, nor on their order.

        Parameters
        ----------
        texts
            Any texts, empty ones too.
        progress
            Called now and then with how many texts are done and how many there are; for a heartbeat.

        Returns
        -------
        float32, shape (len(texts), dimension), rows of Euclidean length one.
        """


class Model(Protocol):
    """A trained model: immutable, safe to read from several threads."""

    @property
    def n_classes(self) -> int:
        """Classes of the project, those without a label included."""

    @property
    def thresholds(self) -> Float64:
        """float64, shape (classes,): from which probability on a class is said, where an item may carry several."""

    def predict_proba(self, vectors: Float32) -> Float64:
        """Calibrated probabilities.

        Parameters
        ----------
        vectors
            float32, shape (n, d); read only, a memory map is read piece by piece.

        Returns
        -------
        float64, shape (n, classes), all in (0, 1). Rows sum to one where an item carries one class; each class stands
        by itself where it may carry several.
        """

    def committee_proba(self, vectors: Float32) -> Float64:
        """Probabilities of each committee member, aligned on the project's classes.

        Returns
        -------
        float64, shape (members, n, classes): ``8 * members * n * classes`` bytes, so pass large pools in slices.
        """

    def facts(self) -> dict[str, Any]:
        """How it was fitted, ready for JSON: at least ``score``, ``metric``, ``temperature``, ``seconds``."""

    def to_tensors(self) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        """Everything :meth:`from_tensors` needs, as named arrays and texts: never a pickle."""

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, str]) -> Self:
        """The model :meth:`to_tensors` came from. Raises ValueError when the arrays do not fit together."""


class Learner(Protocol):
    """Fits a model to labeled vectors."""

    def fit(
        self,
        vectors: Float32,
        targets: Targets,
        n_classes: int,
        *,
        task: Task,
        metric: Metric,
        seed: int,
        members: int = 5,
        previous: Model | None = None,
        pool: Float32 | None = None,
    ) -> Model:
        """Fit to every label there is.

        Parameters
        ----------
        vectors
            float32, shape (n, d): the labeled items. Left unchanged.
        targets
            int64, shape (n,), in ``[0, n_classes)`` for ``"single"``; bool, shape (n, n_classes) for ``"multi"``.
        n_classes
            Classes of the project; some may have no label yet.
        task
            ``"single"`` or ``"multi"``.
        metric
            What the fit is tuned for and scored by.
        seed
            Same input and seed, same model.
        members
            Heads of the committee, each fitted to a bootstrap sample; 0 for none.
        previous
            The last round's model, to start from.
        pool
            float32, shape (m, d): unlabeled vectors, a random sample of a few thousand; learners may use them.

        Raises
        ------
        NotEnoughClasses
            When the labels hold fewer than two classes.
        ValueError
            When an argument has the wrong shape or a vector is not finite; names the argument and the row.
        """

    def load(self, tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, str]) -> Model:
        """A model of this learner, out of what its ``to_tensors`` returned."""
