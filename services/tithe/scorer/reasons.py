"""What the model thinks of the items it chose: label, confidence, the committee's votes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tithe.contracts.predictions import Prediction
from tithe.contracts.projects import Project, Task
from tithe.learners.linear_model import LinearModel
from tithe.loop.features import Vectors


def reasons(
    project: Project, model: LinearModel | None, found: npt.NDArray[np.bool_], rows: Vectors
) -> list[dict[str, Any]]:
    """One for each item; empty where there is no model, or where the item has no vector.

    Parameters
    ----------
    project, model
        Whose labels they are, and who answers.
    found
        bool, shape (n,): which items have a vector.
    rows
        float32, shape (found, d): their vectors, in the same order.
    """
    if model is None or not found.any():
        return [{} for _ in found]
    told = [
        {"prediction": Prediction.of(project.task, project.labels, row).model_dump(mode="json", exclude_none=True)}
        for row in model.predict_proba(rows)
    ]
    if project.task is not Task.MULTILABEL and model.members:
        votes = model.committee_proba(rows).argmax(axis=2).T
        told = [{**one, "votes": _votes(project.labels, members)} for one, members in zip(told, votes, strict=True)]
    each = iter(told)
    return [next(each) if here else {} for here in found]


def _votes(labels: list[str], members: npt.NDArray[np.int64]) -> dict[str, int]:
    """How many of the committee vote for each class, classes without a vote left out."""
    counts = np.bincount(members, minlength=len(labels))
    return {labels[at]: int(counts[at]) for at in np.flatnonzero(counts)}
