"""Scores of tagged texts against plain loops over their words, and what a fold may never do."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.strategies import sequence, sequence_committee, uncertainty
from tithe.strategies.arrays import Float64, Int64

PROPERTY = settings(derandomize=True, deadline=None, max_examples=60)
Array = npt.NDArray[Any]
Row = list[float]
Text = list[Row]
Measure = Callable[[Array, Int64], Float64]
ONE_MODEL: list[Measure] = [
    sequence.token_entropy_max,
    sequence.token_entropy_mean,
    sequence.token_entropy_sum,
    sequence.token_entropy_top,
    sequence.mnlp,
    sequence.sequence_least_confident,
    sequence.entity_entropy,
]
COMMITTEE: list[Measure] = [
    sequence_committee.token_vote_entropy,
    sequence_committee.token_vote_entropy_tiebroken,
    sequence_committee.token_consensus_entropy,
    sequence_committee.token_kl_to_consensus,
]
EVERY = ONE_MODEL + COMMITTEE


@st.composite
def tagged_texts(draw: st.DrawFn, members: int = 1) -> tuple[Float64, Int64]:
    """Texts of 0 to 6 words; small whole weights, so that zeros, ties and certain words are common."""
    lengths = draw(st.lists(st.integers(0, 6), max_size=8))
    tags, words = draw(st.integers(1, 5)), sum(lengths)
    row = st.lists(st.integers(0, 4), min_size=tags, max_size=tags).filter(any)
    drawn = draw(st.lists(row, min_size=members * words, max_size=members * words))
    weights = np.array(drawn, dtype=float).reshape(members, words, tags)
    return weights / weights.sum(axis=2, keepdims=True), np.cumsum([0, *lengths])


def entropy(row: Row) -> float:
    return -sum(p * math.log(p) for p in row if p > 0)


def mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0


def vote_entropy(word: list[Row]) -> float:
    """Of one word's rows, one a member."""
    votes = Counter(row.index(max(row)) for row in word)
    return entropy([count / len(word) for count in votes.values()])


def consensus(word: list[Row]) -> Row:
    return [mean(list(column)) for column in zip(*word, strict=True)]


def mean_kl(word: list[Row]) -> float:
    middle = consensus(word)
    return mean([sum(p * math.log(p / q) for p, q in zip(row, middle, strict=True) if p > 0) for row in word])


PLAIN: dict[Measure, Callable[[Text], float]] = {
    sequence.token_entropy_max: lambda text: max(map(entropy, text), default=0.0),
    sequence.token_entropy_mean: lambda text: mean(list(map(entropy, text))),
    sequence.token_entropy_sum: lambda text: sum(map(entropy, text)),
    sequence.token_entropy_top: lambda text: mean(sorted(map(entropy, text), reverse=True)[:3]),
    sequence.mnlp: lambda text: mean([-math.log(max(row)) for row in text]),
    sequence.sequence_least_confident: lambda text: -math.log(math.prod(max(row) for row in text)),
    sequence.entity_entropy: lambda text: mean([(1 - row[0]) * entropy(row) for row in text]),
}
PLAIN_COMMITTEE: dict[Measure, Callable[[list[list[Row]]], float]] = {
    sequence_committee.token_vote_entropy: lambda text: mean(list(map(vote_entropy, text))),
    sequence_committee.token_consensus_entropy: lambda text: mean([entropy(consensus(word)) for word in text]),
    sequence_committee.token_kl_to_consensus: lambda text: mean(list(map(mean_kl, text))),
}


def some(measure: Measure, lengths: list[int], tags: int = 5, dtype: type = np.float64) -> tuple[Array, Int64]:
    """Random words for a measure, of a model or of a committee of three."""
    shape = (3, sum(lengths)) if measure in COMMITTEE else (sum(lengths),)
    words = np.random.default_rng(len(lengths)).dirichlet(np.full(tags, 0.4), shape).astype(dtype)
    return words, np.cumsum([0, *lengths])


@pytest.mark.parametrize("measure", ONE_MODEL)
@PROPERTY
@given(texts=tagged_texts())
def test_a_measure_is_its_definition(measure: Measure, texts: tuple[Float64, Int64]) -> None:
    (words, *_), starts = texts
    parts = [words[a:b].tolist() for a, b in itertools.pairwise(starts)]
    scores = measure(words, starts)
    assert (scores.dtype, scores.shape) == (np.dtype(np.float64), (len(parts),))
    assert scores == pytest.approx([PLAIN[measure](text) for text in parts], abs=1e-12)


