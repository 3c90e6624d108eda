"""Committee measures against their plain definitions, and the exactness the tie-broken score rests on."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.strategies import binary_committee, committee, uncertainty
from tithe.strategies.arrays import Float64, Floats
from tithe.strategies.votes import smallest_gap

PROPERTY = settings(derandomize=True, deadline=None, max_examples=60)
SINGLE = [
    committee.vote_entropy,
    committee.vote_entropy_tiebroken,
    committee.consensus_entropy,
    committee.mean_kl_to_consensus,
]
BINARY = [
    binary_committee.binary_vote_entropy,
    binary_committee.binary_consensus_entropy,
    binary_committee.binary_mean_kl_to_consensus,
]
Measure = Callable[[Floats], Float64]


@st.composite
def committees(draw: st.DrawFn) -> Float64:
    members, n, classes = draw(st.integers(1, 7)), draw(st.integers(1, 12)), draw(st.integers(1, 5))
    row = st.lists(st.integers(0, 3), min_size=classes, max_size=classes).filter(any)
    flat = draw(st.lists(row, min_size=members * n, max_size=members * n))
    weights = np.array(flat, dtype=float).reshape(members, n, classes)
    return np.asarray(weights / weights.sum(axis=2, keepdims=True))


@st.composite
def label_committees(draw: st.DrawFn) -> Float64:
    members, n, labels = draw(st.integers(1, 7)), draw(st.integers(1, 12)), draw(st.integers(1, 5))
    size = members * n * labels
    flat = draw(st.lists(st.sampled_from([0.0, 0.1, 0.4, 0.5, 0.6, 0.9, 1.0]), min_size=size, max_size=size))
    return np.array(flat).reshape(members, n, labels)


def plain_entropy(row: list[float]) -> float:
    return -sum(p * math.log(p) for p in row if p > 0)


def plain_vote_entropy(members: list[list[float]]) -> float:
    votes = Counter(row.index(max(row)) for row in members)
    return plain_entropy([count / len(members) for count in votes.values()])


def plain_consensus_entropy(members: list[list[float]]) -> float:
    return plain_entropy([sum(column) / len(members) for column in zip(*members, strict=True)])


def plain_mean_kl(members: list[list[float]]) -> float:
    mean = [sum(column) / len(members) for column in zip(*members, strict=True)]
    return sum(p * math.log(p / q) for row in members for p, q in zip(row, mean, strict=True) if p > 0) / len(members)


def over_labels(plain: Callable[[list[list[float]]], float]) -> Callable[[list[list[float]]], float]:
    """The mean over labels of a measure of [no, yes] rows; a tie of the two is a no, the first."""

    def mean(members: list[list[float]]) -> float:
        labels = list(zip(*members, strict=True))
        return sum(plain([[1 - p, p] for p in label]) for label in labels) / len(labels)

    return mean


PLAIN: dict[Measure, Callable[[list[list[float]]], float]] = {
    committee.vote_entropy: plain_vote_entropy,
    committee.consensus_entropy: plain_consensus_entropy,
    committee.mean_kl_to_consensus: plain_mean_kl,
    binary_committee.binary_vote_entropy: over_labels(plain_vote_entropy),
    binary_committee.binary_consensus_entropy: over_labels(plain_consensus_entropy),
    binary_committee.binary_mean_kl_to_consensus: over_labels(plain_mean_kl),
}


@pytest.mark.parametrize(
    "measure", [committee.vote_entropy, committee.consensus_entropy, committee.mean_kl_to_consensus]
)
@PROPERTY
@given(probabilities=committees())
def test_a_single_label_measure_is_its_definition(measure: Measure, probabilities: Float64) -> None:
    expected = [PLAIN[measure](row) for row in probabilities.transpose(1, 0, 2).tolist()]
    assert measure(probabilities) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("measure", BINARY)
@PROPERTY
@given(probabilities=label_committees())
def test_a_binary_measure_is_its_definition(measure: Measure, probabilities: Float64) -> None:
    expected = [PLAIN[measure](row) for row in probabilities.transpose(1, 0, 2).tolist()]
    assert measure(probabilities) == pytest.approx(expected, abs=1e-12)


@PROPERTY
@given(probabilities=committees())
def test_the_tiebroken_order_is_vote_entropy_then_consensus_entropy(probabilities: Float64) -> None:
    votes = committee.vote_entropy(probabilities)
    consensus = committee.consensus_entropy(probabilities)
    tiebroken = committee.vote_entropy_tiebroken(probabilities)
    for one, other in itertools.permutations(range(len(votes)), 2):
        tied = votes[one] == votes[other]
        if votes[one] < votes[other] or (tied and consensus[one] < consensus[other] - 1e-12):
            assert tiebroken[one] < tiebroken[other]
        if tied and consensus[one] <= consensus[other]:
            assert tiebroken[one] <= tiebroken[other]
    assert (tiebroken >= votes).all()
    assert (tiebroken - votes < smallest_gap(len(probabilities)) / 2).all()


def partitions(total: int, most: int) -> Iterator[list[int]]:
    if total == 0:
        yield []
    for part in range(min(total, most), 0, -1):
        for rest in partitions(total - part, part):
            yield [part, *rest]


def committee_that_splits(splits: list[list[int]]) -> Floats:
    """One row per split of the votes over as many classes as there are members, in shuffled classes and members."""
    members = sum(splits[0])
    rng = np.random.default_rng(members)
    votes = [rng.permutation(np.repeat(rng.permutation(members)[: len(split)], split)) for split in splits]
    return np.asarray(np.eye(members, dtype=np.float32)[np.array(votes).T])


@pytest.mark.parametrize("members", [1, 2, 3, 5, 6, 8, 11, 12, 16])
def test_every_split_of_the_votes_is_ordered_as_whole_numbers_say(members: int) -> None:
    splits = list(partitions(members, members))
    scores = committee.vote_entropy(committee_that_splits(splits)).tolist()
    exact = [math.prod(v**v for v in split) for split in splits]
    by_product = sorted(zip(exact, scores, strict=True))
    for (product, score), (next_product, next_score) in itertools.pairwise(by_product):
        assert (score == next_score) if product == next_product else (score > next_score)
    expected = [math.log(members) - math.log(product) / members for product in exact]
    assert scores == pytest.approx(expected, abs=4e-15)
    levels = sorted(set(scores))
    gaps = [high - low for low, high in itertools.pairwise(levels)]
    assert smallest_gap(members) == pytest.approx(min(gaps, default=1 / members), abs=1e-14)


def test_the_gap_dwarfs_rounding_for_every_committee_that_is_allowed() -> None:
    assert min(smallest_gap(members) for members in range(1, 33)) > 8e-7


def test_equal_splits_score_equal_bytes_in_whatever_order_the_votes_fell() -> None:
    rng = np.random.default_rng(1)
    for split in ([3, 1, 1], [2, 2, 1], [4, 1], [5], [1, 1, 1, 1, 1]):
        stack = np.concatenate([committee_that_splits([split]) for _ in range(50)], axis=1)
        shuffled = stack[rng.permutation(5)][:, :, rng.permutation(5)]
        assert len(np.unique(committee.vote_entropy(np.concatenate([stack, shuffled], axis=1)))) == 1
    # 4**4 = 2**2 * 2**2 * 2**2 * 2**2: different splits of eight votes, the same entropy.
    pair = committee.vote_entropy(committee_that_splits([[4, 1, 1, 1, 1], [2, 2, 2, 2]]))
    assert pair[0] == pair[1]


def test_many_members_and_classes() -> None:
    rng = np.random.default_rng(3)
    stack = rng.dirichlet(np.ones(300), (255, 9))
    expected = [plain_vote_entropy(row) for row in stack.transpose(1, 0, 2).tolist()]
    assert committee.vote_entropy(stack) == pytest.approx(expected, abs=1e-12)
    assert binary_committee.binary_vote_entropy(stack * 200 % 1) == pytest.approx(
        [over_labels(plain_vote_entropy)(row) for row in (stack * 200 % 1).transpose(1, 0, 2).tolist()], abs=1e-12
    )


def test_hand_computed() -> None:
    # Votes 0, 0, 1 and the mean 0.6, 0.4.
    stack = np.array([[[0.9, 0.1]], [[0.6, 0.4]], [[0.3, 0.7]]])
    vote, mean = 0.6365141682948128, 0.6730116670092565
    assert committee.vote_entropy(stack) == pytest.approx([vote], abs=1e-12)
    assert committee.consensus_entropy(stack) == pytest.approx([mean], abs=1e-12)
    # Three members reach 0, 0.6365 and log 3; the gap is log 3 - 0.6365 = 2/3 log 2.
    assert committee.vote_entropy_tiebroken(stack) == pytest.approx(
        [vote + math.log(2) / 3 * mean / (1 + math.log(2))], abs=1e-12
    )
    # The mean entropy of the three is (0.325083 + 0.673012 + 0.610864) / 3 = 0.536320.
    assert committee.mean_kl_to_consensus(stack) == pytest.approx([0.136692], abs=1e-6)


def test_a_tie_within_a_member_goes_to_the_first_class() -> None:
    stack = np.array([[[0.5, 0.5, 0.0]], [[1.0, 0.0, 0.0]]])
    assert committee.vote_entropy(stack).tolist() == [0.0]
    assert binary_committee.binary_vote_entropy(np.array([[[0.5]], [[0.0]]])).tolist() == [0.0]


@pytest.mark.parametrize("measure", SINGLE)
def test_a_united_certain_committee_scores_exactly_zero(measure: Measure) -> None:
    for members in (1, 3, 5, 32):
        stack = np.broadcast_to(np.eye(4, dtype=np.float32), (members, 4, 4))
        assert measure(stack).tobytes() == np.zeros(4).tobytes()


def test_a_committee_of_one_is_its_member() -> None:
    probabilities = np.random.default_rng(2).dirichlet(np.ones(4), 30)
    assert committee.consensus_entropy(probabilities[None]).tobytes() == uncertainty.entropy(probabilities).tobytes()
    assert not committee.mean_kl_to_consensus(probabilities[None]).any()
    assert not committee.vote_entropy(probabilities[None]).any()


@pytest.mark.parametrize("measure", SINGLE + BINARY)
@pytest.mark.parametrize("classes", [1, 2, 9, 77])
def test_a_row_scores_the_same_bytes_in_any_company(measure: Measure, classes: int) -> None:
    stack = np.random.default_rng(classes).dirichlet(np.full(classes, 0.3), (5, 700))
    whole = measure(stack)
    assert np.concatenate([measure(stack[:, i : i + 1]) for i in range(0, 700, 17)]).tobytes() == whole[::17].tobytes()
    for cut in (3, 256, 699):
        assert np.concatenate([measure(stack[:, :cut]), measure(stack[:, cut:])]).tobytes() == whole.tobytes()
    assert measure(np.asfortranarray(stack)).tobytes() == whole.tobytes()


@pytest.mark.parametrize("measure", SINGLE + BINARY)
def test_the_first_bad_row_is_named_with_its_member(measure: Measure) -> None:
    stack = np.tile([0.25, 0.75], (3, 20_000, 1))
    stack[2, 15_000], stack[0, 15_001] = [np.nan, 0.5], [-1.0, 2.0]
    with pytest.raises(
        ValueError, match=r"^member_probabilities, shape \(3, 20000, 2\): member 2, row 15000 holds NaN"
    ):
        measure(stack)


@pytest.mark.parametrize("measure", SINGLE + BINARY)
def test_what_is_no_committee_is_refused(measure: Measure) -> None:
    with pytest.raises(ValueError, match=r"shape \(1, 2\), must have 3 axes, \(members, n, classes\)"):
        measure(np.array([[0.5, 0.5]]))
    with pytest.raises(ValueError, match="no members"):
        measure(np.empty((0, 4, 2)))
    assert measure(np.empty((5, 0, 3))).shape == (0,)


def test_a_committee_may_be_too_large() -> None:
    for measure in (committee.vote_entropy, binary_committee.binary_vote_entropy):
        with pytest.raises(ValueError, match=r"member_probabilities, shape \(256, 1, 1\), has more than 255 members"):
            measure(np.ones((256, 1, 1)))
    with pytest.raises(ValueError, match="more than 32 members"):
        committee.vote_entropy_tiebroken(np.ones((33, 1, 1)))
