"""Items held for a tool, where they are there, and what people said of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from tithe.storage import queue
from tithe.storage.database import Unit


@dataclass(frozen=True)
class Held:
    """The batch a tool holds."""

    batch_id: UUID
    holder: str  #: the name its leases are under until somebody answers


@dataclass(frozen=True)
class Best:
    """An item the tool is to ask for, and where it is there, if it is."""

    ordinal: int
    rank: int
    score: float | None
    chosen_by: str
    why: dict[str, Any]
    external_id: str
    text: str | None
    tokens: list[str] | None
    meta: dict[str, Any] | None
    cost: int
    task_id: int | None
    key: str | None
    task: str | None
    state: str | None
    held: bool


@dataclass(frozen=True)
class RemoteTask:
    """Where an item is in a tool."""

    id: int
    ordinal: int
    key: str
    task: str | None
    own: bool
    state: str
    rank: int | None
    out_since: datetime | None


@dataclass(frozen=True)
class There(RemoteTask):
    """A task the tool asks for."""

    held: bool  #: its item is held for the tool
    said: bool  #: somebody said something of it
    out_for_long: bool


@dataclass(frozen=True)
class Found(RemoteTask):
    """A task that something was said of."""

    split: str
    cost: int
    text: str | None  #: of the item


@dataclass(frozen=True)
class Intended:
    """An item that is to be in the tool, and may be already: whoever wrote this down may have died since."""

    id: int
    ordinal: int
    key: str
    task: str | None
    own: bool
    state: str
    external_id: str
    text: str | None
    tokens: list[str] | None
    meta: dict[str, Any] | None
    rank: int | None
    why: dict[str, Any] | None


@dataclass(frozen=True)
class Known:
    """An annotation as it was last read."""

    annotation: str
    annotator: str
    digest: bytes
    kind: str
    value: Any
    state: str
    because: str | None
    answer_id: int | None


@dataclass(frozen=True)
class Digests:
    """What is known of a task, in short."""

    task: str
    key: str
    own: bool
    state: str
    said: dict[str, str]  #: annotation → digest, in hexadecimal


@dataclass(frozen=True)
class Note:
    """An annotation as it is now."""

    annotation: str
    annotator: str
    digest: bytes
    kind: str
    value: Any
    raw: dict[str, Any]
    state: str
    because: str | None
    answer_id: int | None
    given_at: datetime | None


def hold(
    unit: Unit, project_id: UUID, connector_id: UUID, holder: str, *, hold_seconds: int, follows: bool
) -> Held:  # fmt: skip
    """The tool's open batch, made if need be, held until the unit ends and kept for another `hold_seconds`."""
    unit.run(
        "remote.open_batch", project_id=project_id, connector_id=connector_id, holder=holder,
        hold_seconds=hold_seconds, follows=follows,
    )  # fmt: skip
    batch_id: UUID = unit.value("remote.lock_batch", project_id=project_id, holder=holder)
    queue.extend(unit, batch_id, hold_seconds)
    return Held(batch_id, holder)


def best(unit: Unit, project_id: UUID, connector_id: UUID, batch_id: UUID, window: int) -> list[Best]:
    """What the tool is to ask for, best first."""
    return unit.all(
        "remote.best", Best, project_id=project_id, connector_id=connector_id, batch_id=batch_id, window=window
    )


def held_slots(unit: Unit, batch_id: UUID) -> dict[int, int]:
    """Ordinal → how many opinions of it the tool is waited for."""
    return dict(unit.rows("remote.held", batch_id=batch_id))


def release(unit: Unit, project_id: UUID, batch_id: UUID, ordinals: Sequence[int]) -> None:
    """Hold these items no longer: they are whoever's asks next."""
    freed = {ordinal for (ordinal,) in unit.rows("remote.release", batch_id=batch_id, ordinals=list(ordinals))}
    if freed:
        queue.recount_ready(unit, project_id, sorted(freed))


def settle(unit: Unit, batch_id: UUID, ordinal: int, annotator: str, state: str) -> int | None:
    """Make one of the tool's leases of the item this person's, answered; its id. None: the tool holds none."""
    lease_id: int | None = unit.value(
        "remote.settle", batch_id=batch_id, ordinal=ordinal, annotator=annotator, state=state
    )
    return lease_id


def intend(unit: Unit, project_id: UUID, connector_id: UUID, ordinals: Sequence[int]) -> None:
    """Write down that these items are to be in the tool, each under a new key."""
    unit.run("remote.intend", project_id=project_id, connector_id=connector_id, ordinals=list(ordinals))


def adopt(unit: Unit, project_id: UUID, connector_id: UUID, pairs: Sequence[tuple[int, str]]) -> None:
    """Remember which tasks of the tool, (ordinal, task) each, show which items; they were there before us."""
    unit.run(
        "remote.adopt", project_id=project_id, connector_id=connector_id, ordinals=[one[0] for one in pairs],
        tasks=[one[1] for one in pairs],
    )  # fmt: skip


