"""Variance reduction against its plain definition: the trace after every possible label, computed anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.strategies import variance as module
from tithe.strategies.arrays import Float64, Int64
from tithe.strategies.variance import answer_variance, mean_label_variance, variance_reduction

PROPERTY = settings(derandomize=True, deadline=None, max_examples=60)


def traces(vectors: Float64, variance: Float64, picks: list[int], known: Float64, ridge: float) -> dict[int, float]:
    """What is left of the pool's variance after the picks and one more, for every one more."""
    scale = np.sqrt((vectors**2).sum() / len(vectors)) or 1.0
    rows, labeled = vectors / scale, known / scale
    weight = variance if variance.any() else np.ones(len(rows))
    pool = (rows * weight[:, None]).T @ rows
    precision = ridge * np.eye(rows.shape[1]) + (weight**2).sum() / weight.sum() * labeled.T @ labeled
    for pick in picks:
        precision = precision + weight[pick] * np.outer(rows[pick], rows[pick])
    return {
        at: float(np.trace(np.linalg.inv(precision + weight[at] * np.outer(rows[at], rows[at])) @ pool))
        for at in range(len(rows))
        if at not in picks
    }


@st.composite
def pools(draw: st.DrawFn) -> tuple[Float64, Float64]:
    n, d, seed = draw(st.integers(1, 20)), draw(st.integers(1, 4)), draw(st.integers(0, 10_000))
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-2, 3, size=(n, d)).astype(float) if draw(st.booleans()) else rng.normal(size=(n, d))
    return vectors, rng.random(n) * rng.integers(0, 2, size=n)  # copies, and rows that are certain


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("labeled", [0, 3])
@PROPERTY
@given(pool=pools(), k=st.integers(0, 25), seed=st.integers(0, 99), ridge=st.sampled_from([0.1, 1.0, 7.0]))
def test_every_pick_lowers_the_variance_most(
    labeled: int, dtype: type, pool: tuple[Float64, Float64], k: int, seed: int, ridge: float
) -> None:
    vectors, variance = pool[0].astype(dtype).astype(float), pool[1]
    known = np.random.default_rng(seed).normal(size=(labeled, vectors.shape[1])).astype(dtype)
    before = vectors.copy(), variance.copy(), known.copy()
    chosen = variance_reduction(vectors.astype(dtype), variance, k, np.random.default_rng(seed), known, ridge=ridge)
    assert chosen.dtype == np.int64
    assert len(set(chosen.tolist())) == len(chosen) == min(k, len(vectors))
    for turn, pick in enumerate(chosen.tolist()):
        left = traces(vectors, variance, chosen[:turn].tolist(), known.astype(float), ridge)
        assert left[pick] <= min(left.values()) + 1e-9 * (1 + abs(min(left.values())))
    assert all((one == other).all() for one, other in zip(before, (vectors, variance, known), strict=True))


def cloud(n: int, d: int = 5, seed: int = 0) -> Float64:
    return np.random.default_rng(seed).normal(size=(n, d))


def choose(vectors: Float64, k: int, seed: int = 0, **options: object) -> Int64:
    return variance_reduction(vectors, np.full(len(vectors), 0.5), k, np.random.default_rng(seed), **options)  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_picks_and_copies_go_by_lot() -> None:
    copies = np.ones((12, 3))
    assert choose(copies, 12, 3).tolist() == choose(copies, 12, 3).tolist()
    assert {int(choose(copies, 1, seed)[0]) for seed in range(200)} == set(range(12))


def test_the_unit_of_the_vectors_does_not_matter_nor_that_of_the_order_they_came_in() -> None:
    vectors, known = cloud(60), cloud(5, seed=1)
    picks = choose(vectors, 20, given=known)
    assert picks.tolist() == choose(1024.0 * vectors, 20, given=1024.0 * known).tolist()
    order = np.random.default_rng(4).permutation(60)
    assert order[choose(vectors[order], 20, 9, given=known)].tolist() == picks.tolist()


def test_what_is_labeled_is_not_asked_again_while_something_else_is_open() -> None:
    pool = np.repeat(np.eye(3), [30, 20, 10], axis=0)
    first = pool[choose(pool, 1)][0]
    assert first.tolist() == [1.0, 0.0, 0.0]
    second = pool[choose(pool, 1, given=np.repeat(first[None], 9, axis=0))][0]
    assert second.tolist() == [0.0, 1.0, 0.0]


