"""One round's model: labels up to the watermark in, a model on disk and its row out."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from tithe.contracts.projects import Project, Task
from tithe.contracts.tasks import TrainRound
from tithe.learners import linear
from tithe.learners.linear import LinearModel
from tithe.loop import rounds as turns
from tithe.loop.features import PoolVectors, Vectors, model_key
from tithe.loop.rounds import Trained
from tithe.runtime import Runtime
from tithe.storage import answers, jobs, pool, projects, rounds
from tithe.storage.database import Unit
from tithe.storage.jobs import Claim
from tithe.storage.rounds import Model, Round

Targets = npt.NDArray[Any]
Labels = list[tuple[int, Any]]


def train_round(runtime: Runtime, message: TrainRound, claim: Claim) -> None:
    """Fit the round's model, or find that there is nothing to fit yet and say why."""
    read = runtime.database.run(lambda unit: _read(unit, message, claim))
    if read is None:
        return
    current, project, labels, held_out, blocks, previous = read
    if project.task is Task.TOKENS:
        _go_on(runtime, claim, "no learner for token_classification in this version")
        return
    if previous is not None and previous.label_count == current.label_count:
        _go_on(runtime, claim, "no new labels: the current model is used again")
        return
    vectors = PoolVectors(runtime.artifacts, blocks)
    features, targets = _matrix(project, vectors, labels)
    if len(_classes_seen(project, targets)) < 2:
        _go_on(runtime, claim, "labels of fewer than two classes: nothing to tell apart yet")
        return
    trained = _fit(runtime, project, current, features, targets, _matrix(project, vectors, held_out), previous)
    runtime.database.run(lambda unit: turns.finish_training(unit, claim, trained, {}))


def _read(
    unit: Unit, message: TrainRound, claim: Claim
) -> tuple[Round, Project, Labels, Labels, list[pool.Block], Model | None] | None:
    current = turns.begin_training(unit, message.round_id)
    if current is None:
        jobs.finish(unit, claim)
        return None
    project_id = current.project_id
    return (
        current,
        projects.get(unit, project_id),
        answers.training_set(unit, project_id, current.watermark, "pool"),
        answers.training_set(unit, project_id, current.watermark, "test"),
        pool.ready_blocks(unit, project_id),
        rounds.current_model(unit, project_id),
    )


def _go_on(runtime: Runtime, claim: Claim, why: str) -> None:
    runtime.database.run(lambda unit: turns.finish_training(unit, claim, None, {"not_trained": why}))


def _matrix(project: Project, vectors: PoolVectors, labels: Labels) -> tuple[Vectors, Targets]:
    """Features and targets of labels whose items are encoded: int64 classes, or a bool matrix for multi-label."""
    number = {name: at for at, name in enumerate(project.labels)}
    ordinals = np.array([ordinal for ordinal, _ in labels], dtype=np.int64)
    if project.task is Task.MULTILABEL:
        targets: Targets = np.zeros((len(labels), len(number)), dtype=bool)
        for row, (_, value) in enumerate(labels):
            targets[row, [number[name] for name in value]] = True
    else:
        targets = np.array([number[value] for _, value in labels], dtype=np.int64)
    found, features = vectors.gather(ordinals)
    return features, targets[found]


def _classes_seen(project: Project, targets: Targets) -> npt.NDArray[np.int64]:
    """Classes with an example; for multi-label, an item with none of them is a kind of its own."""
    if project.task is Task.MULTILABEL:
        return np.unique(np.packbits(targets, axis=1), axis=0)
    return np.unique(targets)


def _fit(
    runtime: Runtime, project: Project, current: Round, features: Vectors, targets: Targets,
    held_out: tuple[Vectors, Targets], previous: Model | None,
) -> Trained:  # fmt: skip
    began = time.perf_counter()
    model = linear.fit(
        features,
        targets,
        len(project.labels),
        task="multi" if project.task is Task.MULTILABEL else "single",
        metric=project.metric,
        seed=current.seed,
        members=runtime.settings.committee_members,
        previous=_load(runtime, previous),
    )
    facts = {**model.facts, "examples": len(targets), "fit_seconds": round(time.perf_counter() - began, 3)}
    score, score_from = facts.get("oof_score"), "cross_validation"
    if len(held_out[1]):
        measured = linear.evaluate(model, *held_out)
        facts["test"] = {**measured, "per_class_f1": dict(zip(project.labels, measured["per_class_f1"], strict=True))}
        score, score_from = measured[project.metric], "test_set"
    facts["seconds"] = round(time.perf_counter() - began, 3)
    model_id = uuid4()
    tensors, meta = model.to_tensors()
    stored = runtime.artifacts.write_model(model_key(project.id, model_id), tensors, meta)
    return Trained(model_id, stored.key, stored.sha256, stored.size, score, score_from, facts)


def _load(runtime: Runtime, model: Model | None) -> LinearModel | None:
    if model is None:
        return None
    return LinearModel.from_tensors(*runtime.artifacts.read_model(model.path, model.sha256))
