"""Models of entities: a head over frozen states of words, or a transformer tuned to the texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tithe.learners.stored import StoredModel
from tithe.learners.tagging.alignment import to_words
from tithe.learners.tagging.entity_scores import entity_f1
from tithe.learners.tagging.tagger import TagLearner
from tithe.learners.word_features import portions
from tithe.learners.words import Document, Entity, Int64
from tithe.loop.opinions import Labels, opinions, spans_by_most
from tithe.loop.reading import READ_WORDS, Items
from tithe.runtime import Runtime
from tithe.trainer.given import Fitted, Given
from tithe.trainer.progress import telling

Marked = Sequence[tuple[int, int, int]]  #: entities of a document: first word, stop, type


@dataclass(frozen=True)
class Examples:
    """Labeled items: what is fitted to, and what is measured on."""

    items: Items
    ordinals: Int64
    documents: list[Document]
    marked: Sequence[Marked]
    held_out_ordinals: Int64
    held_out: list[Document]
    held_out_marked: Sequence[Marked]
    left_out: int  #: spans that share a word with a longer one

    @property
    def count(self) -> int:
        """Items fitted to."""
        return len(self.documents)

    @property
    def held_out_count(self) -> int:
        """Items measured on."""
        return len(self.held_out)


def examples(runtime: Runtime, given: Given) -> Examples:
    """The labeled items as documents, with their entities by words."""
    items, names = Items(runtime, given.project, given.blocks), given.project.labels
    ordinals, documents, marked, lost = _side(items, given.labels, names)
    held_out, of_held_out, theirs, lost_there = _side(items, given.held_out, names)
    return Examples(items, ordinals, documents, marked, held_out, of_held_out, theirs, lost + lost_there)


def _side(
    items: Items, labels: Labels, names: list[str]
) -> tuple[Int64, list[Document], list[list[tuple[int, int, int]]], int]:
    """Ordinals, documents, entities by words, and how many spans share a word with a longer one and are left out."""
    agreed = opinions(labels, spans_by_most)
    ordinals = np.array(list(agreed), dtype=np.int64)
    documents = items.documents(ordinals)
    marked = [to_words(spans, one.words, names) for spans, one in zip(agreed.values(), documents, strict=True)]
    return ordinals, documents, marked, sum(map(len, agreed.values())) - sum(map(len, marked))


def fit(runtime: Runtime, given: Given, seen: Examples, previous: StoredModel | None) -> Fitted:
    """Fit, and measure on the held-out items. Raises NotEnoughClasses while no entity is marked."""
    project, seed, members = given.project, given.round.seed, runtime.settings.committee_members
    types, tell = len(project.labels), telling(runtime, given.round.id)
    model: Any
    if project.learner == "transformer":
        from tithe.learners.transformer.settings import TransformerSettings
        from tithe.learners.transformer.tagger import TransformerTagLearner

        settings = TransformerSettings(threads=runtime.settings.encoder_threads)
        learner = TransformerTagLearner(project.encoder or "")
        model = learner.fit(
            seen.documents, seen.marked, types, seed=seed, members=members, settings=settings, progress=tell
        )
    else:
        words, starts = seen.items.words(seen.ordinals)
        model = TagLearner().fit(
            words, starts, seen.marked, types, seed=seed, members=members, previous=previous, progress=tell
        )
    facts = {"spans_left_out": seen.left_out} if seen.left_out else {}
    if not seen.held_out_count:
        return Fitted(model, None, facts)
    found = [[(one.first, one.stop, one.type) for one in entities] for entities in _found(model, seen)]
    measured = entity_f1(seen.held_out_marked, found, project.labels)
    per_type = dict(zip(project.labels, measured.pop("per_type"), strict=True))
    return Fitted(
        model, {"rows": seen.held_out_count, "entity_f1": measured.pop("f1"), **measured, "per_type": per_type}
    )


def _found(model: Any, seen: Examples) -> Iterator[list[Entity]]:
    """What the model finds in the held-out items, so many words at a time."""
    lengths = np.array([len(one.words) for one in seen.held_out], dtype=np.int64)
    for first, stop in portions(lengths, most_words=READ_WORDS, most=len(lengths)):
        if model.reads == "words":
            said = model.tag(*seen.items.words(seen.held_out_ordinals[first:stop]))
        else:
            said = model.tag_documents(seen.held_out[first:stop])
        yield from model.entities(said)
