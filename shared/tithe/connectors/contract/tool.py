"""The tool as the people see it who label in it and who run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pydantic import BaseModel

from tithe.connectors.protocol import (
    Connector,
    ConnectorKind,
    Schema,
)

Hook = tuple[Mapping[str, str], bytes]


class ToolUnderTest(Protocol):
    """A fresh tool without a project, from the side of the people. What the tool cannot do is never asked of it."""

    kind: ConnectorKind
    settings: BaseModel
    hook_secret: str
    schema: Schema  #: of one of the connector's tasks, with two classes at least
    refused_text: str | None  #: a text the tool will never take; None: it takes every text

    def open(self, *, wrong_secret: bool = False) -> Connector:
        """A new connection, with the credential or a wrong one."""

    def projects(self) -> int:
        """How many projects the tool has."""

    def tasks(self) -> set[str]:
        """The ids of the tasks that are there, found out without the connector."""

    def shown(self, task: str) -> str:
        """The text people see."""

    def label(self, task: str, annotator: str, value: Any) -> None:
        """Somebody answers; `value` is in the project's form."""

    def skip(self, task: str, annotator: str) -> None:
        """Somebody does not want to answer."""

    def nonsense(self, task: str, annotator: str) -> bool:
        """Somebody answers what is no label of the schema; False: the tool does not let them."""

    def edit(self, task: str, annotator: str, value: Any) -> None:
        """Who answered thinks again."""

    def delete_annotation(self, task: str, annotator: str) -> None:
        """An answer is taken back."""

    def delete_task(self, task: str) -> None:
        """A task is deleted."""

    def delete_project(self) -> None:
        """The project is deleted, with all in it."""

    def served(self, annotator: str, n: int) -> Sequence[str]:
        """The `n` tasks the tool asks this person next, in order. They may be answered on the way."""

    def go_down(self) -> None:
        """The tool does not answer any more."""

    def lose_answer(self, after: int) -> bool:
        """After so many more requests, one takes effect but its answer is lost, and the tool is down. False: no way."""

    def come_back(self) -> None:
        """The tool answers again, with all it held."""

    def hook(self, task: str) -> Hook:
        """What the tool posts of a task: headers in lower case, and the body."""

    def foreign_hook(self, task: str) -> Hook | None:
        """The same of another project, with the right secret; None: hooks do not say their project."""
