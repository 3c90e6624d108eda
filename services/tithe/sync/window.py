"""What a tool is asked to ask: a window of the best items, kept in the order of the newest round.

Every step is written down before the tool is told, so whoever dies in between leaves a trace that the next pass
follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import structlog
from pydantic import ValidationError

from tithe import policy
from tithe.connectors.errors import ToolMisbehaves
from tithe.connectors.protocol import Fate, Limits, Outgoing, Pushed, Ranked, Withdrawn
from tithe.contracts.predictions import Prediction
from tithe.storage import answers, connectors, queue, remote
from tithe.storage.database import Unit
from tithe.storage.queue import Choice
from tithe.storage.remote import Best, Held, Intended, There
from tithe.sync.link import Pass

_log = structlog.get_logger("tithe.sync")
#: Tasks taken back in one pass: deleting is slow in some tools, and nobody waits for it.
_TAKEN_BACK_AT_ONCE = 200


def tend(one: Pass) -> None:
    """Hold, push, order and take back what the newest round asks for; nothing where nothing changed."""
    wanted = one.run(lambda unit: _plan(unit, one))
    if wanted is None:
        return
    pushed = push(one)
    if one.connector.capabilities.rerank and (wanted or pushed):
        order(one)
    if one.connector.capabilities.withdraw:
        take_back(one)


def _plan(unit: Unit, one: Pass) -> bool | None:
    """Choose and hold; whether the tool is to be told a new order. None: there is no round yet, so nothing to ask."""
    held = one.hold(unit)
    progress = answers.lock_progress(unit, one.project.id)
    if progress.current_round is None:
        return None
    there = remote.there(unit, one.connection.id, held.batch_id, one.runtime.settings.connector_grace_seconds)
    waiting = _waiting(remote.held_slots(unit, held.batch_id), there, one.project.overlap)
    follows = one.connector.capabilities.rerank
    new_round = progress.current_round != one.connection.ordered_round
    if not policy.refill_due(waiting, one.window) and not (follows and new_round):
        return False
    best = remote.best(unit, one.project.id, one.connection.id, held.batch_id, one.window)
    room = one.window if follows else max(0, one.window - waiting)
    fresh = [item for item in best if not item.held][: _allowed(unit, one, room)]
    got = _lease(unit, one, held, _within_budget(unit, one, fresh))
    asked = [item for item in best if item.held or item.ordinal in got]
    remote.unpark(unit, [item.task_id for item in asked if item.task_id is not None and item.state == "parked"])
    remote.intend(unit, one.project.id, one.connection.id, [item.ordinal for item in asked if item.task_id is None])
    if not follows:
        return bool(got)
    remote.back_in(unit, [item.task_id for item in asked if item.task_id is not None])
    keep = {item.ordinal for item in asked}
    # Where the best ones ran out, people may have been given the others since: no task is taken from under their hands.
    dry = waiting <= one.window // 4
    out = [task.id for task in there if task.held and not task.said and task.ordinal not in keep]
    remote.out(unit, out, anew=dry)
    return new_round or bool(got)


def _waiting(slots: dict[int, int], there: Sequence[There], overlap: int) -> int:
    """How many items of the window still wait: not fallen out of the best, nor answered with what does not count."""
    spent = {task.ordinal for task in there if task.out_since or (task.said and slots.get(task.ordinal, 0) >= overlap)}
    return len(slots.keys() - spent)


def _allowed(unit: Unit, one: Pass, room: int) -> int:
    """How many new items there is room for, where a spending limit lets so many out."""
    if not isinstance(one.kind, Limits):
        return room
    limit = one.kind.most_to_push(one.settings, remote.made(unit, one.connection.id))
    return room if limit is None else min(room, limit)


def _within_budget(unit: Unit, one: Pass, fresh: Sequence[Best]) -> list[Best]:
    """The first of the items, in order, that the budget pays for with what is held already. Progress is locked."""
    project = one.project
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


def push(one: Pass) -> int:
    """Tell the tool of every item that is to be there and is not known to be; how many.

    What goes together is written down before it goes: a pass that broke in the middle is finished as it was begun,
    because a tool may close the group with the push.
    """
    pushed = 0
    while parcel := one.run(lambda unit: _parcel(unit, one)):
        group, waiting = parcel
        fates = one.connector.push(one.at, [_outgoing(item, at) for at, item in enumerate(waiting)], group)
        one.run(lambda unit, waiting=waiting, fates=fates: _arrived(unit, one, waiting, fates))  # type: ignore[misc]
        pushed += len(waiting)
        if len(fates) != len(waiting):
            raise ToolMisbehaves(f"{len(waiting)} items were pushed, and {len(fates)} were accounted for")
    return pushed


def _parcel(unit: Unit, one: Pass) -> tuple[str, list[Intended]] | None:
    """What is pushed together next, and its group's name; None: nothing waits."""
    begun = connectors.fact(unit, one.connection.id, "parcel")
    if begun is not None:
        waiting = remote.intended(unit, one.connection.id, len(begun["ids"]), only=begun["ids"])
        if waiting:
            return begun["group"], waiting
    waiting = remote.intended(unit, one.connection.id, one.connector.capabilities.most_at_once)
    if not waiting:
        return None
    group = f"tithe-{one.connection.id.hex[:8]}-{connectors.next_order(unit, one.connection.id)}"
    connectors.note_facts(unit, one.connection.id, {"parcel": {"group": group, "ids": [item.id for item in waiting]}})
    return group, waiting


