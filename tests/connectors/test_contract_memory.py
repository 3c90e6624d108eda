"""A tool in memory whose connector can everything and keeps every promise: no test of the suite is skipped."""
# ruff: noqa: ARG002 - the signatures are the protocol's

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from pydantic import BaseModel, Field

from tithe.connectors.contract import ConnectorContract
from tithe.connectors.errors import CredentialRefused, HookRefused, RemoteGone, SchemaUnfit, ToolUnreachable
from tithe.connectors.outside import Outside
from tithe.connectors.protocol import (
    Annotation,
    Capabilities,
    Changes,
    Fate,
    Health,
    Hint,
    Kind,
    Outgoing,
    Preview,
    Pushed,
    Remote,
    Schema,
    Seen,
    Withdrawn,
)
from tithe.contracts.projects import Task


class Settings(BaseModel):
    page: int = Field(default=5, description="tasks a poll tells at once")


class World:
    """A tool in memory: its tasks, in the order they were made, and what changed when."""

    def __init__(self) -> None:
        self.project: str | None = None
        self.made = 0
        self.tasks: dict[str, dict[str, Any]] = {}
        self.down = False
        self.lose: int | None = None
        self.clock = 0
        self.ids = 0

    def touched(self, task: dict[str, Any]) -> dict[str, Any]:
        self.clock += 1
        task["at"] = self.clock
        return task

    def request(self, effect: Callable[[], Any]) -> Any:
        if self.down:
            raise ToolUnreachable("away")
        told = effect()
        if self.lose is not None:
            self.lose -= 1
            if self.lose < 0:
                self.down, self.lose = True, None
                raise ToolUnreachable("the answer was lost")
        return told

    def make(self, item: Outgoing) -> str:
        self.ids += 1
        self.tasks[str(self.ids)] = self.touched({"key": item.key, "text": item.text, "said": {}, "rank": item.rank})
        return str(self.ids)


class Memory:
    """A connector that keeps every promise. A mutant is a subclass that breaks one."""

    def __init__(self, world: World, *, wrong: bool = False) -> None:
        self.world, self.wrong = world, wrong
        self.capabilities = Capabilities(
            tasks=frozenset({Task.TEXT}),
            rerank=True,
            withdraw=True,
            edits=True,
            deletes=True,
            skips=True,
            overlap=True,
            adopts=False,
            hooks=True,
            suggestions=False,
            grouped=False,
            most_at_once=100,
        )

    def ask(self, effect: Callable[[], Any] = lambda: None) -> Any:
        if self.wrong and not self.world.down:
            raise CredentialRefused("who are you?")
        return self.world.request(effect)

    def within(self) -> None:
        if self.ask(lambda: self.world.project) is None:
            raise RemoteGone("no project")

    def health(self) -> Health:
        self.ask()
        return Health(None, None, "well")

    def preview(self, schema: Schema) -> Preview:
        self.ask()
        return Preview(("It is made.",), () if schema.task is Task.TEXT else ("no",))

    def ensure_project(self, schema: Schema, known: Remote | None) -> Remote:
        if schema.task is not Task.TEXT:
            raise SchemaUnfit("no")
        if known is not None:
            self.within()
        if self.ask(lambda: self.world.project) is None:
            self.world.made += 1
            self.world.project = f"p{self.world.made}"
        return Remote(self.world.project or "", "http://tool.example/p1", {"labels": list(schema.labels)})

    def push(self, remote: Remote, items: Sequence[Outgoing], group: str) -> list[Pushed]:
        if items:
            self.within()
        return [self.push_one(item) for item in items]

    def push_one(self, item: Outgoing) -> Pushed:
        there = self.ask(lambda: [name for name, task in self.world.tasks.items() if task["key"] == item.key])
        if there:
            return Pushed(item.key, there[0], Fate.EXISTING)
        if "\x00" in item.text:
            return Pushed(item.key, None, Fate.REJECTED, "no such text")
        return Pushed(item.key, self.ask(lambda: self.world.make(item)), Fate.CREATED)

    def rerank(self, remote: Remote, ranked: Sequence[Any], version: str) -> None:
        for one in self.ask(lambda: ranked):
            self.world.tasks[one.task]["rank"] = one.rank

    def withdraw(self, remote: Remote, tasks: Sequence[str]) -> dict[str, Withdrawn]:
        return {task: self.withdraw_one(task) for task in tasks}

    def withdraw_one(self, task: str) -> Withdrawn:
        self.ask()
        if self.world.tasks.get(task, {}).get("said"):
            return Withdrawn.ANSWERED
        self.world.tasks.pop(task, None)
        return Withdrawn.GONE

    def seen(self, name: str) -> Seen:
        task = self.world.tasks.get(name)
        if task is None:
            return Seen(name, None, exists=False)
        annotations = (Annotation(f"{name}-{who}", who, *said) for who, said in task["said"].items())
        return Seen(name, task["key"], annotations=tuple(annotations))

    def poll(self, remote: Remote, cursor: dict[str, Any] | None) -> Changes:
        since = (cursor or {"at": 0})["at"]
        tasks = self.ask(lambda: sorted(self.world.tasks.items(), key=lambda one: one[1]["at"]))
        changed = [(name, task["at"]) for name, task in tasks if task["at"] > since]
        page = changed[:5]
        return Changes(
            tuple(self.seen(name) for name, _ in page), {"at": page[-1][1] if page else since}, len(changed) > 5
        )

    def read(self, remote: Remote, tasks: Sequence[str]) -> list[Seen]:
        return [self.ask(lambda name=name: self.seen(name)) for name in tasks]

    def task_of(self, remote: Remote, annotations: Sequence[str]) -> list[str]:
        return [name for name in self.world.tasks for one in self.seen(name).annotations if one.id in annotations]

    def everything(self, remote: Remote) -> Iterator[Sequence[Seen]]:
        yield [self.seen(name) for name in self.ask(lambda: list(self.world.tasks))]

    def close(self) -> None:
        pass


