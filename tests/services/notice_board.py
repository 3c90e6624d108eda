# ruff: noqa: ARG002 - what a board does not need to know
"""A labeling tool of paper: a board of notes in memory that people write on. It keeps what the protocol promises.

What a tool may do to us it can be told to do: be away, lose a call half way, hold a label nobody knows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from tithe.connectors.errors import CredentialRefused, RemoteGone, ToolUnreachable
from tithe.connectors.outside import Outside
from tithe.connectors.protocol import (
    Annotation,
    Capabilities,
    Changes,
    Fate,
    Health,
    Hint,
    Json,
    Kind,
    Outgoing,
    Preview,
    Pushed,
    Ranked,
    Remote,
    Schema,
    Seen,
    Withdrawn,
)
from tithe.contracts.projects import Task


@dataclass
class Note:
    """A task on the board."""

    id: str
    key: str | None
    text: str
    score: float = 1.0
    written: dict[str, Annotation] = field(default_factory=dict)
    changed: int = 0


class Board:
    """The tool: people's side of it."""

    def __init__(self) -> None:
        self.notes: dict[str, Note] = {}
        self.schema: Schema | None = None
        self.refused: set[str] = set()  #: texts it never takes
        self.groups: list[str] = []
        self.orders: list[str] = []
        self.calls: list[str] = []
        self.before: Callable[[str], None] = lambda _: None  #: may raise: the call does not happen
        self.after: Callable[[str], None] = lambda _: None  #: may raise: it happened, and nobody was told
        self._numbers = itertools.count(1)
        self._clock = itertools.count(1)

    def put(self, text: str, key: str | None = None) -> Note:
        note = Note(f"n{next(self._numbers)}", key, text, changed=next(self._clock))
        self.notes[note.id] = note
        return note

    def next_for(self, annotator: str) -> Note | None:
        """What the tool shows this person next: the lowest score nobody wrote on."""
        free = [note for note in self.notes.values() if not note.written]
        return min(free, key=lambda note: (note.score, note.id), default=None)

    def write(self, task: str, annotator: str, value: Any, kind: Kind = Kind.LABEL) -> str:
        now = datetime.now(UTC)
        annotation = Annotation(
            f"a{next(self._numbers)}", annotator, kind, None if kind is not Kind.LABEL else value,
            fault="nonsense" if kind is Kind.UNREADABLE else None, created_at=now, updated_at=now, raw={"value": value},
        )  # fmt: skip
        self.notes[task].written[annotation.id] = annotation
        self._touch(task)
        return annotation.id

    def rewrite(self, task: str, annotation: str, value: Any, kind: Kind = Kind.LABEL) -> None:
        was = self.notes[task].written[annotation]
        self.notes[task].written[annotation] = replace(
            was, kind=kind, value=None if kind is not Kind.LABEL else value, updated_at=datetime.now(UTC)
        )
        self._touch(task)

    def erase(self, task: str, annotation: str) -> None:
        del self.notes[task].written[annotation]
        self._touch(task)

    def tear_off(self, task: str) -> None:
        """The task is deleted: nobody is told."""
        del self.notes[task]

    def _touch(self, task: str) -> None:
        self.notes[task].changed = next(self._clock)

    def seen(self, note: Note) -> Seen:
        return Seen(
            note.id, note.key, annotations=tuple(note.written.values()), text=note.text, item_id=f"board-{note.id}"
        )


class BoardSettings(BaseModel):
    """What a connection to a board is told."""

    window: int = 20
    poll_seconds: float = 0.001
    adopt: bool = False
    labels_of_deleted_tasks: str = "keep"
    rerank: bool = True


