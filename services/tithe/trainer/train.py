"""One round's model: labels up to the watermark in, a model on disk and its row out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from tithe.artifacts import ArtifactDamaged, ArtifactMissing
from tithe.contracts.projects import Project, Task
from tithe.contracts.tasks import TrainRound
from tithe.learners.protocol import Model, NotEnoughClasses
from tithe.learners.registry import get_learner
from tithe.learners.scores import evaluate
from tithe.loop import labeled
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


@dataclass(frozen=True)
class _Given:
    """What a round's model is made from."""

    project: Project
    labels: Labels  #: of the pool
    held_out: Labels
    blocks: list[pool.Block]
    previous: ModelRow | None


def train_round(runtime: Runtime, message: TrainRound, claim: Claim) -> None:
    """Fit the round's model, or find that there is nothing to fit yet and say why."""
    # By itself, and short: a label call that asks for a round must not wait for all that is read below.
    current = runtime.database.run(lambda unit: turns.begin_training(unit, message.round_id))
    if current is None:
        runtime.database.run(lambda unit: jobs.finish(unit, claim))
        return
    given = runtime.database.run(lambda unit: _read(unit, current))
    vectors = PoolVectors(runtime.artifacts, given.blocks)
    # Before the round goes on, whether or not there is a model: its scorers ask how far the nearest labeled item is.
    labeled.follow(
        runtime.database, current.project_id, [ordinal for ordinal, _ in given.labels], vectors,
        watermark=current.watermark, label_count=current.label_count,
    )  # fmt: skip
    _train(runtime, current, claim, given, vectors)
    labeled.tend(runtime.database, current.project_id, vectors, current.seed)


def _train(runtime: Runtime, current: Round, claim: Claim, given: _Given, vectors: PoolVectors) -> None:
    """Fit the model, or go on without."""
    project, previous = given.project, given.previous
    if project.task is Task.TOKENS:
        _go_on(runtime, claim, "no learner for token_classification in this version")
        return
    features, targets = _matrix(project, vectors, given.labels)
    held_out = _matrix(project, vectors, given.held_out)
    if not len(targets):
        _go_on(runtime, claim, "the labels so far are of items that are not encoded yet")
        return
    if previous is not None and _saw(previous) == (current.watermark, len(targets), len(held_out[1])):
        _go_on(runtime, claim, "no new labels: the current model is used again")
        return
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
    trained = _keep(runtime, project, model, len(targets), held_out)
    runtime.database.run(lambda unit: turns.finish_training(unit, claim, trained, {}))


def _read(unit: Unit, current: Round) -> _Given:
    project_id = current.project_id
    return _Given(
        projects.get(unit, project_id),
        answers.training_set(unit, project_id, current.watermark, "pool"),
        answers.training_set(unit, project_id, current.watermark, "test"),
        pool.ready_blocks(unit, project_id),
        rounds.current_model(unit, project_id),
    )


def _saw(model: ModelRow) -> tuple[int, int, int]:
    """What a model was made from: its watermark, the items fitted to, the items held out."""
    return model.watermark, model.label_count, int((model.facts.get("test") or {}).get("rows", 0))


def _go_on(runtime: Runtime, claim: Claim, why: str) -> None:
    runtime.database.run(lambda unit: turns.finish_training(unit, claim, None, {"not_trained": why}))


def _matrix(project: Project, vectors: PoolVectors, labels: Labels) -> tuple[Vectors, Targets]:
    """Features and targets of labeled items that are encoded, one row an item, in the order they were first labeled.

    Targets are int64 classes, or a bool matrix for multi-label. Where several people answered, the majority counts
    (of a tie, what was said first): one row an item, or folds would train on what they are scored on.
    """
    number = {name: at for at, name in enumerate(project.labels)}
    several = project.task is Task.MULTILABEL
    opinions: dict[int, list[Any]] = {}
    for ordinal, value in labels:
        opinions.setdefault(ordinal, []).append(value)
    ordinals = np.fromiter(opinions, dtype=np.int64, count=len(opinions))
    if several:
        targets: Targets = np.zeros((len(opinions), len(number)), dtype=bool)
        for row, values in enumerate(opinions.values()):
            votes = Counter(name for value in values for name in value)
            targets[row, [number[name] for name, count in votes.items() if 2 * count > len(values)]] = True
    else:
        majority = [Counter(values).most_common(1)[0][0] for values in opinions.values()]
        targets = np.array([number[value] for value in majority], dtype=np.int64)
    found, features = vectors.gather(ordinals)
    return features, targets[found]


def _sample(vectors: PoolVectors, current: Round) -> Vectors:
    """A random sample of the pool, for learners that look at unlabeled vectors too; the same for the same round."""
    rows = vectors.ordinals()
    chosen = np.random.default_rng(current.seed).choice(rows, min(len(rows), _SAMPLE_ROWS), replace=False)
    return vectors.gather(np.sort(chosen))[1]


def _keep(
    runtime: Runtime, project: Project, model: Model, examples: int, held_out: tuple[Vectors, Targets]
) -> Trained:
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
    return Trained(model_id, stored.key, stored.sha256, stored.size, examples, score, score_from, facts)


def _load(runtime: Runtime, row: ModelRow | None) -> Model | None:
    """The last model, to start from. It is only a help: without its file training begins anew."""
    try:
        return None if row is None else get_learner().load(*runtime.artifacts.read_model(row.path, row.sha256))
    except (ArtifactMissing, ArtifactDamaged):
        return None
