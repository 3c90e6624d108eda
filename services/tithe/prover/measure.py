"""Measure a round's model on the control arm, and act on what is found: stop, or lean toward chance."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import numpy as np
import structlog

from tithe.contracts.projects import Project
from tithe.contracts.proof import Measured
from tithe.contracts.tasks import MeasureRound
from tithe.loop import rounds as turns
from tithe.loop.features import PoolVectors
from tithe.loop.models import asked
from tithe.loop.set_aside import behind, chosen_by_chance, drawn
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
    never: Int64  #: the test split, and items that somebody else than chance chose and that have labels
    labels: int  #: items of the pool with a label: what was spent
    paid: int  #: of the budget, in its unit
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
    every = _drawn(given, vectors)
    said = ask(given.project, model, vectors, _first(every, truth, most_asked(model)))
    test_truth = truth_of(runtime, given.project, given.blocks, given.test)
    test = _on_test(given, model, vectors, test_truth)
    evidence = Evidence(
        runtime, given.project, given.blocks, vectors, said, truth, test, test_truth, given.labels,
        given.paid, runtime.database.run(lambda unit: behind(unit, given.project, every)),
    )  # fmt: skip
    measured = found(evidence, given.history, given.round.seed, given.cost)
    measured = measured.model_copy(update={"seconds": round(time.perf_counter() - began, 3)})
    # A name of its own: whoever measures the round too does not write over what a row points at.
    key = f"{given.project.id}/said/{uuid4()}"
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
    # Where it leans otherwise by now, a newer round or a person decided that.
    if measured.toward_random != before.toward_random == project.toward_random:
        projects.lean(unit, project.id, measured.toward_random)
        _log.info("leans", project=str(project.id), share=measured.toward_random)
    # What was asked for meanwhile is respected: another rule was not looked at.
    if stop is not None and project.stop_when == before.stop_when and projects.stop(unit, project.id, stop):
        _log.info("stopped", project=str(project.id), because=stop)
        turns.maybe_open(unit, projects.get(unit, project.id))


def _drawn(given: Given, vectors: PoolVectors) -> Int64:
    """Every item the control arm may ask for or asked for, in the order of the draw."""
    every = drawn(given.project.seed, vectors, given.project.reserve)
    kept: Int64 = every[~np.isin(every, given.never)]
    return kept


def _first(every: Int64, truth: Truth, most: int) -> Int64:
    """All with a control label, and the first `most`."""
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
    # As it was when the model was made: what was set aside since may be what it was trained on.
    project = project.model_copy(update={"reserve": current.reserve})
    chance = chosen_by_chance(unit, project)
    everything = answers.training_set(unit, project.id, progress.answer_seq, "pool")
    control = [(ordinal, value) for ordinal, value in everything if ordinal in chance]
    known = {ordinal for ordinal, _ in answers.training_set(unit, project.id, current.watermark, "pool")}
    return Given(
        round=current, project=project, model=model, blocks=pool.ready_blocks(unit, project.id), control=control,
        test=answers.training_set(unit, project.id, progress.answer_seq, "test"),
        never=np.union1d(pool.test_ordinals(unit, project.id), _chosen(everything, chance)), labels=len(known),
        paid=progress.paid_count,
        cost=_cost(unit, project, progress.paid_count), watermark=progress.answer_seq,
        history=proof.history(unit, project.id),
    )  # fmt: skip


def _chosen(everything: list[tuple[int, Any]], chance: set[int]) -> Int64:
    return np.array(sorted({ordinal for ordinal, _ in everything} - chance), dtype=np.int64)


def _cost(unit: Unit, project: Project, paid: int) -> float | None:
    """Of one more item, in the project's currency: of all its opinions; where words are paid, of as many as so far."""
    if project.price is None:
        return None
    if project.budget_unit == "labels":
        return project.price * project.overlap
    return project.price * project.overlap * paid / max(1, answers.paid_labels(unit, project.id))
