"""Entities as tags of words, and back: BIO and BILOU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tithe.learners.words import Int64

Bool = NDArray[np.bool_]
Kind = Literal["bio", "bilou"]
#: Words ``first`` to ``stop``, half open, of one document, and the type's index.
Stretch = tuple[int, int, int]

#: What a tag says of the words beside it, in the order in which a type's tags stand.
_LETTERS: dict[Kind, str] = {"bio": "BI", "bilou": "BILU"}
#: Up to so many types BILOU's finer tags pay: time grows with their square.
_FEW_TYPES = 10


def kind_for(types: int) -> Kind:
    """The scheme that suits a project of so many entity types.

    Examples
    --------
    >>> kind_for(4), kind_for(77)
    ('bilou', 'bio')
    """
    return "bilou" if types <= _FEW_TYPES else "bio"


@dataclass(frozen=True)
class Scheme:
    """The tags of `types` entity types: tag 0 is O, then those of the first type, then those of the second.

    Parameters
    ----------
    types
        Entity types of the project.
    kind
        ``"bio"``: B begins an entity, I goes on with it. ``"bilou"``: B begins one of several words, I is within, L
        ends it; U is one of a single word.

    References
    ----------
    Ratinov & Roth (2009), Design challenges and misconceptions in named entity recognition, CoNLL, 147-155, section 3.

    Examples
    --------
    >>> Scheme(2, "bio").names(["PER", "LOC"])
    ['O', 'B-PER', 'I-PER', 'B-LOC', 'I-LOC']
    """

    types: int
    kind: Kind = "bilou"

    @property
    def tags(self) -> int:
        """How many there are: ``1 + 2 * types``, or ``1 + 4 * types``."""
        return 1 + self.types * len(_LETTERS[self.kind])

    @cached_property
    def type_of_tag(self) -> Int64:
        """int64, shape (tags,): the type's index, -1 for O."""
        return np.concatenate([[-1], np.repeat(np.arange(self.types), len(_LETTERS[self.kind]))]).astype(np.int64)

    @cached_property
    def letters(self) -> NDArray[np.str_]:
        """One letter a tag, shape (tags,)."""
        return np.array(["O", *_LETTERS[self.kind] * self.types])

    def names(self, types: Sequence[str]) -> list[str]:
        """The tags by name, of types by name."""
        return ["O"] + [f"{letter}-{name}" for name in types for letter in _LETTERS[self.kind]]

    @cached_property
    def starts(self) -> Bool:
        """bool, shape (tags,): what a document's first word may be; the same tags may follow O."""
        return np.isin(self.letters, ["O", "B", "U"])

    @cached_property
    def ends(self) -> Bool:
        """bool, shape (tags,): what a document's last word may be."""
        return np.isin(self.letters, ["O", "L", "U"]) | (self.kind == "bio")

    @cached_property
    def goes_on(self) -> Bool:
        """bool, shape (tags, tags): whether the second tag continues the entity of the first."""
        same = self.type_of_tag[:, None] == self.type_of_tag
        on: Bool = np.isin(self.letters, ["B", "I"])[:, None] & np.isin(self.letters, ["I", "L"]) & same
        return on

    @cached_property
    def allowed(self) -> Bool:
        """bool, shape (tags, tags): whether the second tag may follow the first."""
        return self.goes_on | (self.ends[:, None] & self.starts)

    def encode(self, entities: Sequence[Sequence[Stretch]], starts: Int64) -> Int64:
        """Tags of the words.

        Parameters
        ----------
        entities
            Of each document (first, stop, type), without overlap, in any order.
        starts
            int64, shape (n + 1,): the documents' first words.

        Returns
        -------
        int64, shape (W,), in [0, tags).

        Raises
        ------
        ValueError
            When an entity is empty, leaves its document, overlaps another, or has no type of the project; names the
            document.

        Examples
        --------
        >>> Scheme(2).encode([[(0, 3, 1), (3, 4, 0)]], np.array([0, 5])).tolist()
        [5, 6, 7, 4, 0]
        """
        if len(entities) != len(starts) - 1:
            raise ValueError(f"entities are of {len(entities)} documents, starts of {len(starts) - 1}")
        tags = np.zeros(int(starts[-1]), np.int64)
        width = len(_LETTERS[self.kind])
        for number, found in enumerate(entities):
            origin, words = int(starts[number]), int(starts[number + 1] - starts[number])
            for first, stop, type_ in found:
                own = tags[origin + first : origin + stop]
                if not (0 <= first < stop <= words and 0 <= type_ < self.types) or own.any():
                    what = "overlaps another" if own.any() else f"is none of {words} words and {self.types} types"
                    raise ValueError(f"document {number}: the entity {(first, stop, type_)} {what}")
                begin = 1 + width * type_
                own[:] = begin + 1
                own[0] = begin
                if self.kind == "bilou":
                    own[-1] = begin + (2 if stop - first > 1 else 3)
        return tags

    def decode(self, tags: Int64, starts: Int64) -> Int64:
        """Entities of well-formed tags.

        A tag that continues nothing begins an entity, and an entity ends where nothing continues it, so that tags
        which are not well-formed are read as conlleval reads them.

        Parameters
        ----------
        tags
            int64, shape (W,).
        starts
            int64, shape (n + 1,).

        Returns
        -------
        int64, shape (entities, 4), in order: document, first, stop, type; words counted from the document's first.

        Examples
        --------
        >>> Scheme(2).decode(np.array([5, 6, 7, 4, 0]), np.array([0, 5])).tolist()
        [[0, 0, 3, 1], [0, 3, 4, 0]]
        """
        on = np.zeros(len(tags), bool)
        on[1:] = self.goes_on[tags[:-1], tags[1:]]
        on[starts[:-1][starts[:-1] < len(tags)]] = False
        rows = np.flatnonzero((tags > 0) & ~on)
        breaks = np.append(np.flatnonzero(~on), len(tags))
        stops = breaks[np.searchsorted(breaks, rows, side="right")]
        document = np.searchsorted(starts, rows, side="right") - 1
        return np.stack([document, rows - starts[document], stops - starts[document], self.type_of_tag[tags[rows]]], 1)
