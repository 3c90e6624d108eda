"""Windows keep every token once, from where it has the most around it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.learners.encoding.windows import windows

sizes = st.tuples(st.integers(0, 200), st.integers(1, 40), st.integers(0, 39)).filter(lambda s: s[2] < s[1])


@given(sizes)
def test_every_token_is_kept_from_exactly_one_window_that_reads_it(size):
    n, most, overlap = size
    found = windows(n, most, overlap)
    assert [at for w in found for at in range(w.keep_start, w.keep_stop)] == list(range(n))
    for w in found:
        assert w.start <= w.keep_start <= w.keep_stop <= w.stop
        assert w.stop - w.start == min(n, most)


@given(sizes)
def test_neighbours_share_at_least_the_overlap(size):
    n, most, overlap = size
    found = windows(n, most, overlap)
    assert all(a.stop - b.start >= overlap for a, b in pairwise(found))


@given(sizes)
def test_a_token_is_kept_where_it_is_farthest_from_a_border(size):
    n, most, overlap = size

    def room(window, at):  # the text's own ends are no borders
        left = at - window.start if window.start else n
        right = window.stop - 1 - at if window.stop < n else n
        return min(left, right)

    found = windows(n, most, overlap)
    for w in found:
        for at in range(w.keep_start, w.keep_stop):
            best = max(room(other, at) for other in found if other.start <= at < other.stop)
            assert room(w, at) >= best - 1  # the middle of an odd stretch may go either way


def test_the_first_window_is_what_truncation_leaves():
    assert windows(1000, 254, 64)[0][:2] == (0, 254)


def test_nothing_is_one_empty_window():
    assert [tuple(w) for w in windows(0, 5, 2)] == [(0, 0, 0, 0)]


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="overlap of 5"):
        windows(10, 5, 5)
    with pytest.raises(ValueError, match="-1 tokens"):
        windows(-1, 5, 1)