def arrived(unit: Unit, connector_id: UUID, outcomes: Sequence[tuple[str, str | None, str, str | None]]) -> None:
    """What became of intended items: (key, task, state, reason) each."""
    keys, tasks, states, reasons = (list(column) for column in zip(*outcomes, strict=True)) if outcomes else [[]] * 4
    unit.run("remote.arrived", connector_id=connector_id, keys=keys, tasks=tasks, states=states, reasons=reasons)


def there(unit: Unit, connector_id: UUID, batch_id: UUID, grace_seconds: float) -> list[There]:
    """Every task the tool asks for."""
    return unit.all("remote.there", There, connector_id=connector_id, batch_id=batch_id, grace=grace_seconds)


def find(unit: Unit, connector_id: UUID, task: str, key: str | None) -> Found | None:
    """The task, by the tool's id or by our key; held until the unit ends."""
    return unit.one("remote.find", Found, connector_id=connector_id, task=task, key=key)


def has_other(unit: Unit, connector_id: UUID, row: RemoteTask) -> bool:
    """Whether another task of the tool asks for the same item."""
    return bool(unit.value("remote.other_task", connector_id=connector_id, ordinal=row.ordinal, id=row.id))


def note_task(unit: Unit, row: RemoteTask, task: str, state: str, reason: str | None = None) -> None:
    """Where the task is now."""
    unit.run("remote.note_task", id=row.id, task=task, state=state, reason=reason)


def out(unit: Unit, ids: Sequence[int], *, anew: bool) -> None:
    """These are not among the best any more, since it was first noticed; `anew`: since now."""
    unit.run("remote.out", ids=list(ids), anew=anew)


def took_back(unit: Unit, ids: Sequence[int], kept: Sequence[int]) -> None:
    """These are not in the tool any more; those of `kept` are, but are not asked for."""
    unit.run("remote.took_back", ids=list(ids), kept=list(kept))


def missing(unit: Unit, connector_id: UUID, seen: Sequence[str]) -> list[str]:
    """Tasks that should be in the tool and are not among those it says it has."""
    return [task for (task,) in unit.rows("remote.missing", connector_id=connector_id, seen=list(seen))]


def said(unit: Unit, task_id: int) -> list[Known]:
    """What we know people said of the task, in the order they did; held until the unit ends."""
    return unit.all("remote.annotations", Known, task_id=task_id)


def note_annotation(unit: Unit, connector_id: UUID, task_id: int, note: Note, *, live: bool) -> None:
    """Keep an annotation as it is now. `live`: it was given while we looked on, so its way here took a while."""
    unit.run(
        "remote.note_annotation", connector_id=connector_id, task_id=task_id, annotation=note.annotation,
        annotator=note.annotator, digest=note.digest, kind=note.kind,
        value=None if note.value is None else Jsonb(note.value), raw=Jsonb(note.raw), state=note.state,
        because=note.because, answer_id=note.answer_id, given_at=note.given_at, live=live,
    )  # fmt: skip


def mark_removed(unit: Unit, connector_id: UUID, annotation: str) -> None:
    """The annotation is not there any more."""
    unit.run("remote.mark_removed", connector_id=connector_id, annotation=annotation)


def ordinals_of(unit: Unit, project_id: UUID, digests: Sequence[bytes]) -> dict[bytes, int]:
    """Digest of the content → the item that has it."""
    return {bytes(digest): ordinal for digest, ordinal in unit.rows(
        "remote.ordinals_of", project_id=project_id, digests=list(digests)
    )}  # fmt: skip


def made(unit: Unit, connector_id: UUID) -> int:
    """How many tasks the tool has of us, answered or not."""
    return int(unit.value("remote.made", connector_id=connector_id))


def lease(
    unit: Unit, project_id: UUID, connector_id: UUID, held: Held, overlap: int, items: Sequence[queue.Choice],
    ranks: Sequence[int],
) -> set[int]:  # fmt: skip
    """Hold these items for the tool, every opinion of each; the ordinals it got. Others' items it does not get."""
    free = unit.rows("remote.lock_ready", project_id=project_id, ordinals=[one.ordinal for one in items], slots=overlap)
    mine = {ordinal for (ordinal,) in free}
    chosen = [(one, rank) for one, rank in zip(items, ranks, strict=True) if one.ordinal in mine]
    found = unit.rows(
        "remote.lease", project_id=project_id, connector_id=connector_id, batch_id=held.batch_id, holder=held.holder,
        overlap=overlap, ordinals=[one.ordinal for one, _ in chosen], ranks=[rank for _, rank in chosen],
        scores=[one.score for one, _ in chosen], chosen_by=[one.chosen_by for one, _ in chosen],
        whys=[Jsonb(one.why) for one, _ in chosen],
    )  # fmt: skip
    got = Counter(ordinal for (ordinal,) in found)
    # Somebody was leased one of its opinions at this very moment: then none is the tool's.
    partial = [ordinal for ordinal, slots in got.items() if slots < overlap]
    if partial:
        unit.rows("remote.release", batch_id=held.batch_id, ordinals=partial)
    if got:
        queue.recount_ready(unit, project_id, sorted(got))
    return got.keys() - set(partial)


