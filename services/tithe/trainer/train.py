"""One round's model: labels up to the watermark in, a model on disk and its row out."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from tithe.contracts.projects import Project, Task
from tithe.contracts.tasks import TrainRound
from tithe.learners.protocol import Model, NotEnoughClasses
from tithe.learners.registry import get_learner
from tithe.learners.scores import evaluate
from tithe.loop import rounds as turns
from tithe.loop.features import PoolVectors, Vectors, model_key
from tithe.loop.rounds import Trained
from tithe.runtime import Runtime
from tithe.storage import answers, jobs, pool, projects, rounds
from tithe.storage.database import Unit
from tithe.storage.jobs import Claim
from tithe.storage.rounds import Model as ModelRow
from tithe.storage.rounds import Round

Targets = npt.NDArray[Any]
Labels = list[tuple[int, Any]]
_SAMPLE_ROWS = 3000


def train_round(runtime: Runtime, message: TrainRound, claim: Claim) -> None:
    """Fit the round's model, or find that there is nothing to fit yet and say why."""
    read = runtime.database.run(lambda unit: _read(unit, message, claim))
    if read is None:
        return
    current, project, labels, held_out_labels, blocks, previous = read
    if project.task is Task.TOKENS:
        _go_on(runtime, claim, "no learner for token_classification in this version")
        return
    if previous is not None and previous.label_count == current.label_count:
        _go_on(runtime, claim, "no new labels: the current model is used again")
        return
    vectors = PoolVectors(runtime.artifacts, blocks)
    features, targets = _matrix(project, vectors, labels)
    held_out = _matrix(project, vectors, held_out_labels)
    try:
        model = get_learner().fit(
            features,
            targets,
            len(project.labels),
            task="multi" if project.task is Task.MULTILABEL else "single",
            metric=project.metric,
            seed=current.seed,
            members=runtime.settings.committee_members,
            previous=_load(runtime, previous),
            pool=_sample(vectors, current),
        )
    except NotEnoughClasses as reason:
        _go_on(runtime, claim, reason.message)
        return
    trained = _keep(runtime, project, model, held_out)
    runtime.database.run(lambda unit: turns.finish_training(unit, claim, trained, {}))


def _read(
    unit: Unit, message: TrainRound, claim: Claim
) -> tuple[Round, Project, Labels, Labels, list[pool.Block], ModelRow | None] | None:
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


def _sample(vectors: PoolVectors, current: Round) -> Vectors:
    """A random sample of the pool, for learners that look at unlabeled vectors too; the same for the same round."""
    rows = vectors.ordinals()
    chosen = np.random.default_rng(current.seed).choice(rows, min(len(rows), _SAMPLE_ROWS), replace=False)
    return vectors.gather(np.sort(chosen))[1]


def _keep(runtime: Runtime, project: Project, model: Model, held_out: tuple[Vectors, Targets]) -> Trained:
    """Measure the model on labels it was not trained on, and write it to disk."""
    facts = model.facts()
    score, score_from = facts["score"], "cross_validation"
    if len(held_out[1]):
        measured = evaluate(model, *held_out)
        measured["f1"] = dict(zip(project.labels, measured["f1"], strict=True))
        facts["test"] = measured
        score, score_from = measured[project.metric], "test_set"
    model_id = uuid4()
    stored = runtime.artifacts.write_model(model_key(project.id, model_id), *model.to_tensors())
    return Trained(model_id, stored.key, stored.sha256, stored.size, score, score_from, facts)


def _load(runtime: Runtime, row: ModelRow | None) -> Model | None:
    return None if row is None else get_learner().load(*runtime.artifacts.read_model(row.path, row.sha256))
