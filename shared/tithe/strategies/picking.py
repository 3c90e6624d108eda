"""The strategies that look at sets, all called alike: candidates, how many, a generator; positions, best first."""

from __future__ import annotations

import numpy as np

from tithe.strategies import (
    badge,
    cluster_margin,
    coverage,
    falcun,
    herding,
    medoids,
    prob_cover,
    stages,
    uncertain_centers,
    variance,
)
from tithe.strategies.arrays import Float64, Int64
from tithe.strategies.candidates import Candidates


def k_center(given: Candidates, k: int, rng: np.random.Generator) -> Int64:
    """See :func:`tithe.strategies.coverage.k_center_greedy`."""
    return coverage.k_center_greedy(given.vectors, k, rng, given.nearest_distance)


def spread(given: Candidates, k: int, rng: np.random.Generator) -> Int64:
    """See :func:`tithe.strategies.coverage.k_means_plus_plus`."""
    return coverage.k_means_plus_plus(given.vectors, k, rng, given.labeled)


def typical(given: Candidates, k: int, rng: np.random.Generator) -> Int64:
    """See :func:`tithe.strategies.coverage.typical`."""
    return coverage.typical(given.vectors, k, rng, given.labeled)


def typical_in_stages(given: Candidates, k: int, rng: np.random.Generator) -> Int64:
    """See :func:`tithe.strategies.stages.typical_in_stages`."""
    return stages.typical_in_stages(given.vectors, k, rng, given.labeled)


def covering(given: Candidates, k: int, rng: np.random.Generator) -> Int64:
    """See :func:`tithe.strategies.prob_cover.prob_cover`."""
    return prob_cover.prob_cover(given.vectors, k, rng, given.labeled)


def max_herding(given: Candidates, k: int, rng: np.random.Generator) -> Int64:
    """See :func:`tithe.strategies.herding.max_herding`."""
    return herding.max_herding(given.vectors, k, rng, given.labeled)


def k_medoids(given: Candidates, k: int, rng: np.random.Generator) -> Int64:
    """See :func:`tithe.strategies.medoids.k_medoids`."""
    return medoids.k_medoids(given.vectors, k, rng)


def uncertainty_herding(given: Candidates, k: int, rng: np.random.Generator) -> Int64:
    """See :func:`tithe.strategies.herding.uncertainty_herding`."""
    return herding.uncertainty_herding(given.vectors, given.doubt, k, rng, given.labeled)


def gradients(given: Candidates, k: int, rng: np.random.Generator) -> Int64:
    """See :func:`tithe.strategies.badge.badge`."""
    return badge.badge(given.vectors, given.answers, k, rng)


def gradients_of_labels(given: Candidates, k: int, rng: np.random.Generator) -> Int64:
    """See :func:`tithe.strategies.badge.multilabel_badge`."""
    return badge.multilabel_badge(given.vectors, given.answers, k, rng)


def margin_clusters(given: Candidates, k: int, rng: np.random.Generator) -> Int64:
    """See :func:`tithe.strategies.cluster_margin.cluster_margin`."""
    return cluster_margin.cluster_margin(given.vectors, given.doubt, k, rng)


def uncertain_k_center(given: Candidates, k: int, rng: np.random.Generator) -> Int64:
    """See :func:`tithe.strategies.uncertain_centers.uncertain_k_center`."""
    return uncertain_centers.uncertain_k_center(given.vectors, given.doubt, k, rng, given.nearest_distance)


def relevance(given: Candidates, k: int, rng: np.random.Generator) -> Int64:
    """See :func:`tithe.strategies.falcun.falcun`."""
    return falcun.falcun(given.answers, k, rng)


def lower_variance(given: Candidates, k: int, rng: np.random.Generator) -> Int64:
    """See :func:`tithe.strategies.variance.variance_reduction`."""
    return _lower(given, variance.answer_variance(given.answers), k, rng)


def lower_variance_of_labels(given: Candidates, k: int, rng: np.random.Generator) -> Int64:
    """See :func:`tithe.strategies.variance.variance_reduction`."""
    return _lower(given, variance.mean_label_variance(given.answers), k, rng)


def _lower(given: Candidates, of_answers: Float64, k: int, rng: np.random.Generator) -> Int64:
    labels = 0 if given.labeled is None else len(given.labeled)
    ridge = variance.expected_ridge(given.answers.shape[1], labels)
    return variance.variance_reduction(given.vectors, of_answers, k, rng, given.labeled, ridge=ridge)
