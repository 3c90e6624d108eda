"""One shard of one round: predict what the strategies need, score, keep the best. Never returns every score."""

from __future__ import annotations

import time
from dataclasses import replace
from uuid import UUID

import numpy as np

from tithe.choosing.kept import Kept
from tithe.choosing.mix import parts_of
from tithe.choosing.plan import Plan
from tithe.choosing.sift import Shard, sift_all
from tithe.choosing.worth_asking import worth_asking
from tithe.contracts.projects import Project
from tithe.contracts.tasks import ScoreShard
from tithe.errors import Hopeless
from tithe.loop import rounds as turns
from tithe.loop.features import Ordinals, PoolVectors
from tithe.loop.labeled import labeled_vectors
from tithe.loop.minima import distances
from tithe.loop.models import Reader, asked
from tithe.loop.set_aside import with_reserve
from tithe.runtime import Runtime
from tithe.storage import jobs, machine, pool, projects, rounds
from tithe.storage.database import Unit
from tithe.storage.jobs import Claim
from tithe.storage.rounds import KeptList, Round
from tithe.storage.rounds import Shard as ShardRow


def score_shard(runtime: Runtime, message: ScoreShard, claim: Claim) -> None:
    """Keep what the round's strategies ask for of the shard's open rows."""
    read = runtime.database.run(lambda unit: _read(unit, message, claim))
    if read is None:
        return
    current, row, project, blocks, closed = read
    began = time.perf_counter()
    model = asked(runtime, project, current.model_id, blocks)
    shard = Shard(
        rows=PoolVectors(runtime.artifacts, blocks),
        closed=with_reserve(closed, row.start, row.stop, project.seed, current.reserve),
        task=project.task.value,
        model=model,
        nearest=lambda: distances(runtime, project.id, blocks, current.watermark),
        seed=current.seed,
    )
    if isinstance(model, Reader):
        shard = replace(shard, considered=_considered(runtime, current, row, shard, model))
    sieves = plan_of(current, project).sieves()
    try:
        found = sift_all(shard, sieves)
    except ValueError as error:  # a model whose answers are no probabilities: the same for whoever tries again
        raise Hopeless(f"shard {row.shard}, rows {row.start} to {row.stop}, {error}") from error
    lists = [_listed(row.shard, sieve.name, kept) for sieve, kept in zip(sieves, found, strict=True)]
    scored = len(shard.opened if shard.considered is None else shard.considered)
    runtime.database.run(
        lambda unit: turns.finish_shard(
            unit, claim, row.shard, lists=lists, scored=scored, seconds=time.perf_counter() - began
        )
    )


def _considered(runtime: Runtime, current: Round, row: ShardRow, shard: Shard, model: Reader) -> Ordinals:
    """Every open row whose answer is cheap, and of the others the shard's part of those worth a network's pass."""
    cheap = model.cheap(shard.opened)
    costly = shard.opened[~cheap]
    most = max(1, runtime.settings.costly_rows * (row.stop - row.start) // max(1, current.pool_count))
    if len(costly) > most:
        known = labeled_vectors(runtime, current.project_id, current.watermark)
        costly = worth_asking(costly, shard.rows.gather(costly)[1], known, most, current.seed)
    return np.sort(np.concatenate([shard.opened[cheap], costly]))


def plan_of(current: Round, project: Project) -> Plan:
    """How the round chooses: as its row says, not as the project's may say by now."""
    return Plan(
        parts=parts_of(current.strategy, model=current.model_id is not None),
        depth=current.depth,
        seed=current.seed,
        task=project.task.value,
        near_duplicate=current.near_duplicate,
    )


def _listed(number: int, name: str, kept: Kept) -> KeptList:
    groups = None if kept.groups is None else kept.groups.tolist()
    return KeptList(number, name, kept.ordinals.tolist(), kept.scores.tolist(), groups, kept.radius)


def _read(
    unit: Unit, message: ScoreShard, claim: Claim
) -> tuple[Round, ShardRow, Project, list[pool.Block], Ordinals] | None:
    current = rounds.get(unit, message.round_id)
    shard = rounds.shard(unit, message.round_id, message.shard)
    if current is None or shard is None or current.state != "scoring" or shard.done:
        jobs.finish(unit, claim)
        return None
    where: tuple[UUID, int, int] = (current.project_id, shard.start, shard.stop)
    project = projects.get(unit, current.project_id)
    # What an audit draws is asked for blind, as the audit's: no strategy may come first with it.
    audits = np.array(machine.audits_due(unit, project.id, 100_000), dtype=np.int64)
    closed = np.union1d(pool.closed_ordinals(unit, *where), audits)
    return current, shard, project, pool.ready_blocks(unit, *where), closed
