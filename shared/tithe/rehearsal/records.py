"""Labeled rows made fit to be played with: one item a content, classes by number, what is odd told in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tithe.connectors.files.row import Row
from tithe.contracts.projects import Task
from tithe.errors import BadInput
from tithe.learners.protocol import Float32, Targets
from tithe.rehearsal.reading import read
from tithe.rehearsal.settings import Source

#: With fewer a curve says nothing.
FEWEST_ROWS = 40
_NAMED = 5


@dataclass(frozen=True)
class Records:
    """Labeled items.

    Attributes
    ----------
    task, classes
        What a label is; the classes, or the entity types, in the order of their numbers.
    rows
        Each item once, with its label as a project has it.
    vectors
        float32, shape (n, d), where the data brings its own.
    given_test
        So many of the rows, the last ones, are the test file's.
    notes
        What whoever plays should know of the data.
    """

    task: Task
    classes: list[str]
    rows: list[Row]
    vectors: Float32 | None
    given_test: int
    notes: list[str]

    @property
    def targets(self) -> Targets:
        """Of classes: int64, shape (n,), or bool, shape (n, classes). Of entities: each row's first type, or none."""
        number = {name: at for at, name in enumerate(self.classes)}
        if self.task is Task.MULTILABEL:
            chosen = np.zeros((len(self.rows), len(number)), dtype=bool)
            for at, row in enumerate(self.rows):
                chosen[at, [number[name] for name in row.label]] = True
            return chosen
        if self.task is Task.TOKENS:
            first = [number[row.label[0]["label"]] if row.label else len(number) for row in self.rows]
            return np.array(first, dtype=np.int64)
        return np.array([number[row.label] for row in self.rows], dtype=np.int64)


def gather(source: Source) -> Records:
    """Read the data, and the test file if there is one. Raises BadInput where it cannot be played."""
    task, rows, vectors, notes = read(source.data, source, source.vectors)
    rows, kept, told = once(task, rows)
    vectors = None if vectors is None else vectors[kept]
    notes = [*notes, *told]
    given_test = 0
    if source.test is not None:
        other, held_out, of_test, said = read(source.test, source, source.test_vectors or _column(source.vectors))
        if other is not task:
            raise BadInput(f"{source.test.name} reads as {other}, {source.data.name} as {task}", remedy="say --task")
        held_out, kept, told = once(task, held_out)
        of_test = None if of_test is None else of_test[kept]
        notes += [f"of the test file: {note}" for note in (*said, *told)]
        rows, vectors = _apart(rows, vectors, held_out, notes)
        if vectors is not None and of_test is not None:
            if vectors.shape[1] != of_test.shape[1]:
                raise BadInput(f"vectors of {vectors.shape[1]} numbers, those of the test file have {of_test.shape[1]}")
            vectors = np.concatenate([vectors, of_test])
        rows, given_test = rows + held_out, len(held_out)
    classes = sorted({name for row in rows for name in names_in(task, row.label)})
    found = Records(task, classes, rows, vectors, given_test, notes)
    _check(found)
    return found


def once(task: Task, rows: Sequence[Row]) -> tuple[list[Row], list[int], list[str]]:
    """Each content once, by its first row, with the label that most of its rows have; of a tie, the first's.

    Rows without a content, which bring only a vector, are all kept.

    Returns
    -------
    The rows, their positions, and what is to be told.
    """
    groups: dict[Hashable, list[int]] = {}
    for at, row in enumerate(rows):
        content = at if row.text is None and row.tokens is None else row.content()
        groups.setdefault(content, []).append(at)
    kept, again, against = [], 0, 0
    for places in groups.values():
        votes = Counter(_key(task, rows[at].label) for at in places)
        most = votes.most_common(1)[0][0]
        kept.append(next(at for at in places if _key(task, rows[at].label) == most))
        again += len(places) - 1
        against += len(votes) > 1
    kept.sort()
    notes = [f"{again:,} rows repeat the text of another: each text is one item"] if again else []
    if against:
        notes.append(
            f"{against:,} texts stand there with labels that contradict each other: the commonest counts, of a tie the"
            " first; people will contradict each other on these as well"
        )
    return [rows[at] for at in kept], kept, notes


def names_in(task: Task, label: Any) -> list[str]:
    """The classes, or entity types, that a label names.

    Examples
    --------
    >>> names_in(Task.TEXT, "spam"), names_in(Task.TOKENS, [{"start": 0, "end": 3, "label": "PER"}])
    (['spam'], ['PER'])
    """
    if task is Task.TOKENS:
        return [span["label"] for span in label]
    return list(label) if task is Task.MULTILABEL else [label]


def _key(task: Task, label: Any) -> Hashable:
    if task is Task.TOKENS:
        return tuple((span["start"], span["end"], span["label"]) for span in label)
    return tuple(label) if task is Task.MULTILABEL else label


def _column(vectors: str | None) -> str | None:
    if vectors is not None and vectors.endswith(".npy"):
        raise BadInput("the test file has no vectors", place="--test", remedy="name its .npy file: --test-vectors FILE")
    return vectors


def _apart(
    rows: list[Row], vectors: Float32 | None, held_out: Sequence[Row], notes: list[str]
) -> tuple[list[Row], Float32 | None]:
    """The data without what the test file holds as well."""
    known = {row.content() for row in held_out if row.text is not None or row.tokens is not None}
    left = [at for at, row in enumerate(rows) if row.content() not in known or (row.text is None and not row.tokens)]
    if len(left) < len(rows):
        notes.append(f"{len(rows) - len(left):,} texts are in the test file as well: left out of the pool")
    return [rows[at] for at in left], None if vectors is None else vectors[left]


def _check(found: Records) -> None:
    """Raise what makes a rehearsal senseless; tell what makes it weak."""
    data = len(found.rows) - found.given_test
    if data < FEWEST_ROWS:
        raise BadInput(f"{data:,} labeled rows are too few to rehearse", remedy=f"{FEWEST_ROWS} at least")
    counts = Counter(name for row in found.rows for name in names_in(found.task, row.label))
    if len(counts) < (1 if found.task in (Task.TOKENS, Task.MULTILABEL) else 2):
        only = ", ".join(counts) or "none"
        raise BadInput(f"there is nothing to tell apart: the only class is {only}", place="--label")
    if 2 * len(counts) > len(found.rows) and found.task in (Task.TEXT, Task.VECTORS):
        raise BadInput(
            f"{len(counts):,} different labels in {len(found.rows):,} rows: that is no column of classes",
            place="--label", remedy="name the column that holds them",
        )  # fmt: skip
    single = sorted(name for name, count in counts.items() if count == 1)
    if single:
        more = f" and {len(single) - _NAMED} more" if len(single) > _NAMED else ""
        found.notes.append(
            f"with a single example: {', '.join(single[:_NAMED])}{more}. It is in the pool or in the test part, never "
            "in both, so no score can tell whether it is learned"
        )