@pytest.mark.parametrize("measure", PLAIN_COMMITTEE)
@PROPERTY
@given(texts=tagged_texts(members=4))
def test_a_committee_measure_is_its_definition(measure: Measure, texts: tuple[Float64, Int64]) -> None:
    members, starts = texts
    by_word = members.transpose(1, 0, 2)
    parts = [by_word[a:b].tolist() for a, b in itertools.pairwise(starts)]
    expected = [PLAIN_COMMITTEE[measure](text) for text in parts]
    assert measure(members, starts) == pytest.approx(expected, abs=1e-12)


def test_hand_computed() -> None:
    # Entropies: log 2 = 0.693147; 0.8 and 0.2: 0.500402; certain: 0. Then a text without words, then one of one word.
    words = np.array([[0.5, 0.5], [0.8, 0.2], [1.0, 0.0], [0.0, 1.0], [0.2, 0.8]])
    starts = np.array([0, 4, 4, 5])
    assert sequence.token_entropy_max(words, starts) == pytest.approx([0.693147, 0, 0.500402], abs=1e-6)
    assert sequence.token_entropy_mean(words, starts) == pytest.approx([1.193550 / 4, 0, 0.500402], abs=1e-6)
    assert sequence.token_entropy_sum(words, starts) == pytest.approx([1.193550, 0, 0.500402], abs=1e-6)
    assert sequence.token_entropy_top(words, starts) == pytest.approx([1.193550 / 3, 0, 0.500402], abs=1e-6)
    assert sequence.token_entropy_top(words, starts, k=2) == pytest.approx([1.193550 / 2, 0, 0.500402], abs=1e-6)
    # -log 0.5 - log 0.8 = 0.693147 + 0.223144 over four words.
    assert sequence.mnlp(words, starts) == pytest.approx([0.916291 / 4, 0, 0.223144], abs=1e-6)
    assert sequence.sequence_least_confident(words, starts) == pytest.approx([0.916291, 0, 0.223144], abs=1e-6)
    # 0.5 * 0.693147 + 0.2 * 0.500402 over four words; 0.8 * 0.500402.
    assert sequence.entity_entropy(words, starts) == pytest.approx([0.446654 / 4, 0, 0.400322], abs=1e-6)


def test_hand_computed_of_a_committee() -> None:
    # Word one: votes 0, 0, 1, mean 0.6 and 0.4, mean entropy of the members 0.536320. Word two: one voice, certain.
    members = np.array([[[0.9, 0.1], [1.0, 0.0]], [[0.6, 0.4], [1.0, 0.0]], [[0.3, 0.7], [1.0, 0.0]]])
    starts = np.array([0, 0, 2])
    vote, soft, together = 0.636514, 0.673012, 0.536320
    assert sequence_committee.token_vote_entropy(members, starts) == pytest.approx([0, vote / 2], abs=1e-6)
    assert sequence_committee.token_consensus_entropy(members, starts) == pytest.approx([0, soft / 2], abs=1e-6)
    assert sequence_committee.token_kl_to_consensus(members, starts) == pytest.approx(
        [0, (soft - together) / 2], abs=1e-6
    )
    share = soft / (1 + math.log(2)) * math.log(2) / 3
    assert sequence_committee.token_vote_entropy_tiebroken(members, starts) == pytest.approx(
        [0, (vote + share) / 2], abs=1e-6
    )


def test_the_mean_is_a_mean_and_the_maximum_a_maximum() -> None:
    """A published tool promises the one and computes the other."""
    words, starts = some(sequence.token_entropy_mean, [7, 1, 12])
    entropies = sequence.word_entropy(words)
    parts = [entropies[a:b] for a, b in itertools.pairwise(starts)]
    assert sequence.token_entropy_mean(words, starts) == pytest.approx([part.mean() for part in parts], abs=1e-15)
    assert sequence.token_entropy_max(words, starts).tolist() == [part.max() for part in parts]
    assert sequence.token_entropy_mean(words, starts)[0] < sequence.token_entropy_max(words, starts)[0]


