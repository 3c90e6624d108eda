"""Spans of code points, as people and files have them, and entities of words, as models do."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from tithe.learners.words import Document, Entity, Stretch


def to_words(
    spans: Sequence[Mapping[str, Any]], words: Sequence[Stretch], labels: Sequence[str]
) -> list[tuple[int, int, int]]:
    """Entities of words out of spans of code points.

    A span that ends within a word takes the whole word. Where two then meet on a word, the one with more code points
    stays and the other is left out; of equally long ones, the earlier stays. A span of white space alone is left out
    as well: how many were is the difference in length.

    Parameters
    ----------
    spans
        ``{"start", "end", "label"}``: code points of the text, half open, in any order.
    words
        The document's words.
    labels
        The project's entity types.

    Returns
    -------
    (first, stop, type), words half open, in order, without overlap.

    Raises
    ------
    ValueError
        When a span's label is none of the labels.

    Notes
    -----
    Time O(spans log words + words covered).

    Examples
    --------
    >>> words = [(0, 3), (3, 4), (4, 5), (6, 11)]  # Ada's notes
    >>> to_words([{"start": 6, "end": 8, "label": "B"}, {"start": 0, "end": 3, "label": "A"}], words, ["A", "B"])
    [(0, 1, 0), (3, 4, 1)]
    """
    type_of = {label: at for at, label in enumerate(labels)}
    begins, ends = [start for start, _ in words], [stop for _, stop in words]
    taken = bytearray(len(words))
    found: list[tuple[int, int, int]] = []
    for span in sorted(spans, key=lambda span: (span["start"] - span["end"], span["start"])):
        if span["label"] not in type_of:
            raise ValueError(f"a span's label is {span['label']!r}, which is none of {', '.join(labels)}")
        first, stop = bisect_right(ends, span["start"]), bisect_left(begins, span["end"])
        if first < stop and not any(taken[first:stop]):
            taken[first:stop] = b"\1" * (stop - first)
            found.append((first, stop, type_of[span["label"]]))
    return sorted(found)


def to_text(entities: Sequence[Entity], document: Document, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Spans of code points out of entities of words: what :func:`to_words` turns back into the same entities.

    Parameters
    ----------
    entities
        Of the document.
    document
        Its words' borders become the spans'.
    labels
        The project's entity types.

    Returns
    -------
    ``{"start", "end", "label", "confidence"}`` of each entity, in the same order.

    Examples
    --------
    >>> to_text([Entity(0, 1, 0, 0.9)], Document("Ada's notes", [(0, 3), (3, 4), (4, 5), (6, 11)]), ["PER"])
    [{'start': 0, 'end': 3, 'label': 'PER', 'confidence': 0.9}]
    """
    return [
        {
            "start": document.words[entity.first][0],
            "end": document.words[entity.stop - 1][1],
            "label": labels[entity.type],
            "confidence": entity.confidence,
        }
        for entity in entities
    ]