class MemoryKind:
    name = "memory"
    title = "Memory"
    settings: type[BaseModel] = Settings
    secret_help = "there is none"

    def open(self, settings: BaseModel, secret: str, outside: Outside) -> Memory:
        raise NotImplementedError

    def parse_hook(self, settings: BaseModel, hook_secret: str, headers: Mapping[str, str], body: bytes) -> list[Hint]:
        if not hook_secret or headers.get("x-secret") != hook_secret:
            raise HookRefused("who are you?")
        try:
            told = json.loads(body)
            if told["project"] != "mine":
                raise HookRefused("not mine")
            return [Hint(tasks=(str(told["id"]),))]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise HookRefused("nonsense") from error


class MemoryUnderTest:
    hook_secret = "s3cret"
    schema = Schema("Mail", Task.TEXT, ("ham", "spam", "eggs"), 1, suggestions=False)
    refused_text: str | None = "\x00"

    def __init__(self, connector: type[Memory] = Memory, kind: type[MemoryKind] = MemoryKind) -> None:
        self.world, self.connector, self.kind, self.settings = World(), connector, kind(), Settings()

    def open(self, *, wrong_secret: bool = False) -> Memory:
        return self.connector(self.world, wrong=wrong_secret)

    def projects(self) -> int:
        return self.world.made

    def tasks(self) -> set[str]:
        return set(self.world.tasks)

    def shown(self, task: str) -> str:
        return self.world.tasks[task]["text"]

    def _say(self, task: str, who: str, *said: Any) -> None:
        self.world.touched(self.world.tasks[task])["said"][who] = said

    def label(self, task: str, annotator: str, value: Any) -> None:
        self._say(task, annotator, Kind.LABEL, value)

    edit = label

    def skip(self, task: str, annotator: str) -> None:
        self._say(task, annotator, Kind.SKIP)

    def nonsense(self, task: str, annotator: str) -> bool:
        self._say(task, annotator, Kind.LABEL, "no such class")
        return True

    def delete_annotation(self, task: str, annotator: str) -> None:
        del self.world.touched(self.world.tasks[task])["said"][annotator]

    def delete_task(self, task: str) -> None:
        del self.world.tasks[task]

    def delete_project(self) -> None:
        self.world.project = None
        self.world.tasks.clear()

    def served(self, annotator: str, n: int) -> list[str]:
        return sorted(self.world.tasks, key=lambda name: self.world.tasks[name]["rank"])[:n]

    def go_down(self) -> None:
        self.world.down = True

    def come_back(self) -> None:
        self.world.down, self.world.lose = False, None

    def lose_answer(self, after: int) -> bool:
        self.world.lose = after
        return True

    def hook(self, task: str) -> tuple[dict[str, str], bytes]:
        return {"x-secret": self.hook_secret}, json.dumps({"project": "mine", "id": task}).encode()

    def foreign_hook(self, task: str) -> tuple[dict[str, str], bytes]:
        return {"x-secret": self.hook_secret}, json.dumps({"project": "other", "id": task}).encode()


class TestMemory(ConnectorContract):
    @pytest.fixture
    def tool(self) -> MemoryUnderTest:
        return MemoryUnderTest()
