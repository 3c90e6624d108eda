"""k-center among the uncertain: the filter is exact, positions stay those of the caller."""

from __future__ import annotations

import numpy as np
import pytest

from tithe.strategies.coverage import k_center_greedy
from tithe.strategies.uncertain_centers import uncertain_k_center


@pytest.mark.parametrize("candidates", [None, 0, 7, 33, 1000])
@pytest.mark.parametrize("seed", range(5))
def test_every_pick_is_the_farthest_left_of_the_uncertain(seed: int, candidates: int | None) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(200, 3)).astype(np.float32)
    doubt, nearest = rng.random(200), rng.random(200) * 3
    chosen = uncertain_k_center(vectors, doubt, 5, rng, nearest, candidates=candidates)
    looked_at = np.argsort(-doubt)[: max(5, 50 if candidates is None else candidates)]
    assert chosen.dtype == np.int64
    assert len(set(chosen.tolist())) == 5
    left, far = set(looked_at.tolist()), nearest.copy()
    for pick in chosen.tolist():
        assert far[pick] == max(far[i] for i in left)
        left.remove(pick)
        far = np.minimum(far, np.sqrt(((vectors.astype(float) - vectors[pick].astype(float)) ** 2).sum(axis=1)))


def test_with_equal_doubt_and_all_candidates_it_is_k_center() -> None:
    rng = np.random.default_rng(0)
    vectors, nearest = rng.normal(size=(60, 4)), rng.random(60)
    every = uncertain_k_center(vectors, np.zeros(60), 60, np.random.default_rng(1), nearest)
    assert every.tolist() == k_center_greedy(vectors, 60, np.random.default_rng(2), nearest).tolist()


def test_ties_at_the_border_fall_by_lot_and_the_seed_decides() -> None:
    vectors, doubt = np.arange(40.0)[:, None], np.zeros(40)

    def picks() -> list[int]:
        rngs = [np.random.default_rng(seed) for seed in range(30)]
        return [int(uncertain_k_center(vectors, doubt, 1, rng, candidates=2)[0]) for rng in rngs]

    assert len(set(picks())) > 10
    assert picks() == picks()


def test_small_and_empty_pools() -> None:
    rng = np.random.default_rng(0)
    assert uncertain_k_center(np.empty((0, 2)), np.empty(0), 3, rng).tolist() == []
    assert uncertain_k_center(np.ones((3, 2)), np.ones(3), 0, rng).tolist() == []
    assert sorted(uncertain_k_center(np.ones((3, 2)), np.ones(3), 9, rng).tolist()) == [0, 1, 2]


def test_what_makes_no_sense_is_refused() -> None:
    vectors, doubt, rng = np.ones((3, 2)), np.ones(3), np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"uncertainty, shape \(3, 1\), must hold one number for each of the 3"):
        uncertain_k_center(vectors, doubt[:, None], 1, rng)
    with pytest.raises(ValueError, match=r"uncertainty, .*row 2 is NaN"):
        uncertain_k_center(vectors, np.array([0.0, 1.0, np.nan]), 1, rng)
    with pytest.raises(ValueError, match=r"nearest_distance, shape \(2,\), must hold one distance"):
        uncertain_k_center(vectors, doubt, 1, rng, doubt[:2])
    with pytest.raises(ValueError, match="candidates must be at least 0, not -3"):
        uncertain_k_center(vectors, doubt, 1, rng, candidates=-3)
    with pytest.raises(ValueError, match="k must be at least 0, not -1"):
        uncertain_k_center(vectors, doubt, -1, rng)
