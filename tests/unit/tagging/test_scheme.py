"""Tags say exactly which words an entity has."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.learners.tagging.scheme import Scheme

KINDS = ["bio", "bilou"]


@st.composite
def corpora(draw: st.DrawFn):
    lengths = draw(st.lists(st.integers(0, 7), max_size=6))
    entities = []
    for length in lengths:
        cuts = sorted(draw(st.sets(st.integers(0, length), max_size=6)))
        pairs = itertools.pairwise(cuts)
        entities.append([(a, b, draw(st.integers(0, 2))) for a, b in pairs if draw(st.booleans())])
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), entities


@pytest.mark.parametrize("kind", KINDS)
@given(corpora())
def test_decoding_undoes_encoding(kind, corpus):
    starts, entities = corpus
    scheme = Scheme(3, kind)
    tags = scheme.encode(entities, starts)
    expected = [[document, *one] for document, found in enumerate(entities) for one in found]
    assert scheme.decode(tags, starts).tolist() == expected
    for first, stop in itertools.pairwise(starts):
        own = tags[first:stop]
        if len(own):
            assert scheme.starts[own[0]]
            assert scheme.ends[own[-1]]
            assert scheme.allowed[own[:-1], own[1:]].all()


@pytest.mark.parametrize("kind", KINDS)
def test_every_well_formed_sequence_is_the_encoding_of_its_entities(kind):
    scheme, starts = Scheme(2, kind), np.array([0, 4])
    well_formed = 0
    for tags in itertools.product(range(scheme.tags), repeat=4):
        row = np.array(tags)
        if scheme.starts[row[0]] and scheme.ends[row[-1]] and scheme.allowed[row[:-1], row[1:]].all():
            well_formed += 1
            entities = [tuple(found[1:]) for found in scheme.decode(row, starts).tolist()]
            assert scheme.encode([entities], starts).tolist() == list(tags)
    assert well_formed == 153  # segmentations of four words: a(n) = a(n - 1) + 2 (a(n - 1) + ... + a(0)), a(0) = 1


def test_tags_that_are_not_well_formed_are_read_as_conlleval_does():
    scheme = Scheme(2, "bio")
    names = scheme.names(["A", "B"])
    tags = np.array([names.index(name) for name in ["I-A", "I-A", "I-B", "O", "I-B"]])
    assert scheme.decode(tags, np.array([0, 5])).tolist() == [[0, 0, 2, 0], [0, 2, 3, 1], [0, 4, 5, 1]]


@pytest.mark.parametrize(
    ("entities", "message"),
    [
        ([[(0, 2, 0), (1, 3, 0)]], "document 0: the entity .* overlaps another"),
        ([[(0, 4, 0)]], "is none of 3 words"),
        ([[(2, 2, 0)]], "is none of"),
        ([[(-1, 1, 0)]], "is none of"),
        ([[(0, 1, 2)]], "and 2 types"),
        ([], "entities are of 0 documents, starts of 1"),
    ],
)
def test_entities_that_cannot_be_are_refused(entities, message):
    with pytest.raises(ValueError, match=message):
        Scheme(2).encode(entities, np.array([0, 3]))
