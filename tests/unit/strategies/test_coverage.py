"""Core-set and cold-start choices: greedy in truth, never a position twice, at home in the candidates' index space."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.strategies import seeding, squared_draws
from tithe.strategies import typical as typical_room
from tithe.strategies.arrays import Float64, Floats, Int64
from tithe.strategies.coverage import k_center_greedy, k_means_plus_plus, typical
from tithe.strategies.sampling import rows_in_proportion, sample_rows
from tithe.strategies.squared_draws import SquaredDistanceDraws

PROPERTY = settings(derandomize=True, deadline=None, max_examples=80)
CHOOSERS = [k_means_plus_plus, k_center_greedy, typical]
Chooser = Callable[[Floats, int, np.random.Generator], Int64]


@st.composite
def small_clouds(draw: st.DrawFn) -> Float64:
    """Points on a small grid, so that copies and equal distances are the rule and every distance is exact."""
    d = draw(st.integers(1, 3))
    point = st.lists(st.integers(-2, 2), min_size=d, max_size=d)
    return np.array(draw(st.lists(point, min_size=1, max_size=25)), dtype=float).reshape(-1, d)


def clusters(seed: int, sizes: tuple[int, ...], d: int = 8) -> tuple[Float64, Int64]:
    """Well separated clusters in shuffled order, and the cluster of each point."""
    rng = np.random.default_rng(seed)
    of = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return 100.0 * np.eye(len(sizes), d)[of] + rng.normal(size=(len(of), d)), of


@pytest.mark.parametrize("choose", CHOOSERS)
@PROPERTY
@given(vectors=small_clouds(), k=st.integers(0, 30), seed=st.integers(0, 1000))
def test_positions_are_distinct_seeded_and_as_many_as_there_can_be(
    choose: Chooser, vectors: Float64, k: int, seed: int
) -> None:
    before = vectors.copy()
    chosen = choose(vectors, k, np.random.default_rng(seed))
    assert chosen.dtype == np.int64
    assert len(set(chosen.tolist())) == len(chosen) == min(k, len(vectors))
    assert set(chosen.tolist()) <= set(range(len(vectors)))
    assert (choose(vectors, k, np.random.default_rng(seed)) == chosen).all()
    narrow = choose(vectors.astype(np.float32), k, np.random.default_rng(seed))
    assert len(set(narrow.tolist())) == len(narrow) == len(chosen)
    assert vectors.tobytes() == before.tobytes()


@pytest.mark.parametrize("labeled", [0, 1, 3])
@PROPERTY
@given(vectors=small_clouds(), k=st.integers(1, 30), seed=st.integers(0, 1000))
def test_every_k_center_pick_is_a_farthest_one_left(labeled: int, vectors: Float64, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    known = rng.integers(-2, 3, size=(labeled, vectors.shape[1])).tolist()
    nearest = [min((sum((a - b) ** 2 for a, b in zip(v, c, strict=True)) for c in known), default=np.inf)
               for v in vectors.tolist()]  # fmt: skip
    given_distance = np.sqrt(nearest) if labeled else None
    left = set(range(len(vectors)))
    for pick in k_center_greedy(vectors, k, rng, given_distance).tolist():
        assert nearest[pick] == pytest.approx(max(nearest[i] for i in left))
        left.remove(pick)
        nearest = [min(old, float(((v - vectors[pick]) ** 2).sum())) for old, v in zip(nearest, vectors, strict=True)]


def plain_k_center(vectors: Floats, nearest: Float64, k: int) -> list[int]:
    """Of vectors that are nowhere equally far."""
    squared, picks = nearest**2, []
    for _ in range(k):
        picks.append(int(squared.argmax()))
        squared = np.minimum(squared, ((vectors - vectors[picks[-1]]) ** 2).sum(axis=1))
        squared[picks[-1]] = -1.0
    return picks


@pytest.mark.parametrize("d", [1, 2, 30])
def test_the_rows_k_center_never_looks_at_change_nothing(d: int) -> None:
    rng = np.random.default_rng(d)
    vectors = rng.normal(size=(3000, d))
    nearest = np.sqrt(((vectors - vectors.mean(axis=0)) ** 2).sum(axis=1))
    assert k_center_greedy(vectors, 200, rng, nearest).tolist() == plain_k_center(vectors, nearest, 200)


def test_rows_that_meet_many_centers_at_once_change_nothing() -> None:
    # All bounds are high until each of the clusters has a center; then all rows fall back at once.
    vectors, _ = clusters(2, (300,) * 20, d=20)
    nearest = np.full(len(vectors), 1e3) + np.random.default_rng(0).random(len(vectors))
    chosen = k_center_greedy(vectors, 80, np.random.default_rng(0), nearest)
    assert chosen.tolist() == plain_k_center(vectors, nearest, 80)


def test_infinitely_far_vectors_and_copies_go_by_lot() -> None:
    vectors = np.repeat(np.arange(3.0), 900)[:, None]
    firsts = set()
    for seed in range(5):
        chosen = k_center_greedy(vectors, 2700, np.random.default_rng(seed), np.full(2700, np.inf))
        assert sorted(chosen.tolist()) == list(range(2700))
        assert sorted(vectors[chosen[:3], 0].tolist()) == [0.0, 1.0, 2.0]
        firsts.add(tuple(chosen[:9].tolist()))
    assert len(firsts) == 5


def test_k_center_goes_on_where_a_store_left_off() -> None:
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(400, 6))
    first = k_center_greedy(vectors, 10, np.random.default_rng(1))
    ids = rng.permutation(np.delete(np.arange(400), first[:4]))  # the store's ids, in the store's order
    nearest = np.sqrt(((vectors[ids, None] - vectors[first[:4]]) ** 2).sum(axis=2).min(axis=1))
    rest = k_center_greedy(vectors[ids], 6, np.random.default_rng(9), nearest)
    assert ids[rest].tolist() == first[4:].tolist()


def test_k_center_is_within_twice_the_best_radius() -> None:
    for seed in range(20):
        vectors = np.random.default_rng(seed).normal(size=(9, 2))
        squared = ((vectors[:, None] - vectors) ** 2).sum(axis=2)
        best = min(squared[list(centers)].min(axis=0).max() for centers in itertools.combinations(range(9), 3))
        chosen = k_center_greedy(vectors, 3, np.random.default_rng(seed))
        assert squared[chosen].min(axis=0).max() <= 4 * best


def test_equally_far_vectors_are_drawn_by_lot() -> None:
    copies = np.zeros((50, 3))
    orders = {tuple(k_center_greedy(copies, 50, np.random.default_rng(seed), np.zeros(50))) for seed in range(5)}
    assert len(orders) == 5
    assert all(sorted(order) == list(range(50)) for order in orders)


@pytest.mark.parametrize("choose", CHOOSERS)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_each_well_separated_cluster_gets_one(choose: Chooser, seed: int, offset: float) -> None:
    vectors, of = clusters(seed, (30, 10, 80, 25, 6))
    chosen = choose((vectors + offset).astype(np.float32), 5, np.random.default_rng(seed))
    assert sorted(of[chosen].tolist()) == [0, 1, 2, 3, 4]


def test_k_means_plus_plus_takes_no_copy_while_others_are_left() -> None:
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(12, 384)).astype(np.float32)
    vectors = kinds[rng.permutation(np.repeat(np.arange(12), 50))]
    chosen = k_means_plus_plus(vectors, 30, rng)
    assert len(np.unique(vectors[chosen[:12]], axis=0)) == 12
    assert len(set(chosen.tolist())) == 30


def test_k_means_plus_plus_stays_away_from_what_is_given() -> None:
    vectors, of = clusters(3, (40, 40, 40))
    for seed in range(10):
        given_vectors = vectors[of != 1][:50].astype(np.float32)
        chosen = k_means_plus_plus(vectors, 1, np.random.default_rng(seed), given=given_vectors)
        assert of[chosen].tolist() == [1]
    all_given = k_means_plus_plus(vectors, 3, np.random.default_rng(0), given=vectors)
    assert len(set(all_given.tolist())) == 3
    none_given = k_means_plus_plus(vectors, 3, np.random.default_rng(0), given=vectors[:0])
    assert (none_given == k_means_plus_plus(vectors, 3, np.random.default_rng(0))).all()


def test_k_means_plus_plus_draws_by_squared_distance() -> None:
    # From 0: 1 against 9, two draws, the better kept. Both draws are the near one in 1 of 100 trials.
    line = np.array([[0.0], [1.0], [3.0]])
    near = sum(
        k_means_plus_plus(line[1:], 1, np.random.default_rng(seed), given=line[:1])[0] == 0 for seed in range(2000)
    )
    assert 5 <= near <= 40


@pytest.mark.parametrize("rows_per_try", [1e-9, 16, 1e9])
def test_draws_by_old_bounds_are_exact_draws(monkeypatch: pytest.MonkeyPatch, rows_per_try: float) -> None:
    # From never bringing bounds up to date to always.
    monkeypatch.setattr(squared_draws, "_ROWS_PER_TRY", rows_per_try)
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(12, 2)).round(1)
    draws = SquaredDistanceDraws(vectors, np.array([[3.0, 3.0]]))
    expected = ((vectors - 3.0) ** 2).sum(axis=1)
    for added in (4, 7, 0):
        draws.add(added)
        expected = np.minimum(expected, ((vectors - vectors[added]) ** 2).sum(axis=1))
        seen = np.bincount(np.concatenate([draws.draw(7, rng) for _ in range(2000)]), minlength=12)
        share = expected / expected.sum() * 14_000
        assert (seen[share == 0.0] == 0).all()
        some = share > 0.0
        # chi-squared of at most 11 degrees of freedom: above 35 once in 4,000
        assert ((seen - share)[some] ** 2 / share[some]).sum() < 35.0


def test_there_is_nothing_to_draw_among_copies() -> None:
    vectors = np.repeat(np.eye(3, dtype=np.float32), 400, axis=0)
    draws = SquaredDistanceDraws(vectors, vectors[:1])
    rng = np.random.default_rng(0)
    for kind in (1, 2):
        draws.add(400 * kind)
        drawn = draws.draw(50, rng)
        assert (drawn // 400 == 2).all() if kind == 1 else len(drawn) == 0


def test_the_best_of_several_draws_leaves_less_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = clusters(4, (300,) * 8)

    def left_over(seed: int) -> float:
        chosen = k_means_plus_plus(vectors, 30, np.random.default_rng(seed))
        return float(((vectors[:, None] - vectors[chosen]) ** 2).sum(axis=2).min(axis=1).sum())

    several = np.mean([left_over(seed) for seed in range(6)])
    monkeypatch.setattr(seeding, "_JUDGES", 500)
    by_few_judges = np.mean([left_over(seed) for seed in range(6)])
    monkeypatch.setattr(seeding, "_JUDGES", 1)
    by_one_judge = np.mean([left_over(seed) for seed in range(6)])
    assert several < 0.97 * by_one_judge
    assert by_few_judges < 0.97 * by_one_judge


def test_rows_are_drawn_in_proportion() -> None:
    rng = np.random.default_rng(0)
    weights = np.array([0.0, 1.0, 3.0, 0.0, 0.5, 0.0])
    seen = np.zeros(6)
    for _ in range(3000):
        positions, times = rows_in_proportion(weights, 3, rng)
        assert times.sum() == 3
        seen[positions] += times
    assert seen / 3000 == pytest.approx(weights / weights.sum() * 3, abs=0.05)
    assert (seen[weights == 0.0] == 0).all()
    assert sample_rows(5, 9, rng).tolist() == [0, 1, 2, 3, 4]
    drawn = sample_rows(100, 9, rng)
    assert len(set(drawn.tolist())) == 9
    assert sorted(drawn.tolist()) == drawn.tolist()


def test_typical_prefers_the_dense_middle_and_leaves_outliers_for_last() -> None:
    vectors, of = clusters(1, (60, 20, 1))
    chosen = typical(vectors, 3, np.random.default_rng(0))
    assert of[chosen].tolist() == [0, 1, 0]  # largest first; then round again rather than the outlier
    for kind in (0, 1):
        members = np.flatnonzero(of == kind)
        apart = np.sqrt(((vectors[members, None] - vectors[members]) ** 2).sum(axis=2))
        spread = np.sort(apart, axis=1)[:, 1:21].mean(axis=1)
        assert members[spread.argmin()] in chosen


def test_typical_blocks_agree_with_plain_distances() -> None:
    vectors = np.random.default_rng(2).normal(size=(1500, 5))
    apart = np.sqrt(((vectors[:, None] - vectors) ** 2).sum(axis=2))
    spread = np.sort(apart, axis=1)[:, 1:21].mean(axis=1)
    assert typical(vectors, 1, np.random.default_rng(0)).tolist() == [spread.argmin()]


def test_typical_goes_first_where_nothing_is_labeled() -> None:
    vectors, of = clusters(5, (60, 40, 30, 20))
    labeled = np.concatenate([vectors[of == 0][:2], vectors[of == 2][:1]])
    rng = np.random.default_rng(0)
    assert of[typical(vectors, 1, rng, given=labeled)].tolist() == [1]
    # 1 + 3 clusters: the empty of labels by size, then those of one each by size, labeled or chosen
    assert of[typical(vectors, 4, rng, given=vectors[:0])].tolist() == [0, 1, 2, 3]
    none = typical(vectors, 9, np.random.default_rng(0), given=vectors[:0])
    assert (none == typical(vectors, 9, np.random.default_rng(0))).all()


def test_typical_takes_turns_by_what_is_labeled_or_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typical_room, "_MOST_CLUSTERS", 4)
    vectors, of = clusters(5, (60, 40, 30, 20))
    labeled = np.concatenate([vectors[of == 0][:2], vectors[of == 2][:1]])
    chosen = of[typical(vectors, 8, np.random.default_rng(0), given=labeled)].tolist()
    assert chosen == [1, 3, 1, 2, 3, 0, 1, 2]


def test_typical_of_a_large_pool_by_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, of = clusters(6, (900, 500, 300, 3), d=4)
    exact = typical(vectors, 3, np.random.default_rng(0))
    monkeypatch.setattr(typical_room, "_MOST_ROWS", 400)
    monkeypatch.setattr(typical_room, "_MOST_MEMBERS", 200)
    chosen = typical(vectors, 3, np.random.default_rng(0))
    assert of[chosen[:2]].tolist() == of[exact[:2]].tolist() == [0, 1]
    for pick in chosen.tolist():  # in the middle of its cluster: among the nearest tenth to its mean
        members = vectors[of == of[pick]]
        to_mean = ((members - members.mean(axis=0)) ** 2).sum(axis=1)
        assert ((vectors[pick] - members.mean(axis=0)) ** 2).sum() < np.quantile(to_mean, 0.2)
    everything = typical(vectors, 1703, np.random.default_rng(0))
    assert sorted(everything.tolist()) == list(range(1703))


@pytest.mark.parametrize("choose", CHOOSERS)
def test_no_candidates_no_choice(choose: Chooser) -> None:
    assert choose(np.empty((0, 3)), 5, np.random.default_rng(0)).tolist() == []
    assert choose(np.ones((4, 3)), 0, np.random.default_rng(0)).tolist() == []
    assert sorted(choose(np.empty((4, 0)), 9, np.random.default_rng(0)).tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize("choose", CHOOSERS)
def test_what_are_no_vectors_is_refused(choose: Chooser) -> None:
    rng = np.random.default_rng(0)
    vectors = np.ones((90_000, 2))
    vectors[80_001:] = np.nan
    with pytest.raises(ValueError, match=r"^vectors, shape \(90000, 2\): row 80001 holds NaN or infinity"):
        choose(vectors, 1, rng)
    with pytest.raises(ValueError, match=r"vectors, shape \(2,\), float64, must be real numbers of 2 axes, \(n, d\)"):
        choose(np.ones(2), 1, rng)
    with pytest.raises(ValueError, match="row 1 is too long: its square overflows"):
        choose(np.array([[1.0], [1e30]], dtype=np.float32), 1, rng)
    with pytest.raises(ValueError, match="k must be at least 0, not -1"):
        choose(np.ones((2, 2)), -1, rng)


def test_what_is_given_must_fit() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"given, shape \(1, 3\), must have 2 columns, as the vectors have"):
        k_means_plus_plus(np.ones((2, 2)), 1, rng, given=np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"nearest_distance, shape \(3,\), must hold one distance for each of the 2"):
        k_center_greedy(np.ones((2, 2)), 1, rng, np.ones(3))
    for bad in (np.nan, -1.0):
        with pytest.raises(ValueError, match=rf"nearest_distance, shape \(2,\): row 1 is {bad}, not 0 or more"):
            k_center_greedy(np.ones((2, 2)), 1, rng, np.array([np.inf, bad]))


@settings(max_examples=40)
@given(st.data())
def test_k_center_given_the_labeled_vectors_is_k_center_given_the_distances(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    n, m, d = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 400)), data.draw(st.sampled_from([1, 3, 30]))
    vectors = rng.normal(size=(n, d)).astype(data.draw(st.sampled_from([np.float32, np.float64])))
    labeled = rng.normal(size=(m, d)).astype(vectors.dtype)
    copies = data.draw(st.integers(0, min(n, m)))
    labeled[:copies] = vectors[:copies]
    exact = np.sqrt(((vectors[:, None].astype(float) - labeled[None].astype(float)) ** 2).sum(axis=2)).min(axis=1)
    k = data.draw(st.integers(0, n - copies))
    picks = k_center_greedy(vectors, k, np.random.default_rng(0), given=labeled)
    assert len(np.unique(picks)) == k
    distance = exact.copy()
    for pick in picks.tolist():  # each is farthest when it is chosen, but for rounding
        assert distance[pick] >= distance.max() * (1 - 1e-5)
        gaps = np.sqrt(((vectors.astype(float) - vectors[pick].astype(float)) ** 2).sum(axis=1))
        distance = np.minimum(distance, gaps)


def test_k_center_takes_distances_or_vectors_not_both() -> None:
    rows = np.ones((3, 2))
    with pytest.raises(ValueError, match="give one of them"):
        k_center_greedy(rows, 1, np.random.default_rng(0), np.ones(3), given=rows)
    with pytest.raises(ValueError, match="given, shape"):
        k_center_greedy(rows, 1, np.random.default_rng(0), given=np.ones((2, 5)))
