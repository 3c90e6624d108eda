"""Admit items: the pool's walk. Chunk by chunk, each in its own transaction, so that a cut upload loses nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from tithe import policy
from tithe.contracts.projects import Task
from tithe.contracts.tasks import EmbedBlock
from tithe.errors import InvalidVector
from tithe.loop import rounds as turns
from tithe.loop import same_encoder
from tithe.storage import desk, jobs, pool, projects, queue
from tithe.storage.answers import Answer
from tithe.storage.database import Database, Unit
from tithe.storage.pool import NewItem, StoredWords


@dataclass(frozen=True)
class BlockSizes:
    """How many rows one block holds: few where they must be encoded, many where vectors come ready-made."""

    text_rows: int = 1024
    vector_rows: int = 131_072

    def of(self, task: Task) -> int:
        """For a project of this task."""
        return self.vector_rows if task is Task.VECTORS else self.text_rows


@dataclass(frozen=True)
class Chunk:
    """What became of a chunk of an import."""

    accepted: int
    duplicates: int
    labeled: int
    clashes: list[tuple[int, str]] = field(default_factory=list)


def admit(
    database: Database, project_id: UUID, import_id: UUID, items: Sequence[NewItem], rejected: int, sizes: BlockSizes
) -> Chunk:
    """Store a chunk of checked lines in one transaction and ask for the blocks it completes.

    Sending the same lines again adds nothing: that is how an import resumes. Raises NotFound; InvalidVector where the
    pool's vectors have another dimension (within the chunk the caller has made sure of one).
    """

    def work(unit: Unit) -> Chunk:
        project = projects.get(unit, project_id)
        counters = pool.lock(unit, project_id)
        dimension = next((len(item.vector) for item in items if item.vector is not None), None)
        if None not in (dimension, counters.dimension) and dimension != counters.dimension:
            raise InvalidVector(  # two imports at once, each sure that its first vector was the pool's first
                f"vectors of this pool have {counters.dimension} numbers, not {dimension}", place="vector",
                remedy="send vectors of one model only",
            )  # fmt: skip
        admitted = pool.admit(unit, counters, items, dimension)
        known = [one for one in (*admitted.items, *admitted.labels) if one[2] is not None]
        labeled = _seed(unit, project_id, known, project.overlap)
        _plan(unit, project_id, sizes.of(project.task), remainder=False)
        pool.count_import(
            unit, import_id, accepted=len(admitted.items), duplicates=admitted.duplicates,
            rejected=rejected + len(admitted.clashes),
        )  # fmt: skip
        return Chunk(len(admitted.items), admitted.duplicates, labeled, admitted.clashes)

    return database.run(work)


def start(database: Database, project_id: UUID) -> UUID:
    """Begin an import. Raises NotFound."""

    def work(unit: Unit) -> UUID:
        projects.get(unit, project_id)
        return pool.start_import(unit, project_id)

    return database.run(work)


def finish(database: Database, project_id: UUID, import_id: UUID, sizes: BlockSizes, *, whole: bool) -> None:
    """End an import: the pool's tail becomes a block too, and known labels may ask for a round. Raises NotFound."""

    def work(unit: Unit) -> None:
        project = projects.get(unit, project_id)
        pool.end_import(unit, import_id, whole=whole)
        counters = pool.lock(unit, project_id)
        rows = sizes.of(project.task)
        # A tail of a few rows waits for company; the keeper plans it when nobody has come for a while.
        tail = (counters.item_count - counters.planned_count) % rows
        _plan(unit, project_id, rows, remainder=policy.tail_worth_a_block(tail, counters.planned_count, rows))
        turns.maybe_open(unit, project)

    database.run(work)


def plan_left_over(database: Database, quiet_seconds: float, sizes: BlockSizes) -> int:
    """Plan blocks for pools whose import never came to its end; how many there were."""
    found = database.run(lambda unit: pool.unplanned(unit, quiet_seconds))
    for project_id in found:

        def work(unit: Unit, project_id: UUID = project_id) -> None:
            project = projects.get(unit, project_id)
            pool.lock(unit, project_id)
            _plan(unit, project_id, sizes.of(project.task), remainder=True)

        database.run(work)
    return len(found)


def finish_block(
    unit: Unit, claim: jobs.Claim, start_at: int, *, path: str, sha256: str, size: int, dimension: int,
    words: StoredWords | None = None, encoder: str | None = None,
) -> None:  # fmt: skip
    """Point the block at its file, and at that of its words; the first block, or the last, may open a round.

    `encoder`: the identity of what computed the vectors; Hopeless where the pool's others are by another.
    """
    jobs.finish(unit, claim)
    if encoder is not None:
        same_encoder.claim(unit, claim.project_id, encoder)
    pool.mark_block_ready(
        unit, claim.project_id, start_at, path=path, sha256=sha256, size=size, dimension=dimension, words=words,
        encoder=encoder,
    )  # fmt: skip
    turns.maybe_open(unit, projects.get(unit, claim.project_id))


def _plan(unit: Unit, project_id: UUID, rows: int, *, remainder: bool) -> None:
    counters = pool.read(unit, project_id)
    ranges = list(policy.block_ranges(counters.planned_count, counters.item_count, rows, remainder=remainder))
    pool.plan_blocks(unit, counters, ranges)
    for start_at, _ in ranges:
        unit.send(EmbedBlock(project_id=project_id, start=start_at), project_id)


def _seed(unit: Unit, project_id: UUID, known: Sequence[tuple[int, str, object]], overlap: int) -> int:
    """Labels that came with their items: counted for training, not paid for, and never asked again; how many count.

    One whose item somebody holds or has answered is kept as superseded: people's own answers go before it.
    """
    held_out = [Answer(ordinal, "label", value) for ordinal, split, value in known if split == "test"]
    if held_out:
        desk.record(unit, project_id, "@import", None, "import", held_out, slots=0, held_out=True)
    asked = [(ordinal, value) for ordinal, split, value in known if split == "pool"]
    free = queue.import_leases(unit, project_id, [ordinal for ordinal, _ in asked])
    given = [
        Answer(ordinal, "label", value)
        if ordinal in free
        else Answer(ordinal, "label", value, state="superseded", because="item_taken")
        for ordinal, value in asked
    ]
    if given:
        desk.record(unit, project_id, "@import", None, "import", given, slots=len(free) * overlap)
    return len(held_out) + len(free)


def encode_again(unit: Unit, project_id: UUID, starts: Sequence[int]) -> None:
    """Have blocks made anew whose files are lost or damaged."""
    for start_at in starts:
        pool.forget_block(unit, project_id, start_at)
        jobs.again(unit, EmbedBlock(project_id=project_id, start=start_at))
