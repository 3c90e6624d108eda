"""A fine-tuned tagger: a transformer, and over the states of words the linear heads every classifier of ours has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from tithe.learners.extra import torch_needed
from tithe.learners.linear_model import LinearModel
from tithe.learners.protocol import Float32, Float64, Progress
from tithe.learners.tagging import decoding
from tithe.learners.tagging.lexical import lexical
from tithe.learners.tagging.scheme import Scheme
from tithe.learners.transformer.body import Body
from tithe.learners.transformer.packing import Parts, packed, unpacked
from tithe.learners.transformer.settings import TransformerSettings
from tithe.learners.words import Document, Entity, Int64, Tagged

if TYPE_CHECKING:
    from tithe.learners.transformer.reading import Reader

FORMAT = "tithe-transformer-tagger/1"
#: What all tags but "no entity" share between them for a word the tokenizer leaves nothing of.
UNREAD = 1e-3


@dataclass(frozen=True)
class TransformerTagger:
    """Tag probabilities of words, from a fine-tuned transformer.

    A word is read off the last layer at its first sub-word (Devlin et al. 2019, section 5.3), so that special tokens
    and padding never count, and beside it by what it looks like (:mod:`tithe.learners.tagging.lexical`). Long texts are
    read in windows that overlap, each word where it is farthest from a border. A word without sub-words (the tokenizer
    drops some characters) is "no entity", but for `UNREAD`.

    Parameters
    ----------
    body
        The transformer.
    head
        The heads over words' states, the network's own first; its classes are tags.
    settings
        What it was fitted with; windows, precision, threads and device also hold when it is read.
    fitted
        How it came about, ready for JSON.

    References
    ----------
    Devlin et al. (2019), BERT: pre-training of deep bidirectional transformers, NAACL, 4171-4186.
    """

    body: Body
    head: LinearModel
    settings: TransformerSettings
    fitted: Mapping[str, Any]

    reads: ClassVar[Literal["documents"]] = "documents"

    @property
    def members(self) -> int:
        """Heads of the committee."""
        return self.head.members

    @property
    def scheme(self) -> Scheme:
        """What the tags mean: BIO, the fewest, so that few labels say something of each."""
        return Scheme((self.head.n_classes - 1) // 2, "bio")

    @property
    def type_of_tag(self) -> Int64:
        """int64, shape (tags,): the entity type's index each tag belongs to; -1 for "no entity"."""
        return self.scheme.type_of_tag

    def facts(self) -> dict[str, Any]:
        """How it was fitted, ready for JSON; see :meth:`TransformerTagLearner.fit`."""
        return dict(self.fitted)

    def features(self, documents: Sequence[Document], *, progress: Progress | None = None) -> tuple[Float32, Int64]:
        """What the heads read: one pass of the transformer, by far the dearest part of an answer.

        Returns
        -------
        float32, shape (words in all, width + `LEXICAL`), NaN for words without sub-words; and int64, shape (documents +
        1,).
        """
        return word_features(self._reader, documents, progress)

    def tag_documents(self, documents: Sequence[Document], *, progress: Progress | None = None) -> Tagged:
        """Calibrated probabilities of each word's tags.

        Returns
        -------
        Probabilities float64, shape (words in all, tags), all in (0, 1), rows sum to one.
        """
        features, starts = self.features(documents, progress=progress)
        return Tagged(tag_probabilities(features, self._own, self.head.n_classes)[0], starts)

    def tag_documents_committee(self, documents: Sequence[Document], *, progress: Progress | None = None) -> Tagged:
        """Probabilities of each committee member: float64, shape (members, words in all, tags)."""
        features, starts = self.features(documents, progress=progress)
        return Tagged(tag_probabilities(features, self.head.committee_proba, self.head.n_classes), starts)

    def tag_documents_stacked(self, documents: Sequence[Document], *, progress: Progress | None = None) -> Tagged:
        """Both in one pass: float64, shape (1 + members, words in all, tags), the model's own first."""
        features, starts = self.features(documents, progress=progress)
        return Tagged(tag_probabilities(features, self.head.stacked_proba, self.head.n_classes), starts)

    def entities(self, tagged: Tagged) -> list[list[Entity]]:
        """The likeliest well-formed entities of each document, in order, without overlap."""
        return decoding.entities(tagged, self.scheme)

    def to_tensors(self) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        """Everything, as named arrays and texts: neither the base model nor a hub is needed to read it again."""
        return packed(Parts(self.body, self.head, self.settings, self.fitted), FORMAT)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, str]) -> Self:
        """The model :meth:`to_tensors` came from. Torch is not needed before it is asked something.

        Raises
        ------
        ValueError
            When this is not such a model, or its arrays do not fit together.
        """
        return cls(*unpacked(tensors, meta, FORMAT))

    def _own(self, features: Float32) -> Float64:
        return self.head.predict_proba(features)[None]

    @cached_property
    def _reader(self) -> Reader:
        with torch_needed("a fine-tuned model"):
            from tithe.learners.transformer.reading import reader_of

        return reader_of(self.body, self.settings)


def word_features(
    reader: Reader, documents: Sequence[Document], progress: Progress | None = None
) -> tuple[Float32, Int64]:
    """States of words from the transformer, and beside them what they look like: many a model lower-cases.

    Returns
    -------
    As :meth:`TransformerTagger.features`.
    """
    states, starts = reader.words(documents, progress)
    return np.concatenate([states, lexical(documents)], axis=1), starts


def tag_probabilities(features: Float32, answer: Callable[[Float32], Float64], tags: int) -> Float64:
    """Answers to the words that were read, and the one to those that were not: float64, shape (heads, words, tags)."""
    read = ~np.isnan(features[:, 0])
    found = answer(features[read])
    everything = np.full((len(found), len(features), tags), UNREAD / (tags - 1))
    everything[:, ~read, 0] = 1 - UNREAD
    everything[:, read] = found
    return everything
