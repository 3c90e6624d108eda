"""The steps the tests are made of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from tithe.connectors.contract.tool import ToolUnderTest
from tithe.connectors.protocol import (
    Annotation,
    Connector,
    Json,
    Kind,
    Outgoing,
    Pushed,
    Remote,
    Schema,
    Seen,
)
from tithe.contracts.projects import Task


def promise(kept: object, words: str) -> None:
    """Fail with the promise in words where it is not kept."""
    if not kept:
        raise AssertionError(f"a promise is broken: {words}")


def skipped(why: str) -> NoReturn:
    """Skip the test, saying why."""
    import pytest

    pytest.skip(why)


def needs(connector: Connector, capability: str) -> None:
    """Skip the test where the tool has no such capability."""
    if not getattr(connector.capabilities, capability):
        skipped(f"by its capabilities the tool has no {capability}")


@contextmanager
def raises(wanted: type[Exception], what: str) -> Iterator[None]:
    """Fail where the body does not raise this error, or another one."""
    try:
        yield
    except wanted:
        return
    except Exception as error:
        raise AssertionError(f"a promise is broken: {what} raises {wanted.__name__}, not {error!r}") from error
    raise AssertionError(f"a promise is broken: {what} raises {wanted.__name__}, and it did not")


@contextmanager
def opened(tool: ToolUnderTest) -> Iterator[Connector]:
    """A connection, closed afterwards."""
    connector = tool.open()
    try:
        yield connector
    finally:
        connector.close()


@contextmanager
def begun(tool: ToolUnderTest, many: int = 3) -> Iterator[tuple[Connector, Remote, list[Pushed]]]:
    """A project with some items in it."""
    with opened(tool) as connector:
        remote = connector.ensure_project(tool.schema, None)
        yield connector, remote, connector.push(remote, [item(n) for n in range(many)], "round-1")


@contextmanager
def hooked(tool: ToolUnderTest) -> Iterator[tuple[Connector, Remote, str]]:
    """A task that was just answered, of a tool that tells of it."""
    with begun(tool) as (connector, remote, pushed):
        needs(connector, "hooks")
        tool.label(id_of(pushed[0]), "ada", value_of(tool.schema, 1))
        yield connector, remote, id_of(pushed[0])


def item(n: int) -> Outgoing:
    """The n-th item, with a text that is not easy."""
    text = f'😀 Zoë & 👩‍👩‍👧 in "Kyōto" <b>for $5\nand a 2nd line, no. {n}'
    return Outgoing(key=f"tithe:c1:i{n}", item_id=f"i{n}", text=text, rank=n)


def id_of(pushed: Pushed) -> str:
    """The tool's id of a pushed item that is there."""
    promise(pushed.task, f"a task has an id: {pushed}")
    return pushed.task or ""


def value_of(schema: Schema, n: int) -> Any:
    """The n-th label people give, in the project's form; the entities are of :func:`_item`'s text."""
    labels = schema.labels
    if schema.task is Task.MULTILABEL:
        return [[], [labels[0]], list(labels[:2])][n % 3]
    if schema.task is Task.TOKENS:
        spans = [{"start": 2, "end": 5, "label": labels[0]}, {"start": 18, "end": 23, "label": labels[1]}]
        return [spans[:1], spans, []][n % 3]
    return labels[n % len(labels)]


def is_label(tool: ToolUnderTest, seen: Seen | None, value: Any) -> None:
    """There is one annotation, and it says this."""
    annotations: tuple[Annotation, ...] = seen.annotations if seen else ()
    promise(len(annotations) == 1, f"one annotation is told: {seen}")
    one = annotations[0]
    promise(one.kind is Kind.LABEL and one.id and one.annotator, f"a label has an id and somebody's name: {one}")
    told = one.value
    if tool.schema.task is Task.MULTILABEL:
        told, value = sorted(told), sorted(value)
    if tool.schema.task is Task.TOKENS:
        told = sorted(told, key=lambda span: (span["start"], span["end"]))
    promise(told == value, f"{value!r} was said, {told!r} is told")


def polled(connector: Connector, remote: Remote, cursor: Json | None) -> tuple[dict[str, Seen], Json | None]:
    """All changes since a cursor, which is stored as JSON between any two calls."""
    told: dict[str, Seen] = {}
    for _ in range(1000):
        changes = connector.poll(remote, cursor)
        told |= {seen.task: seen for seen in changes.seen}
        cursor = json.loads(json.dumps(changes.cursor))
        if not changes.more:
            return told, cursor
    raise AssertionError("a promise is broken: where nothing changes, a poll comes to an end")


def all_of(connector: Connector, remote: Remote) -> dict[str, Seen]:
    """Everything, by task."""
    return {seen.task: seen for page in connector.everything(remote) for seen in page}
