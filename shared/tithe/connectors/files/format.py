"""What a format is: how it is called, what it can hold, what it loses, and how it is read and written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from tithe.connectors.files.row import Fault, Row
from tithe.contracts.projects import Task

Offsets = Literal["code-points", "utf-16"]
TEXTS = frozenset({Task.TEXT, Task.MULTILABEL, Task.TOKENS})


@dataclass(frozen=True)
class Schema:
    """What the project's labels are."""

    task: Task
    labels: tuple[str, ...]
    title: str = ""


@dataclass(frozen=True)
class Options:
    """What the user says of a file."""

    text_column: str | None = None  #: the column or key that holds the text; None: as the format has it
    label_column: str | None = None
    id_column: str | None = None
    as_pool: bool = False  #: labels are not read, and nothing is held out
    split: Literal["pool", "test"] | None = None  #: where all of it goes; None: where the file says
    offsets: Offsets = "code-points"  #: what the file's offsets count


@dataclass(frozen=True)
class Written:
    """What was written, and how many rows were not, by reason."""

    rows: int
    left_out: Mapping[str, int] = field(default_factory=dict)


class Read(Protocol):
    """Reads a file. Raises BadInput, before the first row, where the file as a whole is not what it is taken for."""

    def __call__(self, path: Path, options: Options, schema: Schema) -> Iterator[Row | Fault]:
        """Every record in its order, in bounded memory; one that cannot be read is a fault and stops no other."""


class Write(Protocol):
    """Writes a file, whole or not at all."""

    def __call__(self, path: Path, rows: Iterable[Row], schema: Schema) -> Written:
        """Write every row that the format can hold; the others are counted."""


@dataclass(frozen=True)
class Format:
    """One format."""

    name: str  #: as in `--format NAME`
    title: str
    suffixes: tuple[str, ...]  #: names of files that end so are written in it
    tasks: frozenset[Task]  #: what it can hold
    counts: str  #: what a record is: line, sentence, task
    loses: str  #: what is not in it any more, in words; empty: nothing
    read: Read | None = None  #: None: the server reads it
    write: Write | None = None  #: None: the server writes it
    places: str | None = None  #: what a place is the number of, where that is no record
