"""Turn rounds: when one opens, how it moves from stage to stage, how it ends. Every step is one transaction.

The stages are walked by messages, but only rows decide: each function below first takes the lock that makes it the only
one to act, and does nothing where its work is done already.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tithe import policy
from tithe.contracts.projects import Project, leaning
from tithe.contracts.tasks import MeasureRound, ScoreShard, SelectReady, SnapshotLabels, TrainRound
from tithe.errors import Conflict, NotFound, RoundAlreadyOpen
from tithe.storage import answers, connectors, jobs, pool, projects, queue, rounds
from tithe.storage.answers import Progress
from tithe.storage.database import Database, Unit
from tithe.storage.queue import Choice
from tithe.storage.rounds import KeptList, Round


def maybe_open(unit: Unit, project: Project) -> Round | None:
    """Open a round if the labels or the pool ask for one; None: not now. Holds the project's progress row."""
    progress = answers.lock_progress(unit, project.id)
    reason = _reason(unit, project, progress)
    return None if reason is None else _open(unit, project, progress, reason)


def open_for_labels(unit: Unit, project: Project, progress: Progress, all_slots: int) -> Round | None:
    """Open a round if the labels just counted or corrected crossed the threshold. The hot path: mostly no query at all.

    `progress` is what the counting returned, its row held by this unit; `all_slots` is how many answers the pool takes.
    """
    spent = project.budget is not None and progress.paid_count >= project.budget
    finished = spent or project.stopped_at is not None or progress.settled_slots >= all_slots
    counts = policy.LabelCounts(progress.change_count, progress.requested_at_changes, finished=finished)
    if not policy.retrain_due(counts, project.retrain_every) or pool.block_counts(unit, project.id)[0] == 0:
        return None
    return _open(unit, project, progress, "labels")


def ask_for_round(database: Database, project_id: UUID) -> Round:
    """Open a round because somebody asks. Raises NotFound, Conflict, RoundAlreadyOpen."""

    def work(unit: Unit) -> Round:
        project = projects.get(unit, project_id)
        progress = answers.lock_progress(unit, project_id)
        if pool.block_counts(unit, project_id)[0] == 0:
            raise Conflict("the pool has no vectors yet", remedy="import items and wait until they are encoded")
        opened = _open(unit, project, progress, "asked")
        if opened is None:
            raise RoundAlreadyOpen(remedy="wait until it is ready; GET …/status shows how far it is")
        return opened

    return database.run(work, repeatable=False)


def reopen(database: Database, project_id: UUID, reason: str) -> bool:
    """Open a round for the keeper: a failed one is tried again, or a queue that runs dry is filled."""

    def work(unit: Unit) -> bool:
        progress = answers.lock_progress(unit, project_id)
        return _open(unit, projects.get(unit, project_id), progress, reason) is not None

    return database.run(work)


def _reason(unit: Unit, project: Project, progress: Progress) -> str | None:
    ready, planned, rows = pool.block_counts(unit, project.id)
    if ready == 0:
        return None
    newest = rounds.last(unit, project.id)
    if newest is None:
        return "labels" if progress.label_count else "cold_start"
    counts = policy.LabelCounts(
        progress.change_count, progress.requested_at_changes, finished=_finished(unit, project, progress)
    )
    if policy.retrain_due(counts, project.retrain_every):
        return "labels"
    items = pool.read(unit, project.id)
    encoded = ready == planned and items.planned_count == items.item_count
    # A failed round says nothing of the pool: the keeper tries it again, with pauses.
    grew = encoded and newest.state == "ready" and policy.grown_enough(newest.pool_count, rows)
    return "pool_grew" if grew else None


def _finished(unit: Unit, project: Project, progress: Progress) -> bool:
    if project.stopped_at is not None or (project.budget is not None and progress.paid_count >= project.budget):
        return True
    items = pool.read(unit, project.id)
    return progress.settled_slots >= (items.item_count - items.test_count) * project.overlap


def _open(unit: Unit, project: Project, progress: Progress, reason: str) -> Round | None:
    # Looked at before it is tried: an insert that conflicts would wait for whoever is moving that round on.
    if rounds.unfinished(unit, project.id) is not None:
        return None
    number = progress.round_number + 1
    opened = rounds.request(
        unit,
        project.id,
        number=number,
        reason=reason,
        strategy=leaning(project.strategy, project.toward_random),
        near_duplicate=project.near_duplicate,
        seed=policy.round_seed(project.seed, number),
        # What tools hold is ranked with the rest, and is to leave enough for everybody else.
        depth=policy.ready_depth(project.batch_size, project.retrain_every, project.overlap)
        + connectors.windows(unit, project.id),
        watermark=progress.answer_seq,
        label_count=progress.label_count,
        change_count=progress.change_count,
        control=project.control,
        reserve=project.reserve,
    )
    if opened is not None:
        if progress.change_count:  # also where every label was withdrawn: their vectors are to go
            unit.send(TrainRound(round_id=opened.id), project.id)
        else:
            plan_scoring(unit, opened, None, {})
    return opened