def settle_free(
    unit: Unit, project_id: UUID, ordinal: int, annotator: str, state: str, chosen_by: str, overlap: int
) -> int | None:
    """A settled lease in a free slot of the item; its id. None: there is no free slot."""
    unit.rows("remote.lock_ready_row", project_id=project_id, ordinal=ordinal)
    lease_id: int | None = unit.value(
        "remote.settle_free", project_id=project_id, ordinal=ordinal, annotator=annotator, state=state,
        chosen_by=chosen_by, overlap=overlap,
    )  # fmt: skip
    if lease_id is not None:
        queue.recount_ready(unit, project_id, [ordinal])
    return lease_id


def hold_again(unit: Unit, project_id: UUID, held: Held, ordinal: int, overlap: int) -> bool:
    """Wait for one more opinion of the item, after one was taken back; False: somebody else was faster."""
    unit.rows("remote.lock_ready_row", project_id=project_id, ordinal=ordinal)
    lease_id: int | None = unit.value(
        "remote.hold_again", project_id=project_id, batch_id=held.batch_id, holder=held.holder, ordinal=ordinal,
        overlap=overlap,
    )  # fmt: skip
    if lease_id is not None:
        queue.recount_ready(unit, project_id, [ordinal])
    return lease_id is not None


def unpark(unit: Unit, ids: Sequence[int]) -> None:
    """These are in the tool already, are among the best, and are asked for from now on."""
    unit.run("remote.unpark", ids=list(ids))


def intended(unit: Unit, connector_id: UUID, limit: int) -> list[Intended]:
    """What is to be in the tool and is not known to be, best first."""
    return unit.all("remote.intended", Intended, connector_id=connector_id, limit=limit)


def parcel(unit: Unit, connector_id: UUID, ids: Sequence[int]) -> list[Intended]:
    """These, also where they are known to have arrived; what is gone meanwhile is left out."""
    return unit.all("remote.parcel", Intended, connector_id=connector_id, ids=list(ids))


def drop_unheld(unit: Unit, connector_id: UUID, batch_id: UUID) -> None:
    """Forget what was to be in the tool and is not held for it any more."""
    unit.run("remote.drop_unheld", connector_id=connector_id, batch_id=batch_id)


def give_up(unit: Unit, project_id: UUID, connector_id: UUID, batch_id: UUID, grace_seconds: float) -> None:
    """Hold no longer what was answered with what does not count and is not mended for so long."""
    ordinals = [row[0] for row in unit.rows("remote.give_up", connector_id=connector_id, grace=grace_seconds)]
    if ordinals:
        release(unit, project_id, batch_id, ordinals)


def twin(unit: Unit, connector_id: UUID, task: str, key: str) -> bool:
    """Know a second task of the tool with a key of ours; False: the key is none of ours."""
    return unit.run("remote.twin", connector_id=connector_id, task=task, key=key) == 1


def place(unit: Unit, batch_id: UUID, task_id: int) -> None:
    """Note whether the task is waited for or answered in full, after what is said of it was followed."""
    unit.run("remote.place", batch_id=batch_id, id=task_id)


def digests(unit: Unit, connector_id: UUID, tasks: Sequence[str]) -> dict[str, Digests]:
    """Task → what is known of it. Tasks with something that does not count yet are left out: look at them again."""
    found = unit.all("remote.digests", Digests, connector_id=connector_id, tasks=list(tasks))
    return {one.task: one for one in found}


def detach(
    unit: Unit, project_id: UUID, connector_id: UUID, batch_id: UUID, tasks: Sequence[str], keys: Sequence[str]
) -> None:
    """These ids are other tasks by now: who had them, but for the rows of these keys, is not in the tool any more.

    Some tools give the id of a deleted task to a new one.
    """
    rows = unit.rows("remote.detach", connector_id=connector_id, tasks=list(tasks), keys=list(keys))
    if rows:
        release(unit, project_id, batch_id, [ordinal for (ordinal,) in rows])


def elsewhere(unit: Unit, connector_id: UUID, task_id: int, annotations: Sequence[str]) -> set[str]:
    """Which of these annotations are known to be of another task."""
    found = unit.rows("remote.elsewhere", connector_id=connector_id, task_id=task_id, annotations=list(annotations))
    return {annotation for (annotation,) in found}


def claimed(unit: Unit, answer_id: int) -> bool:
    """Whether an annotation stands behind the answer."""
    return bool(unit.value("remote.claimed", answer_id=answer_id))


def answered(unit: Unit, connector_id: UUID) -> int:
    """Tasks of ours that somebody answered."""
    return int(unit.value("remote.answered", connector_id=connector_id))


def purge_slice(unit: Unit, connector_id: UUID, rows: int = 20_000) -> bool:
    """Remove up to so many rows of what is known of a tool; False: nothing is left."""
    for query in ("remote.purge_annotations", "remote.purge_tasks"):
        if unit.run(query, connector_id=connector_id, rows=rows):
            return True
    return False


def blind_tasks(unit: Unit, connector_id: UUID, tasks: Sequence[str]) -> set[str]:
    """Which of the tool's tasks are asked without the model's opinion."""
    return {row[0] for row in unit.rows("remote.blind_tasks", connector_id=connector_id, tasks=list(tasks))}
