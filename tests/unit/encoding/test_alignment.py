"""Sub-words fold to the words they share a letter with, whatever order and shape they come in."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tithe.learners.encoding.alignment import Pairs, add_up, mean, overlaps


@st.composite
def stretches(draw):
    edges = sorted(draw(st.sets(st.integers(0, 40), max_size=12)))
    return list(zip(edges[::2], edges[1::2], strict=False))


offsets = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6)).map(lambda p: (p[0], p[0] + p[1])), max_size=15)


@given(stretches(), offsets)
def test_a_subword_belongs_to_every_word_that_it_shares_a_code_point_with(words, spots):
    expected = {
        (s, w)
        for s, (a, b) in enumerate(spots)
        for w, (c, d) in enumerate(words)
        if set(range(a, b)) & set(range(c, d))
    }
    found = overlaps(words, np.array(spots, np.int64).reshape(-1, 2))
    assert set(zip(found.subwords.tolist(), found.words.tolist(), strict=True)) == expected
    assert len(found.words) == len(expected)
    assert (np.diff(found.subwords) >= 0).all()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7)), max_size=20))
def test_states_are_added_word_by_word(pairs):
    states = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
    sums, counts = np.zeros((8, 3), np.float32), np.zeros(8, np.int64)
    for half in (pairs[::2], pairs[1::2]):
        add_up(states, Pairs(*np.array(half, np.int64).reshape(-1, 2).T), sums, counts)
    for word in range(8):
        mine = [states[s] for s, w in pairs if w == word]
        assert counts[word] == len(mine)
        np.testing.assert_allclose(sums[word], np.sum(mine, axis=0) if mine else 0, atol=1e-5)


def test_a_word_without_subwords_has_zeros():
    sums = mean(np.array([[2, 4], [0, 0]], np.float32), np.array([2, 0]))
    assert sums.tolist() == [[1, 2], [0, 0]]
