"""The tagger as scorers see it: a few arrays, one matrix product and a sum over paths. NumPy only, never a pickle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from tithe.learners.protocol import Float32, Float64
from tithe.learners.tagging import crf, decoding
from tithe.learners.tagging.lattice import Order
from tithe.learners.tagging.scheme import Scheme, kind_for
from tithe.learners.words import Entity, Int64, Tagged

FORMAT = "tithe-tagger/1"
#: Words tagged at a time, so that memory stays bounded whatever the pool; a document is never cut.
CHUNK_WORDS = 65_536
_ROWS = 8192

Words = NDArray[np.float32] | NDArray[np.float16]


@dataclass(frozen=True)
class TagFacts:
    """How a tagger came about. Scores are of held-out answers: documents the fit that answered had not seen."""

    documents: int  #: fitted to
    words: int  #: in them
    type_counts: tuple[int, ...]  #: entities of each of the project's types
    c: float  #: inverse regularisation
    temperature: float  #: what scores are divided by
    eagerness: float  #: as :func:`tithe.learners.tagging.decoding.entities` has it
    held_out: int  #: documents the scores are measured on
    members: int  #: of the committee
    metric: str = "entity_f1"  #: what `score` is
    score: float | None = None  #: strict micro F1, in [0, 1]; None while no document could be held out
    precision: float | None = None
    recall: float | None = None
    log_loss: float | None = None  #: nats a word, after the temperature
    per_type: tuple[dict[str, Any] | None, ...] = ()  #: as :func:`tithe.learners.tagging.entity_scores.entity_f1` says
    seconds: float = 0.0  #: wall-clock time of the fit


@dataclass(frozen=True)
class WordTagger:
    """Conditional random fields over word states: the model's own, then the committee's.

    Parameters
    ----------
    slopes
        float32, shape (1 + members, 3 * tags, w): of features as they come; the standardisation is folded in. `tags`
        are those of the learned types.
    offsets
        float32, shape (1 + members, 3 * tags): what is added to their products.
    steps
        float64, shape (1 + members, tags, tags): scores of pairs of tags.
    learned
        int64, ascending: the types that have entities among the labels.
    types
        Entity types of the project. Those not learned share ``1 / (words + 2)`` of each word's probability: never
        zero, the same for every word, so that it reorders no ranking.
    temperature
        Divides all scores.
    fitted
        How it came about.
    """

    slopes: Float32
    offsets: Float32
    steps: Float64
    learned: Int64
    types: int
    temperature: float
    fitted: TagFacts
    reads: Literal["words", "documents"] = field(default="words", init=False)

    @property
    def scheme(self) -> Scheme:
        """The tags the model answers in: BILOU of all the project's types."""
        return Scheme(self.types, kind_for(self.types))

    @property
    def type_of_tag(self) -> Int64:
        """int64, shape (tags,): the entity type's index, -1 for tag 0, "no entity"."""
        return self.scheme.type_of_tag

    @property
    def members(self) -> int:
        """Fields of the committee."""
        return int(self.slopes.shape[0]) - 1

    @property
    def dimension(self) -> int:
        """Numbers in a word's features."""
        return int(self.slopes.shape[2])

    def facts(self) -> dict[str, Any]:
        """:class:`TagFacts` as plain values, ready for JSON."""
        return asdict(self.fitted)

    def tag(self, words: Words, starts: Int64) -> Tagged:
        """Calibrated tag probabilities of the model's own field: marginals over all well-formed sequences.

        Parameters
        ----------
        words
            float32 or float16, shape (W, w); a memory map is read piece by piece.
        starts
            int64, shape (n + 1,).

        Returns
        -------
        float64, shape (W, tags), all in (0, 1), rows sum to one; the starts as given.

        Raises
        ------
        ValueError
            When words or starts have the wrong shape.

        Notes
        -----
        Time O(W tags (w + tags)): one matrix product of width 3 * tags, and two of tags * tags. A document's result
        does not depend on the documents beside it, rounding in float32 aside.
        """
        return Tagged(self._tag(words, starts, slice(0, 1))[0], starts)

    def tag_committee(self, words: Words, starts: Int64) -> Tagged:
        """Tag probabilities of each committee member, at the same temperature.

        Returns
        -------
        float64, shape (members, W, tags): as :meth:`tag`.
        """
        return Tagged(self._tag(words, starts, slice(1, None)), starts)

    def tag_stacked(self, words: Words, starts: Int64) -> Tagged:
        """Both in one pass: float64, shape (1 + members, W, tags), the model's own field first."""
        return Tagged(self._tag(words, starts, slice(None)), starts)

    def entities(self, tagged: Tagged) -> list[list[Entity]]:
        """The likeliest well-formed entities: :func:`tithe.learners.tagging.decoding.entities`."""
        return decoding.entities(tagged, self.scheme, self.fitted.eagerness)

    def _tag(self, words: Words, starts: Int64, fields: slice) -> Float64:
        if words.ndim != 2 or words.shape[1] != self.dimension:
            raise ValueError(f"words must have shape (W, {self.dimension}), not {words.shape}")
        if (
            starts.ndim != 1
            or not len(starts)
            or starts[0] != 0
            or starts[-1] != len(words)
            or (np.diff(starts) < 0).any()
        ):
            raise ValueError(f"starts must rise from 0 to {len(words)}")
        slopes, offsets, steps = self.slopes[fields], self.offsets[fields], self.steps[fields]
        answer = np.empty((len(slopes), len(words), self.scheme.tags))
        if not len(slopes):
            return answer
        inner = Scheme(len(self.learned), self.scheme.kind)
        at = np.flatnonzero(np.isin(self.type_of_tag, [-1, *self.learned.tolist()]))
        spare = 1 / (self.fitted.words + 2) if len(self.learned) < self.types else 0.0
        answer[:] = spare / max(1, self.scheme.tags - len(at))
        for first, stop in _chunks(starts):
            begin, end = int(starts[first]), int(starts[stop])
            order = Order(starts[first : stop + 1] - begin)
            said = _said(words[begin:end], slopes, offsets)
            for own, step, out in zip(said, steps, answer, strict=True):
                found = crf.scores(own[order.words], np.zeros(inner.tags), order)
                out[(begin + order.words)[:, None], at] = (1 - spare) * crf.posterior(
                    found, step, inner, order, self.temperature
                )
        return answer

    def to_tensors(self) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        """The arrays and texts :meth:`from_tensors` makes this model of."""
        tensors: dict[str, NDArray[Any]] = {
            "slopes": self.slopes,
            "offsets": self.offsets,
            "steps": self.steps,
            "learned": self.learned,
        }
        meta = {
            "format": FORMAT,
            "types": str(self.types),
            "temperature": repr(self.temperature),
            "facts": json.dumps(self.facts()),
        }
        return tensors, meta

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, str]) -> Self:
        """The model :meth:`to_tensors` came from.

        Raises
        ------
        ValueError
            When this is not a tagger, or its arrays do not fit together.
        """
        if meta.get("format") != FORMAT:
            raise ValueError(f"not a {FORMAT} model: format is {meta.get('format')!r}")
        absent = {"slopes", "offsets", "steps", "learned"} - tensors.keys()
        if absent:
            raise ValueError(f"the model lacks {', '.join(sorted(absent))}")
        slopes, offsets, steps, learned = (tensors[name] for name in ("slopes", "offsets", "steps", "learned"))
        types = int(meta["types"])
        tags = Scheme(len(learned), kind_for(types)).tags
        fits = slopes.ndim == 3 and slopes.shape[1] == 3 * tags and offsets.shape == slopes.shape[:2]
        fits = fits and len(slopes) > 0 and steps.shape == (len(slopes), tags, tags) and 0 < len(learned) <= types
        if not fits or learned.min() < 0 or learned.max() >= types or (np.diff(learned) <= 0).any():
            shapes = ", ".join(f"{name} {array.shape}" for name, array in sorted(tensors.items()))
            raise ValueError(f"the model's arrays do not fit together: {shapes}, of {types} types")
        facts = json.loads(meta["facts"])
        facts |= {name: tuple(facts[name]) for name in ("type_counts", "per_type")}
        return cls(slopes, offsets, steps, learned, types, float(meta["temperature"]), TagFacts(**facts))


def _chunks(starts: Int64) -> Iterator[tuple[int, int]]:
    """Documents first to stop, of `CHUNK_WORDS` words or one document."""
    first = 0
    while first < len(starts) - 1:
        stop = int(np.searchsorted(starts, starts[first] + CHUNK_WORDS, side="right")) - 1
        stop = max(first + 1, min(stop, len(starts) - 1))
        yield first, stop
        first = stop


def _said(words: Words, slopes: Float32, offsets: Float32) -> Float32:
    """Features times slopes, float32, shape (fields, W, 3 * tags)."""
    fields, width, dimension = slopes.shape
    stacked = np.ascontiguousarray(slopes.reshape(fields * width, dimension).T)
    said = np.empty((fields, len(words), width), np.float32)
    for first in range(0, len(words), _ROWS):
        rows = np.asarray(words[first : first + _ROWS], np.float32)
        product = (rows @ stacked).reshape(len(rows), fields, width) + offsets
        said[:, first : first + len(rows)] = product.transpose(1, 0, 2)
    return said
