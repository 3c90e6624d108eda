"""The round's choice: merge what the shards kept, choose, say why each was chosen, swap the ready queue."""

from __future__ import annotations

import functools

import numpy as np

from tithe.choosing.choose import Chosen, choose
from tithe.choosing.kept import Kept, merge
from tithe.choosing.plan import Plan, Pool
from tithe.choosing.slipped_in import Slice, slipped_in
from tithe.contracts.blinding import BLIND, without_opinion
from tithe.contracts.projects import Project, said
from tithe.contracts.tasks import SelectReady
from tithe.errors import Hopeless
from tithe.loop import rounds as turns
from tithe.loop.features import Ordinals, PoolVectors
from tithe.loop.labeled import labeled_vectors, nearest_distances
from tithe.loop.models import asked
from tithe.loop.set_aside import control_arm
from tithe.runtime import Runtime
from tithe.scorer.reasons import reasons
from tithe.scorer.score import plan_of
from tithe.storage import jobs, machine, pool, projects, queue, rounds
from tithe.storage.database import Unit
from tithe.storage.jobs import Claim
from tithe.storage.queue import Choice
from tithe.storage.rounds import KeptList, Round, Shard

#: The share of the queue that audits of machine labels get, while some are due.
AUDITS = 0.25
_Read = tuple[Round, Project, list[Shard], list[KeptList], list[pool.Block], list[int], Ordinals, list[int]]


def select_ready(runtime: Runtime, message: SelectReady, claim: Claim) -> None:
    """End the round: its best items, best first, become the queue that is handed out."""
    read = runtime.database.run(lambda unit: _read(unit, message, claim))
    if read is None:
        return
    current, project, shards, lists, blocks, waiting, closed, audits = read
    model = asked(runtime, project, current.model_id, blocks)
    vectors = PoolVectors(runtime.artifacts, blocks)
    plan = plan_of(current, project)
    around = Pool(
        gather=vectors.gather,
        model=model,
        labeled=functools.partial(labeled_vectors, runtime, project.id, current.watermark),
        nearest=functools.partial(nearest_distances, runtime, project.id, current.watermark),
    )
    made = choose(plan, merged(plan, lists, len(shards)), around, np.array(waiting, dtype=np.int64))
    control = control_arm(project.seed, vectors, current.reserve, closed, current.depth)
    slices = [Slice("control", control, current.control), Slice("audit", audits, AUDITS if audits else 0.0)]
    queue_of = slipped_in(plan, made.chosen, slices, project.seed)
    choices = _second_opinions_first(queue_of, waiting)
    ordinals = np.array([one.ordinal for one in choices], dtype=np.int64)
    told = reasons(project, model, ordinals, *vectors.gather(ordinals))
    choices = [
        Choice(one.ordinal, one.score, one.chosen_by, {"rank": rank, **without_opinion(one.why, why)})
        for rank, (one, why) in enumerate(zip(choices, told, strict=True))
    ]
    facts = {
        "strategy_used": said({part.strategy.name: round(part.share, 4) for part in plan.parts}),
        "rows_scored": sum(shard.scored or 0 for shard in shards),
        "scoring_seconds": round(sum(shard.seconds or 0.0 for shard in shards), 3),
        "control": sum(one.chosen_by == "control" for one in choices),
        **made.facts,
    }
    runtime.database.run(lambda unit: turns.swap_ready(unit, claim, choices, facts))


def merged(plan: Plan, lists: list[KeptList], shards: int) -> dict[str, Kept]:
    """The lists of all shards, one for each rule: the same whatever the shards.

    Raises
    ------
    Hopeless
        When a shard's list is not there: a scorer of an older version did it. Tried again, the round is whole.
    """
    by_rule = {sieve.name: [one for one in lists if one.sieve == sieve.name] for sieve in plan.sieves()}
    for name, found in by_rule.items():
        if len(found) != shards:
            raise Hopeless(f"{shards - len(found)} of {shards} shards kept no list {name}")
    return {sieve.name: merge(sieve, [_kept(one) for one in by_rule[sieve.name]], plan.seed) for sieve in plan.sieves()}


def _kept(one: KeptList) -> Kept:
    groups = None if one.groups is None else np.array(one.groups, dtype=np.int64)
    return Kept(np.array(one.ordinals, dtype=np.int64), np.array(one.scores, dtype=np.float64), groups, one.radius)


def _second_opinions_first(chosen: list[Chosen], waiting: list[int]) -> list[Choice]:
    """Items that wait for a second opinion go before new ones."""
    # Without the model's opinion, all of them: some are the control arm's.
    again = [Choice(ordinal, None, "second_opinion", {BLIND: True}) for ordinal in waiting]
    return again + [
        Choice(one.ordinal, one.score, one.strategy, one.why) for one in chosen if one.ordinal not in waiting
    ]


def _read(unit: Unit, message: SelectReady, claim: Claim) -> _Read | None:
    current = rounds.get(unit, message.round_id)
    if current is None or current.state != "selecting":
        jobs.finish(unit, claim)
        return None
    project = projects.get(unit, current.project_id)
    waiting = queue.half_answered(unit, project.id, project.overlap, current.depth) if project.overlap > 1 else []
    shards, lists = rounds.shards(unit, current.id), rounds.lists(unit, current.id)
    blocks = pool.ready_blocks(unit, project.id)
    closed = pool.closed_ordinals(unit, project.id, 0, pool.read(unit, project.id).item_count)
    audits = machine.audits_due(unit, project.id, current.depth)
    return current, project, shards, lists, blocks, waiting, closed, audits
