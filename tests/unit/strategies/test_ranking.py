"""The one order of the product: total, seeded, and the same whether a pool is ranked whole or in shards."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.strategies import uncertainty
from tithe.strategies.ranking import merge_top_k, random_scores, tie_hash, top_k

PROPERTY = settings(derandomize=True, deadline=None, max_examples=100)
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
MASK = 2**64 - 1
PINNED_HASHES = ["a706dd2f4d197e6f", "b382a305f4414f5e", "631a9154fbabf717"]
PINNED_SCORES = [0.5893050336912126, 0.185763517528438, 0.8034470383146987]


def plain_splitmix(state: int) -> int:
    """One step and the finisher of splitmix64, in whole numbers."""
    z = (state + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def plain_hash(ordinal: int, seed: int) -> int:
    return plain_splitmix((ordinal * 0x9E3779B97F4A7C15 + plain_splitmix(seed & MASK)) & MASK)


def plain_top_k(scores: Float64, ordinals: Int64, k: int, seed: int) -> list[int]:
    return sorted(range(len(scores)), key=lambda i: (-scores[i], plain_hash(int(ordinals[i]), seed)))[:k]


@st.composite
def pools(draw: st.DrawFn) -> tuple[Float64, Int64]:
    """Scores with heavy ties, signed zeros and infinities; ordinals distinct and in no order."""
    ordinals = draw(st.lists(st.integers(-(2**63), 2**63 - 1), unique=True, max_size=60))
    score = st.sampled_from([-np.inf, -1.0, -0.0, 0.0, 0.1, 0.1, 0.1, 1.0, np.inf])
    scores = draw(st.lists(score, min_size=len(ordinals), max_size=len(ordinals)))
    return np.array(scores), np.array(ordinals, dtype=np.int64)


def test_the_hash_is_published_splitmix64() -> None:
    first_outputs_for_seed_0 = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    steps = [plain_splitmix(i * 0x9E3779B97F4A7C15 & MASK) for i in range(3)]
    assert steps == first_outputs_for_seed_0
    ordinals = np.array([0, 1, 2, -1, 2**63 - 1, -(2**63)])
    for seed in (0, 1, 2**31, 2**64 - 1, -5):
        assert tie_hash(ordinals, seed).tolist() == [plain_hash(int(o), seed) for o in ordinals]


def test_the_hash_is_pinned_because_stored_rounds_are_replayed() -> None:
    assert [f"{h:016x}" for h in tie_hash(np.arange(3), seed=0).tolist()] == PINNED_HASHES
    assert random_scores(np.arange(3), seed=0).tolist() == PINNED_SCORES


def test_no_two_ordinals_share_a_hash() -> None:
    hashes = tie_hash(np.arange(200_000), seed=3)
    assert hashes.dtype == np.uint64
    assert len(np.unique(hashes)) == 200_000


def test_unsigned_and_signed_ordinals_hash_alike() -> None:
    signed = np.array([0, 7, -1, -(2**63)])
    assert (tie_hash(signed, 9) == tie_hash(signed.view(np.uint64), 9)).all()
    assert (tie_hash(signed.astype(np.int32), 9)[:3] == tie_hash(signed, 9)[:3]).all()


def test_random_scores_are_uniform_and_tell_nothing_about_ties() -> None:
    ordinals = np.arange(100_000)
    scores = random_scores(ordinals, seed=4)
    assert scores.min() >= 0.0
    assert scores.max() < 1.0
    counts = np.histogram(scores, bins=100, range=(0.0, 1.0))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 160  # chi-squared of 99 degrees: one in 10,000 is above
    lots = tie_hash(ordinals, seed=4) / 2.0**64
    for other in (lots, random_scores(ordinals, seed=5), np.roll(scores, 1), ordinals):
        assert abs(np.corrcoef(scores, other)[0, 1]) < 0.015


@PROPERTY
@given(pool=pools(), k=st.integers(0, 65), seed=st.integers(0, 2**31 - 1))
def test_top_k_is_the_start_of_the_full_sort(pool: tuple[Float64, Int64], k: int, seed: int) -> None:
    scores, ordinals = pool
    best = top_k(scores, ordinals, k, seed)
    assert best.dtype == np.int64
    assert best.tolist() == plain_top_k(scores, ordinals, k, seed)


@PROPERTY
@given(pool=pools(), k=st.integers(0, 65), seed=st.integers(0, 2**31 - 1), data=st.data())
def test_shards_merge_into_the_same_bytes(pool: tuple[Float64, Int64], k: int, seed: int, data: st.DataObject) -> None:
    scores, ordinals = pool
    shards = data.draw(st.integers(1, 7))
    home = np.array(
        data.draw(st.lists(st.integers(0, shards - 1), min_size=len(scores), max_size=len(scores))), dtype=int
    )
    parts = []
    for shard in data.draw(st.permutations(range(shards))):
        mine = np.flatnonzero(home == shard)
        best = mine[top_k(scores[mine], ordinals[mine], k, seed)]
        parts.append((ordinals[best], scores[best]))
    merged_ordinals, merged_scores = merge_top_k(parts, k, seed)
    best = top_k(scores, ordinals, k, seed)
    assert merged_ordinals.tobytes() == ordinals[best].tobytes()
    assert merged_scores.tobytes() == scores[best].tobytes()


@pytest.mark.parametrize("shards", range(1, 8))
@pytest.mark.parametrize("distinct", [1, 3, 50_000])
def test_a_scored_pool_is_the_same_bytes_from_any_number_of_shards(shards: int, distinct: int) -> None:
    rng = np.random.default_rng(7)
    kinds = rng.dirichlet(np.full(5, 0.5), distinct).astype(np.float32)
    pool = kinds[rng.integers(distinct, size=20_001)]
    whole = uncertainty.entropy(pool)
    best = top_k(whole, np.arange(len(pool)), 300, seed=11)
    cuts = np.sort(rng.integers(len(pool), size=shards - 1))
    parts = []
    for ordinals in np.split(np.arange(len(pool)), cuts):
        scores = uncertainty.entropy(pool[ordinals])
        kept = top_k(scores, ordinals, 300, seed=11)
        parts.append((ordinals[kept], scores[kept]))
    merged_ordinals, merged_scores = merge_top_k(parts, 300, seed=11)
    assert merged_ordinals.tobytes() == best.tobytes()
    assert merged_scores.tobytes() == whole[best].tobytes()


def test_random_scores_do_not_depend_on_the_shard() -> None:
    whole = random_scores(np.arange(1000), seed=2)
    shards = [random_scores(ordinals, seed=2) for ordinals in np.array_split(np.arange(1000), 7)]
    assert np.concatenate(shards).tobytes() == whole.tobytes()


def test_the_seed_decides_among_ties_and_only_there() -> None:
    ordinals = np.arange(1000)
    tied = [tuple(top_k(np.zeros(1000), ordinals, 20, seed)) for seed in range(20)]
    assert len(set(tied)) == 20
    scores = random_scores(ordinals, seed=0)
    assert len({tuple(top_k(scores, ordinals, 20, seed)) for seed in range(20)}) == 1


def test_float32_scores_rank_as_their_float64() -> None:
    scores = random_scores(np.arange(500), seed=0).astype(np.float32)
    expected = top_k(scores.astype(np.float64), np.arange(500), 50, seed=0)
    assert (top_k(scores, np.arange(500), 50, seed=0) == expected).all()


def test_merged_ordinals_keep_their_type() -> None:
    unsigned = np.array([2**63 + 5, 1], dtype=np.uint64)
    ordinals, scores = merge_top_k([(unsigned, np.array([0.5, 0.25])), (unsigned[:0], np.empty(0))], 5, seed=0)
    assert ordinals.dtype == np.uint64
    assert ordinals.tolist() == [2**63 + 5, 1]
    assert scores.dtype == np.float64
    empty: list[tuple[Int64, Float64]] = []
    assert [len(part) for part in merge_top_k(empty, 5, seed=0)] == [0, 0]


def test_nan_is_refused_by_name_and_row() -> None:
    with pytest.raises(ValueError, match=r"^scores, shape \(3,\): row 1 is NaN"):
        top_k(np.array([0.0, np.nan, np.nan]), np.arange(3), 1, seed=0)
    with pytest.raises(ValueError, match=r"^parts\[1\]\[1\], shape \(2,\): row 0 is NaN"):
        merge_top_k([(np.arange(1), np.zeros(1)), (np.arange(2), np.array([np.nan, 0.0]))], 1, seed=0)


def test_what_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(ValueError, match="k must be at least 0, not -1"):
        top_k(np.zeros(2), np.arange(2), -1, seed=0)
    with pytest.raises(ValueError, match=r"ordinals, shape \(3,\), must be as long as scores, shape \(2,\)"):
        top_k(np.zeros(2), np.arange(3), 1, seed=0)
    with pytest.raises(ValueError, match=r"scores, shape \(1, 2\), float64, must be one row of real numbers"):
        top_k(np.zeros((1, 2)), np.arange(2), 1, seed=0)
    with pytest.raises(ValueError, match=r"ordinals, shape \(2,\), float64, must be one row of integers"):
        tie_hash(np.array([0.5, 1.5]), seed=0)
    with pytest.raises(ValueError, match=r"parts\[0\] has 2 ordinals and 1 scores"):
        merge_top_k([(np.arange(2), np.zeros(1))], 1, seed=0)
    with pytest.raises(ValueError, match="mixes signed and unsigned"):
        merge_top_k([(np.arange(1), np.zeros(1)), (np.arange(1, dtype=np.uint64), np.zeros(1))], 1, seed=0)
