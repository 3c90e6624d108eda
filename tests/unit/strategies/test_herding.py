"""Herding against its plain definition, its radius, and what uncertainty does to it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.strategies import greedy_cover
from tithe.strategies.arrays import Float64, Floats, Int64
from tithe.strategies.herding import gaussian, labeled_radius, max_herding, spread, uncertainty_herding

PROPERTY = settings(derandomize=True, deadline=None, max_examples=60)


@st.composite
def small_clouds(draw: st.DrawFn) -> Float64:
    """Points on a small grid, so that copies and equal distances are the rule."""
    d = draw(st.integers(1, 3))
    point = st.lists(st.integers(-2, 2), min_size=d, max_size=d)
    return np.array(draw(st.lists(point, min_size=1, max_size=25)), dtype=float).reshape(-1, d)


def plain_coverage(vectors: Floats, weight: Float64, centers: Floats, radius: float) -> float:
    """The objective, as the papers write it."""
    total = 0.0
    for vector, weighs in zip(vectors.tolist(), weight.tolist(), strict=True):
        similar = [math.exp(-(math.dist(vector, center) ** 2) / radius**2) for center in centers.tolist()]
        total += weighs * max(similar, default=0.0)
    return total


def assert_greedy(vectors: Floats, weight: Float64, chosen: Int64, known: Floats, radius: float) -> None:
    """Every pick adds as much as the best one left does."""
    left = set(range(len(vectors)))
    for pick in chosen.tolist():
        after = {i: plain_coverage(vectors, weight, np.concatenate([known, vectors[[i]]]), radius) for i in left}
        assert after[pick] == pytest.approx(max(after.values()), rel=1e-9, abs=1e-12)
        left.remove(pick)
        known = np.concatenate([known, vectors[[pick]]])


@pytest.mark.parametrize("labeled", [0, 3])
@PROPERTY
@given(vectors=small_clouds(), k=st.integers(1, 6), seed=st.integers(0, 1000), radius=st.sampled_from([0.3, 1.0, 4.0]))
def test_every_pick_raises_coverage_most(labeled: int, vectors: Float64, k: int, seed: int, radius: float) -> None:
    rng = np.random.default_rng(seed)
    known = rng.integers(-2, 3, size=(labeled, vectors.shape[1])).astype(float)
    weight = rng.integers(0, 4, size=len(vectors)).astype(float)
    plain = max_herding(vectors, k, np.random.default_rng(seed), known, radius=radius)
    assert_greedy(vectors, np.ones(len(vectors)), plain, known, radius)
    chosen = uncertainty_herding(vectors, weight, k, np.random.default_rng(seed), known, radius=radius)
    assert_greedy(vectors, weight if weight.any() else weight + 1.0, chosen, known, radius)


@PROPERTY
@given(vectors=small_clouds(), k=st.integers(0, 30), seed=st.integers(0, 1000))
def test_positions_are_distinct_seeded_and_as_many_as_there_can_be(vectors: Float64, k: int, seed: int) -> None:
    weight = np.random.default_rng(seed).integers(0, 3, size=len(vectors)).astype(float)
    before, weighed = vectors.copy(), weight.copy()
    for dtype in (np.float64, np.float32):
        candidates = vectors.astype(dtype)
        for choose in (
            lambda v, rng: max_herding(v, k, rng),
            lambda v, rng: uncertainty_herding(v, weight, k, rng, given=vectors[:3]),
        ):
            chosen = choose(candidates, np.random.default_rng(seed))
            assert chosen.dtype == np.int64
            assert sorted(set(chosen.tolist())) == sorted(chosen.tolist())
            assert len(chosen) == min(k, len(vectors))
            assert (choose(candidates, np.random.default_rng(seed)) == chosen).all()
    assert vectors.tobytes() == before.tobytes()
    assert weight.tobytes() == weighed.tobytes()


def test_the_candidates_lazy_greedy_never_looks_at_change_nothing() -> None:
    rng = np.random.default_rng(3)
    vectors, weight, radius = rng.normal(size=(700, 4)), rng.random(700), 1.5
    similar = np.exp(-((vectors[:, None] - vectors) ** 2).sum(axis=2) / radius**2)
    reached, picks = np.zeros(700), []
    for _ in range(60):
        gains = (np.maximum(similar - reached, 0.0) * weight).sum(axis=1)
        gains[picks] = -1.0
        picks.append(int(gains.argmax()))
        reached = np.maximum(reached, similar[picks[-1]])
    assert uncertainty_herding(vectors, weight, 60, rng, radius=radius).tolist() == picks


def test_shuffled_rows_are_the_same_rows() -> None:
    rng = np.random.default_rng(7)
    vectors, weight = rng.normal(size=(300, 5)), rng.random(300)
    order = rng.permutation(300)
    chosen = uncertainty_herding(vectors, weight, 20, np.random.default_rng(1), given=vectors[:4])
    shuffled = uncertainty_herding(vectors[order], weight[order], 20, np.random.default_rng(2), given=vectors[:4])
    assert order[shuffled].tolist() == chosen.tolist()


def test_equal_gains_go_by_lot() -> None:
    copies = np.full((40, 3), 0.5, dtype=np.float32)
    orders = {tuple(max_herding(copies, 40, np.random.default_rng(seed))) for seed in range(5)}
    assert len(orders) == 5
    square = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    assert {int(max_herding(square, 1, np.random.default_rng(seed))[0]) for seed in range(40)} == {0, 1, 2, 3}


def test_a_radius_near_nothing_is_uncertainty_sampling_at_every_size() -> None:
    rng = np.random.default_rng(4)
    for n in (500, 20_000):
        vectors, weight = rng.normal(size=(n, 3)), rng.random(n)
        chosen = uncertainty_herding(vectors, weight, 50, rng, radius=1e-9)
        assert chosen.tolist() == np.argsort(-weight)[:50].tolist()


def test_a_wide_radius_stands_for_the_uncertain_part() -> None:
    rng = np.random.default_rng(5)
    of = rng.permutation(np.repeat([0, 1, 2], [200, 100, 30]))
    vectors = 10.0 * np.eye(3)[of] + rng.normal(size=(330, 3))
    assert of[max_herding(vectors, 3, rng, radius=4.0)].tolist() == [0, 1, 2]
    doubt = np.where(of == 2, 1.0, 0.01)
    assert of[uncertainty_herding(vectors, doubt, 1, rng, radius=4.0)].tolist() == [2]


def test_only_ratios_of_uncertainty_count() -> None:
    rng = np.random.default_rng(6)
    vectors, weight = rng.normal(size=(200, 3)), rng.random(200) + 0.1
    plain = uncertainty_herding(vectors, weight, 9, np.random.default_rng(0))
    for scale in (2.0**-1000, 2.0**1000):
        assert (uncertainty_herding(vectors, weight * scale, 9, np.random.default_rng(0)) == plain).all()


def test_no_uncertainty_at_all_is_plain_herding() -> None:
    vectors = np.random.default_rng(8).normal(size=(100, 3))
    chosen = uncertainty_herding(vectors, np.zeros(100), 9, np.random.default_rng(1), given=vectors[:5])
    assert (chosen == max_herding(vectors, 9, np.random.default_rng(1), given=vectors[:5])).all()


def test_uncertain_rows_of_a_large_pool_come_first_where_all_else_is_certain() -> None:
    rng = np.random.default_rng(9)
    vectors = rng.normal(size=(30_000, 2))
    doubt = np.zeros(30_000)
    doubtful = rng.choice(30_000, size=5, replace=False)
    doubt[doubtful] = 1.0
    chosen = uncertainty_herding(vectors, doubt, 2000, rng, radius=1e-6)
    assert sorted(chosen[:5].tolist()) == sorted(doubtful.tolist())
    assert len(set(chosen.tolist())) == 2000


def test_samples_of_a_large_pool_cover_it_nearly_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(10)
    vectors = (5.0 * np.eye(8)[rng.integers(8, size=3000)] + rng.normal(size=(3000, 8))).astype(np.float32)
    weight = rng.random(3000) ** 3
    known = vectors[:10]
    exact = uncertainty_herding(vectors, weight, 30, np.random.default_rng(0), known, radius=2.0)
    for name in ("EXACT_ROWS", "REFERENCE_DRAWS", "CANDIDATE_ROWS"):
        monkeypatch.setattr(greedy_cover, name, 800)
    monkeypatch.setattr(greedy_cover, "PICKS_PER_ROUND", 20)
    by_samples = uncertainty_herding(vectors, weight, 30, np.random.default_rng(0), known, radius=2.0)
    random = rng.choice(3000, 30, replace=False)

    def coverage(chosen: Int64) -> float:
        apart = ((vectors[:, None] - np.concatenate([known, vectors[chosen]])) ** 2).sum(axis=2)
        return float(np.average(np.exp(-apart.min(axis=1) / 4.0), weights=weight))

    best, near, far = coverage(exact), coverage(by_samples), coverage(random)
    assert near > best - 0.1 * (best - far)


def test_gains_by_samples_are_right_in_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(11)
    vectors, weight = rng.normal(size=(60, 2)), rng.random(60) + 0.05
    similar = np.exp(-((vectors[:, None] - vectors) ** 2).sum(axis=2))
    exact = similar @ weight / weight.max()
    monkeypatch.setattr(greedy_cover, "EXACT_ROWS", 10)
    monkeypatch.setattr(greedy_cover, "REFERENCE_DRAWS", 20)
    gains = []
    for _ in range(600):
        reference = greedy_cover._Reference(vectors, weight / weight.max(), rng, vectors[:0], gaussian(1.0))
        candidates = greedy_cover._Candidates(vectors, weight / weight.max(), np.arange(60), reference, vectors[:0])
        gains.append(candidates._gains(np.arange(60)))
    spread_of_mean = np.std(gains, axis=0) / math.sqrt(600)
    assert (np.abs(np.mean(gains, axis=0) - exact) < 5 * spread_of_mean + 1e-6).all()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_default_radius_follows_scale_and_not_place(scale: float) -> None:
    rng = np.random.default_rng(12)
    unit = rng.normal(size=(3000, 64))
    unit /= np.sqrt((unit**2).sum(axis=1, keepdims=True))
    assert spread(unit * scale, rng) == pytest.approx(scale, rel=0.01)
    assert spread((unit + 3.0) * scale, rng) == pytest.approx(scale, rel=0.01)
    plain = max_herding(unit[:300], 10, np.random.default_rng(0))
    assert (max_herding(unit[:300] * 2.0**10, 10, np.random.default_rng(0)) == plain).all()


def test_the_radius_shrinks_as_labels_are_added() -> None:
    rng = np.random.default_rng(13)
    labeled = rng.normal(size=(300, 4))
    radii = [labeled_radius(labeled[:m], rng) for m in (0, 1, 2, 10, 50, 300)]
    assert radii[:2] == [math.inf, math.inf]
    assert radii == sorted(radii, reverse=True)
    apart = np.sqrt(((labeled[:, None] - labeled) ** 2).sum(axis=2))
    assert radii[-1] == pytest.approx(apart[apart > 0].min())
    assert labeled_radius(np.concatenate([labeled, labeled]), rng) == pytest.approx(radii[-1])
    assert labeled_radius(np.repeat(labeled[:1], 5, axis=0), rng) == math.inf


def test_labels_set_the_radius_and_copies_alone_do_not() -> None:
    rng = np.random.default_rng(14)
    vectors, weight = rng.normal(size=(150, 3)), rng.random(150)
    known = rng.normal(size=(12, 3))
    by_labels = uncertainty_herding(vectors, weight, 12, np.random.default_rng(0), known)
    assert_greedy(vectors, weight, by_labels[:4], known, labeled_radius(known, rng))
    copies = np.repeat(known[:1], 4, axis=0)
    by_pool = uncertainty_herding(vectors, weight, 12, np.random.default_rng(0), copies)
    assert_greedy(vectors, weight, by_pool[:4], copies, spread(vectors, rng))


def test_no_candidates_no_choice() -> None:
    rng = np.random.default_rng(0)
    none = np.empty(0)

    def plain(vectors: Floats, _: Float64, k: int) -> Int64:
        return max_herding(vectors, k, rng)

    def weighted(vectors: Floats, doubt: Float64, k: int) -> Int64:
        return uncertainty_herding(vectors, doubt, k, rng)

    choosers: list[Callable[[Floats, Float64, int], Int64]] = [plain, weighted]
    for choose in choosers:
        assert choose(np.empty((0, 3)), none, 5).tolist() == []
        assert choose(np.ones((4, 3)), np.ones(4), 0).tolist() == []
        assert choose(np.ones((1, 3)), np.ones(1), 9).tolist() == [0]
        assert sorted(choose(np.empty((4, 0)), np.ones(4), 9).tolist()) == [0, 1, 2, 3]
        huge = np.array([[0.0], [1e147], [-1e147]])
        assert sorted(choose(huge, np.ones(3), 3).tolist()) == [0, 1, 2]


def test_what_does_not_fit_is_refused_by_name() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"given, shape \(1, 3\), must have 2 columns, as the vectors have"):
        max_herding(np.ones((2, 2)), 1, rng, given=np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"given, shape \(1, 1\): row 0 holds NaN or infinity"):
        max_herding(np.ones((2, 1), dtype=np.float32), 1, rng, given=np.array([[1e100]]))
    with pytest.raises(ValueError, match=r"vectors, shape \(2, 1\): row 1 holds NaN or infinity"):
        max_herding(np.array([[1.0], [np.nan]]), 1, rng)
    with pytest.raises(ValueError, match="k must be at least 0, not -1"):
        max_herding(np.ones((2, 2)), -1, rng)
    with pytest.raises(ValueError, match=r"uncertainty, shape \(3,\), must hold one number for each of the 2 vectors"):
        uncertainty_herding(np.ones((2, 2)), np.ones(3), 1, rng)
    for bad in (np.nan, np.inf, -0.5):
        with pytest.raises(ValueError, match=rf"row 1 is {bad}, not a finite number of at least 0"):
            uncertainty_herding(np.ones((2, 2)), np.array([1.0, bad]), 1, rng)
    for radius in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match=f"radius must be a finite number above 0, not {radius}"):
            max_herding(np.ones((2, 2)), 1, rng, radius=radius)
