"""What one model says of the drawn items, kept so that it can be scored on labels that come later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tithe.learners.scores import as_bool, decide
from tithe.proof.tallies import Metric, Tally, of_classes, of_entities
from tithe.strategies.arrays import Float64, Int64

Tensors = dict[str, npt.NDArray[Any]]
#: Of an item: classes as bool, shape (classes,); or entities (first word, stop, type).
Truth = Mapping[int, Any]


@dataclass(frozen=True)
class Classes:
    """What a model of classes says.

    Attributes
    ----------
    ordinals
        int64, shape (M,): the drawn items in the order of the draw.
    answers
        float64, shape (M, classes): its probabilities.
    thresholds
        float64, shape (classes,).
    single
        Whether an item carries exactly one class.
    """

    ordinals: Int64
    answers: Float64
    thresholds: Float64
    single: bool

    @property
    def decided(self) -> npt.NDArray[np.bool_]:
        """What is said of each item: bool, shape (M, classes)."""
        return decide(self.answers, single=self.single, thresholds=self.thresholds)

    def tally(self, metric: Metric, truth: Truth, expected: Classes | None = None) -> Tally:
        """Its score's parts, by the labels there are; `expected`: a model that knows better what to expect."""
        rows = labeled_rows(self.ordinals, truth)
        known = np.array([truth[one] for one in self.ordinals[rows].tolist()], dtype=bool)
        known = known.reshape(len(rows), self.answers.shape[1])
        sure = self.answers if expected is None else expected.answers
        return of_classes(metric, sure, self.decided, rows, known, single=self.single)

    def only(self, ordinals: Int64) -> Classes:
        """The same of these items alone, in their order; each must be there."""
        at = _positions(self.ordinals, ordinals)
        return Classes(ordinals, self.answers[at], self.thresholds, self.single)

    def tensors(self) -> Tensors:
        """In full: rounded, a decision between two classes might turn."""
        return {
            "ordinals": self.ordinals, "answers": self.answers.astype(np.float32), "thresholds": self.thresholds,
            "single": np.array([self.single]),
        }  # fmt: skip


@dataclass(frozen=True)
class Spans:
    """What a model of entities says: of each drawn item the entities (first word, stop, type)."""

    ordinals: Int64
    found: Sequence[frozenset[tuple[int, int, int]]]
    doubt: Float64  #: shape (M,): mean entropy of the words, as a share of the highest

    def tally(self, metric: Metric, truth: Truth, expected: Spans | None = None) -> Tally:  # noqa: ARG002
        """Its score's parts, by the labels there are."""
        rows = labeled_rows(self.ordinals, truth)
        marked = [frozenset(truth[one]) for one in self.ordinals[rows].tolist()]
        found = [self.found[row] for row in rows]
        both = [len(one & other) for one, other in zip(found, marked, strict=True)]
        return of_entities(rows, _counts(both), _counts(map(len, found)), _counts(map(len, marked)))

    def only(self, ordinals: Int64) -> Spans:
        """The same of these items alone, in their order; each must be there."""
        at = _positions(self.ordinals, ordinals)
        return Spans(ordinals, [self.found[row] for row in at], self.doubt[at])

    def tensors(self) -> Tensors:
        """One row an entity."""
        flat = [(row, *one) for row, some in enumerate(self.found) for one in sorted(some)]
        return {
            "ordinals": self.ordinals, "spans": np.array(flat, dtype=np.int32).reshape(-1, 4), "doubt": self.doubt
        }  # fmt: skip


Said = Classes | Spans


def said_from(tensors: Mapping[str, npt.NDArray[Any]]) -> Said:
    """What was kept."""
    if "answers" in tensors:
        return Classes(
            tensors["ordinals"],
            tensors["answers"].astype(np.float64),
            tensors["thresholds"],
            bool(tensors["single"][0]),
        )
    found: list[set[tuple[int, int, int]]] = [set() for _ in tensors["ordinals"]]
    for row, first, stop, type_ in tensors["spans"].tolist():
        found[row].add((first, stop, type_))
    return Spans(tensors["ordinals"], [frozenset(one) for one in found], tensors["doubt"])


def class_truth(ordinals: Int64, targets: npt.NDArray[Any], classes: int) -> Truth:
    """Labels as rows of bool, by ordinal."""
    return dict(zip(ordinals.tolist(), as_bool(targets, classes), strict=True))


def labeled_rows(ordinals: Int64, truth: Truth) -> Int64:
    """Positions of the items that have a label, ascending."""
    return np.array([row for row, one in enumerate(ordinals.tolist()) if one in truth], dtype=np.int64)


def _counts(numbers: Iterable[int]) -> Int64:
    return np.array(list(numbers), dtype=np.int64)


def _positions(of: Int64, wanted: Int64) -> Int64:
    order = np.argsort(of, kind="stable")
    found: Int64 = order[np.searchsorted(of[order], wanted)]
    return found
