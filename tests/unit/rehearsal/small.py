"""A small pool with classes that can be told apart."""

from pathlib import Path

import numpy as np

from tithe.connectors.files.row import Row
from tithe.contracts.projects import Task
from tithe.rehearsal.records import Records
from tithe.rehearsal.settings import Settings
from tithe.rehearsal.stage import Stage, build


def records(n: int = 400, classes: int = 3, several: bool = False) -> Records:
    rng = np.random.default_rng(3)
    target = np.sort(rng.integers(classes, size=n))
    target = rng.permutation(target)
    vectors = rng.normal(size=(classes, 16))[target] * 0.8 + rng.normal(size=(n, 16))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    names = [f"c{at}" for at in range(classes)]
    labels = [[names[at]] if several else names[at] for at in target]
    task = Task.MULTILABEL if several else Task.VECTORS
    return Records(task, names, [Row(at, label=label) for at, label in enumerate(labels)], vectors, 0, [])


def settings(**changed: object) -> Settings:
    given = {"task": Task.VECTORS, "metric": "accuracy", "rounds": 3, "batch": 10, "near_duplicate": 0.95, **changed}
    return Settings(**given)  # type: ignore[arg-type]


def stage(folder: Path, of: Records | None = None, chosen: Settings | None = None) -> Stage:
    return Stage.opened(build(of or records(), chosen or settings(), folder, 1, lambda *_: None))
