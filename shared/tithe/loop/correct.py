"""Change one's mind: an answer that stands is replaced by another, or withdrawn. Never is one changed or deleted.

For whoever has rows in hand, such as a tool's connector; people who label do it through their batch
(:mod:`tithe.loop.record`).
"""

from __future__ import annotations

from typing import Any, Literal

from tithe.contracts.projects import Project
from tithe.errors import Conflict
from tithe.loop import budget
from tithe.loop import rounds as turns
from tithe.storage import answers, desk, pool
from tithe.storage.answers import Answer, Progress, Standing
from tithe.storage.database import Unit


def correct(
    unit: Unit, project: Project, was: Standing, kind: Literal["label", "skip"], value: Any, note: str | None = None
) -> Progress:
    """Have the same person say something else of the item; may open a round. The counters after it, held.

    What says the same again is not stored. A skip that becomes a label where the budget has nothing left for it is kept
    as superseded (``budget_spent``), and the skip stands.

    Parameters
    ----------
    unit
        The transaction.
    project
        The project.
    was
        What stands, of :func:`tithe.storage.answers.standing`; not withdrawn.
    kind, value
        What is said now. A label is already checked against the schema (:func:`tithe.contracts.labels.check_label`); a
        skip's value is None.
    note
        What the person wrote beside it.

    Raises
    ------
    Conflict
        Somebody replaced it meanwhile: look again what stands.
    """
    progress = _held(unit, project, was)
    if (kind, value) == (was.kind, was.value):
        return progress
    answer = Answer(was.ordinal, kind, value, note, was.lease_id, cost=was.cost, annotator=was.annotator, replaces=was)
    if budget.costs_more(kind, was) and not budget.fits(unit, project, progress, [was.cost]):
        return _record(unit, project, was, budget.beyond(answer), slots=0)
    if was.lease_id is not None:
        desk.turn(unit, {was.lease_id: kind})
    return _record(unit, project, was, answer, slots=0)


def withdraw(unit: Unit, project: Project, was: Standing, because: str) -> Progress:
    """Take an answer back: it counts no more, and its slot is asked for again. The counters after it, held.

    What it took from the budget is given back. May open a round, which trains without it.

    Parameters
    ----------
    unit
        The transaction.
    project
        The project.
    was
        What stands, of :func:`tithe.storage.answers.standing`; not withdrawn.
    because
        Why, in a word: kept with it.

    Raises
    ------
    Conflict
        Somebody replaced it meanwhile: look again what stands.
    """
    _held(unit, project, was)
    slots = desk.free(unit, project, was.lease_id, was.ordinal) if was.lease_id is not None else 0
    gone = Answer(
        was.ordinal, "withdrawn", None, None, was.lease_id, because=because, cost=was.cost, annotator=was.annotator,
        replaces=was,
    )  # fmt: skip
    return _record(unit, project, was, gone, slots=-slots)


def _held(unit: Unit, project: Project, was: Standing) -> Progress:
    """The counters, held, where it is sure that the answer still stands."""
    if was.kind == "withdrawn":
        raise ValueError(f"answer {was.answer_id} was withdrawn: who answers again is leased the item first")
    progress = answers.lock_progress(unit, project.id)
    if not answers.still_stands(unit, project.id, was):
        raise Conflict(
            f"answer {was.answer_id} of item {was.ordinal} was replaced meanwhile", remedy="look again what stands",
            retry_after_seconds=1,
        )  # fmt: skip
    return progress


def _record(unit: Unit, project: Project, was: Standing, answer: Answer, *, slots: int) -> Progress:
    progress = desk.record(
        unit, project.id, was.annotator, None, was.source, [answer], slots=slots, held_out=was.held_out
    )
    counters = pool.read(unit, project.id)
    turns.open_for_labels(unit, project, progress, (counters.item_count - counters.test_count) * project.overlap)
    return progress
