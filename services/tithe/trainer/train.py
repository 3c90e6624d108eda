"""One round's model: labels up to the watermark in, a model on disk and its row out."""

from __future__ import annotations

from uuid import uuid4

from tithe.artifacts import ArtifactDamaged, ArtifactMissing
from tithe.contracts.projects import Task
from tithe.contracts.tasks import TrainRound
from tithe.errors import Conflict
from tithe.learners.protocol import NotEnoughClasses
from tithe.learners.stored import StoredModel, model_from
from tithe.loop import labeled
from tithe.loop import rounds as turns
from tithe.loop.features import PoolVectors, model_key
from tithe.loop.rounds import Trained
from tithe.loop.set_aside import chosen_by_chance
from tithe.runtime import Runtime
from tithe.storage import answers, jobs, pool, projects, rounds
from tithe.storage.database import Unit
from tithe.storage.jobs import Claim
from tithe.storage.rounds import Model as ModelRow
from tithe.storage.rounds import Round
from tithe.trainer import classes, entities
from tithe.trainer.given import Fitted, Given


def train_round(runtime: Runtime, message: TrainRound, claim: Claim) -> None:
    """Fit the round's model, or find that there is nothing to fit yet and say why."""
    # By itself, and short: a label call that asks for a round must not wait for all that is read below.
    current = runtime.database.run(lambda unit: turns.begin_training(unit, message.round_id))
    if current is None:
        runtime.database.run(lambda unit: jobs.finish(unit, claim))
        return
    given = runtime.database.run(lambda unit: _read(unit, runtime, current))
    if not given.blocks:  # all were lost, and are being made again: without them no label is followed
        raise Conflict("no block of the pool is encoded at this moment", remedy="it is tried again in a while")
    # Before the round goes on, whether or not there is a model: its scorers ask how far the nearest labeled item is.
    labeled.follow(
        runtime.database, current.project_id, [ordinal for ordinal, _ in given.labels], given.vectors,
        watermark=current.watermark, label_count=current.label_count, left_out=given.control,
    )  # fmt: skip
    _train(runtime, claim, given)
    labeled.tend(runtime.database, current.project_id, given.vectors, current.seed)


def _read(unit: Unit, runtime: Runtime, current: Round) -> Given:
    project_id = current.project_id
    blocks = pool.ready_blocks(unit, project_id)
    project = projects.get(unit, project_id)
    control = chosen_by_chance(unit, project)
    labels = answers.training_set(unit, project_id, current.watermark, "pool")
    return Given(
        round=current,
        project=project,
        labels=[(ordinal, value) for ordinal, value in labels if ordinal not in control],
        control=len({ordinal for ordinal, _ in labels} & control),
        held_out=answers.training_set(unit, project_id, current.watermark, "test"),
        blocks=blocks,
        vectors=PoolVectors(runtime.artifacts, blocks),
        previous=rounds.current_model(unit, project_id),
    )


def _train(runtime: Runtime, claim: Claim, given: Given) -> None:
    """Fit the model, or go on without."""
    room = entities if given.project.task is Task.TOKENS else classes
    examples = room.examples(runtime, given)
    if not examples.count:
        _go_on(runtime, claim, "the labels so far are of items that are not encoded yet")
        return
    seen = (given.round.watermark, examples.count, examples.held_out_count, given.project.learner)
    if given.previous is not None and _saw(given.previous) == seen:
        _go_on(runtime, claim, "no new labels: the current model is used again")
        return
    try:
        # What is tuned begins at its base every round; only heads go on from the last one's.
        previous = None if given.project.learner == "transformer" else _load(runtime, given.previous)
        fitted = room.fit(runtime, given, examples, previous)
    except NotEnoughClasses as reason:
        _go_on(runtime, claim, reason.message)
        return
    trained = _keep(runtime, given, fitted, examples.count)
    runtime.database.run(lambda unit: turns.finish_training(unit, claim, trained, {}))


def _saw(model: ModelRow) -> tuple[int, int, int, str]:
    """What a model was made from: its watermark, the items fitted to, the items held out; and how."""
    held_out = int((model.facts.get("test") or {}).get("rows", 0))
    return model.watermark, model.label_count, held_out, model.facts.get("learner", "linear")


def _go_on(runtime: Runtime, claim: Claim, why: str) -> None:
    runtime.database.run(lambda unit: turns.finish_training(unit, claim, None, {"not_trained": why}))


def _keep(runtime: Runtime, given: Given, fitted: Fitted, examples: int) -> Trained:
    """Write the model to disk, with what was measured of it."""
    facts = {**fitted.model.facts(), **fitted.facts, "learner": given.project.learner, "control": given.control}
    score, score_from = facts["score"], "cross_validation" if given.project.learner == "linear" else "held_out"
    if fitted.test is not None:
        facts["test"] = fitted.test
        score, score_from = fitted.test[given.project.metric], "test_set"
    model_id = uuid4()
    stored = runtime.artifacts.write_model(model_key(given.project.id, model_id), *fitted.model.to_tensors())
    return Trained(model_id, stored.key, stored.sha256, stored.size, examples, score, score_from, facts)


def _load(runtime: Runtime, row: ModelRow | None) -> StoredModel | None:
    """The last model, to start from. It is only a help: without its file training begins anew."""
    try:
        return None if row is None else model_from(*runtime.artifacts.read_model(row.path, row.sha256))
    except (ArtifactMissing, ArtifactDamaged, ValueError):
        return None