def test_length_counts_where_it_is_said_to() -> None:
    doubtful, certain = [0.5, 0.5], [1.0, 0.0]
    words = np.array([doubtful, certain, *[doubtful] * 2, *[certain] * 2])
    starts = np.array([0, 2, 6])  # one doubtful word of two, and two of four
    for measure in (sequence.token_entropy_mean, sequence.token_entropy_max, sequence.mnlp, sequence.entity_entropy):
        short, long = measure(words, starts)
        assert short == long
    for measure in (sequence.token_entropy_sum, sequence.sequence_least_confident):
        short, long = measure(words, starts)
        assert long == 2 * short


@pytest.mark.parametrize("measure", EVERY)
def test_one_word_is_the_text(measure: Measure) -> None:
    words, starts = some(measure, [1] * 9)
    whole = measure(words, starts)
    for text in range(9):
        assert measure(words[..., [text], :], np.array([0, 1])).tobytes() == whole[[text]].tobytes()


@pytest.mark.parametrize("measure", EVERY)
@pytest.mark.parametrize("lengths", [[0], [0, 0, 0], [0, 3], [3, 0], [0, 2, 0, 0, 5, 0]])
def test_a_text_without_words_scores_zero_and_takes_nothing_from_its_neighbours(
    measure: Measure, lengths: list[int]
) -> None:
    words, starts = some(measure, lengths)
    scores = measure(words, starts)
    filled = np.array(lengths) > 0
    assert scores[~filled].tobytes() == np.zeros((~filled).sum()).tobytes()
    alone = measure(words, np.cumsum([0, *np.array(lengths)[filled]]))
    assert scores[filled].tobytes() == alone.tobytes()


@pytest.mark.parametrize("measure", EVERY)
def test_no_texts_no_scores(measure: Measure) -> None:
    words, starts = some(measure, [])
    assert measure(words, starts).shape == (0,)


@pytest.mark.parametrize("measure", EVERY)
@pytest.mark.parametrize("tags", [1, 2, 9])
def test_a_text_scores_the_same_bytes_in_any_company_and_order(measure: Measure, tags: int) -> None:
    rng = np.random.default_rng(tags)
    lengths = [int(length) for length in rng.integers(0, 40, 120)]
    words, starts = some(measure, lengths, tags)
    whole = measure(words, starts)
    parts = [words[..., a:b, :] for a, b in itertools.pairwise(starts)]
    for text in (0, 7, 119):
        assert measure(parts[text], np.array([0, lengths[text]])).tobytes() == whole[[text]].tobytes()
    order = rng.permutation(120)
    moved = np.concatenate([parts[text] for text in order], axis=-2)
    assert measure(moved, np.cumsum([0, *np.array(lengths)[order]])).tobytes() == whole[order].tobytes()
    cut = starts[50]
    halves = [
        measure(words[..., :cut, :], starts[:51]),
        measure(words[..., cut:, :], starts[50:] - cut),
    ]
    assert np.concatenate(halves).tobytes() == whole.tobytes()


@pytest.mark.parametrize("measure", EVERY)
def test_float32_is_scored_as_the_float64_of_the_same_values(measure: Measure) -> None:
    words, starts = some(measure, [3, 0, 9], dtype=np.float32)
    assert measure(words, starts).tobytes() == measure(words.astype(np.float64), starts).tobytes()


@pytest.mark.parametrize("measure", EVERY)
def test_certain_words_score_exactly_positive_zero_and_one_tag_leaves_no_doubt(measure: Measure) -> None:
    for tags in (1, 2, 9):
        certain = np.tile(np.eye(tags, dtype=np.float32), (3, 2, 1))  # 2 * tags words
        words = certain if measure in COMMITTEE else certain[0]
        assert measure(words, np.array([0, tags, 2 * tags])).tobytes() == np.zeros(2).tobytes()


@pytest.mark.parametrize("measure", ONE_MODEL)
def test_rounding_above_one_is_never_negative(measure: Measure) -> None:
    words = np.array([[np.float32(1.0000001), 0.0], [1.0, 0.0]], dtype=np.float32)
    assert measure(words, np.array([0, 2])).tobytes() == np.zeros(1).tobytes()


def test_tiny_probabilities_add_no_doubt_however_long_the_text() -> None:
    words = np.tile([1.0, 0.0, 0.0], (10_000, 1))
    assert sequence.token_entropy_sum(words, np.array([0, 10_000])).tolist() == [0.0]  # log(p + 1e-10) would add
    words = np.tile([1.0, 1e-300], (10_000, 1))
    assert sequence.token_entropy_sum(words, np.array([0, 10_000])) == pytest.approx(
        [1e4 * 1e-300 * 690.7755], rel=1e-6
    )


