"""TypiClust by stages: stage by stage it is TypiClust, and the list does not depend on its length."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.strategies.arrays import Float64
from tithe.strategies.stages import FIRST_CLUSTERS, typical_in_stages
from tithe.strategies.typical import typical


def cloud(n: int, seed: int = 0, d: int = 3) -> Float64:
    return np.random.default_rng(seed).normal(size=(n, d))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("labeled", [0, 3, 30])
def test_every_stage_is_typiclust_with_the_stages_before_counted_as_labeled(labeled: int, dtype: type) -> None:
    vectors, known = cloud(150).astype(dtype), cloud(labeled, seed=1).astype(dtype)
    chosen = typical_in_stages(vectors, 110, np.random.default_rng(7), known)
    rng = np.random.default_rng(7)
    first = typical(vectors, max(20, labeled), rng, known)
    assert chosen[: len(first)].tolist() == first.tolist()
    left = np.setdiff1d(np.arange(150), first)
    more = typical(vectors[left], max(20, labeled + len(first)), rng, np.concatenate([known, vectors[first]]))
    assert chosen[len(first) : len(first) + len(more)].tolist() == left[more][: 110 - len(first)].tolist()


def test_a_longer_list_begins_with_the_shorter_one() -> None:
    vectors = cloud(400)
    lists = [typical_in_stages(vectors, k, np.random.default_rng(3)).tolist() for k in (1, 20, 21, 150)]
    for shorter, longer in itertools.pairwise(lists):
        assert longer[: len(shorter)] == shorter


def test_the_first_batch_stands_for_the_whole_pool_however_long_the_list() -> None:
    centers = 50.0 * np.eye(FIRST_CLUSTERS)
    sizes = np.arange(6, 6 + FIRST_CLUSTERS)
    heap = np.repeat(np.arange(FIRST_CLUSTERS), sizes)
    shuffled = np.random.default_rng(1).permutation(heap)
    vectors = centers[shuffled] + cloud(len(heap), d=FIRST_CLUSTERS)
    chosen = typical_in_stages(vectors, 200, np.random.default_rng(2))
    assert sorted(shuffled[chosen[:FIRST_CLUSTERS]].tolist()) == list(range(FIRST_CLUSTERS))


@given(n=st.integers(0, 40), k=st.integers(0, 50), kinds=st.integers(1, 5), seed=st.integers(0, 99))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_positions_are_distinct_and_the_same_for_the_same_seed(n: int, k: int, kinds: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).integers(0, kinds, size=(n, 2)).astype(np.float32)  # many copies
    before = vectors.copy()
    chosen = typical_in_stages(vectors, k, np.random.default_rng(seed))
    assert chosen.dtype == np.int64
    assert len(set(chosen.tolist())) == len(chosen) == min(k, n)
    assert ((chosen >= 0) & (chosen < n)).all()
    assert chosen.tolist() == typical_in_stages(vectors, k, np.random.default_rng(seed)).tolist()
    assert (vectors == before).all()


def test_of_a_large_pool_a_sample_stands_for_it() -> None:
    vectors = cloud(30_000, d=2).astype(np.float32)
    chosen = typical_in_stages(vectors, 40, np.random.default_rng(0))
    assert len(set(chosen.tolist())) == 40
    assert chosen.min() < 10_000
    assert chosen.max() > 20_000


@pytest.mark.parametrize(
    ("vectors", "k", "known"),
    [
        (cloud(9), -1, None),
        (np.zeros(9), 2, None),
        (np.full((9, 3), np.nan), 2, None),
        (np.full((9, 3), np.inf), 2, None),
        (cloud(9), 2, cloud(3, d=4)),
    ],
)
def test_what_is_wrong_is_refused(vectors: Float64, k: int, known: Float64 | None) -> None:
    with pytest.raises(ValueError, match=r"k must be|vectors, shape|given"):
        typical_in_stages(vectors, k, np.random.default_rng(0), known)