def plan_scoring(unit: Unit, current: Round, model_id: UUID | None, facts: dict[str, Any]) -> None:
    """Move a round to scoring: write its shard list from the blocks on disk, ask for each shard."""
    blocks = [(block.start, block.rows) for block in pool.ready_blocks(unit, current.project_id)]
    rows = sum(rows for _, rows in blocks)
    if not rounds.to_scoring(unit, current.id, model_id, rows, facts):
        return
    ranges = list(policy.shard_ranges(blocks, policy.shard_rows(rows)))
    rounds.add_shards(unit, current.id, ranges)
    for number in range(len(ranges)):
        unit.send(ScoreShard(round_id=current.id, shard=number), current.project_id)
    if not ranges and rounds.to_selecting(unit, current.id):  # every block was lost: nothing to score
        unit.send(SelectReady(round_id=current.id), current.project_id)


@dataclass(frozen=True)
class Trained:
    """A model that is on disk, and what is to be known of it."""

    id: UUID
    path: str
    sha256: str
    size: int
    examples: int  #: items it was fitted to
    score: float | None  #: in the project's metric, on labels it was not trained on
    score_from: str | None
    facts: dict[str, Any]


def begin_training(unit: Unit, round_id: UUID) -> Round | None:
    """The round, if it waits for a model; None: it has gone on, or ended."""
    return rounds.get(unit, round_id) if rounds.to_training(unit, round_id) else None


def finish_training(unit: Unit, claim: jobs.Claim, trained: Trained | None, facts: dict[str, Any]) -> None:
    """Make the new model current and go on to scoring; without one (`facts` say why) go on with what there is."""
    current = rounds.lock(unit, claim.subject)
    jobs.finish(unit, claim)
    if current is None or current.state != "training":
        return
    if trained is None and not current.label_count:
        plan_scoring(unit, current, None, {"not_trained": "every label was withdrawn"})
        return
    if trained is None:
        plan_scoring(unit, current, answers.progress(unit, current.project_id).current_model, facts)
        return
    rounds.add_model(
        unit,
        id=trained.id,
        project_id=current.project_id,
        round_id=current.id,
        path=trained.path,
        sha256=trained.sha256,
        size=trained.size,
        watermark=current.watermark,
        label_count=trained.examples,
        score=trained.score,
        score_from=trained.score_from,
        facts=trained.facts,
    )
    plan_scoring(unit, current, trained.id, facts)


def finish_shard(
    unit: Unit, claim: jobs.Claim, number: int, *, lists: Sequence[KeptList], scored: int, seconds: float
) -> None:
    """Keep what a shard kept. The last one asks for selection: the round's row is locked before anybody counts."""
    current = rounds.lock(unit, claim.subject)
    jobs.finish(unit, claim)
    if current is None or current.state != "scoring":
        return
    left = rounds.shard_done(unit, current.id, number, lists=lists, scored=scored, seconds=seconds)
    if left == 0 and rounds.to_selecting(unit, current.id):
        unit.send(SelectReady(round_id=current.id), current.project_id)


def swap_ready(unit: Unit, claim: jobs.Claim, choices: Sequence[Choice], facts: dict[str, Any]) -> None:
    """End a round: its choices become the queue that is served. What waited meanwhile may open the next one."""
    progress = answers.lock_progress(unit, claim.project_id)
    current = rounds.lock(unit, claim.subject)
    jobs.finish(unit, claim)
    if current is None or current.state != "selecting":
        return
    project = projects.get(unit, current.project_id)
    filled, slots = queue.swap_ready(unit, project.id, current.id, project.overlap, choices)
    rounds.to_ready(unit, project.id, current.id, {**facts, "queued": filled, "slots": slots})
    if progress.change_count:
        unit.send(SnapshotLabels(round_id=current.id), project.id)
    if current.model_id is not None and project.reserve > 0:
        unit.send(MeasureRound(round_id=current.id), project.id)
    connectors.wake_for_order(unit, project.id)
    maybe_open(unit, project)


def fail_round(unit: Unit, round_id: UUID, failure: str) -> None:
    """End a round that cannot go on; the queue of the last good one is served on.

    Labels that came meanwhile may ask for the next one at once; otherwise the keeper tries again after a pause.
    """
    known = rounds.get(unit, round_id)
    if known is None:
        return
    answers.lock_progress(unit, known.project_id)
    if not rounds.fail(unit, round_id, failure):
        return
    jobs.cancel(unit, round_id)
    with contextlib.suppress(NotFound):  # deleted meanwhile: nothing is to follow
        maybe_open(unit, projects.get(unit, known.project_id))
