"""Ragged rows: words of documents, taken and put together without losing whose they are."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.learners.word_features import joined, portions, take

LENGTHS = st.lists(st.integers(0, 4), min_size=1, max_size=8)


def ragged(lengths, dtype=np.float32):
    starts = np.cumsum([0, *lengths]).astype(np.int64)
    return np.arange(starts[-1] * 2, dtype=dtype).reshape(-1, 2), starts


def documents(words, starts):
    return [words[a:b].tolist() for a, b in itertools.pairwise(starts)]


@given(lengths=LENGTHS, data=st.data())
def test_what_is_taken_is_each_document_in_the_order_asked_for(lengths, data):
    words, starts = ragged(lengths)
    rows = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=10))
    found, where = take(words, starts, np.array(rows, dtype=np.int64))
    assert documents(found, where) == [documents(words, starts)[row] for row in rows]
    assert where.dtype == np.int64


@given(parts=st.lists(LENGTHS, min_size=1, max_size=4))
def test_what_is_joined_is_one_document_after_the_other(parts):
    made = [ragged(lengths) for lengths in parts]
    words, starts = joined(made)
    assert documents(words, starts) == [one for part in made for one in documents(*part)]


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_taking_keeps_the_kind_of_numbers(dtype):
    words, starts = ragged([2, 0, 1], dtype)
    assert take(words, starts, np.array([2, 1]))[0].dtype == dtype


@given(lengths=st.lists(st.integers(0, 9), max_size=20), most_words=st.integers(1, 12), most=st.integers(1, 5))
def test_portions_are_all_documents_once_within_bounds_unless_one_alone_is_beyond(lengths, most_words, most):
    cut = list(portions(np.array(lengths, dtype=np.int64), most_words=most_words, most=most))
    assert [at for first, stop in cut for at in range(first, stop)] == list(range(len(lengths)))
    for first, stop in cut:
        assert 1 <= stop - first <= most
        assert sum(lengths[first:stop]) <= most_words or stop - first == 1
