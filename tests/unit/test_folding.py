"""Folding centers into kept distances, against the plain definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.loop.folding import fold


def plain(rows: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Every pair, directly, in float64."""
    if not len(centers):
        return np.full(len(rows), np.inf, dtype=np.float32)
    apart = rows[:, np.newaxis].astype(np.float64) - centers
    return np.sqrt(np.einsum("ijk,ijk->ij", apart, apart).min(axis=1)).astype(np.float32)


def start(n: int) -> np.ndarray:
    return np.full(n, np.inf, dtype=np.float32)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(0, 40), m=st.integers(0, 30), d=st.integers(1, 9), portions=st.integers(1, 4),
    seed=st.integers(0, 1 << 30), offset=st.sampled_from([0.0, 1.0, 1e3, -1e6]),
    scale=st.sampled_from([1e-30, 1e-3, 1.0, 1e12]),
)  # fmt: skip
def test_the_distances_are_the_exact_ones_bit_by_bit_in_whatever_portions(n, m, d, portions, seed, offset, scale):
    chance = np.random.default_rng(seed)
    rows = (chance.standard_normal((n, d)) * scale + offset * scale).astype(np.float32)
    centers = (chance.standard_normal((m, d)) * scale + offset * scale).astype(np.float32)
    if n and m:  # copies, and copies of copies
        centers[: m // 3] = rows[chance.integers(n, size=m // 3)]
        rows[: n // 3] = centers[chance.integers(m, size=n // 3)]
    kept = start(n)
    for part in np.array_split(centers, portions):
        fold(kept, rows, part)
    np.testing.assert_array_equal(kept, plain(rows, centers))


def test_many_rows_and_centers_cross_every_block():
    chance = np.random.default_rng(0)
    rows = chance.standard_normal((4500, 6)).astype(np.float32)
    centers = np.concatenate([chance.standard_normal((2100, 6)).astype(np.float32), rows[4000:4100]])
    kept = start(len(rows))
    fold(kept, rows, centers)
    np.testing.assert_array_equal(
        kept, np.concatenate([plain(rows[a : a + 500], centers) for a in range(0, 4500, 500)])
    )
    assert (kept[4000:4100] == 0).all()


def test_a_near_copy_is_not_taken_for_a_copy():
    rows = np.full((3, 384), 1 / np.sqrt(384), dtype=np.float32)
    rows[1, 0] += 1e-6
    rows[2, 0] += 1e-4
    kept = start(3)
    fold(kept, rows, rows[:1])
    np.testing.assert_array_equal(kept, plain(rows, rows[:1]))
    assert kept[0] == 0 < kept[1] < kept[2]


def test_vectors_are_left_as_they_were_and_may_be_read_only():
    rows = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    centers = rows[:7] + 1
    before = rows.copy(), centers.copy()
    rows.flags.writeable = centers.flags.writeable = False
    fold(start(50), rows, centers)
    np.testing.assert_array_equal(rows, before[0])
    np.testing.assert_array_equal(centers, before[1])


@pytest.mark.parametrize("shapes", [((3,), (3, 2), (1, 3)), ((2,), (3, 2), (1, 2)), ((3,), (3,), (1, 2))])
def test_shapes_that_do_not_fit_are_refused(shapes):
    with pytest.raises(ValueError, match="are not"):
        fold(*(np.zeros(shape, dtype=np.float32) for shape in shapes))
