"""What the model thinks of the items it chose: labels or spans, confidence, the committee's votes, words in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tithe.choosing.answers import Asked
from tithe.contracts.predictions import Prediction
from tithe.contracts.projects import Project, Task
from tithe.learners.linear_model import LinearModel
from tithe.learners.tagging.alignment import to_text
from tithe.learners.words import Document, Tagged
from tithe.loop.features import Vectors
from tithe.loop.models import Reader
from tithe.strategies.arrays import Float64, Int64
from tithe.strategies.sequence import word_entropy, words_in_doubt

#: So many of an item's words are told of as in doubt.
_IN_DOUBT = 5


def reasons(
    project: Project, model: Asked | None, ordinals: Int64, found: npt.NDArray[np.bool_], rows: Vectors
) -> list[dict[str, Any]]:
    """One for each item; empty where there is no model, or where the item has no vector.

    Parameters
    ----------
    project, model
        Whose labels they are, and who answers.
    ordinals, found
        The items, and bool, shape (n,): which of them have a vector.
    rows
        float32, shape (found, d): their vectors, in the same order.
    """
    if model is None or not found.any():
        return [{} for _ in found]
    if isinstance(model, LinearModel):
        committee = model.committee_proba(rows) if model.members else None
        told = _of_classes(project, model.predict_proba(rows), committee, model.thresholds)
    else:
        told = _answered(project, model, ordinals[found])
    each = iter(told)
    return [next(each) if here else {} for here in found]


def _answered(project: Project, reader: Any, ordinals: Int64) -> list[dict[str, Any]]:
    assert isinstance(reader, Reader)  # noqa: S101 - the only other kind there is
    return [one for some in reader.portions(ordinals) for one in _of_portion(project, reader, some)]


def _of_portion(project: Project, reader: Reader, ordinals: Int64) -> list[dict[str, Any]]:
    committee = bool(reader.model.reads == "texts" and reader.model.members and project.task is not Task.MULTILABEL)
    said = reader.of(ordinals, committee=committee)
    if isinstance(said, Tagged):
        documents = reader.items.documents(ordinals)
        doubts = in_doubt(said, documents)
        spans = spans_of(project, reader.model, said, documents)
        return [
            {"prediction": _json(prediction), **({"doubtful": doubt} if doubt else {})}
            for prediction, doubt in zip(spans, doubts, strict=True)
        ]
    own, members = (said[0], said[1:]) if committee else (said, None)
    return _of_classes(project, own, members, reader.model.thresholds)


def _of_classes(
    project: Project, answers: Float64, committee: Float64 | None, thresholds: Float64
) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = [
        {"prediction": _json(Prediction.of(project.task, project.labels, row, thresholds.tolist()))} for row in answers
    ]
    if project.task is not Task.MULTILABEL and committee is not None and len(committee):
        votes = committee.argmax(axis=2).T
        told = [{**one, "votes": _votes(project.labels, members)} for one, members in zip(told, votes, strict=True)]
    return told


def spans_of(project: Project, model: Any, said: Tagged, documents: Sequence[Document]) -> list[Prediction]:
    """The entities the model sees, in code points of the texts."""
    return [
        Prediction.of_spans(to_text(entities, one, project.labels))
        for entities, one in zip(model.entities(said), documents, strict=True)
    ]


def in_doubt(said: Tagged, documents: Sequence[Document]) -> list[list[dict[str, Any]]]:
    """The most doubtful words of each document in the order of the text; doubt is entropy as a share of the highest."""
    doubt = word_entropy(said.probabilities) / np.log(max(2, said.probabilities.shape[1]))
    told = []
    for document, first, words in zip(
        documents, said.starts[:-1], words_in_doubt(doubt, said.starts, most=_IN_DOUBT), strict=True
    ):
        stretches = [(*document.words[word], float(doubt[first + word])) for word in sorted(words)]
        told.append([{"start": start, "end": end, "doubt": round(share, 4)} for start, end, share in stretches])
    return told


def _json(prediction: Prediction) -> dict[str, Any]:
    return prediction.model_dump(mode="json", exclude_none=True)


def _votes(labels: list[str], members: npt.NDArray[np.int64]) -> dict[str, int]:
    """How many of the committee vote for each class, classes without a vote left out."""
    counts = np.bincount(members, minlength=len(labels))
    return {labels[at]: int(counts[at]) for at in np.flatnonzero(counts)}