def test_a_list_begins_with_the_shorter_one() -> None:
    vectors = cloud(300)
    assert choose(vectors, 100)[:30].tolist() == choose(vectors, 30).tolist()


@pytest.mark.parametrize("k", [5, 700])
def test_a_large_pool_is_stood_for_by_a_sample(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFERENCE_ROWS", 300)
    monkeypatch.setattr(module, "CANDIDATE_DRAWS", 400)
    vectors = cloud(3000).astype(np.float32)
    variance = np.where(np.arange(3000) % 10 == 0, 0.5, 0.0)
    chosen = variance_reduction(vectors, variance, k, np.random.default_rng(0))
    assert len(set(chosen.tolist())) == k
    assert (chosen[: min(k, 100)] % 10 == 0).all()  # what is certain comes after all else


def test_many_rows_and_few_open_ones_still_give_as_many_as_asked() -> None:
    vectors, variance = cloud(5000, d=2), np.zeros(5000)
    variance[17] = 0.5
    chosen = variance_reduction(vectors, variance, 40, np.random.default_rng(0))
    assert chosen[0] == 17
    assert len(set(chosen.tolist())) == 40


def test_certain_answers_and_vectors_of_zeros_are_no_trouble() -> None:
    rng = np.random.default_rng(0)
    assert sorted(variance_reduction(np.zeros((4, 2)), np.ones(4), 9, rng).tolist()) == [0, 1, 2, 3]
    assert len(variance_reduction(cloud(30), np.zeros(30), 7, rng)) == 7
    assert len(variance_reduction(np.empty((0, 2)), np.empty(0), 3, rng)) == 0


def test_the_variance_of_an_answer_is_that_of_its_indicators() -> None:
    rng = np.random.default_rng(0)
    answers = rng.dirichlet(np.ones(4), 50)
    assert answer_variance(answers) == pytest.approx((answers * (1 - answers)).sum(axis=1))
    assert answer_variance(np.eye(3)).tolist() == [0.0, 0.0, 0.0]
    two = answers[:, :1]
    assert mean_label_variance(two) == pytest.approx(answer_variance(np.concatenate([two, 1 - two], axis=1)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": -1}, "k must be"),
        ({"vectors": np.zeros(9)}, "vectors, shape"),
        ({"vectors": np.full((9, 3), np.nan)}, "holds NaN or infinity"),
        ({"vectors": np.full((9, 3), 1e200)}, "too long"),
        ({"given": np.zeros((2, 4))}, "given"),
        ({"variance": np.zeros(8)}, "variance, shape"),
        ({"variance": np.full(9, np.nan)}, "row 0 is nan"),
        ({"variance": np.full(9, -1.0)}, "row 0 is -1"),
        ({"variance": np.full(9, np.inf)}, "row 0 is inf"),
        ({"ridge": 0.0}, "ridge must be"),
        ({"ridge": np.nan}, "ridge must be"),
    ],
)
def test_what_is_wrong_is_refused(changes: dict[str, object], message: str) -> None:
    good = {"vectors": cloud(9, 3), "variance": np.full(9, 0.5), "k": 2, "rng": np.random.default_rng(0)}
    with pytest.raises(ValueError, match=message):
        variance_reduction(**(good | changes))  # type: ignore[arg-type]


def test_vectors_of_many_numbers_are_projected_and_still_spread_over_what_is_open() -> None:
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(4, 3000)) / np.sqrt(3000)
    rows = (centers[np.arange(400) % 4] + 0.1 * rng.normal(size=(400, 3000)) / np.sqrt(3000)).astype(np.float32)
    picks = variance_reduction(rows, np.full(400, 0.5), 4, np.random.default_rng(1))
    assert set((picks % 4).tolist()) == {0, 1, 2, 3}
    asked = variance_reduction(rows, np.full(400, 0.5), 2, np.random.default_rng(1), given=rows[[0, 1, 4, 5, 8, 9]])
    assert set((asked % 4).tolist()) == {2, 3}
