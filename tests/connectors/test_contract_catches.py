"""The contract suite can fail: each promise, broken in a tool that keeps all others, is caught by the test of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from connectors.test_contract_memory import Memory, MemoryKind, MemoryUnderTest, World
from tithe.connectors.contract import ConnectorContract
from tithe.connectors.errors import ToolUnreachable
from tithe.connectors.protocol import (
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

Mutant = type[Memory] | type[MemoryKind] | type[MemoryUnderTest]
#: The name of a test, what is broken, and the broken thing.
MUTANTS: list[tuple[str, str, Mutant]] = []


def breaks(test: str, **how: Any) -> None:
    """A mutant of whatever has what is to be broken."""
    (first, *_) = how
    of = next(kind for kind in (MemoryUnderTest, Memory, MemoryKind) if hasattr(kind, first))
    MUTANTS.append((test, first, type("Mutant", (of,), how)))


def tool_of(mutant: Mutant) -> MemoryUnderTest:
    if issubclass(mutant, MemoryUnderTest):
        return mutant()
    if issubclass(mutant, Memory):
        return MemoryUnderTest(connector=mutant)
    return MemoryUnderTest(kind=mutant)


def changed(seen: Seen, **how: Any) -> Seen:
    return dataclasses.replace(seen, annotations=tuple(dataclasses.replace(one, **how) for one in seen.annotations))


def telling(change: Callable[[Memory, Seen], Seen]) -> Callable[[Memory, str], Seen]:
    return lambda self, name: change(self, Memory.seen(self, name))


class Vague(BaseModel):
    page: int = 5


class Eager(Memory):
    """Puts into the tool without looking."""

    def push_one(self, item: Outgoing) -> Pushed:
        return Pushed(item.key, self.ask(lambda: self.world.make(item)), Fate.CREATED)


class Forgetful(Memory):
    """Knows what it pushed for as long as the connection lives."""

    def __init__(self, world: World, *, wrong: bool = False) -> None:
        super().__init__(world, wrong=wrong)
        self.known: dict[str, str] = {}

    def push_one(self, item: Outgoing) -> Pushed:
        if item.key in self.known:
            return Pushed(item.key, self.known[item.key], Fate.EXISTING)
        self.known[item.key] = self.ask(lambda: self.world.make(item))
        return Pushed(item.key, self.known[item.key], Fate.CREATED)


def unsorted_poll(self: Memory, remote: Remote, cursor: dict[str, Any] | None) -> Changes:
    told = Memory.poll(self, remote, cursor)
    return Changes(told.seen, {"at": self.world.clock})


def consuming_poll(self: Memory, remote: Remote, cursor: dict[str, Any] | None) -> Changes:
    told = Memory.poll(
        self, remote, None if cursor is None else {"at": max(cursor["at"], self.world.__dict__.get("told", 0))}
    )
    self.world.told = told.cursor["at"]
    return told


def made_by_preview(self: Memory, schema: Schema) -> Preview:
    self.world.made += 1
    return Memory.preview(self, schema)


def made_each_time(self: Memory, schema: Schema, known: Remote | None) -> Remote:
    told = Memory.ensure_project(self, schema, known)
    self.world.made += 1
    return told


def made_of_anything(self: Memory, schema: Schema, known: Remote | None) -> Remote:
    return Memory.ensure_project(self, dataclasses.replace(schema, task=Task.TEXT), known)


def made_anew(self: Memory, schema: Schema, known: Remote | None) -> Remote:
    return Memory.ensure_project(self, schema, None)


def all_or_nothing(self: Memory, remote: Remote, items: Sequence[Outgoing], group: str) -> list[Pushed]:
    if any("\x00" in item.text for item in items):
        return [Pushed(item.key, None, Fate.REJECTED, "one of them is bad") for item in items]
    return Memory.push(self, remote, items, group)


def backwards(self: Memory, remote: Remote, items: Sequence[Outgoing], group: str) -> list[Pushed]:
    return Memory.push(self, remote, items, group)[::-1]


def in_ascii(self: Memory, item: Outgoing) -> Pushed:
    text = item.text.encode("ascii", "replace").decode() if "\x00" not in item.text else item.text
    return Memory.push_one(self, dataclasses.replace(item, text=text))


def ranked_once(self: Memory, remote: Remote, ranked: Sequence[Any], version: str) -> None:
    if version == "v1":
        Memory.rerank(self, remote, ranked, version)


def taken_from_people(self: Memory, task: str) -> Withdrawn:
    self.ask()
    self.world.tasks.pop(task, None)
    return Withdrawn.GONE


def kept_in_secret(self: Memory, task: str) -> Withdrawn:
    self.ask()
    return Withdrawn.ANSWERED if self.world.tasks.get(task, {}).get("said") else Withdrawn.GONE


def without_the_first(self: Memory, remote: Remote) -> Iterator[Sequence[Seen]]:
    yield [seen for page in Memory.everything(self, remote) for seen in page][1:]


def only_what_is_there(self: Memory, remote: Remote, tasks: Sequence[str]) -> list[Seen]:
    return [seen for seen in Memory.read(self, remote, tasks) if seen.exists]


def breaks_on_nonsense(self: Memory, seen: Seen) -> Seen:
    return dataclasses.replace(seen, annotations=tuple(one for one in seen.annotations if one.value != "no such class"))


def numbered_by_what_is_said(_: Memory, seen: Seen) -> Seen:
    return dataclasses.replace(
        seen, annotations=tuple(dataclasses.replace(one, id=f"{one.id}{one.value}") for one in seen.annotations)
    )


def deleted_twice(self: Memory, remote: Remote) -> Iterator[Sequence[Seen]]:
    yield from Memory.everything(self, remote)
    if self.world.ids == 3 and len(self.world.tasks) == 2:
        yield [Seen("2", "tithe:c1:i1")]


def kept_when_deleted(self: Memory, seen: Seen) -> Seen:
    memory = self.world.__dict__.setdefault("memory", {})
    if seen.annotations:
        memory[seen.task] = seen
    return memory.get(seen.task, seen) if seen.exists else seen


def any_secret(self: MemoryKind, settings: BaseModel, hook_secret: str, headers: Any, body: bytes) -> list[Hint]:
    return MemoryKind.parse_hook(self, settings, "s3cret", {"x-secret": "s3cret"}, body)


def empty_secret(self: MemoryKind, settings: BaseModel, hook_secret: str, headers: Any, body: bytes) -> list[Hint]:
    return MemoryKind.parse_hook(
        self, settings, hook_secret or "x", headers if hook_secret else {"x-secret": "x"}, body
    )


def anybodys(self: MemoryKind, settings: BaseModel, hook_secret: str, headers: Any, body: bytes) -> list[Hint]:
    return MemoryKind.parse_hook(self, settings, hook_secret, headers, body.replace(b"other", b"mine"))


def crashes(self: MemoryKind, settings: BaseModel, hook_secret: str, headers: Any, body: bytes) -> list[Hint]:
    if headers.get("x-secret") == hook_secret != "":
        json.loads(body)
    return MemoryKind.parse_hook(self, settings, hook_secret, headers, body)


def in_other_words(self: Memory, effect: Callable[[], Any] = lambda: None) -> Any:
    try:
        return Memory.ask(self, effect)
    except ToolUnreachable as error:
        raise ConnectionError("away") from error


breaks("test_the_kind_says_what_it_is", name="My Tool")
breaks("test_the_kind_says_what_it_is", settings=Vague)
breaks("test_it_says_how_it_is", health=lambda self: self.ask() or Health(None, None, ""))
breaks("test_a_preview_changes_nothing", preview=made_by_preview)
breaks("test_a_project_is_made_once", ensure_project=made_each_time)
breaks("test_what_does_not_fit_is_said_beforehand_and_refused", ensure_project=made_of_anything)
breaks("test_a_project_that_vanished_is_said_to_be_gone", ensure_project=made_anew)
breaks("test_items_become_tasks_in_order", push=backwards)
breaks("test_people_see_the_text_as_it_is", push_one=in_ascii)
MUTANTS.append(("test_the_same_key_makes_one_task", "push_one", Eager))
MUTANTS.append(("test_the_same_key_makes_one_task", "known", Forgetful))
MUTANTS.append(("test_a_push_cut_short_is_finished_by_the_next", "known", Forgetful))
breaks("test_an_item_the_tool_never_takes_keeps_no_other", push=all_or_nothing)
breaks("test_people_are_asked_in_the_order_of_the_ranks", rerank=ranked_once)
breaks("test_what_nobody_answered_can_be_taken_back", withdraw_one=kept_in_secret)
breaks("test_what_is_answered_stays", withdraw_one=taken_from_people)
breaks("test_labels_come_back_as_they_were_given", seen=telling(lambda _, seen: changed(seen, value="ham")))
breaks("test_a_poll_misses_nothing_and_may_be_repeated", poll=unsorted_poll)
breaks("test_a_poll_misses_nothing_and_may_be_repeated", poll=consuming_poll)
breaks("test_reading_tells_tasks_whole_and_which_are_not_there", read=only_what_is_there)
breaks("test_an_edit_keeps_the_annotation", seen=telling(numbered_by_what_is_said))
breaks("test_what_is_deleted_is_no_longer_told", seen=telling(kept_when_deleted))
breaks("test_what_is_deleted_is_no_longer_told", everything=deleted_twice)
breaks("test_a_skip_is_told", seen=telling(lambda _, seen: changed(seen, kind=Kind.LABEL)))
breaks("test_several_people_are_told_apart", seen=telling(lambda _, seen: changed(seen, annotator="somebody")))
breaks("test_nonsense_is_told_and_harms_nothing", seen=telling(breaks_on_nonsense))
breaks("test_everything_is_what_is_there", everything=without_the_first)
breaks("test_an_annotation_leads_to_its_task", task_of=lambda *_: ["1"])
breaks("test_a_hook_names_what_to_read", parse_hook=lambda *_: [Hint()])
for wrong in (any_secret, empty_secret, anybodys, crashes):
    breaks("test_a_hook_of_somebody_else_is_refused", parse_hook=wrong)
breaks("test_a_tool_that_is_away_is_said_to_be", ask=in_other_words)
breaks("test_a_tool_that_is_away_is_said_to_be", read=lambda self, _, tasks: [self.seen(name) for name in tasks])
breaks("test_a_wrong_credential_is_refused", ask=lambda self, effect=lambda: None: self.world.request(effect))
breaks("test_nothing_asked_is_nothing_done", push=lambda *_: [Pushed("k", "1", Fate.CREATED)])


@pytest.mark.parametrize(("test", "what", "mutant"), MUTANTS, ids=[f"{test}-{what}" for test, what, _ in MUTANTS])
def test_a_broken_promise_is_caught(test: str, what: str, mutant: Mutant):
    with pytest.raises(AssertionError, match="a promise is broken"):
        getattr(ConnectorContract(), test)(tool_of(mutant))


def test_a_kind_that_loads_a_learning_library_is_caught():
    heavy = type("Heavy", (MemoryKind,), {"__module__": "sklearn.base"})
    with pytest.raises(AssertionError, match="must not load"):
        ConnectorContract().test_importing_the_kind_brings_no_learning_library(tool_of(heavy))


def test_every_test_of_the_suite_can_fail():
    tests = {name for name in dir(ConnectorContract) if name.startswith("test_")}
    assert tests - {test for test, _, _ in MUTANTS} == {"test_importing_the_kind_brings_no_learning_library"}
