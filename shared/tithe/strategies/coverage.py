"""Which vectors to ask about so that the chosen stand for the rest: for cold starts, low budgets and core-sets.

Every function takes candidates of shape (n, d) and returns distinct positions in them, in the order of choosing; all
randomness comes from the generator. Memory is O(n) beyond the vectors, or bounded, never n x n: each is exact on small
pools and says how it samples a large one. Vectors are read in blocks or at sampled rows, so they may be memory-mapped.
"""

from __future__ import annotations

from tithe.strategies.herding import max_herding, uncertainty_herding
from tithe.strategies.k_center import k_center_greedy
from tithe.strategies.medoids import k_medoids
from tithe.strategies.prob_cover import prob_cover
from tithe.strategies.seeding import k_means_plus_plus
from tithe.strategies.typical import typical

__all__ = [
    "k_center_greedy",
    "k_means_plus_plus",
    "k_medoids",
    "max_herding",
    "prob_cover",
    "typical",
    "uncertainty_herding",
]