class BoardConnector:
    """Our side of it."""

    def __init__(self, board: Board, settings: BoardSettings, secret: str) -> None:
        self.board, self.settings, self._secret = board, settings, secret

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            frozenset(Task), rerank=self.settings.rerank, withdraw=True, edits=True, deletes=True, skips=True,
            overlap=True,            adopts=True, hooks=True, suggestions=True, grouped=False, most_at_once=7,
        )  # fmt: skip

    def _called(self, verb: str) -> None:
        self.board.calls.append(verb)
        if self._secret != "right":
            raise CredentialRefused("wrong secret", remedy="send the right one")
        self.board.before(verb)

    def health(self) -> Health:
        self._called("health")
        return Health("1", "board", "well")

    def preview(self, schema: Schema) -> Preview:
        return Preview(("It will be pinned to the board.",), adoptable=len(self.board.notes))

    def ensure_project(self, schema: Schema, known: Remote | None) -> Remote:
        self._called("ensure_project")
        self.board.schema = schema
        return known or Remote("board", "board://here")

    def push(self, remote: Remote, items: Sequence[Outgoing], group: str) -> list[Pushed]:
        self._called("push")
        self.board.groups.append(group)
        done = []
        by_key = {note.key: note for note in self.board.notes.values() if note.key}
        for item in items:
            self.board.before("push_one")
            if item.text in self.board.refused:
                done.append(Pushed(item.key, None, Fate.REJECTED, "not on this board"))
            elif item.key in by_key:
                done.append(Pushed(item.key, by_key[item.key].id, Fate.EXISTING))
            else:
                done.append(Pushed(item.key, self.board.put(item.text, item.key).id, Fate.CREATED))
        self.board.after("push")
        return done

    def rerank(self, remote: Remote, ranked: Sequence[Ranked], version: str) -> None:
        self._called("rerank")
        assert version not in self.board.orders, "a version comes once"
        self.board.orders.append(version)
        for note in self.board.notes.values():
            note.score = 1.0
        for one in ranked:
            if one.task in self.board.notes:
                self.board.notes[one.task].score = one.rank / 10_000
        self.board.after("rerank")

    def withdraw(self, remote: Remote, tasks: Sequence[str]) -> dict[str, Withdrawn]:
        self._called("withdraw")
        done = {}
        for task in tasks:
            note = self.board.notes.get(task)
            if note is None:
                done[task] = Withdrawn.GONE
            elif note.written:
                done[task] = Withdrawn.ANSWERED
            elif note.key is None:
                done[task] = Withdrawn.KEPT
            else:
                del self.board.notes[task]
                done[task] = Withdrawn.GONE
        self.board.after("withdraw")
        return done

    def poll(self, remote: Remote, cursor: Json | None) -> Changes:
        self._called("poll")
        since = (cursor or {}).get("at", 0)
        changed = sorted((n for n in self.board.notes.values() if n.changed >= since), key=lambda n: n.changed)
        page, more = changed[:5], len(changed) > 5
        at = page[-1].changed + (1 if more else 0) if page else since
        return Changes(tuple(self.board.seen(n) for n in page), {"at": at}, more)

    def read(self, remote: Remote, tasks: Sequence[str]) -> list[Seen]:
        self._called("read")
        return [
            self.board.seen(self.board.notes[t]) if t in self.board.notes else Seen(t, None, exists=False)
            for t in tasks
        ]

    def task_of(self, remote: Remote, annotations: Sequence[str]) -> list[str]:
        return [n.id for n in self.board.notes.values() if set(annotations) & set(n.written)]

    def everything(self, remote: Remote) -> Iterator[Sequence[Seen]]:
        self._called("everything")
        if self.board.schema is None:
            raise RemoteGone("there is no board")
        notes = list(self.board.notes.values())
        for start in range(0, len(notes), 6):
            yield [self.board.seen(note) for note in notes[start : start + 6]]

    def close(self) -> None:
        pass


class BoardKind:
    """As an entry point would name it."""

    name = "board"
    title = "Notice board"
    settings = BoardSettings
    secret_help = "the word on the back"

    def __init__(self, board: Board) -> None:
        self.board = board

    def open(self, settings: BaseModel, secret: str, outside: Outside) -> BoardConnector:
        assert isinstance(settings, BoardSettings)
        return BoardConnector(self.board, settings, secret)

    def parse_hook(self, settings: BaseModel, hook_secret: str, headers: Mapping[str, str], body: bytes) -> list[Hint]:
        return [Hint(everything=True)]


def away(verb: str) -> None:
    """What a board does that is not there."""
    raise ToolUnreachable("nobody answers", retry_after_seconds=7)
