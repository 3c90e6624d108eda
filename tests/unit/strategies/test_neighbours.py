"""The neighbours of what is labeled: exact, and the same bytes from any shards."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.strategies import neighbours
from tithe.strategies.neighbours import (
    Neighbours,
    merge_neighbours,
    nearest_neighbours,
    neighbours_of,
    seals_candidates,
)

PROPERTY = settings(derandomize=True, deadline=None, max_examples=60)
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


@st.composite
def pools(draw: st.DrawFn) -> tuple[Float64, Int64, Float64]:
    """Points on a small grid, so that equal distances are the rule; ordinals in no order; some labeled points."""
    d = draw(st.integers(1, 3))
    point = st.lists(st.integers(-2, 2), min_size=d, max_size=d)
    vectors = np.array(draw(st.lists(point, max_size=30)), dtype=float).reshape(-1, d)
    labeled = np.array(draw(st.lists(point, max_size=5)), dtype=float).reshape(-1, d)
    ordinals = draw(st.lists(st.integers(0, 10**12), unique=True, min_size=len(vectors), max_size=len(vectors)))
    return vectors, np.array(ordinals, dtype=np.int64), labeled


def plain(vectors: Float64, ordinals: Int64, labeled: Float64, count: int) -> list[list[tuple[float, int]]]:
    return [
        sorted((float(np.sqrt(((v - y) ** 2).sum())), int(o)) for v, o in zip(vectors, ordinals, strict=True))[:count]
        for y in labeled
    ]


def pairs(found: Neighbours) -> list[list[tuple[float, int]]]:
    rows = zip(found.distances.tolist(), found.ordinals.tolist(), strict=True)
    return [list(zip(distances, ordinals, strict=True)) for distances, ordinals in rows]


@PROPERTY
@given(pool=pools(), count=st.integers(0, 35), rows=st.sampled_from([1, 3, 2**21]), narrow=st.booleans())
def test_it_is_the_plain_sort(pool: tuple[Float64, Int64, Float64], count: int, rows: int, narrow: bool) -> None:
    vectors, ordinals, labeled = pool
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_BLOCK_PRODUCTS", rows)  # blocks of few rows, or one
        found = nearest_neighbours(vectors.astype(np.float32) if narrow else vectors, ordinals, labeled, count)
    assert pairs(found) == plain(vectors, ordinals, labeled, count)
    assert found.ordinals.dtype == np.int64
    assert found.ordinals.shape == found.distances.shape == (len(labeled), min(count, len(vectors)))


@PROPERTY
@given(pool=pools(), count=st.integers(0, 35), data=st.data())
def test_shards_merge_into_the_same_bytes(
    pool: tuple[Float64, Int64, Float64], count: int, data: st.DataObject
) -> None:
    vectors, ordinals, labeled = pool
    shards = data.draw(st.integers(1, 5))
    home = np.array(data.draw(st.lists(st.integers(0, shards - 1), min_size=len(vectors), max_size=len(vectors))), int)
    parts = [
        nearest_neighbours(vectors[home == shard], ordinals[home == shard], labeled, count)
        for shard in data.draw(st.permutations(range(shards)))
    ]
    whole, merged = nearest_neighbours(vectors, ordinals, labeled, count), merge_neighbours(parts, count)
    assert merged.ordinals.tobytes() == whole.ordinals.tobytes()
    assert merged.distances.tobytes() == whole.distances.tobytes()
    assert seals_candidates(parts, count).tolist() == sorted({o for row in pairs(whole) for _, o in row})


@pytest.mark.parametrize("offset", [0.0, 300.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_rows_give_the_same_bytes_whole_shuffled_and_in_shards(dtype: type, offset: float) -> None:
    rng = np.random.default_rng(2)
    kinds = (rng.normal(size=(4000, 24)) + offset).astype(dtype)
    vectors = kinds[rng.integers(4000, size=6000)]  # copies: equal distances at the border
    labeled = np.concatenate([(rng.normal(size=(40, 24)) + offset).astype(dtype), kinds[:10]])
    ordinals = rng.permutation(6000)
    whole = nearest_neighbours(vectors, ordinals, labeled, 25)
    apart = np.sqrt(((vectors.astype(float)[None] - labeled.astype(float)[:, None]) ** 2).sum(axis=2))
    expected = np.lexsort((np.broadcast_to(ordinals, apart.shape), apart), axis=1)[:, :25]
    assert (np.take_along_axis(apart, expected, axis=1) == whole.distances).all()
    assert (ordinals[expected] == whole.ordinals).all()
    parts = [
        nearest_neighbours(vectors[i], ordinals[i], labeled, 25) for i in np.split(rng.permutation(6000), [1, 900])
    ]
    merged = merge_neighbours(parts, 25)
    assert merged.distances.tobytes() == whole.distances.tobytes()
    assert merged.ordinals.tobytes() == whole.ordinals.tobytes()
    assert (
        neighbours_of(vectors, labeled, 25).tolist()
        == np.unique(np.lexsort((np.broadcast_to(np.arange(6000), apart.shape), apart), axis=1)[:, :25]).tolist()
    )


def test_very_long_vectors_and_single_ones_do_not_mislead_the_bar() -> None:
    rng = np.random.default_rng(3)
    vectors = (rng.normal(size=(3000, 8)) * 10.0 ** rng.integers(-6, 7, size=(3000, 1))).astype(np.float32)
    labeled = vectors[::300] * np.float32(1.001)
    apart = np.sqrt(((vectors.astype(float)[None] - labeled.astype(float)[:, None]) ** 2).sum(axis=2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_BLOCK_PRODUCTS", 500)
        found = nearest_neighbours(vectors, np.arange(3000), labeled, 7)
    assert (found.ordinals == np.argsort(apart, axis=1, kind="stable")[:, :7]).all()


def test_nothing_labeled_nothing_found() -> None:
    assert neighbours_of(np.ones((4, 2)), np.empty((0, 2)), 3).tolist() == []
    assert neighbours_of(np.empty((0, 2)), np.ones((3, 2)), 3).tolist() == []
    assert neighbours_of(np.ones((4, 2)), np.ones((3, 2)), 0).tolist() == []
    assert neighbours_of(np.empty((4, 0)), np.empty((1, 0)), 2).tolist() == [0, 1]
    assert merge_neighbours([], 3).ordinals.shape == (0, 0)


def test_what_does_not_fit_is_refused() -> None:
    vectors, ordinals = np.ones((2, 2)), np.arange(2)
    with pytest.raises(ValueError, match="count must be at least 0, not -1"):
        neighbours_of(vectors, vectors, -1)
    with pytest.raises(ValueError, match=r"labeled, shape \(1, 3\), must have 2 columns"):
        neighbours_of(vectors, np.ones((1, 3)), 1)
    with pytest.raises(ValueError, match=r"labeled, .*row 0 holds NaN or infinity"):
        neighbours_of(vectors, np.array([[np.inf, 0.0]]), 1)
    with pytest.raises(ValueError, match=r"ordinals, shape \(1,\), int64, must be integers, one for each of 2 vectors"):
        nearest_neighbours(vectors, ordinals[:1], vectors, 1)
    part = Neighbours(np.array([[1]]), np.array([[0.5]]))
    with pytest.raises(ValueError, match="count must be at least 0, not -2"):
        merge_neighbours([part], -2)
    with pytest.raises(ValueError, match=r"parts\[1\] has ordinals of shape \(2, 1\)"):
        merge_neighbours([part, Neighbours(np.ones((2, 1), dtype=np.int64), np.ones((2, 1)))], 1)
    with pytest.raises(ValueError, match=r"parts\[0\] has a distance that is NaN"):
        merge_neighbours([Neighbours(np.array([[1]]), np.array([[np.nan]]))], 1)
