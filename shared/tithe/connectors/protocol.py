"""What every connector can do, and the shapes it speaks in.

A connector carries items to a tool and what people said of them back. It holds no state: what it must remember it
returns (:class:`Remote`, :attr:`Changes.cursor`) and is given again. Every verb may be called again after a crash at
any point and must then come to the same end; none may be called twice at once for one connection.

What the tool says is a fact about the *tool*. Whether it counts (the label fits the schema, the item is still this
connector's to answer) is decided by the driver, from rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from tithe.connectors.outside import Outside
from tithe.contracts.projects import Task

#: What JSON can hold, as an object.
Json = dict[str, Any]


@dataclass(frozen=True)
class Capabilities:
    """What a tool can do.

    The driver goes by `tasks`, `overlap`, `rerank`, `withdraw` and `most_at_once`; the rest is told to people, and to
    the contract suite.
    """

    tasks: frozenset[Task]  #: what it can label
    rerank: bool  #: an item that is there can be moved up or down
    withdraw: bool  #: an item that is there can be taken back before anybody answered it
    edits: bool  #: an answer may change later
    deletes: bool  #: an answer, or an item, may vanish
    skips: bool  #: people can say that they do not want to answer
    overlap: bool  #: several people can answer one item
    adopts: bool  #: a project of the tool with items of its own can be connected, and its items become the pool's
    hooks: bool  #: it tells of changes by itself
    suggestions: bool  #: it can show what the model thinks
    grouped: bool  #: what is pushed together is a group that is closed with the push (a paid batch)
    most_at_once: int  #: items one push takes


@dataclass(frozen=True)
class Schema:
    """What is to be labeled, as a tool is told."""

    title: str
    task: Task
    labels: tuple[str, ...]  #: in the project's order
    overlap: int  #: opinions per item
    suggestions: bool  #: show annotators what the model thinks
    instruction: str = ""


@dataclass(frozen=True)
class Remote:
    """A project of the tool, made or found: what the driver keeps and gives back with every call."""

    id: str
    url: str  #: where people label
    facts: Json = field(default_factory=dict)  #: whatever else the connector needs to know of it; JSON


@dataclass(frozen=True)
class Outgoing:
    """An item on its way to the tool."""

    key: str  #: unique in the connection, ever: the same key never makes two tasks
    item_id: str  #: the project's id of the item
    text: str  #: of an item that came as tokens: the tokens joined by single spaces
    rank: int  #: 0 is to be asked first
    meta: Json | None = None
    suggestion: Any = None  #: what the model thinks, in the project's form of a label; None: nothing to show


class Fate(StrEnum):
    """What became of a pushed item."""

    CREATED = "created"
    EXISTING = "existing"  #: it was there under this key already
    REJECTED = "rejected"  #: the tool will never take it; `reason` says why


@dataclass(frozen=True)
class Pushed:
    """One pushed item: where it is now."""

    key: str
    task: str | None  #: the tool's id; None where it was rejected
    fate: Fate
    reason: str | None = None


@dataclass(frozen=True)
class Ranked:
    """A task of the tool in its new place."""

    task: str  #: the tool's id
    rank: int  #: 0 is to be asked first
    suggestion: Any = None


class Withdrawn(StrEnum):
    """What became of a task that was to be taken back."""

    GONE = "gone"  #: it is not there (any more)
    ANSWERED = "answered"  #: somebody was faster: it stays, and a poll tells the answer
    KEPT = "kept"  #: the tool's own, or it cannot be taken back: it is not asked for any more, if that can be said


class Kind(StrEnum):
    """What an annotation says."""

    LABEL = "label"
    SKIP = "skip"
    UNREADABLE = "unreadable"  #: it is there, but says nothing that can be a label; `fault` says why


@dataclass(frozen=True)
class Annotation:
    """What one person said of one task, as the tool has it now."""

    id: str  #: the tool's, for ever the same, whatever is edited
    annotator: str  #: a name that stays the same; unique in the tool
    kind: Kind
    value: Any = None  #: of a label: in the project's form (a class, classes, spans in code points), not yet checked
    fault: str | None = None  #: of what is unreadable: why, in words for the one who labels
    created_at: datetime | None = None
    updated_at: datetime | None = None
    seconds: float | None = None  #: that the annotator took
    raw: Json = field(default_factory=dict)  #: what the tool said, for looking at; without secrets


@dataclass(frozen=True)
class Seen:
    """A task of the tool and everything said of it, read as a whole: what is not in here is not there."""

    task: str
    key: str | None  #: ours, where we made it
    exists: bool = True
    annotations: tuple[Annotation, ...] = ()
    updated_at: datetime | None = None
    text: str | None = None  #: for adoption: what the task shows
    item_id: str | None = None  #: for adoption: what it calls itself
    meta: Json | None = None


@dataclass(frozen=True)
class Changes:
    """What changed since a cursor. Reading from the same cursor again is always safe."""

    seen: tuple[Seen, ...]
    cursor: Json  #: JSON; the next poll's. Overlaps: a change is told twice rather than never.
    more: bool = False  #: there is more already: ask again at once


@dataclass(frozen=True)
class Hint:
    """A hook said that something happened. It is not believed: what it names is read again with our credentials."""

    tasks: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()  #: whose task the hook did not tell
    everything: bool = False  #: look at all there is


@dataclass(frozen=True)
class Health:
    """Whether the tool answers, and as whom we speak to it."""

    version: str | None
    user: str | None
    detail: str


@dataclass(frozen=True)
class Preview:
    """What connecting would do, found out by reading only."""

    says: tuple[str, ...]  #: plain sentences, in order, for the one who is about to say yes
    faults: tuple[str, ...] = ()  #: why it cannot be; empty: it can
    adoptable: int = 0  #: tasks that are there already and would become items of the pool


class Connector(Protocol):
    """An open connection to a tool.

    Raises, from any verb: :class:`~tithe.connectors.errors.ToolUnreachable` (also throttled: `retry_after_seconds`),
    :class:`~tithe.connectors.errors.CredentialRefused`, :class:`~tithe.connectors.errors.RemoteGone`,
    :class:`~tithe.connectors.errors.SchemaUnfit`, :class:`~tithe.connectors.errors.AddressForbidden`,
    :class:`~tithe.connectors.errors.ToolMisbehaves`. Nothing else.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this tool can do."""

    def health(self) -> Health:
        """Ask the tool who it is, and who we are to it."""

    def preview(self, schema: Schema) -> Preview:
        """Say what :meth:`ensure_project` would do; changes nothing."""

    def ensure_project(self, schema: Schema, known: Remote | None) -> Remote:
        """Find or make the tool's project and bring it to the schema; again, it changes nothing.

        Raises SchemaUnfit where it can not be brought there, RemoteGone where a known one vanished.
        """

    def push(self, remote: Remote, items: Sequence[Outgoing], group: str) -> list[Pushed]:
        """Make tasks of the items, one answer for each, in order. A key that is there already makes no second task.

        One item the tool will never take is REJECTED and keeps no other from being pushed. `group` names what belongs
        together (a round); where the tool closes groups, the group is closed when the call returns.
        """

    def rerank(self, remote: Remote, ranked: Sequence[Ranked], version: str) -> None:
        """Have the tool ask for these tasks in this order, before all others. `version` is new with every order."""

    def withdraw(self, remote: Remote, tasks: Sequence[str]) -> dict[str, Withdrawn]:
        """Take tasks back that nobody has answered; what became of each."""

    def poll(self, remote: Remote, cursor: Json | None) -> Changes:
        """Tell every task that changed since the cursor, whole; `None`: since ever."""

    def read(self, remote: Remote, tasks: Sequence[str]) -> list[Seen]:
        """Read these tasks whole; one that is not there has `exists` False."""

    def task_of(self, remote: Remote, annotations: Sequence[str]) -> list[str]:
        """The tasks these annotations belong to; annotations that are not there are left out."""

    def everything(self, remote: Remote) -> Iterator[Sequence[Seen]]:
        """Every task of the remote project, whole, page by page: what reconciling compares with."""

    def close(self) -> None:
        """Let go of connections."""


@runtime_checkable
class Listens(Protocol):
    """A connector that can ask its tool to call us."""

    def listen(self, remote: Remote, url: str, secret: str) -> Remote:
        """Have the tool call `url`, with the secret, when something changes; again, it changes nothing.

        That the tool may not call there is no error, for polling finds the same: ``facts["hooks"]`` tells what came of
        it.
        """


@runtime_checkable
class Limits(Protocol):
    """A kind whose connections cost money, and may have a limit."""

    def cost(self, settings: BaseModel, completed: int) -> Json | None:
        """What so many answered tasks cost: `amount`, as text, and `currency`; None: no price is known."""

    def most_to_push(self, settings: BaseModel, paid_for: int) -> int | None:
        """How many more tasks may be made, with so many made and not taken back; None: there is no limit."""


class ConnectorKind(Protocol):
    """A kind of tool: what entry points of the group ``tithe.connectors`` name.

    Importing it must be quick and must not import a learning library: the gateway does.
    """

    name: str  #: as in `tithe connect NAME`: lower case, dashes
    title: str  #: as its makers spell it
    settings: type[BaseModel]  #: what a connection is told; has no secret in it; every field says what it is
    secret_help: str  #: what the secret is and where one gets it

    def open(self, settings: BaseModel, secret: str, outside: Outside) -> Connector:
        """A connection; nothing is asked of the tool yet."""

    def parse_hook(self, settings: BaseModel, hook_secret: str, headers: Mapping[str, str], body: bytes) -> list[Hint]:
        """What a hook says. `headers` have lower-case names.

        Raises
        ------
        HookRefused
            It does not carry the secret (compared in constant time), is not of this connection, or makes no sense.
        """
