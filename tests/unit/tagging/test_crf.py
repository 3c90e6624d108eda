"""The loss that is minimised is the one that is documented."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tithe.learners.tagging import crf
from tithe.learners.tagging.scheme import Scheme

SCHEME = Scheme(1, "bio")
STARTS = np.array([0, 3, 3, 4, 8])
RNG = np.random.default_rng(5)
FEATURES = RNG.normal(size=(8, 4)).astype(np.float32)
TAGS = SCHEME.encode([[(0, 2, 0)], [], [(0, 1, 0)], [(1, 2, 0), (2, 4, 0)]], STARTS)
WEIGHTS = np.array([1.0, 1.0, 2.0, 3.0])


def loss(at: crf.Potentials, c: float, weights: np.ndarray) -> float:
    """Word by word, neighbours by hand, every sequence written out."""
    tags, total = SCHEME.tags, 0.0
    for document, (start, stop) in enumerate(itertools.pairwise(STARTS)):
        own = FEATURES[start:stop].astype(np.float64)
        if not len(own):
            continue
        slopes = at.slopes.astype(np.float64)
        rows = own @ slopes[:tags].T + at.intercepts
        rows[1:] += 0.5 * own[:-1] @ slopes[tags : 2 * tags].T
        rows[:-1] += 0.5 * own[1:] @ slopes[2 * tags :].T

        def score(path, rows=rows):
            return sum(rows[i, tag] for i, tag in enumerate(path)) + sum(
                at.steps[a, b] for a, b in itertools.pairwise(path)
            )

        paths = [
            path
            for path in itertools.product(range(tags), repeat=len(own))
            if SCHEME.starts[path[0]] and all(SCHEME.allowed[a, b] for a, b in itertools.pairwise(path))
        ]
        total += weights[document] * (
            np.logaddexp.reduce([score(path) for path in paths]) - score(tuple(TAGS[start:stop]))
        )
    return total + ((at.slopes.astype(np.float64) ** 2).sum() / c + (at.steps**2).sum()) / 2


@pytest.mark.parametrize("weights", [np.ones(4), WEIGHTS])
def test_a_fit_is_where_the_written_out_loss_is_least(weights):
    labeled = crf.Labeled(FEATURES, TAGS, STARTS, SCHEME)
    found = labeled.fit(0.5, weights, tolerance=1e-6)
    least = loss(found, 0.5, weights)
    flat = found.flat
    for direction in np.random.default_rng(0).normal(size=(40, len(flat))):
        for length in (1e-2, -1e-2):
            assert loss(crf.Potentials.from_flat(flat + length * direction, SCHEME.tags), 0.5, weights) > least
    steepest = max(
        abs(
            loss(crf.Potentials.from_flat(flat + step, SCHEME.tags), 0.5, weights)
            - loss(crf.Potentials.from_flat(flat - step, SCHEME.tags), 0.5, weights)
        )
        for step in np.eye(len(flat)) * 1e-3
    )
    assert steepest / 2e-3 < 5e-3


def test_where_it_begins_does_not_matter():
    labeled = crf.Labeled(FEATURES, TAGS, STARTS, SCHEME)
    cold = labeled.fit(0.5, tolerance=1e-6)
    warm = labeled.fit(0.5, start=labeled.fit(5.0), tolerance=1e-6)
    np.testing.assert_allclose(warm.flat, cold.flat, atol=2e-3)


def test_a_weight_of_two_is_the_document_twice():
    twice = np.concatenate([FEATURES, FEATURES[:3]])
    doubled = crf.Labeled(twice, np.concatenate([TAGS, TAGS[:3]]), np.append(STARTS, 11), SCHEME).fit(
        0.5, tolerance=1e-6
    )
    weighed = crf.Labeled(FEATURES, TAGS, STARTS, SCHEME).fit(0.5, np.array([2.0, 1, 1, 1]), tolerance=1e-6)
    np.testing.assert_allclose(doubled.flat, weighed.flat, atol=2e-3)
