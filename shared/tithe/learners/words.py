"""What passes between texts and models of their words: documents, states of words, tags, entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from tithe.learners.protocol import Encoder, Float32, Float64, Progress

Int64 = NDArray[np.int64]
#: Half open, in Unicode code points of the text.
Stretch = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Document:
    """A text and where its words are.

    Attributes
    ----------
    text
        As people see it; of an item that came as tokens, these joined by single spaces.
    words
        In order, without overlap, none empty; whatever lies between them is no word.
    """

    text: str
    words: Sequence[Stretch]


class Read(NamedTuple):
    """What an encoder that knows words makes of n documents with W words in all.

    Attributes
    ----------
    vectors
        float32, shape (n, d), rows of length one: as :meth:`tithe.learners.protocol.Encoder.encode` gives them.
    words
        float32, shape (W, w): one row a word, document by document. A word that the tokenizer leaves nothing of has
        zeros.
    starts
        int64, shape (n + 1,): the words of document i are the rows ``starts[i]`` to ``starts[i + 1]``.
    """

    vectors: Float32
    words: Float32
    starts: Int64


class WordEncoder(Encoder, Protocol):
    """An encoder that also tells the state of each word."""

    @property
    def word_dimension(self) -> int:
        """Numbers in a word's state."""

    def read(self, documents: Sequence[Document], *, progress: Progress | None = None) -> Read:
        """Vectors and word states in one pass.

        Sub-words are folded to words by their mean; special tokens and padding never count; a text longer than the
        model's window is read in windows that overlap, and each word's state comes from the window in which it is
        farthest from a border. The result does not depend on the documents beside it.
        """


class Entity(NamedTuple):
    """An entity as a model sees it: words ``first`` to ``stop``, half open, of one document."""

    first: int
    stop: int
    type: int  #: index among the project's entity types
    confidence: float  #: in (0, 1): how likely the model thinks that exactly this is an entity of that type


class Tagged(NamedTuple):
    """What a model says of the words of n documents, W words in all.

    Attributes
    ----------
    probabilities
        float64, shape (W, tags) or, of a committee, (members, W, tags): calibrated, rows sum to one. Tag 0 is "no
        entity"; how the others belong to types, says :attr:`TagModel.type_of_tag`.
    starts
        int64, shape (n + 1,).
    """

    probabilities: Float64
    starts: Int64


class TagModel(Protocol):
    """A trained model of words: immutable, safe to read from several threads."""

    #: What it is shown of the items: word states (``tag``) or the documents themselves (``tag_documents``).
    reads: Literal["words", "documents"]

    @property
    def type_of_tag(self) -> Int64:
        """int64, shape (tags,): the entity type's index each tag belongs to; -1 for "no entity"."""

    def entities(self, tagged: Tagged) -> list[list[Entity]]:
        """The likeliest well-formed entities of each document, in order, without overlap."""

    def facts(self) -> dict[str, Any]:
        """How it was fitted, ready for JSON: at least ``score``, ``metric`` (entity_f1), ``words``, ``seconds``."""

    def to_tensors(self) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        """Everything :meth:`from_tensors` needs, as named arrays and texts: never a pickle."""

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, str]) -> Self:
        """The model :meth:`to_tensors` came from. Raises ValueError when the arrays do not fit together."""
