"""Turns over the predicted classes: what they hand out, and that shards change nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.strategies.class_balance import class_balanced
from tithe.strategies.ranking import tie_hash, top_k

PROPERTY = settings(derandomize=True, deadline=None, max_examples=60)
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Pool = tuple[Float64, Int64, Int64]


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    """Scores with heavy ties, classes of very different sizes, distinct ordinals in no order."""
    ordinals = draw(st.lists(st.integers(-(2**63), 2**63 - 1), unique=True, max_size=50))
    n = len(ordinals)
    score = st.sampled_from([-np.inf, -1.0, -0.0, 0.0, 0.1, 0.1, 1.0, np.inf])
    label = st.sampled_from([0, 0, 0, 0, 1, 1, 3, 65_535])
    scores = draw(st.lists(score, min_size=n, max_size=n))
    labels = draw(st.lists(label, min_size=n, max_size=n))
    return np.array(scores), np.array(labels, dtype=np.int64), np.array(ordinals, dtype=np.int64)


def plain(scores: Float64, predicted: Int64, ordinals: Int64, k: int, seed: int) -> list[int]:
    """Sort all; count each item's place in its class; sort by place first."""
    hashes = tie_hash(ordinals, seed).tolist()
    ranking = sorted(range(len(scores)), key=lambda i: (-scores[i], hashes[i]))
    seen: dict[int, int] = {}
    turn = {}
    for i in ranking:
        turn[i] = seen.get(int(predicted[i]), 0)
        seen[int(predicted[i])] = turn[i] + 1
    return sorted(ranking, key=lambda i: turn[i])[:k]


@PROPERTY
@given(pool=pools(), k=st.integers(0, 60), seed=st.integers(-3, 2**31))
def test_it_is_the_plain_definition(pool: Pool, k: int, seed: int) -> None:
    before = [array.tobytes() for array in pool]
    chosen = class_balanced(*pool, k, seed)
    assert chosen.dtype == np.int64
    assert chosen.tolist() == plain(*pool, k, seed)
    assert [array.tobytes() for array in pool] == before


@PROPERTY
@given(pool=pools(), k=st.integers(0, 60), seed=st.integers(0, 99), data=st.data())
def test_shards_merge_into_the_same_bytes(pool: Pool, k: int, seed: int, data: st.DataObject) -> None:
    scores, predicted, ordinals = pool
    shards = data.draw(st.integers(1, 7))
    home = np.array(data.draw(st.lists(st.integers(0, shards - 1), min_size=len(scores), max_size=len(scores))), int)
    parts = []
    for shard in data.draw(st.permutations(range(shards))):
        mine = np.flatnonzero(home == shard)
        parts.append(mine[class_balanced(scores[mine], predicted[mine], ordinals[mine], k, seed)])
    union = np.concatenate(parts)
    merged = union[class_balanced(scores[union], predicted[union], ordinals[union], k, seed)]
    assert merged.tobytes() == class_balanced(scores, predicted, ordinals, k, seed).tobytes()


@pytest.mark.parametrize("shards", [1, 3, 8])
@pytest.mark.parametrize("classes", [1, 4, 77])
def test_a_large_pool_merges_whichever_way_it_is_cut(classes: int, shards: int) -> None:
    rng = np.random.default_rng(classes)
    scores = rng.integers(500, size=30_000).astype(np.float32) / 500
    predicted = np.minimum(rng.geometric(0.3, size=30_000) - 1, classes - 1)
    ordinals = rng.permutation(30_000)
    whole = class_balanced(scores, predicted, ordinals, 400, seed=3)
    cuts = np.sort(rng.integers(30_000, size=shards - 1))
    parts = [
        positions[class_balanced(scores[positions], predicted[positions], ordinals[positions], 400, seed=3)]
        for positions in np.split(rng.permutation(30_000), cuts)
    ]
    union = np.concatenate(parts)
    assert (
        union[class_balanced(scores[union], predicted[union], ordinals[union], 400, seed=3)].tolist() == whole.tolist()
    )


def test_of_one_class_it_is_the_best_first_ranking() -> None:
    rng = np.random.default_rng(0)
    scores, ordinals = rng.integers(9, size=300).astype(float), rng.permutation(300)
    one = np.full(300, 5)
    assert class_balanced(scores, one, ordinals, 40, seed=1).tolist() == top_k(scores, ordinals, 40, seed=1).tolist()


def test_every_class_has_its_share_until_it_runs_out() -> None:
    rng = np.random.default_rng(1)
    predicted = np.repeat([0, 1, 2], [2, 40, 958])
    scores = rng.random(1000) - 10 * (predicted < 2)  # the rare classes have the low scores
    chosen = class_balanced(scores, predicted, np.arange(1000), 62, seed=0)
    assert np.bincount(predicted[chosen]).tolist() == [2, 30, 30]
    assert sorted(predicted[chosen[:3]].tolist()) == [0, 1, 2]


def test_what_cannot_be_ranked_is_refused() -> None:
    scores, labels, ordinals = np.ones(3), np.zeros(3, dtype=int), np.arange(3)
    with pytest.raises(ValueError, match=r"scores, shape \(3,\): row 1 is NaN"):
        class_balanced(np.array([1.0, np.nan, 0.0]), labels, ordinals, 1, 0)
    with pytest.raises(ValueError, match="k must be at least 0, not -1"):
        class_balanced(scores, labels, ordinals, -1, 0)
    for bad in (-1, 65_536):
        with pytest.raises(ValueError, match=r"predicted holds class .* not 0 to 65535"):
            class_balanced(scores, np.array([0, bad, 0]), ordinals, 1, 0)
    with pytest.raises(ValueError, match=r"predicted, shape \(3,\), float64, must be one row of integers"):
        class_balanced(scores, scores, ordinals, 1, 0)
    with pytest.raises(ValueError, match=r"predicted, shape \(2,\), must be as long as scores, shape \(3,\)"):
        class_balanced(scores, labels[:2], ordinals, 1, 0)
    with pytest.raises(ValueError, match=r"ordinals, shape \(2,\), must be as long as scores, shape \(3,\)"):
        class_balanced(scores, labels, ordinals[:2], 1, 0)
