"""Falcun, against the definition written out row by row with the same draws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.strategies.falcun import falcun

PROPERTY = settings(derandomize=True, deadline=None, max_examples=60)
Float64 = npt.NDArray[np.float64]


def plain(probabilities: Float64, k: int, rng: np.random.Generator, gamma: float) -> list[int]:
    rows = probabilities.tolist()
    doubt = [1.0 - float(np.diff(sorted([0.0, *row])[-2:])[0]) for row in rows]
    apart = list(doubt)
    chosen: list[int] = []
    while len(chosen) < min(k, len(rows)):
        if chosen:
            last = rows[chosen[-1]]
            apart = [min(a, sum(abs(p - q) for p, q in zip(row, last, strict=True)))
                     for a, row in zip(apart, rows, strict=True)]  # fmt: skip
        left = [i for i in range(len(rows)) if i not in chosen]
        low, high = min(apart[i] for i in left), max(apart[i] for i in left)
        if high == 0:
            weights = [1.0 for _ in left]
        else:
            scaled = [(apart[i] - low) / (high - low) if high > low else 0.0 for i in left]
            weights = [(doubt[i] + s) ** gamma for i, s in zip(left, scaled, strict=True)]
        reach = np.cumsum(weights)
        chosen.append(left[int(np.searchsorted(reach, rng.random() * reach[-1], side="right"))])
    return chosen


@st.composite
def tables(draw: st.DrawFn) -> Float64:
    """Distributions in eighths, so that copies and ties are the rule and every distance is exact."""
    classes = draw(st.integers(1, 4))
    cuts = st.lists(st.integers(0, 8), min_size=classes - 1, max_size=classes - 1).map(sorted)
    rows = draw(st.lists(cuts, max_size=20))
    return np.array([np.diff([0, *row, 8]) / 8 for row in rows]).reshape(-1, classes)


@PROPERTY
@given(
    probabilities=tables(),
    k=st.integers(0, 25),
    seed=st.integers(0, 999),
    gamma=st.sampled_from([0.0, 1.0, 2.5, 7.0, 10.0, 100.0]),
    narrow=st.booleans(),
)
def test_it_is_the_plain_definition(probabilities: Float64, k: int, seed: int, gamma: float, narrow: bool) -> None:
    before = probabilities.tobytes()
    given_rows = probabilities.astype(np.float32) if narrow else probabilities
    chosen = falcun(given_rows, k, np.random.default_rng(seed), gamma=gamma)
    assert chosen.dtype == np.int64
    assert chosen.tolist() == plain(probabilities, k, np.random.default_rng(seed), gamma)
    assert probabilities.tobytes() == before


@pytest.mark.parametrize("classes", [2, 5, 40])
def test_many_rows_in_many_blocks_are_the_plain_definition(classes: int) -> None:
    probabilities = np.random.default_rng(classes).dirichlet(np.ones(classes), 5000)
    chosen = falcun(probabilities, 8, np.random.default_rng(1))
    assert chosen.tolist() == plain(probabilities, 8, np.random.default_rng(1), 10.0)


def test_a_large_gamma_takes_the_most_relevant() -> None:
    probabilities = np.array([[0.9, 0.1], [0.55, 0.45], [0.52, 0.48], [0.3, 0.7]])
    for seed in range(5):
        first, second = falcun(probabilities, 2, np.random.default_rng(seed), gamma=5000.0)
        # Relevance 0.96 + 1 first. Then 0.2 + 0.5, 0.9 + 0 and 0.6 + 1: diversities 0.2, 0.06 and 0.44 are scaled.
        assert (first, second) == (2, 3)


def test_what_makes_no_sense_is_refused() -> None:
    rows = np.full((3, 2), 0.5)
    rng = np.random.default_rng(0)
    for bad in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="gamma must be a finite number of at least 0, not"):
            falcun(rows, 1, rng, gamma=bad)
    with pytest.raises(ValueError, match="k must be at least 0, not -1"):
        falcun(rows, -1, rng)
    with pytest.raises(ValueError, match=r"probabilities, shape \(1, 2\): row 0 holds NaN"):
        falcun(np.array([[np.nan, 1.0]]), 1, rng)
