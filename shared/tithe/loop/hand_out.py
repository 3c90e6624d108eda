"""Hand out a batch: the labeler's walk. No broker, no model, no waiting."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from tithe.contracts.projects import Project
from tithe.errors import BatchClosed, NotFound
from tithe.storage import answers, desk, pool, projects, queue
from tithe.storage.database import Database, Unit
from tithe.storage.desk import Asking
from tithe.storage.queue import NO_BOUND, Batch, Bound, LeasedItem

#: Why there was nothing to hand out, and in how many seconds asking again makes sense (None: never by itself).
_EMPTY: dict[str, int | None] = {
    "pool_empty": None,
    "stopped": None,
    "budget_spent": None,
    "budget_reserved": 5,
    "pool_exhausted": None,
    "all_leased": 5,
    "answered_by_you": None,
}


@dataclass(frozen=True)
class Staleness:
    """How old the ranking behind a batch is."""

    round_number: int | None
    model_version: int | None
    labels_since: int  #: labels counted that the ranking has not seen
    ranked_at: datetime | None


@dataclass(frozen=True)
class HandedOut:
    """What an annotator gets. Without items, `empty_because` says why and `retry_after_seconds` when to ask again."""

    batch: Batch | None
    items: list[LeasedItem]
    staleness: Staleness
    pre_annotate: bool  #: whether they are to see what the model thinks
    empty_because: str | None = None
    retry_after_seconds: int | None = None


class _SomeLapsed(Exception):
    """Batches past their time are to be taken back before anybody is served."""


def hand_out(database: Database, project_id: UUID, annotator: str, size: int | None) -> HandedOut:
    """Give the annotator a batch; an open one of theirs is given again, and kept alive. Raises NotFound."""
    try:
        return database.run(lambda unit: _hand_out(unit, project_id, annotator, size))
    except _SomeLapsed:  # taken back in a transaction of its own, which holds nothing else
        database.run(lambda unit: _reclaim(unit, project_id))
        return database.run(lambda unit: _hand_out(unit, project_id, annotator, size, reclaimed=True))


def heartbeat(database: Database, project_id: UUID | None, batch_id: UUID) -> datetime:
    """Keep a lease; until when. Raises NotFound, BatchClosed."""

    def work(unit: Unit) -> datetime:
        batch = _known(queue.lock_batch(unit, project_id, batch_id), batch_id)
        project = projects.get(unit, batch.project_id)
        expires_at = queue.extend(unit, batch_id, project.lease_seconds) if batch.state == "open" else None
        if expires_at is None:
            raise BatchClosed(
                f"the batch is {batch.state}", remedy="ask for a new batch; answers to this one are still taken"
            )
        return expires_at

    return database.run(work)


def release(database: Database, project_id: UUID | None, batch_id: UUID) -> None:
    """Give a batch back: its unanswered items go to whoever asks next. Releasing twice is no error. Raises NotFound."""

    def work(unit: Unit) -> None:
        batch = _known(queue.lock_batch(unit, project_id, batch_id), batch_id)
        projects.get(unit, batch.project_id)
        if batch.state == "open":
            queue.give_back(unit, batch.project_id, [batch_id], "released")

    database.run(work)


def top_up(database: Database, batch_id: UUID, size: int | None) -> HandedOut:
    """Lease more items to an open batch, until `size` (the project's batch_size) wait in it; all that wait.

    So a page always has the next items at hand, and from the newest round. The lease is extended. Where nothing could
    be added although there was room, `empty_because` says why.

    Raises
    ------
    NotFound
        There is no such batch.
    BatchClosed
        It is not open any more: ask for a new one.
    """

    def work(unit: Unit) -> HandedOut:
        batch = _known(queue.lock_batch(unit, None, batch_id), batch_id)
        project = desk.asking(unit, batch.project_id)
        if project is None or batch.state != "open":
            raise BatchClosed(f"the batch is {batch.state}", remedy="ask for a new batch")
        held = queue.leases(unit, batch.id)
        missing = (size or project.batch_size) - sum(lease.state == "active" for lease in held)
        because: str | None = None
        if missing > 0:
            allowed = "stopped" if project.stopped_at else _allowance(unit, project, missing)
            if isinstance(allowed, str):
                because = allowed
            else:
                added, why = _fill(unit, project, batch, *allowed, position=len(held))
                because = None if added else why or "all_leased"
        handed = _again(unit, project, batch, _staleness(project))
        return replace(handed, empty_because=because, retry_after_seconds=None if because is None else _EMPTY[because])

    return database.run(work)


def reclaim_lapsed(database: Database) -> int:
    """Take back every lapsed batch of every project; how many projects had some."""
    found = database.run(queue.projects_with_lapsed)
    for project_id in found:
        database.run(lambda unit, project_id=project_id: _reclaim(unit, project_id))  # type: ignore[misc]
    return len(found)


def _reclaim(unit: Unit, project_id: UUID) -> None:
    lapsed = queue.lapsed(unit, project_id)
    if lapsed:
        queue.give_back(unit, project_id, lapsed, "expired")


def _known(batch: Batch | None, batch_id: UUID) -> Batch:
    if batch is None:
        raise NotFound(f"there is no batch {batch_id} here", place="batch_id")
    return batch


def _hand_out(unit: Unit, project_id: UUID, annotator: str, size: int | None, *, reclaimed: bool = False) -> HandedOut:
    project = desk.asking(unit, project_id)
    if project is None:
        raise NotFound(f"there is no project {project_id}", remedy="GET /v1/projects lists them")
    if project.some_lapsed and not reclaimed:
        raise _SomeLapsed
    staleness = _staleness(project)
    mine = queue.new_batch(unit, project_id, annotator, project.lease_seconds)
    if mine is None:  # they have one open, perhaps since a moment
        return _again(unit, project, _must(queue.open_batch(unit, project_id, annotator)), staleness)
    allowed = "stopped" if project.stopped_at else _allowance(unit, project, size or project.batch_size)
    items, because = ([], allowed) if isinstance(allowed, str) else _fill(unit, project, mine, *allowed)
    if items:
        return HandedOut(mine, items, staleness, project.pre_annotate)
    queue.drop_batch(unit, mine.id)
    reason = because or "all_leased"
    return HandedOut(
        None, [], staleness, project.pre_annotate, empty_because=reason, retry_after_seconds=_EMPTY[reason]
    )


def _again(unit: Unit, project: Project, batch: Batch, staleness: Staleness) -> HandedOut:
    expires_at = queue.extend(unit, batch.id, project.lease_seconds) or batch.expires_at
    waiting = [lease for lease in queue.leases(unit, batch.id) if lease.state == "active"]
    return HandedOut(Batch(**{**batch.__dict__, "expires_at": expires_at}), waiting, staleness, project.pre_annotate)


def _must(batch: Batch | None) -> Batch:
    if batch is None:
        raise BatchClosed("the batch was closed at this moment", remedy="ask again")
    return batch


def _allowance(unit: Unit, project: Project, size: int) -> tuple[int, Bound] | str:
    """How many items the budget lets out, and what they may cost: what is unpaid, less what others hold.

    Where a budget counts words, items are handed out in order while their words fit into what is left. An item that
    does not fit is handed out only while nothing else is: so a budget is spent to its end in the order of the queue,
    and exceeded by less than one item.
    """
    if project.budget is None:
        return size, NO_BOUND
    unpaid = project.budget - answers.progress(unit, project.id).paid_count
    if unpaid <= 0:
        return "budget_spent"
    # Held, so that two hand-outs at once cannot both let the last label out.
    answers.lock_progress(unit, project.id)
    reserved = queue.reserved(unit, project.id)
    left = project.budget - answers.progress(unit, project.id).paid_count - reserved
    if left <= 0:
        return "budget_reserved"
    if project.budget_unit == "labels":
        return min(size, left), NO_BOUND
    return size, Bound(left, alone=reserved == 0)


def _fill(
    unit: Unit, project: Project, batch: Batch, size: int, bound: Bound, position: int = 0
) -> tuple[list[LeasedItem], str | None]:
    """Lease `size` items: ranked ones, else random ones, else whatever is left. If there was none: why.

    `position`: how many the batch was handed out with so far.
    """
    ranked = queue.lease_ready(unit, batch, size, project.overlap, bound, position)
    got = len(ranked)
    if got == size:
        return ranked, None
    if bound.left is not None and queue.some_ready(unit, project.id, batch.annotator):
        return ranked, "budget_reserved"  # the next in the queue does not fit; what comes after it does not jump it
    counts = pool.read(unit, project.id)
    if counts.item_count == counts.test_count:
        return [], "pool_empty"
    bound = bound.after(sum(one.cost for one in ranked), got)
    # A fresh order each time, on purpose: these items are unranked, and two annotators should not meet.
    chance = random.Random()  # noqa: S311
    probes = [chance.randrange(counts.item_count) for _ in range(2 * (size - got))]
    more, cost = queue.lease_random(unit, batch, probes, size - got, position + got, bound)
    got, bound = got + more, bound.after(cost, more)
    # In this order: what is answered in between counts in both, and nobody is told that there is nothing more to come.
    active = queue.active_leases(unit, project.id)
    settled = answers.progress(unit, project.id).settled_slots
    everything = (counts.item_count - counts.test_count) * project.overlap
    taken = settled + active
    if got < size and taken < everything and (bound.left is None or got == 0):
        got += queue.lease_any(unit, batch, size - got, project.overlap, position + got, bound)[0]
    if got:
        return queue.leases(unit, batch.id), None
    if taken < everything:
        return [], "answered_by_you" if bound.left is None or bound.alone else "budget_reserved"
    return [], "pool_exhausted" if settled >= everything else "all_leased"


def _staleness(project: Asking) -> Staleness:
    return Staleness(project.round_number, project.model_version, project.labels_since, project.ranked_at)
