"""k-medoids: no medoid another member of its cluster would better, on pools whole and sampled."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.strategies import medoids
from tithe.strategies.arrays import Float64, Floats, Int64
from tithe.strategies.medoids import k_medoids

PROPERTY = settings(derandomize=True, deadline=None, max_examples=60)


@st.composite
def small_clouds(draw: st.DrawFn) -> Float64:
    d = draw(st.integers(1, 3))
    point = st.lists(st.integers(-2, 2), min_size=d, max_size=d)
    return np.array(draw(st.lists(point, min_size=1, max_size=25)), dtype=float).reshape(-1, d)


def distances(vectors: Floats, centers: Floats) -> Float64:
    apart: Float64 = np.sqrt(((vectors[:, None].astype(float) - centers) ** 2).sum(axis=2))
    return apart


def cost(vectors: Floats, chosen: Int64) -> float:
    return float(distances(vectors, vectors[chosen]).min(axis=1).sum())


@PROPERTY
@given(vectors=small_clouds(), k=st.integers(0, 30), seed=st.integers(0, 1000))
def test_positions_are_distinct_seeded_and_as_many_as_there_can_be(vectors: Float64, k: int, seed: int) -> None:
    before = vectors.copy()
    for dtype in (np.float64, np.float32):
        chosen = k_medoids(vectors.astype(dtype), k, np.random.default_rng(seed))
        assert chosen.dtype == np.int64
        assert len(set(chosen.tolist())) == len(chosen) == min(k, len(vectors))
        assert (k_medoids(vectors.astype(dtype), k, np.random.default_rng(seed)) == chosen).all()
    assert vectors.tobytes() == before.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(6))
def test_no_member_would_be_a_better_medoid_of_its_cluster(seed: int, dtype: type) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(300, 4)).astype(dtype)
    chosen = k_medoids(vectors, 7, rng)
    cluster = distances(vectors, vectors[chosen]).argmin(axis=1)
    for i, medoid in enumerate(chosen):
        members = vectors[cluster == i]
        totals = distances(members, members).sum(axis=1)
        assert distances(members, vectors[[medoid]]).sum() == pytest.approx(totals.min(), rel=1e-6)
    sizes = np.bincount(cluster, minlength=7)
    assert (np.diff(sizes) <= 0).all()


def test_one_medoid_is_the_best_there_is_and_several_are_close() -> None:
    for seed in range(10):
        vectors = np.random.default_rng(seed).normal(size=(14, 2))
        best = min(cost(vectors, np.array([i])) for i in range(14))
        assert cost(vectors, k_medoids(vectors, 1, np.random.default_rng(seed))) == pytest.approx(best)
        best = min(cost(vectors, np.array(three)) for three in itertools.combinations(range(14), 3))
        assert min(cost(vectors, k_medoids(vectors, 3, np.random.default_rng(s))) for s in range(8)) <= 1.2 * best


@pytest.mark.parametrize("shift", [0.0, 1e4])
def test_each_well_separated_cluster_gets_one_the_largest_first(shift: float) -> None:
    rng = np.random.default_rng(0)
    of = rng.permutation(np.repeat(np.arange(4), [80, 40, 20, 10]))
    vectors = (100.0 * np.eye(4)[of] + rng.normal(size=(150, 4)) + shift).astype(np.float32)
    for seed in range(5):
        assert of[k_medoids(vectors, 4, np.random.default_rng(seed))].tolist() == [0, 1, 2, 3]


def test_equal_members_and_copies_go_by_lot() -> None:
    copies = np.zeros((30, 2))
    assert len({tuple(k_medoids(copies, 3, np.random.default_rng(seed))) for seed in range(5)}) == 5
    kinds = np.repeat(np.eye(5, dtype=np.float32), 20, axis=0)
    chosen = k_medoids(kinds, 8, np.random.default_rng(0))
    assert len(np.unique(kinds[chosen], axis=0)) == 5


def test_samples_of_a_large_pool_do_nearly_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    vectors = (4.0 * np.eye(10)[rng.integers(10, size=4000)] + rng.normal(size=(4000, 10))).astype(np.float32)
    whole = cost(vectors, k_medoids(vectors, 20, np.random.default_rng(0)))
    monkeypatch.setattr(medoids, "_MOST_ROWS", 500)
    monkeypatch.setattr(medoids, "_MOST_MEMBERS", 100)
    chosen = k_medoids(vectors, 20, np.random.default_rng(0))
    random = cost(vectors, rng.choice(4000, 20, replace=False))
    assert len(set(chosen.tolist())) == 20
    assert cost(vectors, chosen) < whole + 0.2 * (random - whole)
    assert (k_medoids(vectors, 20, np.random.default_rng(0)) == chosen).all()


def test_more_picks_than_rows_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(medoids, "_MOST_ROWS", 50)
    vectors = np.random.default_rng(3).normal(size=(1000, 2))
    assert len(set(k_medoids(vectors, 200, np.random.default_rng(0)).tolist())) == 200
    assert sorted(k_medoids(vectors, 1000, np.random.default_rng(0)).tolist()) == list(range(1000))


def test_no_candidates_no_choice() -> None:
    rng = np.random.default_rng(0)
    assert k_medoids(np.empty((0, 3)), 5, rng).tolist() == []
    assert k_medoids(np.ones((4, 3)), 0, rng).tolist() == []
    assert k_medoids(np.ones((1, 3)), 2, rng).tolist() == [0]
    assert sorted(k_medoids(np.empty((4, 0)), 9, rng).tolist()) == [0, 1, 2, 3]


def test_what_are_no_vectors_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"vectors, shape \(2, 1\): row 1 holds NaN or infinity"):
        k_medoids(np.array([[1.0], [np.nan]]), 1, rng)
    with pytest.raises(ValueError, match="row 1 is too long: its square overflows"):
        k_medoids(np.array([[1.0], [1e30]], dtype=np.float32), 1, rng)
    with pytest.raises(ValueError, match="k must be at least 0, not -1"):
        k_medoids(np.ones((2, 2)), -1, rng)
