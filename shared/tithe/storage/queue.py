"""The ready queue, batches and leases: who may answer what, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from tithe.storage.database import Unit


@dataclass(frozen=True)
class Batch:
    """Some items leased to one annotator."""

    id: UUID
    project_id: UUID
    annotator: str
    round_id: UUID | None
    state: str
    created_at: datetime
    expires_at: datetime
    lapsed: bool


@dataclass(frozen=True)
class LeasedItem:
    """One item of a batch, as its annotator sees it."""

    id: int
    ordinal: int
    external_id: str
    state: str
    score: float | None
    chosen_by: str
    why: dict[str, Any]
    text: str | None
    tokens: list[str] | None
    meta: dict[str, Any] | None
    cost: int


@dataclass(frozen=True)
class Choice:
    """One item a round puts into the ready queue."""

    ordinal: int
    score: float | None
    chosen_by: str
    why: dict[str, Any]


def open_batch(unit: Unit, project_id: UUID, annotator: str) -> Batch | None:
    """The annotator's open batch, held until the unit ends."""
    return unit.one("queue.open_batch", Batch, project_id=project_id, annotator=annotator)


def lock_batch(unit: Unit, project_id: UUID | None, batch_id: UUID) -> Batch | None:
    """A batch (of this project), held until the unit ends."""
    return unit.one("queue.lock_batch", Batch, id=batch_id, project_id=project_id)


def new_batch(unit: Unit, project_id: UUID, annotator: str, lease_seconds: int) -> Batch | None:
    """Open a batch; None: the annotator has one open (perhaps since a moment)."""
    return unit.one("queue.new_batch", Batch, project_id=project_id, annotator=annotator, lease_seconds=lease_seconds)


def drop_batch(unit: Unit, batch_id: UUID) -> None:
    """Take back a batch that found no items."""
    unit.run("queue.drop_batch", id=batch_id)


@dataclass(frozen=True)
class Bound:
    """What leased items may cost together, in the unit of the project's budget.

    They are taken in order while they fit; the first that does not fit ends the batch.
    """

    left: int | None = None  #: None: no bound
    alone: bool = False  #: the very first is leased even where it costs more

    def after(self, cost: int, count: int) -> Bound:
        """What is left of it when `count` items of together `cost` are leased."""
        return Bound(None if self.left is None else self.left - cost, self.alone and count == 0)


NO_BOUND = Bound()


def lease_ready(
    unit: Unit, batch: Batch, size: int, overlap: int, bound: Bound = NO_BOUND, position: int = 0
) -> list[LeasedItem]:
    """Lease the best `size` ready items to the batch, best first, after `position` that it has. Never waits."""
    return unit.all(
        "queue.lease_ready", LeasedItem, project_id=batch.project_id, annotator=batch.annotator, batch_id=batch.id,
        size=size, overlap=overlap, position=position, left=bound.left, alone=bound.alone,
    )  # fmt: skip


def some_ready(unit: Unit, project_id: UUID, annotator: str) -> bool:
    """Whether the ready queue holds an item that the annotator may answer."""
    return unit.value("queue.next_ready", project_id=project_id, annotator=annotator) is not None


def lease_random(
    unit: Unit, batch: Batch, probes: Sequence[int], size: int, position: int, bound: Bound = NO_BOUND
) -> tuple[int, int]:
    """Lease up to `size` untouched items, the first at or after each probe; how many it got, and what they cost."""
    got, cost = unit.rows(
        "queue.lease_random", project_id=batch.project_id, annotator=batch.annotator, batch_id=batch.id,
        probes=list(probes), size=size, position=position, left=bound.left, alone=bound.alone,
    )[0]  # fmt: skip
    return int(got), int(cost)


def lease_any(
    unit: Unit, batch: Batch, size: int, overlap: int, position: int, bound: Bound = NO_BOUND
) -> tuple[int, int]:
    """Lease up to `size` items this annotator may still answer, found by a scan; how many, and what they cost."""
    got, cost = unit.rows(
        "queue.lease_any", project_id=batch.project_id, annotator=batch.annotator, batch_id=batch.id,
        size=size, overlap=overlap, position=position, left=bound.left, alone=bound.alone,
    )[0]  # fmt: skip
    return int(got), int(cost)


def leases(unit: Unit, batch_id: UUID) -> list[LeasedItem]:
    """Every lease of the batch with its item, in the order handed out."""
    return unit.all("queue.batch_leases", LeasedItem, batch_id=batch_id)


