"""Telling a tool in what order to ask, and taking back what it is not to ask any more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from tithe.connectors.protocol import Ranked, Withdrawn
from tithe.storage import answers, connectors, remote
from tithe.storage.database import Unit
from tithe.storage.remote import Best, There
from tithe.sync.link import Pass
from tithe.sync.suggestions import suggestion

#: Tasks taken back in one pass: deleting is slow in some tools, and nobody waits for it.
_TAKEN_BACK_AT_ONCE = 200
#: Rounds may come fast: of what fell out of the best so many windows wait for whoever has it open, and no more.
_LINGERING_WINDOWS = 3


def order(one: Pass, round_id: UUID) -> bool:
    """Tell the tool: what somebody began, the window, then what left it. False: a newer round is in already."""

    def work(unit: Unit) -> tuple[list[Best], list[There], int, bool]:
        held = one.hold(unit)
        there = remote.there(unit, one.connection.id, held.batch_id, one.grace_seconds)
        # Held, so that no round comes in between: what is ranked here is that round's.
        current = answers.lock_progress(unit, one.project.id).current_round
        best = remote.best(unit, one.project.id, one.connection.id, held.batch_id, one.window)
        return best, there, connectors.next_order(unit, one.connection.id), current == round_id

    best, there, number, newest = one.run(work)
    ranked = list(_ranked(best, there))
    if ranked:
        one.connector.rerank(one.at, ranked, f"{one.connection.id.hex[:8]}-{number}")
    if newest:
        one.run(lambda unit: connectors.note_order(unit, one.connection.id, round_id))
    return newest


def _ranked(best: Sequence[Best], there: Sequence[There]) -> Iterator[Ranked]:
    tasks = {task.ordinal: task for task in there if task.held and task.task is not None}
    why: dict[int, dict[str, Any]] = {item.ordinal: item.why for item in best}
    begun = [ordinal for ordinal, task in tasks.items() if task.said]
    window = [item.ordinal for item in best if item.ordinal in tasks and not tasks[item.ordinal].said]
    first = {*begun, *window}
    for rank, ordinal in enumerate([*begun, *window, *(one for one in tasks if one not in first)]):
        yield Ranked(str(tasks[ordinal].task), rank, suggestion(why.get(ordinal, {})))


def take_back(one: Pass) -> None:
    """Take back what somebody else has, and what has not been among the best for long; nothing anybody answered."""

    def work(unit: Unit) -> list[There]:
        held = one.hold(unit)
        remote.give_up(unit, one.project.id, one.connection.id, held.batch_id, one.grace_seconds)
        there = remote.there(unit, one.connection.id, held.batch_id, one.grace_seconds)
        free = [task for task in there if not task.said]
        lingering = sorted(
            (task for task in free if task.held and task.out_since), key=lambda task: str(task.out_since)
        )
        beyond = {task.id for task in lingering[: max(0, len(lingering) - _LINGERING_WINDOWS * one.window)]}
        return [task for task in free if not task.held or task.out_for_long or task.id in beyond]

    chosen = {str(task.task): task for task in one.run(work)[:_TAKEN_BACK_AT_ONCE]}
    if chosen:
        withdraw(one, chosen)


def withdraw(one: Pass, chosen: dict[str, There]) -> None:
    """Take these tasks back, and hold their items no longer; one that somebody answered just now is read instead.

    What was in the tool before us is never taken away: it is only not asked for by us any more.
    """
    ours = [name for name, task in chosen.items() if task.own]
    fates = dict.fromkeys(chosen, Withdrawn.KEPT) | (one.connector.withdraw(one.at, ours) if ours else {})
    gone = [chosen[name] for name, fate in fates.items() if fate is not Withdrawn.ANSWERED]
    kept = [chosen[name].id for name, fate in fates.items() if fate is Withdrawn.KEPT]

    def note(unit: Unit) -> None:
        remote.took_back(unit, [task.id for task in gone], kept)
        remote.release(unit, one.project.id, one.hold(unit).batch_id, [task.ordinal for task in gone])

    one.run(note)
    answered = [name for name, fate in fates.items() if fate is Withdrawn.ANSWERED]
    if answered:
        one.follow(one.connector.read(one.at, answered))
