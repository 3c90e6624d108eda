"""Pooling is what its name says, sequence by sequence."""

import numpy as np
import pytest

from tithe.learners.encoding.pooling import MODES, pool

STATES = np.random.default_rng(0).standard_normal((11, 4)).astype(np.float32)
LENGTHS = [5, 1, 3, 2]
BY_HAND = {
    "cls": lambda x: x[0],
    "max": lambda x: x.max(axis=0),
    "mean": lambda x: x.mean(axis=0),
    "mean_sqrt_len_tokens": lambda x: x.sum(axis=0) / np.sqrt(len(x)),
    "weightedmean": lambda x: np.average(x, axis=0, weights=np.arange(1, len(x) + 1)),
    "lasttoken": lambda x: x[-1],
}


@pytest.mark.parametrize("mode", MODES)
def test_each_sequence_is_pooled_by_itself(mode):
    expected = [BY_HAND[mode](part) for part in np.split(STATES, np.cumsum(LENGTHS)[:-1])]
    np.testing.assert_allclose(pool(STATES, LENGTHS, [mode]), expected, atol=1e-6)


def test_several_ways_go_side_by_side():
    both = pool(STATES, LENGTHS, ["cls", "mean"])
    np.testing.assert_array_equal(both[:, :4], pool(STATES, LENGTHS, ["cls"]))
    np.testing.assert_array_equal(both[:, 4:], pool(STATES, LENGTHS, ["mean"]))


@pytest.mark.parametrize("mode", MODES)
def test_tensors_are_pooled_alike(mode):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from tithe.learners.encoding.torch_encoder import _pooled

    found = _pooled(torch.from_numpy(STATES), LENGTHS, [mode]).numpy()
    np.testing.assert_allclose(found, pool(STATES, LENGTHS, [mode]), atol=1e-6)
