"""Take in what a tool has already: its tasks become items of the pool, what people said of them its first labels."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import structlog

from tithe.connectors.protocol import Seen
from tithe.loop import ingest
from tithe.loop.checking import BadLine, Checker, Record
from tithe.storage import connectors, remote
from tithe.storage.database import Unit
from tithe.storage.pool import NewItem
from tithe.sync.link import Pass

_log = structlog.get_logger("tithe.sync")


def adopt(one: Pass) -> None:
    """Take in everything once; broken off, it begins again and finds what it has.

    Labels that were given before are seeds: they train, and no budget pays for them.
    """
    database, sizes, taken = one.runtime.database, one.runtime.block_sizes, 0
    import_id = ingest.start(database, one.project.id)
    for page in one.connector.everything(one.at):
        _admit(one, import_id, one.follow(page, seeds=True), seeds=True)
        taken += len(page)
        one.run(lambda unit, taken=taken: connectors.note_facts(unit, one.connection.id, {"taken_in": taken}))  # type: ignore[misc]
    ingest.finish(database, one.project.id, import_id, sizes, whole=True)
    one.run(lambda unit: connectors.note_adopted(unit, one.connection.id, {"taken_in": taken}))


def take_in(one: Pass, strangers: Sequence[Seen], *, seeds: bool) -> None:
    """Make items of tasks that came to the tool since."""
    database, sizes = one.runtime.database, one.runtime.block_sizes
    import_id = ingest.start(database, one.project.id)
    _admit(one, import_id, strangers, seeds=seeds)
    ingest.finish(database, one.project.id, import_id, sizes, whole=True)


def _admit(one: Pass, import_id: UUID, strangers: Sequence[Seen], *, seeds: bool) -> None:
    """Make items of tasks we know nothing of, then follow what is said of them. What is no item is left alone."""
    checker = Checker(one.project, None, one.runtime.settings.line_limit_bytes)
    items: list[NewItem] = []
    tasks: list[str] = []
    for at, seen in enumerate(strangers, start=1):
        if not seen.exists or seen.text is None:
            continue
        values = {"text": seen.text, "id": seen.item_id or f"{one.connection.name}:{seen.task}", "meta": seen.meta}
        try:
            items.append(checker.item(Record(at, values)))
            tasks.append(seen.task)
        except BadLine as fault:
            _log.warning("task_not_taken_in", connector=one.connection.name, task=seen.task, reason=str(fault))
    if not items:
        return
    database, sizes = one.runtime.database, one.runtime.block_sizes
    chunk = ingest.admit(database, one.project.id, import_id, items, 0, sizes)
    clashing = {line for line, _ in chunk.clashes}
    again = [
        _under_another_id(one, item, task) for item, task in zip(items, tasks, strict=True) if item.line in clashing
    ]
    if again:
        ingest.admit(database, one.project.id, import_id, again, 0, sizes)

    def remember(unit: Unit) -> None:
        ordinals = remote.ordinals_of(unit, one.project.id, [item.digest for item in items])
        pairs = [
            (ordinals[item.digest], task) for item, task in zip(items, tasks, strict=True) if item.digest in ordinals
        ]
        remote.adopt(unit, one.project.id, one.connection.id, pairs)

    one.run(remember)
    one.follow(strangers, seeds=seeds)


def _under_another_id(one: Pass, item: NewItem, task: str) -> NewItem:
    """An id that names other content in the pool is the tool's alone: the item is named after its task."""
    return NewItem(
        item.line, f"{one.connection.name}:{task}", item.digest, item.split, item.text, item.tokens, item.meta,
        cost=item.cost,
    )  # fmt: skip
