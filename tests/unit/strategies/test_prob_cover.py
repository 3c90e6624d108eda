"""ProbCover against its plain definition, and the radius it takes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.strategies import greedy_cover
from tithe.strategies.arrays import Float64
from tithe.strategies.prob_cover import prob_cover, purity_radius

PROPERTY = settings(derandomize=True, deadline=None, max_examples=60)


@st.composite
def small_clouds(draw: st.DrawFn) -> Float64:
    d = draw(st.integers(1, 3))
    point = st.lists(st.integers(-3, 3), min_size=d, max_size=d)
    return np.array(draw(st.lists(point, min_size=1, max_size=25)), dtype=float).reshape(-1, d)


@pytest.mark.parametrize("labeled", [0, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@PROPERTY
@given(
    vectors=small_clouds(),
    k=st.integers(1, 30),
    seed=st.integers(0, 1000),
    radius=st.sampled_from([0.5, 1.2, 1.9, 3.1]),
)
def test_every_pick_covers_most_of_what_is_left(
    labeled: int, dtype: type, vectors: Float64, k: int, seed: int, radius: float
) -> None:
    known = np.random.default_rng(seed).integers(-3, 4, size=(labeled, vectors.shape[1])).astype(float)
    rows = vectors.tolist()
    near = [
        {j for j, other in enumerate(rows) if j == i or math.dist(row, other) < radius} for i, row in enumerate(rows)
    ]
    covered = {j for j, row in enumerate(rows) if any(math.dist(row, label) < radius for label in known.tolist())}
    chosen = prob_cover(vectors.astype(dtype), k, np.random.default_rng(seed), known, radius=radius)
    assert len(chosen) == len(set(chosen.tolist())) == min(k, len(vectors))
    left = set(range(len(rows)))
    for pick in chosen.tolist():
        assert len(near[pick] - covered) == max(len(near[i] - covered) for i in left)
        left.remove(pick)
        covered |= near[pick]


def test_the_same_seed_gives_the_same_picks_and_equal_ones_go_by_lot() -> None:
    line = np.arange(12.0)[:, None]
    assert (prob_cover(line, 12, np.random.default_rng(3)) == prob_cover(line, 12, np.random.default_rng(3))).all()
    firsts = {int(prob_cover(line, 1, np.random.default_rng(seed), radius=0.5)[0]) for seed in range(200)}
    assert firsts == set(range(12))


def test_the_radius_keeps_19_of_20_balls_pure() -> None:
    rng = np.random.default_rng(0)
    of = rng.integers(3, size=400)
    vectors = 20.0 * np.eye(3)[of] + rng.normal(size=(400, 3))
    radius = purity_radius(vectors, rng, kinds=3)
    apart = np.sqrt(((vectors[:, None] - vectors) ** 2).sum(axis=2))
    to_other = np.where(of[:, None] != of, apart, np.inf).min(axis=1)
    assert radius == pytest.approx(np.sort(to_other)[20])
    pure = [len(set(of[row < radius].tolist())) == 1 for row in apart]
    assert np.mean(pure) >= 0.95
    wider = [len(set(of[row < radius * 1.001].tolist())) == 1 for row in apart]
    assert np.mean(wider) < 0.95
    assert sorted(of[prob_cover(vectors, 3, rng, radius=radius)].tolist()) == [0, 1, 2]


def test_copies_have_no_radius_and_one_covers_all() -> None:
    rng = np.random.default_rng(0)
    copies = np.ones((30, 4), dtype=np.float32)
    assert purity_radius(copies, rng) == math.inf
    assert sorted(prob_cover(copies, 30, rng).tolist()) == list(range(30))
    assert purity_radius(np.empty((0, 2)), rng) == math.inf


def test_samples_of_a_large_pool_cover_it_nearly_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    vectors = (6.0 * np.eye(6)[rng.integers(6, size=3000)] + rng.normal(size=(3000, 6))).astype(np.float32)
    exact = prob_cover(vectors, 25, np.random.default_rng(0), radius=2.0)
    for name in ("EXACT_ROWS", "REFERENCE_DRAWS", "CANDIDATE_ROWS"):
        monkeypatch.setattr(greedy_cover, name, 800)
    monkeypatch.setattr(greedy_cover, "PICKS_PER_ROUND", 20)
    by_samples = prob_cover(vectors, 25, np.random.default_rng(0), radius=2.0)
    best, near, far = (
        float((((vectors[:, None] - vectors[chosen]) ** 2).sum(axis=2).min(axis=1) < 4.0).mean())
        for chosen in (exact, by_samples, rng.choice(3000, 25, replace=False))
    )
    assert near > best - 0.25 * (best - far)


def test_no_candidates_no_choice() -> None:
    rng = np.random.default_rng(0)
    assert prob_cover(np.empty((0, 3)), 5, rng).tolist() == []
    assert prob_cover(np.ones((4, 3)), 0, rng).tolist() == []
    assert prob_cover(np.ones((1, 3)), 5, rng).tolist() == [0]
    assert sorted(prob_cover(np.empty((4, 0)), 9, rng).tolist()) == [0, 1, 2, 3]


def test_what_does_not_fit_is_refused_by_name() -> None:
    rng = np.random.default_rng(0)
    for radius in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match=f"radius must be above 0, not {radius}"):
            prob_cover(np.ones((2, 2)), 1, rng, radius=radius)
    with pytest.raises(ValueError, match=r"given, shape \(1, 3\), must have 2 columns, as the vectors have"):
        prob_cover(np.ones((2, 2)), 1, rng, given=np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"vectors, shape \(2, 1\): row 1 holds NaN or infinity"):
        prob_cover(np.array([[1.0], [np.inf]]), 1, rng)
    with pytest.raises(ValueError, match="k must be at least 0, not -1"):
        prob_cover(np.ones((2, 2)), -1, rng)
