"""A model labels what it is sure of: the threshold by the control arm, the pool stretch by stretch, the audit drawn."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np

from tithe.choosing.answers import Asked
from tithe.contracts.projects import Project
from tithe.contracts.tasks import MachineLabel
from tithe.errors import StaleClaim
from tithe.learners.linear_model import LinearModel
from tithe.loop import machine as labelings
from tithe.loop.features import PoolVectors
from tithe.loop.models import asked
from tithe.proof import draw
from tithe.proof.bound import find_threshold
from tithe.proof.exact import needed_without_mistake
from tithe.prover.labels import Labels, label
from tithe.runtime import Runtime
from tithe.storage import jobs, machine, pool, projects
from tithe.storage.database import Unit
from tithe.storage.jobs import Claim
from tithe.storage.machine import Run
from tithe.strategies.arrays import Float64, Int64

#: Open items that thresholds are laid out over: what an answer costs decides.
_BY_VECTORS, _BY_WORDS, _BY_NETWORK = 20_000, 5000, 1000
#: Items whose labels one transaction writes, and how long a job goes on before it leaves the rest to the next.
_ROWS, _SECONDS = 8192, 120.0


@dataclass(frozen=True)
class Given:
    """What a run is made with."""

    run: Run
    project: Project
    blocks: list[pool.Block]
    truth: dict[int, Any]  #: of the labels it is calibrated with


def label_by_machine(runtime: Runtime, message: MachineLabel, claim: Claim) -> None:
    """Find the threshold once, then label for a while and leave the rest to the next job; at last draw the audit."""
    given = runtime.database.run(lambda unit: _read(unit, message, claim))
    if given is None:
        return
    model = asked(runtime, given.project, given.run.model_id, given.blocks)
    if model is None:
        raise AssertionError("a run has a model")
    vectors = PoolVectors(runtime.artifacts, given.blocks)
    run = given.run
    if run.known is None:
        calibrated = _calibrate(runtime, claim, given, model, vectors)
        if calibrated is None:
            return
        run = calibrated
    until = time.monotonic() + _SECONDS
    start = run.next_ordinal
    while start < run.pool_count:
        start = _stretch(runtime, claim, replace(given, run=run), model, vectors, start)
        if start < run.pool_count and time.monotonic() > until:
            _leave(runtime, claim, run, start)
            return
    runtime.database.run(lambda unit: _finish(unit, claim, run.id))


def _read(unit: Unit, message: MachineLabel, claim: Claim) -> Given | None:
    run = machine.get(unit, message.run_id)
    if run is None or run.state != "labeling":
        jobs.finish(unit, claim)
        return None
    project = projects.get(unit, run.project_id)
    truth = labelings.calibration(unit, project, test_labels=run.test_labels) if run.known is None else {}
    return Given(run, project, pool.ready_blocks(unit, project.id), truth)


def _calibrate(runtime: Runtime, claim: Claim, given: Given, model: Asked, vectors: PoolVectors) -> Run | None:
    """The run with its threshold; None: it ends here, as a preview or for want of one."""
    run, project = given.run, given.project
    known = np.array(sorted(given.truth), dtype=np.int64)
    said = list(label(project, model, vectors, known[np.isin(known, vectors.ordinals())]))
    right = [
        labelings.compared(value) == given.truth[ordinal]
        for some in said
        for ordinal, value in zip(some.ordinals.tolist(), some.values, strict=True)
    ]
    around = _some_open(runtime, run, model, vectors)
    sample = _confidences(list(label(project, model, vectors, around)))
    found = find_threshold(
        _confidences(said), np.array(right, dtype=bool), sample, error=run.error, certainty=run.certainty
    )
    share = float((sample >= found.confidence).mean()) if found.confidence is not None and len(sample) else 0.0
    facts: dict[str, Any] = {
        "threshold": found.confidence, "known": found.known, "above": found.above, "wrong": found.wrong, "share": share
    }  # fmt: skip
    kept = replace(run, **facts)

    def write(unit: Unit) -> None:
        machine.calibrated(unit, run.id, **facts)
        if found.confidence is None or run.preview:
            jobs.finish(unit, claim)
            state = "too_uncertain" if found.confidence is None else "proposed"
            machine.end(unit, run.id, state, _why_not(project, kept) if found.confidence is None else None)

    runtime.database.run(write)
    return None if found.confidence is None or run.preview else kept


def _why_not(project: Project, run: Run) -> str:
    needed = needed_without_mistake(run.error, run.certainty)
    if not run.above:
        more = labelings.more_labels(project, max(1, needed - (run.known or 0)))
        return f"{needed} confident control labels are needed for {run.error:.1%}; there are {run.known}: {more}"
    more = labelings.more_labels(project, run.known or needed)
    return (
        f"of the {run.above:,} control labels the model is most sure of {run.wrong:,} are otherwise, "
        f"too many for {run.error:.1%}: {more}"
    )


def _some_open(runtime: Runtime, run: Run, model: Asked, vectors: PoolVectors) -> Int64:
    """Open items drawn at random, ascending: the same for the same run, while nobody answers."""
    most = _BY_VECTORS if isinstance(model, LinearModel) else _BY_NETWORK if model.costly else _BY_WORDS
    answered = runtime.database.run(lambda unit: machine.answered(unit, run.project_id, 0, run.pool_count))
    opened = np.setdiff1d(vectors.ordinals(), answered, assume_unique=True)
    rng = np.random.default_rng(run.id.int & 0xFFFF_FFFF)
    return np.sort(rng.choice(opened, min(most, len(opened)), replace=False))


def _stretch(runtime: Runtime, claim: Claim, given: Given, model: Asked, vectors: PoolVectors, start: int) -> int:
    """Label the next stretch and keep it, in one transaction with how far it is; where the next begins."""
    run, stop = given.run, min(start + _ROWS, given.run.pool_count)
    answered = runtime.database.run(lambda unit: machine.answered(unit, run.project_id, start, stop))
    opened = np.setdiff1d(np.arange(start, stop, dtype=np.int64), answered, assume_unique=True)
    opened = opened[np.isin(opened, _encoded(given.blocks, start, stop))]
    kept = []
    for some in label(given.project, model, vectors, opened):
        sure = some.confidences >= (run.threshold or 0.0)
        kept += [
            (ordinal, value, confidence)
            for ordinal, value, confidence, yes in zip(
                some.ordinals.tolist(), some.values, some.confidences.tolist(), sure.tolist(), strict=True
            )
            if yes
        ]

    def write(unit: Unit) -> None:
        if not machine.write(unit, run.id, start, stop, considered=len(opened), labels=kept):
            raise StaleClaim(job=claim.id)

    runtime.database.run(write)
    return stop


def _encoded(blocks: list[pool.Block], start: int, stop: int) -> Int64:
    parts = [
        np.arange(max(start, one.start), min(stop, one.start + one.rows), dtype=np.int64)
        for one in blocks
        if one.start < stop and one.start + one.rows > start
    ]
    return np.concatenate([np.empty(0, dtype=np.int64), *parts])


def _leave(runtime: Runtime, claim: Claim, run: Run, start: int) -> None:
    """Others have their turn before this goes on."""

    def write(unit: Unit) -> None:
        jobs.finish(unit, claim)
        unit.send(MachineLabel(run_id=run.id, start=start), run.project_id)

    runtime.database.run(write)


def _finish(unit: Unit, claim: Claim, run_id: UUID) -> None:
    jobs.finish(unit, claim)
    run = machine.get(unit, run_id)
    if run is None or run.state != "labeling":
        return
    if not run.labeled:
        machine.end(unit, run.id, "too_uncertain", "no open item is as sure as the threshold asks: nothing was labeled")
        return
    machine.to_auditing(unit, run.id, draw_audit(unit, run).tolist())


def draw_audit(unit: Unit, run: Run) -> Int64:
    """A simple random sample of the run's labels, in the order of the draw; the same for the same run.

    Left out is what somebody holds at this moment, for their answer will take its place, and the reserve, as what an
    audit picks of it by its confidence would be lost to the control arm. Neither depends on the label.
    """
    project = projects.get(unit, run.project_id)
    seed, held = run.id.int & 0x7FFF_FFFF, machine.held(unit, project.id)
    best, keys = np.empty(0, dtype=np.int64), np.empty(0)
    spare, spare_keys = best, keys
    for some in machine.ordinals(unit, run.id):
        some = some[~np.isin(some, held)]  # noqa: PLW2901 -- the portion, less what is left out
        aside = draw.reserved(project.seed, some, project.reserve)
        best, keys = _lowest(best, keys, some[~aside], seed, run.audit_size)
        spare, spare_keys = _lowest(spare, spare_keys, some[aside], seed, run.audit_size)
    # A pool that is set aside nearly whole has no other.
    return best if len(best) else spare


def _lowest(known: Int64, keys: Float64, new: Int64, seed: int, most: int) -> tuple[Int64, Float64]:
    everything, drawn = np.concatenate([known, new]), np.concatenate([keys, draw.keys(seed, new)])
    order = np.argsort(drawn, kind="stable")[:most]
    return everything[order], drawn[order]


def _confidences(some: list[Labels]) -> Float64:
    return np.concatenate([np.empty(0), *(one.confidences for one in some)])
