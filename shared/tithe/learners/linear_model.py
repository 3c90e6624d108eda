"""The linear model as scorers see it: a few arrays and one matrix product. NumPy only, never a pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from tithe.learners.protocol import Float32, Float64, Task

FORMAT = "tithe-linear/1"
#: Rows predicted at a time, so that memory stays bounded whatever the pool.
CHUNK_ROWS = 16_384
_EXACT_ROWS = 1024


@dataclass(frozen=True)
class FitFacts:
    """How a model came about. Scores are of held-out answers: labels whose own head had not seen them."""

    labels: int  #: rows fitted to
    class_counts: tuple[int, ...]  #: labels of each of the project's classes
    c: float  #: inverse regularisation
    class_weight: float  #: 0 none, 1 balanced, one half in between
    temperature: float  #: what logits are divided by
    metric: str  #: what `score` is
    held_out: int  #: rows the scores are measured on
    pseudo_labels: int  #: pool rows the self-training step looked at
    members: int  #: heads of the committee
    score: float | None = None  #: in [0, 1]; None while no row could be held out
    accuracy: float | None = None
    macro_f1: float | None = None
    log_loss: float | None = None  #: nats a row, after the temperature
    seconds: float = 0.0  #: wall-clock time of the fit
    thresholds: tuple[float, ...] = ()  #: of the classes, where a row may carry several and F1 is the score


@dataclass(frozen=True)
class LinearModel:
    """Logistic regression heads over fixed vectors, the committee's stacked under the first.

    Parameters
    ----------
    heads
        float32, shape (1 + members, learned classes, d + 1): the model's own head, then the committee's; the
        intercept last.
    learned
        int64, shape (learned classes,), ascending: which of the project's classes the heads' rows are.
    prior
        float64, shape (classes,): ``(labels of the class + 1) / (labels + 2)``, the rule of succession. It answers
        for the classes no head has learned: where a row carries one class, all of them together get ``1 / (labels +
        2)``, in equal parts. That is never zero, the same for every row, so that it reorders no ranking by
        uncertainty, and always below the likeliest learned class. Where each class stands alone, an unlearned one
        gets its prior.
    task
        ``"single"`` or ``"multi"``.
    temperature
        Divides the logits.
    mean, scale
        float32, shape (d,), or None for vectors of length one: features are ``(vector - mean) * scale``.
    fitted
        How it came about.
    out_of_fold
        float64, shape (labels, classes), or None: each labeled row's probabilities from a head that had not seen it,
        NaN for a row never held out. Only in memory, right after the fit.
    thresholds
        float64, shape (classes,): from which probability on a class is said, where a row may carry several; one half
        for all unless given. No probability is changed by them.
    """

    heads: Float32
    learned: NDArray[np.int64]
    prior: Float64
    task: Task
    temperature: float
    mean: Float32 | None
    scale: Float32 | None
    fitted: FitFacts
    out_of_fold: Float64 | None = field(default=None, compare=False)
    thresholds: Float64 = field(default_factory=lambda: np.empty(0), compare=False)

    def __post_init__(self) -> None:
        if not len(self.thresholds):
            object.__setattr__(self, "thresholds", np.full(len(self.prior), 0.5))

    @property
    def n_classes(self) -> int:
        """Classes of the project."""
        return len(self.prior)

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return int(self.heads.shape[2]) - 1

    @property
    def members(self) -> int:
        """Heads of the committee."""
        return int(self.heads.shape[0]) - 1

    def facts(self) -> dict[str, Any]:
        """:class:`FitFacts` as plain values, ready for JSON."""
        return asdict(self.fitted)

    def predict_proba(self, vectors: Float32) -> Float64:
        """Calibrated probabilities of the model's own head.

        Parameters
        ----------
        vectors
            float32, shape (n, d); a memory map is read `CHUNK_ROWS` at a time.

        Returns
        -------
        float64, shape (n, classes), all in (0, 1); rows sum to one for ``"single"``.

        Raises
        ------
        ValueError
            When the vectors are not of shape (n, d).

        Notes
        -----
        Time O(n d classes), one float32 matrix product a chunk.
        """
        own: Float64 = self._predict(vectors, self.heads[:1])[0]
        return own

    def committee_proba(self, vectors: Float32) -> Float64:
        """Probabilities of each committee member, at the same temperature, from one matrix product.

        Returns
        -------
        float64, shape (members, n, classes): as :meth:`predict_proba`.
        """
        return self._predict(vectors, self.heads[1:])

    def stacked_proba(self, vectors: Float32) -> Float64:
        """:meth:`predict_proba` and :meth:`committee_proba` in one pass over the vectors.

        Returns
        -------
        float64, shape (1 + members, n, classes): the model's own head first.
        """
        return self._predict(vectors, self.heads)

    def exact_proba(self, vectors: Float32, heads: slice) -> Float64:
        """Probabilities of some of the heads from float64 products: what scores are defined by, to the last bit.

        Unlike a matrix product's, a row's result does not depend on the rows beside it.

        Parameters
        ----------
        vectors
            float32, shape (n, d).
        heads
            Which of the stacked heads: ``slice(0, 1)`` the model's own, ``slice(1, None)`` the committee's.

        Returns
        -------
        float64, shape (heads, n, classes).

        Raises
        ------
        ValueError
            When the vectors are not of shape (n, d).

        Notes
        -----
        Time O(n d heads classes), one scalar product after the other: some twenty times slower than
        :meth:`stacked_proba`, so for the few rows whose last bits matter.
        """
        self._check(vectors)
        chosen = self.heads[heads].astype(np.float64)
        count, learned, _ = chosen.shape
        answer = np.empty((count, len(vectors), self.n_classes))
        for first in range(0, len(vectors), _EXACT_ROWS):
            features = np.array(vectors[first : first + _EXACT_ROWS], np.float64, order="C")
            if self.mean is not None and self.scale is not None:
                features = (features - self.mean) * self.scale
            # Twice where it is alone: NumPy adds up a lone column in another order than columns side by side.
            width = max(len(features), 2)
            logits = np.empty((count, learned, width))
            for head, out in zip(
                chosen.reshape(count * learned, -1), logits.reshape(count * learned, width), strict=True
            ):
                out[:] = np.vecdot(features, np.ascontiguousarray(head[:-1])) + head[-1]
            answer[:, first : first + len(features)] = self.probabilities(logits)[:, :, : len(features)].transpose(
                0, 2, 1
            )
        return answer

    @property
    def unlearned_mass(self) -> float:
        """What all classes without a label share between them where a row carries one class."""
        return 1 / (self.fitted.labels + 2) if len(self.learned) < self.n_classes else 0.0

    def _check(self, vectors: Float32) -> None:
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise ValueError(f"vectors must have shape (n, {self.dimension}), not {vectors.shape}")

    def _predict(self, vectors: Float32, heads: Float32) -> Float64:
        self._check(vectors)
        count, learned, width = heads.shape
        stacked = heads.reshape(count * learned, width)
        slopes, intercepts = np.ascontiguousarray(stacked[:, :-1]), stacked[:, -1:]
        answer = np.empty((count, len(vectors), self.n_classes), np.float64)
        for first in range(0, len(vectors), CHUNK_ROWS):
            features = self._features(vectors[first : first + CHUNK_ROWS])
            logits = (slopes @ features.T + intercepts).reshape(count, learned, len(features)).astype(np.float64)
            answer[:, first : first + CHUNK_ROWS] = self.probabilities(logits).transpose(0, 2, 1)
        return answer

    def _features(self, vectors: Float32) -> Float32:
        rows = np.asarray(vectors, np.float32)
        return rows if self.mean is None or self.scale is None else (rows - self.mean) * self.scale

    def probabilities(self, logits: Float64) -> Float64:
        """Probabilities of every class of the project from the learned classes' logits.

        Parameters
        ----------
        logits
            float64, shape (heads, learned classes, n).

        Returns
        -------
        float64, shape (heads, classes, n).
        """
        logits = logits / self.temperature
        answer = np.empty((logits.shape[0], self.n_classes, logits.shape[2]))
        if self.task == "multi":
            answer[:] = self.prior[:, None]
            answer[:, self.learned] = 1 / (1 + np.exp(-np.clip(logits, -500, 500)))
            return answer
        np.exp(logits - logits.max(axis=1, keepdims=True), out=logits)
        logits /= logits.sum(axis=1, keepdims=True)
        answer[:] = self.unlearned_mass / max(1, self.n_classes - len(self.learned))
        answer[:, self.learned] = logits * (1 - self.unlearned_mass)
        return answer

    def to_tensors(self) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        """The arrays and texts :meth:`from_tensors` makes this model of."""
        tensors: dict[str, NDArray[Any]] = {"heads": self.heads, "learned": self.learned, "prior": self.prior}
        if self.mean is not None and self.scale is not None:
            tensors |= {"mean": self.mean, "scale": self.scale}
        if self.task == "multi":
            tensors["thresholds"] = self.thresholds
        meta = {
            "format": FORMAT,
            "task": self.task,
            "temperature": repr(self.temperature),
            "facts": json.dumps(self.facts()),
        }
        return tensors, meta

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, str]) -> Self:
        """The model :meth:`to_tensors` came from; without thresholds, as older ones are, one half for all classes.

        Raises
        ------
        ValueError
            When this is not a linear model, or its arrays do not fit together.
        """
        if meta.get("format") != FORMAT:
            raise ValueError(f"not a {FORMAT} model: format is {meta.get('format')!r}")
        absent = {"heads", "learned", "prior"} - tensors.keys()
        if absent:
            raise ValueError(f"the model lacks {', '.join(sorted(absent))}")
        heads, learned, prior = tensors["heads"], tensors["learned"], tensors["prior"]
        mean, scale = tensors.get("mean"), tensors.get("scale")
        fits = heads.ndim == 3 and heads.shape[1] == len(learned) and 0 < len(learned) <= len(prior)
        fits = fits and learned.min() >= 0 and learned.max() < len(prior)
        thresholds = tensors.get("thresholds", np.full(len(prior), 0.5))
        fits = fits and thresholds.shape == prior.shape
        if not fits or any(array is not None and array.shape != (heads.shape[2] - 1,) for array in (mean, scale)):
            shapes = ", ".join(f"{name} {array.shape}" for name, array in sorted(tensors.items()))
            raise ValueError(f"the model's arrays do not fit together: {shapes}")
        facts = json.loads(meta["facts"])
        facts |= {name: tuple(facts.get(name, ())) for name in ("class_counts", "thresholds")}
        task = cast("Task", meta["task"])
        return cls(
            heads, learned, prior, task, float(meta["temperature"]), mean, scale, FitFacts(**facts),
            thresholds=thresholds,
        )  # fmt: skip
