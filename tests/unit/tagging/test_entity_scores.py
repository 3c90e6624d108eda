"""Scores of entities beside their plain definition."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.learners.tagging.entity_scores import entity_f1


@st.composite
def found(draw: st.DrawFn, documents: int = 4):
    answer = []
    for _ in range(documents):
        cuts = sorted(draw(st.sets(st.integers(0, 12), max_size=8)))
        pairs = itertools.pairwise(cuts)
        answer.append([(a, b, draw(st.integers(0, 2))) for a, b in pairs if draw(st.booleans())])
    return answer


def plainly(truth, predicted, type_=None):
    """Sets of (document, first, stop, type)."""
    right, said = (
        {(at, *one) for at, own in enumerate(side) for one in own if type_ in {None, one[2]}}
        for side in (truth, predicted)
    )
    both = len(right & said)
    precision, recall = both / len(said) if said else 0.0, both / len(right) if right else 0.0
    f1 = 2 * both / (len(right) + len(said)) if right or said else 0.0
    return {"precision": precision, "recall": recall, "f1": pytest.approx(f1), "entities": len(right)}


@given(found(), found())
def test_scores_are_those_of_sets(truth, predicted):
    scores = entity_f1(truth, predicted, 3)
    per_type = scores.pop("per_type")
    assert scores == plainly(truth, predicted)
    for type_, own in enumerate(per_type):
        if any(one[2] == type_ for side in (truth, predicted) for document in side for one in document):
            assert own == plainly(truth, predicted, type_)
        else:
            assert own is None


def test_neighbours_that_touch_are_not_taken_for_one_another():
    truth, predicted = [[(2, 3, 0)]], [[(0, 2, 0), (2, 3, 0)]]
    assert entity_f1(truth, predicted, 1)["recall"] == 1.0


def test_a_long_document_is_counted_in_pieces_and_comes_out_the_same():
    truth = [[(at, at + 2, at % 3) for at in range(0, 4000, 2)]]
    predicted = [[(at, at + 2, 0) for at in range(0, 3000, 2)] + [(3000, 4000, 1)]]
    scores = entity_f1(truth, predicted, ["A", "B", "C"])
    del scores["per_type"]
    assert scores == plainly(truth, predicted)


def test_nothing_at_all_scores_nothing():
    assert entity_f1([[], []], [[], []], 2) == {
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "entities": 0,
        "per_type": [None, None],
    }
    assert entity_f1([], [], 1)["f1"] == 0.0


def test_documents_that_do_not_pair_are_refused():
    with pytest.raises(ValueError, match="truth is of 1 documents, predicted of 2"):
        entity_f1([[]], [[], []], 1)