def test_long_texts_are_told_apart_where_their_likeliest_tags_are_as_good_as_impossible() -> None:
    words = np.full((6_000, 2), 0.5)
    words[0] = [0.6, 0.4]
    clearer, open_text = sequence.sequence_least_confident(words, np.array([0, 3_000, 6_000]))
    assert open_text > clearer > 2_000


def test_ordinary_words_in_little_doubt_do_not_drown_an_entity() -> None:
    ordinary, doubtful, surely_none = [0.97, 0.03, 0.0], [0.1, 0.5, 0.4], [1.0, 0.0, 0.0]
    words = np.array([*[ordinary] * 20, doubtful, *[surely_none] * 19])
    starts = np.array([0, 20, 40])
    many, one = sequence.token_entropy_sum(words, starts)
    assert many > one
    many, one = sequence.entity_entropy(words, starts)
    assert one > 5 * many


def test_entity_entropy_counts_a_doubtful_type_twice_a_doubtful_entity() -> None:
    words = np.array([[0.0, 0.5, 0.5], [0.5, 0.5, 0.0]])
    of_type, of_entity = sequence.entity_entropy(words, np.array([0, 1, 2]))
    assert of_type == pytest.approx(2 * of_entity)
    assert of_type == pytest.approx(math.log(2))


def test_word_entropy_is_entropy() -> None:
    words, _ = some(sequence.token_entropy_max, [50])
    assert sequence.word_entropy(words).tobytes() == uncertainty.entropy(words).tobytes()


def test_the_tiebroken_form_keeps_the_votes_and_orders_texts_that_all_agree_on() -> None:
    sure, unsure, split = [0.95, 0.05], [0.6, 0.4], [0.4, 0.6]
    members = np.array([[sure] * 3 + [unsure] * 3 + [unsure] + [sure] * 2] * 5)
    members[0, 6] = split  # one member of five, about one word of the last text
    starts = np.array([0, 3, 6, 9])
    plain = sequence_committee.token_vote_entropy(members, starts)
    broken = sequence_committee.token_vote_entropy_tiebroken(members, starts)
    assert plain[0] == plain[1] == 0
    assert broken[0] < broken[1] < broken[2]
    assert ((broken >= plain) & (broken - plain < 0.05)).all()


@pytest.mark.parametrize("measure", EVERY)
def test_the_first_bad_word_is_named(measure: Measure) -> None:
    words, starts = some(measure, [4, 4])
    words[..., 6, 1] = np.nan
    with pytest.raises(ValueError, match=r"probabilities, shape .* row 6 holds NaN"):
        measure(words, starts)
    words[..., 6, :] = 0.3
    with pytest.raises(ValueError, match=r"row 6 sums to 1\.5, not to 1 within 0\.001"):
        measure(words, starts)


@pytest.mark.parametrize("measure", EVERY)
@pytest.mark.parametrize(
    ("starts", "reason"),
    [
        ([1, 8], "begin with 0 and end with the 8 words, not 1 and 8"),
        ([0, 4], "begin with 0 and end with the 8 words, not 0 and 4"),
        ([0, 9], "begin with 0 and end with the 8 words, not 0 and 9"),
        ([0, 5, 3, 8], "starts must never fall: text 1 begins at 5 and ends at 3"),
        ([], r"starts, shape \(0,\), float64, must be one row of whole numbers"),
        ([0.0, 8.0], r"starts, shape \(2,\), float64"),
        ([[0, 8]], r"starts, shape \(1, 2\)"),
    ],
)
def test_starts_that_do_not_fit_are_refused(measure: Measure, starts: list[Any], reason: str) -> None:
    words, _ = some(measure, [8])
    with pytest.raises(ValueError, match=reason):
        measure(words, np.array(starts))


def test_what_is_no_table_of_words_is_refused() -> None:
    with pytest.raises(ValueError, match=r"probabilities, shape \(2,\), must have 2 axes"):
        sequence.token_entropy_mean(np.array([0.5, 0.5]), np.array([0, 1]))
    with pytest.raises(ValueError, match="k must be at least 1, not 0"):
        sequence.token_entropy_top(np.array([[0.5, 0.5]]), np.array([0, 1]), k=0)
    with pytest.raises(ValueError, match="more than 32 members"):
        sequence_committee.token_vote_entropy_tiebroken(np.ones((33, 1, 1)), np.array([0, 1]))