_STATES = {Fate.CREATED: "there", Fate.EXISTING: "there", Fate.REJECTED: "rejected"}


def _arrived(unit: Unit, one: Pass, waiting: Sequence[Intended], fates: Sequence[Pushed]) -> None:
    """Write down what became of a parcel; what the tool will not take is nobody's any more, and told about."""
    told = [(fate.key, fate.task, _STATES[fate.fate], fate.reason) for fate in fates]
    remote.arrived(unit, one.connection.id, told)
    connectors.note_facts(unit, one.connection.id, {"parcel": None})
    refused = {fate.key for fate in fates if fate.fate is Fate.REJECTED}
    lost = [item.ordinal for item in waiting if item.key in refused]
    if lost:
        remote.release(unit, one.project.id, one.hold(unit).batch_id, lost)
        _log.warning("items_rejected", connector=one.connection.name, items=len(lost))


def order(one: Pass) -> None:
    """Tell the tool in what order to ask: the window, then what left it and may be open on somebody's screen."""

    def work(unit: Unit) -> tuple[list[Best], list[There], int, Any]:
        held = one.hold(unit)
        grace = one.runtime.settings.connector_grace_seconds
        there = remote.there(unit, one.connection.id, held.batch_id, grace)
        best = remote.best(unit, one.project.id, one.connection.id, held.batch_id, one.window)
        number = connectors.next_order(unit, one.connection.id)
        return best, there, number, answers.progress(unit, one.project.id).current_round

    best, there, number, round_id = one.run(work)
    ranked = list(_ranked(best, there))
    if ranked:
        one.connector.rerank(one.at, ranked, f"{one.connection.id.hex[:8]}-{number}")
    one.run(lambda unit: connectors.note_order(unit, one.connection.id, round_id))


def _ranked(best: Sequence[Best], there: Sequence[There]) -> Iterator[Ranked]:
    tasks = {task.ordinal: task for task in there if task.held and task.task is not None}
    first = [item for item in best if item.ordinal in tasks]
    named = {item.ordinal for item in first}
    for rank, item in enumerate(first):
        yield Ranked(str(tasks[item.ordinal].task), rank, _suggestion(item.why))
    for rank, ordinal in enumerate((one for one in tasks if one not in named), start=len(first)):
        yield Ranked(str(tasks[ordinal].task), rank)


def take_back(one: Pass) -> None:
    """Take back what somebody else has, and what has not been among the best for long; nothing anybody answered."""

    def work(unit: Unit) -> list[There]:
        held = one.hold(unit)
        grace = one.runtime.settings.connector_grace_seconds
        there = remote.there(unit, one.connection.id, held.batch_id, grace)
        return [task for task in there if not task.said and (not task.held or task.out_for_long)]

    chosen = {str(task.task): task for task in one.run(work)[:_TAKEN_BACK_AT_ONCE]}
    if chosen:
        withdrawn(one, chosen)


def withdrawn(one: Pass, chosen: dict[str, There]) -> None:
    """Take these tasks back, and hold their items no longer; one that somebody answered just now is read instead."""
    fates = one.connector.withdraw(one.at, list(chosen))
    gone = [chosen[name] for name, fate in fates.items() if fate is not Withdrawn.ANSWERED]
    kept = [chosen[name].id for name, fate in fates.items() if fate is Withdrawn.KEPT]

    def note(unit: Unit) -> None:
        remote.took_back(unit, [task.id for task in gone], kept)
        remote.release(unit, one.project.id, one.hold(unit).batch_id, [task.ordinal for task in gone])

    one.run(note)
    answered = [name for name, fate in fates.items() if fate is Withdrawn.ANSWERED]
    if answered:
        one.follow(one.connector.read(one.at, answered))


def _outgoing(item: Intended, place: int) -> Outgoing:
    text = item.text if item.text is not None else " ".join(item.tokens or [])
    rank = place if item.rank is None else item.rank
    return Outgoing(item.key, item.external_id, text, rank, item.meta, _suggestion(item.why or {}))


def _suggestion(why: dict[str, Any]) -> Any:
    """What the model thinks, as an answer; None: nothing, or nothing that can be read."""
    try:
        return Prediction.model_validate(why["prediction"]).answer()
    except (KeyError, ValidationError):
        return None