def extend(unit: Unit, batch_id: UUID, lease_seconds: int) -> datetime | None:
    """Keep the batch for its annotator from now on; None: it is not open."""
    expires_at: datetime | None = unit.value("queue.extend", id=batch_id, lease_seconds=lease_seconds)
    return expires_at


def lease_late(
    unit: Unit, lease_ids: Sequence[int], annotators: Sequence[str], kinds: Sequence[str], overlap: int
) -> dict[int, int]:
    """Take fresh slots beside these leases, one each, for answers (label or skip) of these annotators, as far as free.

    Ordinal → the new lease's id, for those that got one.
    """
    found = unit.rows(
        "queue.lease_late", lease_ids=list(lease_ids), annotators=list(annotators), kinds=list(kinds), overlap=overlap
    )
    return dict(found)


def recount_ready(unit: Unit, project_id: UUID, ordinals: Sequence[int]) -> None:
    """Set right how often the ready queue may still hand these items out."""
    unit.run("queue.recount_ready", project_id=project_id, ordinals=sorted(ordinals))


def lapsed(unit: Unit, project_id: UUID) -> list[UUID]:
    """Open batches past their time, held; those somebody is answering right now are left alone."""
    return [row[0] for row in unit.rows("queue.lapsed_batches", project_id=project_id)]


def projects_with_lapsed(unit: Unit) -> list[UUID]:
    """Projects that have open batches past their time."""
    return [row[0] for row in unit.rows("queue.projects_with_lapsed")]


def give_back(unit: Unit, project_id: UUID, batch_ids: Sequence[UUID], state: str) -> None:
    """End the batches as `state` (expired or released); their unanswered items stand in the ready queue again."""
    freed = [row[0] for row in unit.rows("queue.give_back", batch_ids=list(batch_ids), state=state)]
    unit.run("queue.end_batches", batch_ids=list(batch_ids), state=state)
    if freed:
        recount_ready(unit, project_id, freed)


def active_leases(unit: Unit, project_id: UUID) -> int:
    """Leases of open batches that wait for an answer."""
    return int(unit.value("queue.active_leases", project_id=project_id))


def reserved(unit: Unit, project_id: UUID) -> int:
    """What leases that wait for an answer may take from the budget."""
    return int(unit.value("queue.reserved", project_id=project_id))


def import_leases(unit: Unit, project_id: UUID, ordinals: Sequence[int]) -> set[int]:
    """Settle items whose label came with them; those that nobody else has or had."""
    return {row[0] for row in unit.rows("queue.import_leases", project_id=project_id, ordinals=list(ordinals))}


def depth(unit: Unit, project_id: UUID) -> int:
    """Hand-outs the ready queue still holds."""
    return int(unit.value("queue.queue_depth", project_id=project_id))


def follow_overlap(unit: Unit, project_id: UUID, overlap: int) -> None:
    """Give every ready row the slots of a new overlap. The caller knows that nothing is leased or answered."""
    unit.run("queue.follow_overlap", project_id=project_id, overlap=overlap)


def half_answered(unit: Unit, project_id: UUID, overlap: int, limit: int) -> list[int]:
    """Items that have some but not all of their opinions."""
    return [row[0] for row in unit.rows("queue.half_answered", project_id=project_id, overlap=overlap, limit=limit)]


def swap_ready(
    unit: Unit, project_id: UUID, round_id: UUID, overlap: int, choices: Sequence[Choice]
) -> tuple[int, int]:
    """Put the round's choices in place of the queue that was served so far.

    How many stand in it now, and how often they can be handed out in all.
    """
    filled = unit.run(
        "queue.fill_ready",
        project_id=project_id, round_id=round_id, overlap=overlap,
        ranks=list(range(len(choices))),
        ordinals=[choice.ordinal for choice in choices],
        scores=[choice.score for choice in choices],
        chosen_by=[choice.chosen_by for choice in choices],
        whys=[Jsonb(choice.why) for choice in choices],
    )  # fmt: skip
    unit.run("queue.clear_ready", project_id=project_id, round_id=round_id)
    return filled, int(unit.value("queue.round_slots", project_id=project_id, round_id=round_id))


def asked_by_chance(unit: Unit, project_id: UUID) -> dict[int, bool]:
    """Items that the control arm ever asked for, or that were drawn at random; to whether it was the control arm."""
    return dict(unit.rows("queue.asked_by_chance", project_id=project_id))
