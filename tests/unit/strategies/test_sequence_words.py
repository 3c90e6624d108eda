"""From sub-words to words, and which words of a text are shown as doubtful."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.strategies import ragged, sequence
from tithe.strategies.arrays import Float64, Int64
from tithe.strategies.tagged import NO_WORD, fold_to_words, words_in_doubt

PROPERTY = settings(derandomize=True, deadline=None, max_examples=80)


@st.composite
def pieces_of_words(draw: st.DrawFn) -> tuple[Float64, Int64]:
    """Sub-words in any order, special tokens between them; some words have none."""
    owner = np.array(draw(st.lists(st.integers(NO_WORD, 5), max_size=20)), dtype=np.int64)
    tags = draw(st.integers(1, 4))
    row = st.lists(st.integers(0, 3), min_size=tags, max_size=tags).filter(any)
    weights = np.array(draw(st.lists(row, min_size=len(owner), max_size=len(owner))), dtype=float).reshape(-1, tags)
    return weights / weights.sum(axis=1, keepdims=True), owner


@PROPERTY
@given(pieces=pieces_of_words())
def test_a_word_is_the_mean_of_its_pieces(pieces: tuple[Float64, Int64]) -> None:
    rows, owner = pieces
    folded = fold_to_words(rows, owner, words=6)
    assert folded.shape == (6, rows.shape[1])
    for word in range(6):
        own = [row for row, of in zip(rows.tolist(), owner.tolist(), strict=True) if of == word]
        expected = [sum(column) / len(own) for column in zip(*own, strict=True)] if own else [1.0] + [0.0] * len(rows.T)
        assert folded[word] == pytest.approx(expected[: rows.shape[1]], abs=1e-12)


def test_special_tokens_never_count_whatever_they_hold() -> None:
    """[CLS], two words of two pieces and one, [SEP], padding: the outer ones hold most doubt, rubbish or nothing."""
    words = np.array([[0.9, 0.1], [0.7, 0.3], [1.0, 0.0]])
    owner = np.array([-1, 0, 0, 1, -1, -1])
    for rubbish in (0.5, np.nan, -7.0, np.inf):
        pieces = np.vstack([[rubbish] * 2, words, [[rubbish] * 2] * 2])
        folded = fold_to_words(pieces, owner)
        assert folded.tolist() == [[0.8, 0.2], [1.0, 0.0]]
        score = sequence.token_entropy_mean(folded, np.array([0, 2]))
        assert score == pytest.approx([(0.8 * np.log(1 / 0.8) + 0.2 * np.log(1 / 0.2)) / 2])


def test_a_word_the_tokenizer_left_nothing_of_is_no_entity_and_never_in_doubt() -> None:
    folded = fold_to_words(np.array([[0.2, 0.8]], dtype=np.float32), np.array([1]), words=3)
    assert folded[[0, 2]].tolist() == [[1.0, 0.0]] * 2
    assert sequence.word_entropy(folded)[[0, 2]].tolist() == [0.0, 0.0]
    assert fold_to_words(np.empty((0, 2)), np.empty(0, np.int64)).shape == (0, 2)


def test_pieces_stay_as_they_were() -> None:
    pieces, owner = np.array([[0.2, 0.8], [0.4, 0.6]]), np.array([1, 0])
    pieces.setflags(write=False)
    owner.setflags(write=False)
    assert fold_to_words(pieces, owner).tolist() == [[0.4, 0.6], [0.2, 0.8]]


@pytest.mark.parametrize(
    ("rows", "owner", "words", "reason"),
    [
        ([[0.5, 0.5]], [0, 1], None, r"subword_probabilities, shape \(1, 2\), must be \(subwords, tags\)"),
        ([[0.5, 0.5]], [0.0], None, "float64, one whole number for each"),
        ([[0.5, 0.5]], [-2], None, r"word_of_subword, shape \(1,\): row 0 is -2, not -1 to"),
        ([[0.5, 0.5]], [3], 3, "row 0 is 3, not -1 to 2"),
        ([[0.1, 0.1], [0.5, 0.5], [np.nan, 0.5]], [-1, 1, 0], None, r"shape \(3, 2\): row 2 holds NaN"),
        ([[0.5, 0.5], [0.5, 0.4]], [1, 0], None, r"row 1 sums to 0\.9"),
        ([[1.5, -0.5]], [0], None, "row 0 sums to 1, or holds a negative value"),
    ],
)
def test_pieces_that_make_no_words_are_refused(
    rows: list[list[float]], owner: list[int], words: int | None, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        fold_to_words(np.array(rows), np.array(owner), words)


entropies_of_texts = st.lists(st.lists(st.sampled_from([0.0, 0.05, 0.1, 0.2, 0.5, 0.5, 1.0]), max_size=7), max_size=6)


@PROPERTY
@given(texts=entropies_of_texts, k=st.integers(1, 8))
def test_top_means_are_means_of_the_largest(texts: list[list[float]], k: int) -> None:
    values, starts = np.array([v for text in texts for v in text]), np.cumsum([0, *map(len, texts)])
    largest = [sorted(text, reverse=True)[:k] for text in texts]
    expected = [sum(best) / len(best) if best else 0.0 for best in largest]
    assert ragged.top_means(values, starts, k) == pytest.approx(expected, abs=1e-15)


@PROPERTY
@given(texts=entropies_of_texts, most=st.integers(0, 8))
def test_words_in_doubt_are_the_first_of_each_texts_sorted_words(texts: list[list[float]], most: int) -> None:
    values, starts = np.array([v for text in texts for v in text]), np.cumsum([0, *map(len, texts)])
    before = values.copy()
    found = words_in_doubt(values, starts, most)
    assert (values == before).all()
    assert len(found) == len(texts)
    for own, positions in zip(texts, found, strict=True):
        ranked = sorted(range(len(own)), key=lambda at: (-own[at], at))[:most]
        expected = [at for at in ranked if own[at] >= 0.1 and own[at] >= 0.25 * max(own)]
        assert positions.tolist() == expected
        assert positions.dtype == np.int64


def test_a_text_that_is_clear_has_no_doubtful_words() -> None:
    entropies, starts = np.array([0.09, 0.02, 0.6, 0.16, 0.14]), np.array([0, 2, 2, 5])
    found = [positions.tolist() for positions in words_in_doubt(entropies, starts)]
    assert found == [[], [], [0, 1]]  # 0.14 is less than a quarter of 0.6
    everything = words_in_doubt(entropies, starts, share=0.0, least=0.0)
    assert [positions.tolist() for positions in everything] == [[0, 1], [], [0, 1, 2]]


def test_what_is_no_entropy_is_named() -> None:
    for bad in (np.nan, -0.5):
        with pytest.raises(ValueError, match=r"^entropies, shape \(3,\): row 1 is (nan|-0\.5), not an entropy"):
            words_in_doubt(np.array([0.1, bad, 0.2]), np.array([0, 3]))
    with pytest.raises(ValueError, match=r"entropies, shape \(1, 1\), must be one row"):
        words_in_doubt(np.array([[0.1]]), np.array([0, 1]))
    with pytest.raises(ValueError, match="starts must begin with 0"):
        words_in_doubt(np.array([0.1]), np.array([0, 2]))
