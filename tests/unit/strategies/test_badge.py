"""BADGE: D² sampling over gradients that are never built, against gradients that are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.strategies import badge as module
from tithe.strategies.badge import badge, multilabel_badge

PROPERTY = settings(derandomize=True, deadline=None, max_examples=60)
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Chooser = Callable[[Float64, Float64, int, np.random.Generator], Int64]
CHOOSERS = [badge, multilabel_badge]


def built(choose: Chooser, vectors: Float64, probabilities: Float64) -> Float64:
    """The gradient embeddings, one row of classes * d numbers each."""
    exact = probabilities.astype(float)
    if choose is badge:
        answer = np.eye(exact.shape[1])[[row.index(max(row)) for row in exact.tolist()]]
    else:
        answer = (exact > 0.5).astype(float)
    return np.einsum("ic,id->icd", exact - answer, vectors.astype(float)).reshape(len(vectors), -1)


def squared_to_nearest(gradients: Float64, chosen: list[int]) -> Float64:
    return ((gradients[:, None] - gradients[chosen]) ** 2).sum(axis=2).min(axis=1)


def an_instance(seed: int, n: int = 6, classes: int = 3, d: int = 2) -> tuple[Float64, Float64]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.dirichlet(np.ones(classes), n)


def internals(
    choose: Chooser, vectors: Float64, probabilities: Float64, most: int
) -> tuple[module._Gradients, module._Chosen]:
    one = choose is badge
    fault = module.distribution_fault if one else module.bernoulli_fault
    squares = module._one_label_squares if one else module._several_labels_squares
    residual = module._one_label_residual if one else module._several_labels_residual
    lengths = module.score_rows("probabilities", probabilities, fault, squares)
    gradients = module._Gradients(vectors, probabilities, lengths, residual)
    return gradients, module._Chosen(gradients, most)


@st.composite
def pools(draw: st.DrawFn) -> tuple[Float64, Float64]:
    """Vectors on a small grid and few kinds of probabilities, ties and certain ones among them."""
    kinds = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.5, 0.5, 0.0), (0.25, 0.25, 0.5), (0.5, 0.25, 0.25)]
    point = st.tuples(st.lists(st.integers(-2, 2), min_size=2, max_size=2), st.sampled_from(kinds))
    points = draw(st.lists(point, max_size=25))
    vectors = np.array([vector for vector, _ in points], dtype=float).reshape(-1, 2)
    return vectors, np.array([row for _, row in points]).reshape(-1, 3)


@pytest.mark.parametrize("choose", CHOOSERS)
@PROPERTY
@given(pool=pools(), k=st.integers(0, 30), seed=st.integers(0, 999), narrow=st.booleans())
def test_no_copy_is_chosen_while_others_are_left(
    choose: Chooser, pool: tuple[Float64, Float64], k: int, seed: int, narrow: bool
) -> None:
    vectors, probabilities = pool
    dtype = np.float32 if narrow else np.float64
    chosen = choose(vectors.astype(dtype), probabilities.astype(dtype), k, np.random.default_rng(seed))
    assert chosen.dtype == np.int64
    assert len(set(chosen.tolist())) == len(chosen) == min(k, len(vectors))
    again = choose(vectors.astype(dtype), probabilities.astype(dtype), k, np.random.default_rng(seed))
    assert (again == chosen).all()
    if not len(chosen):
        return
    gradients = built(choose, vectors, probabilities)
    lengths = (gradients**2).sum(axis=1)
    assert lengths[chosen[0]] == lengths.max()
    for count in range(1, len(chosen)):
        squared = squared_to_nearest(gradients, chosen[:count].tolist())
        assert squared[chosen[count]] > 0 or squared.max() == 0


@pytest.mark.parametrize("refusals", [0, 10**9])  # bounds that are always up to date, and bounds that never are
@pytest.mark.parametrize("choose", CHOOSERS)
def test_two_picks_after_the_first_are_distributed_by_squared_distance(
    choose: Chooser, refusals: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, probabilities = an_instance(1)
    gradients = built(choose, vectors, probabilities)
    first = int((gradients**2).sum(axis=1).argmax())
    expected = np.zeros((6, 6))
    second = squared_to_nearest(gradients, [first])
    for i in np.flatnonzero(second):
        third = squared_to_nearest(gradients, [first, i])
        expected[i] = second[i] / second.sum() * third / third.sum()
    given_vectors = vectors.astype(np.float32)  # coarse bounds, exact draws
    monkeypatch.setattr(module, "_FIRST_DRAWS", 2)
    plain = module._Sampler._refresh

    def refresh(self: module._Sampler) -> None:
        plain(self)
        self._patience = refusals

    monkeypatch.setattr(module._Sampler, "_refresh", refresh)
    counts = np.zeros((6, 6))
    trials = 1500
    for seed in range(trials):
        chosen = choose(given_vectors, probabilities, 3, np.random.default_rng(seed))
        assert chosen[0] == first
        counts[chosen[1], chosen[2]] += 1
    possible = expected > 0
    assert counts[~possible].sum() == 0
    assert possible.sum() == 20
    surprise = (counts - trials * expected)[possible] ** 2 / (trials * expected[possible])
    assert surprise.sum() < 50  # chi-squared of 19 degrees: one in 10,000 is above


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_draws_from_stale_bounds_are_distributed_by_squared_distance(dtype: type) -> None:
    vectors, probabilities = an_instance(2, n=30, classes=4, d=3)
    vectors = vectors.astype(dtype).astype(float)
    gradients, chosen = internals(badge, vectors.astype(dtype), probabilities, 6)
    sampler = module._Sampler(gradients, chosen, np.random.default_rng(5))
    sampler.take(3)
    sampler.draw()  # bounds that know the first only
    sampler._patience = 10**9
    for position in (7, 11, 20, 29):
        sampler.take(position)
    squared = squared_to_nearest(built(badge, vectors, probabilities), [3, 7, 11, 20, 29])
    trials = 4000
    counts = np.bincount([sampler.draw() for _ in range(trials)], minlength=30)  # type: ignore[list-item]
    possible = squared > 0
    expected = trials * squared / squared.sum()
    assert counts[~possible].sum() == 0
    assert ((counts - expected)[possible] ** 2 / expected[possible]).sum() < 60  # 24 degrees: one in 15,000


@pytest.mark.parametrize("choose", CHOOSERS)
def test_distances_are_those_of_built_gradients_and_coarse_ones_never_below(choose: Chooser) -> None:
    vectors, probabilities = an_instance(3, n=400, classes=7, d=19)
    vectors = (vectors * 10.0 ** np.random.default_rng(0).integers(-3, 4, size=(400, 1))).astype(np.float32)
    truth = built(choose, vectors, probabilities)
    _, chosen = internals(choose, vectors, probabilities, 20)
    for position in range(0, 400, 20):
        chosen.add(position)
    expected = squared_to_nearest(truth, list(range(0, 400, 20)))
    scale = (truth**2).sum(axis=1)
    exact = chosen.nearest(slice(0, 400), np.dtype(np.float64))
    coarse = chosen.nearest(np.arange(400), np.dtype(np.float32))
    assert np.abs(exact - expected).max() <= 1e-12 * scale.max()
    assert (np.abs(exact - expected) <= 1e-12 * (scale + expected)).all()
    assert (coarse >= expected).all()
    assert (coarse <= expected + 1e-4 * (scale + expected)).all()
    assert (exact[::20] == 0.0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_of_many_copies_one_of_each_kind_comes_first(dtype: type) -> None:
    rng = np.random.default_rng(0)
    kinds, doubts = rng.normal(size=(12, 384)).astype(dtype), rng.dirichlet(np.ones(5), 12)
    of = rng.permutation(np.repeat(np.arange(12), 60))
    chosen = badge(kinds[of], doubts[of], 30, rng)
    assert len(set(of[chosen[:12]].tolist())) == 12
    assert len(set(chosen.tolist())) == 30


def test_differences_too_small_for_float32_products_still_count() -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(size=384).astype(np.float32)
    nudged = base * (1 + rng.normal(size=(4, 384)).astype(np.float32) * np.float32(1e-4))
    vectors = np.concatenate([np.repeat(base[None], 300, axis=0), nudged]).astype(np.float32)
    probabilities = np.tile([0.6, 0.4], (304, 1))
    chosen = badge(vectors, probabilities, 5, rng)
    assert len(np.unique(vectors[chosen], axis=0)) == 5  # the four, and one of the 300


def test_certain_items_count_as_one() -> None:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(100, 8))
    probabilities = np.eye(3)[rng.integers(3, size=100)]
    probabilities[:4] = [[0.4, 0.3, 0.3], [0.5, 0.5, 0.0], [0.2, 0.2, 0.6], [0.0, 0.1, 0.9]]
    for seed in range(10):
        chosen = badge(vectors, probabilities, 5, np.random.default_rng(seed))
        assert set(range(4)) < set(chosen.tolist())


def test_of_equally_long_gradients_the_first_is_drawn_by_lot() -> None:
    vectors, probabilities = np.eye(4), np.full((4, 2), 0.5)
    firsts = {int(badge(vectors, probabilities, 1, np.random.default_rng(seed))[0]) for seed in range(40)}
    assert firsts == {0, 1, 2, 3}


def test_the_likeliest_answer_is_read_before_rounding() -> None:
    probabilities = np.array([[0.5 - 1e-12, 0.5 + 1e-12], [0.5 + 1e-12, 0.5 - 1e-12]] * 200)
    vectors = np.ones((400, 4), dtype=np.float32)
    chosen = badge(vectors, probabilities, 2, np.random.default_rng(0))  # opposite gradients, not copies
    assert chosen[0] % 2 != chosen[1] % 2


def test_a_memory_map_is_read_as_it_is(tmp_path_factory: pytest.TempPathFactory) -> None:
    vectors, probabilities = an_instance(4, n=500, d=9)
    path = tmp_path_factory.mktemp("block") / "vectors.npy"
    np.save(path, vectors.astype(np.float32))
    mapped = np.load(path, mmap_mode="r")
    chosen = badge(mapped, probabilities, 40, np.random.default_rng(0))
    assert type(chosen) is np.ndarray
    assert chosen.tolist() == badge(vectors.astype(np.float32), probabilities, 40, np.random.default_rng(0)).tolist()


def test_whole_number_probabilities_are_probabilities() -> None:
    assert badge(np.eye(2), np.array([[1, 0], [0, 1]]), 2, np.random.default_rng(0)).tolist() in ([0, 1], [1, 0])


@pytest.mark.parametrize("choose", CHOOSERS)
def test_what_does_not_fit_is_refused(choose: Chooser) -> None:
    rng = np.random.default_rng(0)
    vectors, probabilities = np.ones((3, 2)), np.full((3, 2), 0.5)
    with pytest.raises(
        ValueError, match=r"probabilities, shape \(2, 2\), and vectors, shape \(3, 2\), must have as many"
    ):
        choose(vectors, probabilities[:2], 1, rng)
    with pytest.raises(ValueError, match="k must be at least 0, not -1"):
        choose(vectors, probabilities, -1, rng)
    with pytest.raises(ValueError, match=r"vectors, .*row 1 holds NaN or infinity"):
        choose(np.array([[1.0, 1.0], [np.nan, 0.0], [0.0, 0.0]]), probabilities, 1, rng)
    with pytest.raises(ValueError, match="row 1 is too long: its square overflows"):
        choose(np.array([[1.0], [1e30], [0.0]], dtype=np.float32), probabilities, 1, rng)
    with pytest.raises(ValueError, match=r"probabilities, shape \(3, 2\): row 2 holds"):
        choose(vectors, np.array([[0.5, 0.5], [1.0, 0.0], [-0.5, 1.5]]), 1, rng)
