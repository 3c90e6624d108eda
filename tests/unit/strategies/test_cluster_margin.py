"""Cluster-Margin: the right candidates, the right clusters, and turns from the smallest cluster up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster import hierarchy

from tithe.strategies import cluster_margin as module
from tithe.strategies.cluster_margin import cluster_margin
from tithe.strategies.linkage import average_linkage, joined_clusters

PROPERTY = settings(derandomize=True, deadline=None, max_examples=60)
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


@st.composite
def small_clouds(draw: st.DrawFn, least: int = 0) -> Float64:
    point = st.lists(st.integers(-3, 3), min_size=2, max_size=2)
    return np.array(draw(st.lists(point, min_size=least, max_size=20)), dtype=float).reshape(-1, 2)


def partition(labels: npt.NDArray[np.integer]) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [2, 3, 40, 400])
def test_joins_are_those_of_scipy(n: int, dtype: type) -> None:
    vectors = np.random.default_rng(n).normal(size=(n, 6)).astype(dtype)
    joins = average_linkage(vectors)
    theirs = hierarchy.linkage(vectors.astype(float), method="average")
    assert joins.height == pytest.approx(theirs[:, 2], rel=1e-9)
    for count in {1, 2, n // 10 + 1, n - 1, n}:
        expected = hierarchy.cut_tree(theirs, n_clusters=count)[:, 0]
        assert partition(joined_clusters(joins, n - count)) == partition(expected)
    for threshold in np.quantile(joins.height, [0.1, 0.5, 0.9]) + 1e-9:
        expected = hierarchy.fcluster(theirs, threshold, criterion="distance")
        steps = int((joins.height <= threshold).sum())
        assert partition(joined_clusters(joins, steps)) == partition(expected)


@PROPERTY
@given(vectors=small_clouds(least=1))
def test_every_join_is_of_the_nearest_two_clusters_ties_or_not(vectors: Float64) -> None:
    apart = np.sqrt(((vectors[:, None] - vectors) ** 2).sum(axis=2))
    clusters = {i: [i] for i in range(len(vectors))}
    home = list(range(len(vectors)))
    joins = average_linkage(vectors)
    assert len(joins.height) == len(vectors) - 1
    for one, other, height in zip(*joins, strict=True):
        a, b = home[one], home[other]
        assert a != b
        means = {(c, e): apart[np.ix_(clusters[c], clusters[e])].mean() for c in clusters for e in clusters if c < e}
        assert height == pytest.approx(means[min(a, b), max(a, b)], abs=1e-9)
        assert height == pytest.approx(min(means.values()), abs=1e-9)
        clusters[a] += clusters.pop(b)
        for member in clusters[a]:
            home[member] = a


@PROPERTY
@given(labels=st.lists(st.integers(0, 6), max_size=40), seed=st.integers(0, 99))
def test_turns_go_round_from_the_smallest_cluster_up(labels: list[int], seed: int) -> None:
    cluster = np.unique(np.array(labels, dtype=np.int64), return_inverse=True)[1]
    order = module._by_turns(cluster, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(labels)))
    sizes = np.bincount(cluster)
    seen = np.zeros(len(sizes), dtype=int)
    turns = []
    for c in cluster[order].tolist():
        turns.append((int(seen[c]), int(sizes[c])))
        seen[c] += 1
    assert turns == sorted(turns)
    places = {c: i for i, c in enumerate(cluster[order][: len(sizes)].tolist())}  # the first turn sets the order
    later = [(seen_before, places[c]) for (seen_before, _), c in zip(turns, cluster[order].tolist(), strict=True)]
    assert later == sorted(later)


def test_within_a_cluster_and_among_equal_clusters_the_lot_decides() -> None:
    cluster = np.array([0, 0, 1, 1, 2, 2])
    orders = {tuple(module._by_turns(cluster, np.random.default_rng(seed)).tolist()) for seed in range(200)}
    assert {order[0] for order in orders} == set(range(6))
    assert {order[3] for order in orders} == set(range(6))


@PROPERTY
@given(
    vectors=small_clouds(),
    k=st.integers(0, 25),
    candidates=st.sampled_from([None, 0, 5, 12]),
    threshold=st.sampled_from([None, 0.0, 1.5]),
    seed=st.integers(0, 99),
)
def test_the_choice_is_among_the_most_uncertain(
    vectors: Float64, k: int, candidates: int | None, threshold: float | None, seed: int
) -> None:
    doubt = np.random.default_rng(seed).integers(4, size=len(vectors)) / 4
    rng = np.random.default_rng(seed)
    chosen = cluster_margin(vectors, doubt, k, rng, candidates=candidates, threshold=threshold)
    k = min(k, len(vectors))
    assert chosen.dtype == np.int64
    assert len(set(chosen.tolist())) == len(chosen) == k
    if k:
        looked_at = min(len(vectors), max(k, 10 * k if candidates is None else candidates))
        assert doubt[chosen].min() >= np.sort(doubt)[-looked_at]
    rng = np.random.default_rng(seed)
    assert (cluster_margin(vectors, doubt, k, rng, candidates=candidates, threshold=threshold) == chosen).all()


def test_each_of_ten_clusters_gets_one_and_the_certain_none() -> None:
    rng = np.random.default_rng(0)
    of = rng.permutation(np.repeat(np.arange(20), 10))
    vectors = (100.0 * np.eye(20)[of] + rng.normal(size=(200, 20))).astype(np.float32)
    doubt = np.where(of < 10, 0.9, 0.1)
    assert sorted(of[cluster_margin(vectors, doubt, 10, rng)].tolist()) == list(range(10))


def test_beyond_what_can_be_clustered_uncertainty_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_CLUSTERED", 6)
    doubt = np.random.default_rng(1).permutation(30) / 30
    chosen = cluster_margin(np.random.default_rng(2).normal(size=(30, 3)), doubt, 12, np.random.default_rng(3))
    ranked = np.argsort(-doubt)
    assert set(chosen[:6].tolist()) == set(ranked[:6].tolist())
    assert chosen[6:].tolist() == ranked[6:12].tolist()


def test_what_makes_no_sense_is_refused() -> None:
    vectors, doubt, rng = np.ones((3, 2)), np.ones(3), np.random.default_rng(0)
    for bad in (-1.0, np.nan):
        with pytest.raises(ValueError, match="threshold must be at least 0, not"):
            cluster_margin(vectors, doubt, 1, rng, threshold=bad)
    with pytest.raises(ValueError, match="candidates must be at least 0, not -1"):
        cluster_margin(vectors, doubt, 1, rng, candidates=-1)
    with pytest.raises(ValueError, match=r"uncertainty, shape \(2,\), must hold one number for each of the 3 vectors"):
        cluster_margin(vectors, doubt[:2], 1, rng)
    with pytest.raises(ValueError, match=r"uncertainty, shape \(3,\): row 1 is NaN"):
        cluster_margin(vectors, np.array([0.0, np.nan, 1.0]), 1, rng)
    with pytest.raises(ValueError, match="k must be at least 0, not -1"):
        cluster_margin(vectors, doubt, -1, rng)
    with pytest.raises(ValueError, match="row 0 holds NaN or infinity"):
        cluster_margin(np.full((1, 1), np.inf), np.ones(1), 1, rng)
