"""A batch without near copies: exact, in slices as at once, and honest about who was skipped for whom."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.strategies.near_duplicates import Apart, keep_apart

PROPERTY = settings(derandomize=True, deadline=None, max_examples=60)
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


def cosine(one: list[float], other: list[float]) -> float:
    lengths = math.sqrt(math.fsum(a * a for a in one)), math.sqrt(math.fsum(b * b for b in other))
    if 0.0 in lengths:
        return 1.0 if lengths == (0.0, 0.0) else 0.0
    return math.fsum(a * b for a, b in zip(one, other, strict=True)) / lengths[0] / lengths[1]


def plain(
    vectors: Float64, order: Int64, k: int, threshold: float, beside: Float64
) -> tuple[list[int], list[int], list[int]]:
    kept: list[int] = []
    skipped, duplicates = [], []
    rows, given = vectors.tolist(), beside.tolist()
    for i in order.tolist():
        if len(kept) == k:
            break
        before = [(-1 - j, v) for j, v in enumerate(given)] + [(j, rows[j]) for j in kept]
        near = [j for j, v in before if cosine(rows[i], v) >= threshold - 1e-12]
        if near:
            skipped.append(i)
            duplicates.append(near[0])
        else:
            kept.append(i)
    return kept, skipped, duplicates


@st.composite
def clouds(draw: st.DrawFn, least: int = 0) -> Float64:
    """Points on a small grid: copies, multiples, opposites and zeros are the rule."""
    point = st.lists(st.integers(-2, 2), min_size=2, max_size=2)
    return np.array(draw(st.lists(point, min_size=least, max_size=25)), dtype=float).reshape(-1, 2)


@PROPERTY
@given(
    vectors=clouds(),
    beside=clouds(),
    k=st.integers(0, 30),
    threshold=st.sampled_from([0.05, 0.6, 0.8, 0.95, 1.0]),
    seed=st.integers(0, 99),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_it_is_the_plain_walk(
    vectors: Float64, beside: Float64, k: int, threshold: float, seed: int, dtype: type
) -> None:
    order = np.random.default_rng(seed).permutation(len(vectors))[: max(0, len(vectors) - 2)]
    before = vectors.tobytes()
    result = keep_apart(vectors.astype(dtype), order, k, threshold, beside.astype(dtype))
    assert tuple(part.tolist() for part in result) == plain(vectors, order, k, threshold, beside)
    assert all(part.dtype == np.int64 for part in result)
    assert vectors.tobytes() == before


@PROPERTY
@given(vectors=clouds(), cuts=st.lists(st.integers(0, 25), max_size=4), threshold=st.sampled_from([0.6, 0.95, 1.0]))
def test_slices_keep_what_all_at_once_keeps(vectors: Float64, cuts: list[int], threshold: float) -> None:
    whole = Apart(threshold).offer(vectors)
    slices = Apart(threshold)
    parts = [slices.offer(part) for part in np.split(vectors, sorted(min(cut, len(vectors)) for cut in cuts))]
    assert np.concatenate(parts).tolist() == whole.tolist()
    assert len(slices) == int(whole.sum())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_copies_are_found_at_threshold_one_whatever_their_number_length_and_block(dtype: type) -> None:
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(300, 384)).astype(dtype)
    of = rng.permutation(np.repeat(np.arange(300), 5))
    vectors = kinds[of] * rng.choice([1.0, 0.1, 3.0], size=(1500, 1)).astype(dtype)  # rounded once more
    result = keep_apart(vectors, np.arange(1500), 1500, 1.0)
    assert sorted(of[result.kept].tolist()) == list(range(300))
    assert (of[result.duplicates] == of[result.skipped]).all()
    assert (result.duplicates < result.skipped).all()


def test_many_rows_agree_with_one_matrix_of_cosines() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(1200, 4)).astype(np.float32)
    order = rng.permutation(1200)
    unit = vectors.astype(float) / np.linalg.norm(vectors.astype(float), axis=1, keepdims=True)
    cosines = unit @ unit.T
    kept: list[int] = []
    for i in order.tolist():
        if len(kept) < 150 and not (cosines[i, kept] >= 0.9).any():
            kept.append(i)
    assert keep_apart(vectors, order, 150, 0.9).kept.tolist() == kept
    assert len(kept) > 20


def test_zeros_are_copies_of_zeros_only() -> None:
    vectors = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1e-30, 0.0]])
    kept, skipped, duplicates = keep_apart(vectors, np.arange(4), 4, 0.5)
    assert (kept.tolist(), skipped.tolist(), duplicates.tolist()) == ([0, 1], [2, 3], [0, 1])
    assert Apart(0.5).offer(np.empty((3, 0))).tolist() == [True, False, False]


def test_what_is_beside_counts_as_kept_and_is_named() -> None:
    vectors = np.eye(3)
    result = keep_apart(vectors, np.array([2, 0, 1]), 5, 0.9, beside=np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 1.0]]))
    assert (result.kept.tolist(), result.skipped.tolist(), result.duplicates.tolist()) == ([0], [2, 1], [-2, -1])


def test_the_walk_ends_where_enough_is_kept() -> None:
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    result = keep_apart(vectors, np.arange(4), 2, 0.9)
    assert (result.kept.tolist(), result.skipped.tolist()) == ([0, 2], [1])
    assert keep_apart(vectors, np.arange(4), 0, 0.9).skipped.tolist() == []


def test_what_makes_no_sense_is_refused() -> None:
    vectors = np.eye(2)
    for bad in (0.0, 1.1, -0.5, np.nan):
        with pytest.raises(ValueError, match="threshold must be above 0 and at most 1, not"):
            Apart(bad)
    with pytest.raises(ValueError, match="order holds position 1 2 times"):
        keep_apart(vectors, np.array([1, 0, 1]), 2, 0.9)
    with pytest.raises(ValueError, match="order holds positions 0 to 2, but there are 2 vectors"):
        keep_apart(vectors, np.array([0, 2]), 2, 0.9)
    with pytest.raises(ValueError, match="must be one row of positions"):
        keep_apart(vectors, np.array([0.0, 1.0]), 2, 0.9)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="row 1 holds NaN or infinity"):
        Apart(0.9).offer(np.array([[1.0], [np.nan]]))
    with pytest.raises(ValueError, match=r"beside, shape \(1, 3\), must have 2 columns"):
        keep_apart(vectors, np.array([0]), 1, 0.9, beside=np.ones((1, 3)))
    with pytest.raises(ValueError, match="k must be at least 0, not -1"):
        keep_apart(vectors, np.array([0]), -1, 0.9)
    apart = Apart(0.9)
    apart.offer(vectors)
    with pytest.raises(ValueError, match=r"vectors, shape \(1, 3\), must have 2 columns, as before"):
        apart.offer(np.ones((1, 3)))
