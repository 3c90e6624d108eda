"""Batches hold every sequence once, sorted, within the budget."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.learners.encoding.batches import batches


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(1, 200))
def test_every_sequence_is_in_one_batch_and_no_batch_is_over_the_budget(lengths, most):
    cut = batches(lengths, most)
    assert sorted(position for batch in cut for position in batch) == list(range(len(lengths)))
    for batch in cut:
        longest = max(1, *(lengths[position] for position in batch))
        assert len(batch) == 1 or longest * len(batch) <= most


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(1, 200))
def test_batches_go_from_long_to_short(lengths, most):
    flat = [lengths[position] for batch in batches(lengths, most) for position in batch]
    assert flat == sorted(lengths, reverse=True)


def test_sorting_leaves_little_padding():
    lengths = np.random.default_rng(0).integers(5, 100, 2000)
    padded = sum(len(batch) * int(lengths[batch].max()) for batch in batches(lengths, 2048))
    assert padded < 1.05 * lengths.sum()


def test_nothing_is_no_batch():
    assert batches([], 10) == []


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"lengths\[1\] is -2"):
        batches([1, -2], 10)
    with pytest.raises(ValueError, match="most_tokens"):
        batches([1], 0)
