"""Models as workers use them: loaded once per process, checked against their rows, asked by ordinal."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from tithe.artifacts import ArtifactStore
from tithe.choosing.answers import Asked
from tithe.contracts.projects import Project
from tithe.errors import Hopeless
from tithe.learners.linear_model import LinearModel
from tithe.learners.stored import StoredModel, model_from
from tithe.learners.word_features import portions
from tithe.learners.words import Tagged
from tithe.loop.reading import Items, Parts
from tithe.storage import rounds
from tithe.storage.pool import Block
from tithe.strategies.arrays import Float64, Int64

#: Texts a model is asked about at a time, words, and numbers it may answer with: some 150 MB.
_TEXTS, _WORDS, _PROBABILITIES = 2048, 40_000, 4_000_000
_MEASURED = 16_384


def load(parts: Parts, model_id: UUID) -> StoredModel:
    """The model with that id."""
    row = parts.database.run(lambda unit: rounds.model(unit, model_id))
    if row is None:
        raise Hopeless(f"there is no model {model_id}")
    return _read(parts.artifacts, row.path, row.sha256)


@functools.lru_cache(maxsize=2)  # a transformer may be gigabytes
def _read(artifacts: ArtifactStore, path: str, sha256: str) -> StoredModel:
    return model_from(*artifacts.read_model(path, sha256))


def asked(parts: Parts, project: Project, model_id: UUID | None, blocks: Sequence[Block]) -> Asked | None:
    """The round's model, ready to be asked about the project's items; None: there is none yet."""
    if model_id is None:
        return None
    model = load(parts, model_id)
    return model if isinstance(model, LinearModel) else Reader(model, Items(parts, project, blocks))


@dataclass(frozen=True)
class Reader:
    """A model that reads words or texts, together with the items it reads."""

    model: Any
    items: Items

    @property
    def costly(self) -> bool:
        """Whether each answer costs a network's pass. Words that are not kept cost one too: see :meth:`cheap`."""
        reads: str = self.model.reads
        return reads != "words"

    def cheap(self, ordinals: Int64) -> Any:
        """Which of the items it can be asked about without a network's pass: bool, shape (n,)."""
        return self.items.kept(ordinals) if self.model.reads == "words" else np.zeros(len(ordinals), dtype=bool)

    def portions(self, ordinals: Int64) -> Iterator[Int64]:
        """The items in portions whose answers fit the memory together: of texts so many, of documents so many words."""
        if self.model.reads == "texts":
            for first in range(0, len(ordinals), _TEXTS):
                yield ordinals[first : first + _TEXTS]
            return
        words = min(_WORDS, _PROBABILITIES // (len(self.model.type_of_tag) * (1 + self.model.members)))
        for some in range(0, len(ordinals), _MEASURED):  # how long they are is read for so many at a time
            part = ordinals[some : some + _MEASURED]
            for first, stop in portions(self.items.lengths(part), most_words=words, most=_TEXTS):
                yield part[first:stop]

    def of(self, ordinals: Int64, *, committee: bool = False) -> Float64 | Tagged:
        """What the model says of the items; with the committee an axis more, the model's own answer first."""
        said: Float64 | Tagged
        if self.model.reads == "words":
            said = (self.model.tag_stacked if committee else self.model.tag)(*self.items.words(ordinals))
        elif self.model.reads == "documents":
            tag = self.model.tag_documents_stacked if committee else self.model.tag_documents
            said = tag(self.items.documents(ordinals))
        else:
            said = (self.model.stacked_proba if committee else self.model.predict_proba)(self.items.texts(ordinals))
        return said
