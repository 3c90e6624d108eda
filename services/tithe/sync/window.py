"""What a tool is asked to ask: a window of the best items, kept in the order of the newest round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from uuid import UUID

from tithe import policy
from tithe.connectors.protocol import Limits
from tithe.storage import answers, connectors, queue, remote
from tithe.storage.database import Unit
from tithe.storage.queue import Choice
from tithe.storage.remote import Best, Held, There
from tithe.sync import order, parcels
from tithe.sync.link import Pass

#: Rounds may come in faster than a pass ends: so often one pass follows them, and the next pass goes on.
_TURNS = 3


@dataclass(frozen=True)
class _Plan:
    """What a pass is to do."""

    round_id: UUID  #: by whose choice it was made
    reorder: bool  #: the tool is to be told a new order


def tend(one: Pass) -> None:
    """Hold, push, order and take back what the newest round asks for; nothing where nothing changed."""
    for _ in range(_TURNS):
        plan = one.run(lambda unit: _plan(unit, one))
        if plan is None:
            return
        pushed = parcels.push(one)
        if not one.connector.capabilities.rerank or not (plan.reorder or pushed):
            break
        if order.order(one, plan.round_id):
            break
    if one.connector.capabilities.withdraw:
        order.take_back(one)


def _plan(unit: Unit, one: Pass) -> _Plan | None:
    """Choose and hold. None: there is no round yet, so nothing to ask."""
    held = one.hold(unit)
    there = remote.there(unit, one.connection.id, held.batch_id, one.grace_seconds)
    waiting = _waiting(remote.held_slots(unit, held.batch_id), there)
    progress = answers.lock_progress(unit, one.project.id)
    round_id = progress.current_round
    if round_id is None:
        return None
    follows = one.connector.capabilities.rerank
    # Asked anew: whoever told the tool an order since, or took one back, wrote it there.
    stale = follows and connectors.ordered_round(unit, one.connection.id) != round_id
    shrunk = follows and waiting > one.window
    if not stale and not shrunk and not policy.refill_due(waiting, one.window):
        return _Plan(round_id, reorder=False)
    best = remote.best(unit, one.project.id, one.connection.id, held.batch_id, one.window)
    room = one.window if follows else max(0, one.window - waiting)
    fresh = [item for item in best if not item.held][: _allowed(unit, one, room)]
    got = _lease(unit, one, held, _within_budget(unit, one, fresh))
    asked = [item for item in best if item.held or item.ordinal in got]
    _write_down(unit, one, asked)
    if follows:
        _fall_out(unit, there, asked, anew=waiting <= one.window // 4)
        if got:  # until it is told, also by a later pass
            connectors.note_order(unit, one.connection.id, None)
    return _Plan(round_id, reorder=stale or shrunk or bool(got))


def _waiting(slots: dict[int, int], there: Sequence[There]) -> int:
    """How many items of the window wait for their first answer: they did not fall out of the best meanwhile."""
    spent = {task.ordinal for task in there if task.out_since or task.said}
    return len(slots.keys() - spent)


def _write_down(unit: Unit, one: Pass, asked: Sequence[Best]) -> None:
    """Before the tool is told, so that whoever dies in between leaves a trace that the next pass follows."""
    remote.unpark(unit, [item.task_id for item in asked if item.task_id is not None])
    remote.intend(unit, one.project.id, one.connection.id, [item.ordinal for item in asked if item.task_id is None])


def _fall_out(unit: Unit, there: Sequence[There], asked: Sequence[Best], *, anew: bool) -> None:
    """Note what is not among the best any more, and since when.

    Where the best ones ran out (`anew`) people may have been given the others since: no task is to be taken from under
    their hands.
    """
    keep = {item.ordinal for item in asked}
    out = [task.id for task in there if task.held and not task.said and task.ordinal not in keep]
    remote.out(unit, out, anew=anew)


def _allowed(unit: Unit, one: Pass, room: int) -> int:
    """How many new items there is room for, where a spending limit lets so many out."""
    if not isinstance(one.kind, Limits):
        return room
    limit = one.kind.most_to_push(one.settings, remote.made(unit, one.connection.id))
    return room if limit is None else min(room, limit)


def _within_budget(unit: Unit, one: Pass, fresh: Sequence[Best]) -> list[Best]:
    """The first of the items, in order, that the budget pays for with what is held already. Progress is locked."""
    project = one.project
    if project.stopped_at is not None:
        return []
    if project.budget is None:
        return list(fresh)
    left = project.budget - answers.progress(unit, project.id).paid_count - queue.reserved(unit, project.id)
    costs = accumulate(item.cost * project.overlap for item in fresh)
    return [item for item, total in zip(fresh, costs, strict=True) if total <= left]


def _lease(unit: Unit, one: Pass, held: Held, fresh: Sequence[Best]) -> set[int]:
    if not fresh:
        return set()
    choices = [Choice(item.ordinal, item.score, item.chosen_by, item.why) for item in fresh]
    ranks = [item.rank for item in fresh]
    return remote.lease(unit, one.project.id, one.connection.id, held, one.project.overlap, choices, ranks)
