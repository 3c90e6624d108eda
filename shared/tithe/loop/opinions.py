"""What several people said of an item, as one answer: one row an item, or folds would see what they are scored on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tithe.contracts.projects import Project, Task

T = TypeVar("T")
Labels = list[tuple[int, Any]]  #: (ordinal, what one person said), in the order they came
Targets = npt.NDArray[Any]  #: int64 classes, or a bool matrix where an item carries several


def opinions(labels: Labels, agreed: Callable[[list[Any]], T]) -> dict[int, T]:
    """One answer an item, in the order they were first labeled; of several people's, what `agreed` makes of them."""
    said: dict[int, list[Any]] = {}
    for ordinal, value in labels:
        said.setdefault(ordinal, []).append(value)
    return {ordinal: agreed(values) for ordinal, values in said.items()}


def class_targets(project: Project, labels: Labels) -> tuple[npt.NDArray[np.int64], Targets]:
    """Ordinals and targets, one row an item. Where several people answered, the majority counts.

    Of a tie, what was said first.
    """
    number = {name: at for at, name in enumerate(project.labels)}
    if project.task is Task.MULTILABEL:
        sets = opinions(labels, _classes_by_most)
        targets: Targets = np.zeros((len(sets), len(number)), dtype=bool)
        for row, names in enumerate(sets.values()):
            targets[row, [number[name] for name in names]] = True
        return np.array(list(sets), dtype=np.int64), targets
    agreed = opinions(labels, lambda values: number[Counter(values).most_common(1)[0][0]])
    return np.array(list(agreed), dtype=np.int64), np.array(list(agreed.values()), dtype=np.int64)


def spans_by_most(values: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The spans that most annotators marked exactly so; of a tie, those of the first. They do not overlap."""
    said = [{(one["start"], one["end"], one["label"]) for one in value} for value in values]
    votes = Counter(span for one in said for span in one)
    agreed = [span for span, count in votes.items() if 2 * count + (span in said[0]) > len(values)]
    return [{"start": start, "end": end, "label": label} for start, end, label in sorted(agreed)]


def _classes_by_most(values: list[list[str]]) -> list[str]:
    votes = Counter(name for value in values for name in value)
    return [name for name, count in votes.items() if 2 * count > len(values)]
