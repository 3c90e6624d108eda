"""Measure a round's model on the control arm, and act on what is found: stop, or lean toward chance."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog

from tithe.contracts.projects import Project
from tithe.contracts.proof import Measured
from tithe.contracts.tasks import MeasureRound
from tithe.loop import rounds as turns
from tithe.loop.features import PoolVectors
from tithe.loop.models import asked
from tithe.loop.set_aside import control_labels, drawn
from tithe.prover.ask import ask, most_asked
from tithe.prover.found import Evidence, found
from tithe.prover.said import Said, Truth
from tithe.prover.truth import truth_of
from tithe.runtime import Runtime
from tithe.storage import answers, jobs, pool, projects, proof, rounds
from tithe.storage.database import Unit
from tithe.storage.jobs import Claim
from tithe.storage.pool import Block
from tithe.storage.rounds import Model, Round
from tithe.strategies.arrays import Int64

#: Test items a model is asked about.
_MOST_TEST = 5000
_log = structlog.get_logger("tithe.prover")


@dataclass(frozen=True)
class Given:
    """What a measurement is made from."""

    round: Round
    project: Project
    model: Model
    blocks: list[Block]
    control: list[tuple[int, Any]]  #: labels of the control arm, all there are now
    test: list[tuple[int, Any]]
    closed_test: Int64  #: items of the test split, labeled or not
    labels: int  #: items of the pool with a label: what was spent
    cost: float | None  #: of one more label, in money
    watermark: int
    history: list[proof.MeasuredRound]


def measure_round(runtime: Runtime, message: MeasureRound, claim: Claim) -> None:
    """Measure the round's model once. A round that a newer one has overtaken is left out: nobody asks for it."""
    began = time.perf_counter()
    given = runtime.database.run(lambda unit: _read(unit, message, claim))
    if given is None:
        return
    model = asked(runtime, given.project, given.model.id, given.blocks)
    if model is None:
        raise AssertionError("a round with a model has one")
    vectors = PoolVectors(runtime.artifacts, given.blocks)
    truth = truth_of(runtime, given.project, given.blocks, given.control)
    said = ask(given.project, model, vectors, _ordinals(given, vectors, truth, most_asked(model)))
    test_truth = truth_of(runtime, given.project, given.blocks, given.test)
    test = _on_test(given, model, vectors, test_truth)
    evidence = Evidence(runtime, given.project, given.blocks, vectors, said, truth, test, test_truth, given.labels)
    measured = found(evidence, given.history, given.round.seed, given.cost)
    measured = measured.model_copy(update={"seconds": round(time.perf_counter() - began, 3)})
    key = f"{given.project.id}/said/{given.round.id}"
    stored = runtime.artifacts.write_model(key, said.tensors(), {})

    def write(unit: Unit) -> None:
        answers.lock_progress(unit, given.project.id)
        jobs.finish(unit, claim)
        added = proof.add(
            unit, round_id=given.round.id, project_id=given.project.id, model_id=given.model.id, labels=given.labels,
            watermark=given.watermark, said_path=stored.key, said_sha256=stored.sha256, said_size=stored.size,
            found=measured.model_dump(mode="json"),
        )  # fmt: skip
        if added:
            _act(unit, given.project, measured)

    runtime.database.run(write)


def _act(unit: Unit, before: Project, measured: Measured) -> None:
    """Do what was decided; the counters are held."""
    project, stop = projects.get(unit, before.id), measured.stop
    if measured.toward_random != project.toward_random:
        projects.lean(unit, project.id, measured.toward_random)
        _log.info("leans", project=str(project.id), share=measured.toward_random)
    # What was asked for meanwhile is respected: another rule was not looked at.
    if stop is not None and project.stop_when == before.stop_when and projects.stop(unit, project.id, stop):
        _log.info("stopped", project=str(project.id), because=stop)
        turns.maybe_open(unit, projects.get(unit, project.id))


def _ordinals(given: Given, vectors: PoolVectors, truth: Truth, most: int) -> Int64:
    """The drawn items: all with a control label, and the first `most` of the draw, in its order."""
    every = drawn(given.project.seed, vectors, given.project.reserve)
    every = every[~np.isin(every, given.closed_test)]
    wanted = np.isin(every, np.array(list(truth), dtype=np.int64))
    wanted[:most] = True
    kept: Int64 = every[wanted]
    return kept


def _on_test(given: Given, model: Any, vectors: PoolVectors, truth: Truth) -> Said | None:
    ordinals = np.array(sorted(truth), dtype=np.int64)
    if len(ordinals) > _MOST_TEST:
        ordinals = np.sort(np.random.default_rng(given.project.seed).choice(ordinals, _MOST_TEST, replace=False))
    ordinals = ordinals[vectors.gather(ordinals)[0]] if len(ordinals) else ordinals
    return ask(given.project, model, vectors, ordinals) if len(ordinals) else None


def _read(unit: Unit, message: MeasureRound, claim: Claim) -> Given | None:
    current = rounds.get(unit, message.round_id)
    model = None if current is None or current.model_id is None else rounds.model(unit, current.model_id)
    overtaken = current is not None and proof.overtaken(unit, current.id)
    if current is None or model is None or overtaken or proof.measured(unit, current.id):
        jobs.finish(unit, claim)
        return None
    project = projects.get(unit, current.project_id)
    progress = answers.progress(unit, project.id)
    chance = control_labels(unit, project)
    everything = answers.training_set(unit, project.id, progress.answer_seq, "pool")
    control = [(ordinal, value) for ordinal, value in everything if ordinal in chance]
    known = {ordinal for ordinal, _ in answers.training_set(unit, project.id, current.watermark, "pool")}
    return Given(
        round=current, project=project, model=model, blocks=pool.ready_blocks(unit, project.id), control=control,
        test=answers.training_set(unit, project.id, progress.answer_seq, "test"),
        closed_test=pool.test_ordinals(unit, project.id), labels=len(known),
        cost=_cost(unit, project, progress.paid_count), watermark=progress.answer_seq,
        history=proof.history(unit, project.id),
    )  # fmt: skip


def _cost(unit: Unit, project: Project, paid: int) -> float | None:
    """Of one more label, in the project's currency: where words are paid, of as many as labels had so far."""
    if project.price is None:
        return None
    if project.budget_unit == "labels":
        return project.price
    return project.price * paid / max(1, answers.paid_labels(unit, project.id))
