"""What people said in a tool, brought home: by hints at once, by polling surely, by reconciling completely."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog

from tithe.connectors.clean import cleaned
from tithe.connectors.errors import ToolError
from tithe.connectors.protocol import Seen
from tithe.loop.told import digest_of
from tithe.storage import connectors, remote
from tithe.storage.connectors import Hinted
from tithe.storage.remote import Digests
from tithe.sync import adopt
from tithe.sync.link import Pass

_log = structlog.get_logger("tithe.sync")
_READ_AT_ONCE = 100
#: Reconciling reads everything: it takes at most this share of the time.
_RECONCILING_SHARE = 0.05


def follow_hints(one: Pass) -> bool:
    """Read what hooks named; whether one said to look at everything.

    A hint is forgotten when it was followed, so one that comes meanwhile is not lost. One that the tool can make
    nothing of is forgotten as well: polling finds what there is, and must not wait for it.
    """
    hinted = one.run(lambda unit: connectors.hints(unit, one.connection.id))
    if not hinted:
        return False
    try:
        _read_named(one, hinted)
    except ToolError as error:
        _log.warning("hints_useless", connector=one.connection.name, code=error.code, reason=error.message)
    one.run(lambda unit: connectors.heard(unit, hinted))
    return any(hint.everything for hint in hinted)


def _read_named(one: Pass, hinted: Sequence[Hinted]) -> None:
    tasks = {name for hint in hinted for name in hint.tasks}
    annotations = sorted({name for hint in hinted for name in hint.annotations})
    if annotations:
        tasks.update(one.connector.task_of(one.at, annotations))
    names = sorted(tasks)
    for start in range(0, len(names), _READ_AT_ONCE):
        take(one, one.connector.read(one.at, names[start : start + _READ_AT_ONCE]))


def poll(one: Pass) -> None:
    """Read what changed since the last time; the cursor moves when what it passed is stored."""
    cursor = one.connection.cursor
    more = True
    while more:
        changes = one.connector.poll(one.at, cursor)
        take(one, changes.seen)
        cursor, more = changes.cursor, changes.more
        one.run(lambda unit, cursor=cursor: connectors.note_cursor(unit, one.connection.id, cursor))  # type: ignore[misc]


def reconcile(one: Pass) -> None:
    """Compare everything that is in the tool with everything that should be: the tool tells some changes to nobody."""
    began = time.monotonic()
    here: list[str] = []
    for page in one.connector.everything(one.at):
        here.extend(seen.task for seen in page)
        take(one, page)
    missing = one.run(lambda unit: remote.missing(unit, one.connection.id, here))
    for start in range(0, len(missing), _READ_AT_ONCE):
        take(one, one.connector.read(one.at, missing[start : start + _READ_AT_ONCE]))
    seconds = round(time.monotonic() - began, 3)
    facts = {"reconcile_seconds": seconds, "tasks_in_tool": len(here)}
    one.run(lambda unit: connectors.note_reconciled(unit, one.connection.id, facts))


def reconcile_due(one: Pass) -> bool:
    """Whether it is time to look at everything again: rarely where that takes long."""
    last = one.connection.reconciled_at
    if last is None:
        return True
    took = float(one.connection.facts.get("reconcile_seconds", 0.0))
    pause = max(one.runtime.settings.connector_reconcile_seconds, took / _RECONCILING_SHARE)
    return datetime.now(UTC) - last > timedelta(seconds=pause)


def take(one: Pass, seen: Sequence[Seen]) -> None:
    """Follow what is said of our tasks; of others, make items where the connection takes in what is there.

    What says the same as before costs no transaction: most of what is read when everything is compared.
    """
    seen = [cleaned(task) for task in seen]
    known = one.run(lambda unit: remote.digests(unit, one.connection.id, [task.task for task in seen]))
    strangers = one.follow([task for task in seen if not _same(task, known.get(task.task))])
    if strangers and getattr(one.settings, "adopt", False):
        adopt.take_in(one, strangers, seeds=one.connection.adopted_at is None)


def _same(seen: Seen, known: Digests | None) -> bool:
    """Whether everything is said of the task already that is said of it now."""
    if known is None or not seen.exists or known.state in ("intended", "gone"):
        return False
    if known.own and seen.key != known.key:  # another task by now, of the same id
        return False
    return known.said == {one.id: digest_of(one).hex() for one in seen.annotations}
