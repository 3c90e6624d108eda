"""Uncertainty measures against their plain definitions, and what a block may never change."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.strategies import uncertainty
from tithe.strategies.arrays import Float64, Floats

PROPERTY = settings(derandomize=True, deadline=None, max_examples=80)
SINGLE = [uncertainty.entropy, uncertainty.margin, uncertainty.ratio, uncertainty.least_confident]
BINARY = [uncertainty.binary_entropy, uncertainty.binary_margin, uncertainty.binary_least_confident]
Measure = Callable[[Floats], Float64]


@st.composite
def distributions(draw: st.DrawFn) -> Float64:
    """Rows of small whole weights, so that zeros, ties and repeated rows are common."""
    classes = draw(st.integers(1, 9))
    row = st.lists(st.integers(0, 4), min_size=classes, max_size=classes).filter(any)
    weights = np.array(draw(st.lists(row, min_size=1, max_size=30)), dtype=float)
    rows: Float64 = weights / weights.sum(axis=1, keepdims=True)
    return rows


@st.composite
def label_probabilities(draw: st.DrawFn) -> Float64:
    labels = draw(st.integers(1, 9))
    row = st.lists(st.sampled_from([0.0, 1e-9, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]), min_size=labels, max_size=labels)
    return np.array(draw(st.lists(row, min_size=1, max_size=30)))


def plain_entropy(row: list[float]) -> float:
    return -sum(p * math.log(p) for p in row if p > 0)


def plain_margin(row: list[float]) -> float:
    first, second = sorted([*row, 0.0], reverse=True)[:2]
    return 1 - (first - second)


def plain_ratio(row: list[float]) -> float:
    first, second = sorted([*row, 0.0], reverse=True)[:2]
    return second / first


PLAIN: dict[Measure, Callable[[list[float]], float]] = {
    uncertainty.entropy: plain_entropy,
    uncertainty.margin: plain_margin,
    uncertainty.ratio: plain_ratio,
    uncertainty.least_confident: lambda row: 1 - max(row),
    uncertainty.binary_entropy: lambda row: sum(plain_entropy([p, 1 - p]) for p in row) / len(row),
    uncertainty.binary_margin: lambda row: 1 - min(abs(p - (1 - p)) for p in row),
    uncertainty.binary_least_confident: lambda row: 1 - math.prod(max(p, 1 - p) for p in row) ** (1 / len(row)),
}


@pytest.mark.parametrize("measure", SINGLE)
@PROPERTY
@given(probabilities=distributions())
def test_a_single_label_measure_is_its_definition(measure: Measure, probabilities: Float64) -> None:
    expected = [PLAIN[measure](row) for row in probabilities.tolist()]
    assert measure(probabilities) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("measure", BINARY)
@PROPERTY
@given(probabilities=label_probabilities())
def test_a_binary_measure_is_its_definition(measure: Measure, probabilities: Float64) -> None:
    expected = [PLAIN[measure](row) for row in probabilities.tolist()]
    assert measure(probabilities) == pytest.approx(expected, abs=1e-12)


def test_hand_computed() -> None:
    rows = np.array([[0.5, 0.25, 0.125, 0.125], [0.7, 0.2, 0.1, 0.0]])
    # 0.5 log 2 + 0.25 log 4 + 2 * 0.125 log 8 = 1.75 log 2; and 0.7 * 0.35667 + 0.2 * 1.60944 + 0.1 * 2.30259
    assert uncertainty.entropy(rows) == pytest.approx([1.75 * math.log(2), 0.8018185525433373], abs=1e-12)
    assert uncertainty.margin(rows) == pytest.approx([0.75, 0.5], abs=1e-12)
    assert uncertainty.least_confident(rows) == pytest.approx([0.5, 0.3], abs=1e-12)
    labels = np.array([[0.5, 0.8], [0.0, 0.6]])
    # log 2 = 0.693147, H(0.8) = 0.500402, H(0.6) = 0.673012; sqrt(0.5 * 0.8) = 0.632456, sqrt(0.6) = 0.774597
    assert uncertainty.binary_entropy(labels) == pytest.approx([0.5967747, 0.3365058], abs=1e-6)
    assert uncertainty.binary_margin(labels) == pytest.approx([1.0, 0.8], abs=1e-12)
    assert uncertainty.binary_least_confident(labels) == pytest.approx([0.3675445, 0.2254033], abs=1e-6)


@pytest.mark.parametrize("measure", SINGLE + BINARY)
def test_a_certain_row_scores_exactly_positive_zero(measure: Measure) -> None:
    for classes in (1, 2, 5, 77):
        scores = measure(np.eye(classes, dtype=np.float32))
        assert scores.tobytes() == np.zeros(classes).tobytes()


@pytest.mark.parametrize("measure", SINGLE + BINARY)
@pytest.mark.parametrize("classes", [1, 2, 3, 8, 9, 17, 77, 300])
def test_a_row_scores_the_same_bytes_in_any_company(measure: Measure, classes: int) -> None:
    rng = np.random.default_rng(classes)
    probabilities = rng.dirichlet(np.full(classes, 0.3), 600)
    whole = measure(probabilities)
    singly = np.concatenate([measure(probabilities[i : i + 1]) for i in range(0, 600, 13)])
    assert singly.tobytes() == whole[::13].tobytes()
    for cut in (2, 3, 255, 257):
        assert np.concatenate([measure(probabilities[:cut]), measure(probabilities[cut:])]).tobytes() == whole.tobytes()
    assert measure(np.asfortranarray(probabilities)).tobytes() == whole.tobytes()
    assert measure(np.repeat(probabilities, 2, axis=1)[:, ::2]).tobytes() == whole.tobytes()
    assert measure(probabilities[::-1])[::-1].tobytes() == whole.tobytes()


@pytest.mark.parametrize("measure", SINGLE + BINARY)
def test_float32_is_scored_as_the_float64_of_the_same_values(measure: Measure) -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(7), 500).astype(np.float32)
    scores = measure(probabilities)
    assert scores.dtype == np.float64
    assert scores.tobytes() == measure(probabilities.astype(np.float64)).tobytes()


def test_entropy_is_not_biased_by_tiny_probabilities() -> None:
    tiny = np.array([[1.0, 5e-324], [1.0, 1e-300], [1.0, 1e-30]])
    assert uncertainty.entropy(tiny) == pytest.approx([0.0, 1e-300 * 690.7755, 1e-30 * 69.07755], rel=1e-6, abs=1e-306)
    assert uncertainty.entropy(np.full((1, 1000), 1e-3))[0] == pytest.approx(math.log(1000), abs=1e-12)


@pytest.mark.parametrize("measure", SINGLE)
def test_rounding_above_one_is_never_negative(measure: Measure) -> None:
    assert measure(np.array([[np.float32(1.0000001), 0.0]], dtype=np.float32)).tolist() == [0.0]


def test_binary_least_confident_tells_rows_apart_with_many_open_labels() -> None:
    rows = np.full((2, 500), 0.5)
    rows[1, 0] = 0.6
    open_row, clearer_row = uncertainty.binary_least_confident(rows)
    assert open_row > clearer_row


@pytest.mark.parametrize("measure", SINGLE + BINARY)
def test_no_rows_no_scores(measure: Measure) -> None:
    for classes in (0, 3):
        scores = measure(np.empty((0, classes), dtype=np.float32))
        assert scores.shape == (0,)
        assert scores.dtype == np.float64


@pytest.mark.parametrize("measure", SINGLE + BINARY)
@pytest.mark.parametrize(
    ("row", "reason"), [([np.nan, 0.5], "holds NaN"), ([-0.5, 0.5], "-0.5"), ([np.inf, 0.5], "inf"), ([2.0, 0.0], "2")]
)
def test_the_first_bad_row_is_named(measure: Measure, row: list[float], reason: str) -> None:
    probabilities = np.tile([0.25, 0.75], (50_000, 1))
    probabilities[[40_001, 40_007]] = row
    with pytest.raises(ValueError, match=r"^probabilities, shape \(50000, 2\): row 40001 .*" + reason):
        measure(probabilities)


@pytest.mark.parametrize("measure", SINGLE)
def test_a_row_may_miss_one_by_a_thousandth_and_no_more(measure: Measure) -> None:
    measure(np.array([[0.5, 0.5009], [0.5, 0.4991]]))
    with pytest.raises(ValueError, match=r"row 1 sums to 0\.998, not to 1 within 0\.001"):
        measure(np.array([[0.5, 0.5], [0.5, 0.498]]))


@pytest.mark.parametrize("measure", SINGLE + BINARY)
def test_what_is_no_table_of_numbers_is_refused(measure: Measure) -> None:
    with pytest.raises(ValueError, match=r"probabilities, shape \(2,\), must have 2 axes, \(n, classes\)"):
        measure(np.array([0.5, 0.5]))
    with pytest.raises(ValueError, match=r"probabilities, shape \(1, 1\), holds complex128"):
        measure(np.array([[1j]]))
    with pytest.raises(ValueError, match=r"probabilities, shape \(3, 0\), has no classes: row 0 is empty"):
        measure(np.empty((3, 0)))
