"""The strategies by name, as data: what each needs, what it computes, what shards keep for it, whose idea it is."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from tithe.strategies import binary_committee, committee, picking, ranking, uncertainty
from tithe.strategies.sequence_catalog import OF_WORDS
from tithe.strategies.strategy import (
    ONE_LABEL,
    SEVERAL_LABELS,
    TOKEN_LABELS,
    Needs,
    Strategy,
    best,
    by_turns,
    centers,
    drawn,
    most_doubtful,
    sample,
)

__all__ = ["CATALOG", "ONE_LABEL", "SEVERAL_LABELS", "TOKEN_LABELS", "Needs", "Strategy", "lookup", "stand_in"]

_STRATEGIES = (
    Strategy(
        name="random",
        needs=Needs.NOTHING,
        function=ranking.random_scores,
        multilabel=ranking.random_scores,
        sieves=best("random"),
        reference="Steele, Lea & Flood 2014",
        summary="Items by lot; look-alikes thinned unless near_duplicate is null.",
        use="A share of a mix, for what the model would not ask; alone, as the measure of the others.",
        cost="O(n)",
        tasks=ONE_LABEL | SEVERAL_LABELS | TOKEN_LABELS,
    ),
    Strategy(
        name="entropy",
        needs=Needs.PROBABILITIES,
        function=uncertainty.entropy,
        multilabel=uncertainty.binary_entropy,
        sieves=best("entropy"),
        reference="Shannon 1948; Settles 2009; for several labels Esuli & Sebastiani 2009",
        summary="Where the model's doubt is spread widest.",
        use="A class is rare and few classes there are; loses to random with many classes.",
        cost="O(n)",
        tasks=ONE_LABEL | SEVERAL_LABELS,
    ),
    Strategy(
        name="margin",
        needs=Needs.PROBABILITIES,
        function=uncertainty.margin,
        multilabel=uncertainty.binary_margin,
        sieves=best("margin"),
        reference="Scheffer, Decomain & Wrobel 2001; for several labels Brinker 2006",
        summary="Where the two likeliest answers are closest.",
        use="A sound choice for any number of classes.",
        cost="O(n)",
        tasks=ONE_LABEL | SEVERAL_LABELS,
    ),
    Strategy(
        name="least_confident",
        needs=Needs.PROBABILITIES,
        function=uncertainty.least_confident,
        multilabel=uncertainty.binary_least_confident,
        sieves=best("least_confident"),
        reference="Lewis & Gale 1994; for several labels Culotta & McCallum 2005",
        summary="Where the likeliest answer is least likely.",
        use="Between margin and entropy, in what it asks and in what it gains.",
        cost="O(n)",
        tasks=ONE_LABEL | SEVERAL_LABELS,
    ),
    Strategy(
        name="ratio",
        needs=Needs.PROBABILITIES,
        function=uncertainty.ratio,
        multilabel=None,
        sieves=best("ratio"),
        reference="Scheffer, Decomain & Wrobel 2001, as a quotient",
        summary="How near the second likeliest answer comes to the likeliest, as a quotient.",
        use="Margin's order where the likeliest answers are equally likely; asks for many-way doubt a little sooner.",
        cost="O(n)",
        tasks=ONE_LABEL,
    ),
    Strategy(
        name="class_balanced_margin",
        needs=Needs.PROBABILITIES,
        function=uncertainty.margin,
        multilabel=None,
        sieves=by_turns("margin"),
        reference="Scheffer, Decomain & Wrobel 2001; on balance Ertekin, Huang, Bottou & Giles 2007",
        summary="Each predicted class's smallest margins, class by class in turns.",
        use="Classes of unequal size, or of unequal difficulty.",
        cost="O(n)",
        tasks=ONE_LABEL,
    ),
    Strategy(
        name="vote_entropy",
        needs=Needs.COMMITTEE,
        function=committee.vote_entropy,
        multilabel=binary_committee.binary_vote_entropy,
        sieves=best("vote_entropy"),
        reference="Dagan & Engelson 1995; for several labels averaged as Esuli & Sebastiani 2009",
        summary="Where a committee's votes are split most; small committees tie often.",
        use="To follow the paper; the tie-broken form asks better questions.",
        cost="O(n), five times the matrix product",
        tasks=ONE_LABEL | SEVERAL_LABELS,
    ),
    Strategy(
        name="vote_entropy_tiebroken",
        needs=Needs.COMMITTEE,
        function=committee.vote_entropy_tiebroken,
        multilabel=None,
        sieves=best("vote_entropy_tiebroken"),
        reference="Dagan & Engelson 1995; Settles 2009",
        summary="Vote entropy, its many ties ordered by consensus entropy.",
        use="A committee's disagreement, few classes.",
        cost="O(n), five times the matrix product",
        tasks=ONE_LABEL,
    ),
    Strategy(
        name="consensus_entropy",
        needs=Needs.COMMITTEE,
        function=committee.consensus_entropy,
        multilabel=binary_committee.binary_consensus_entropy,
        sieves=best("consensus_entropy"),
        reference="Settles 2009; for several labels averaged as Esuli & Sebastiani 2009",
        summary="Where a committee's mean prediction is most in doubt.",
        use="As entropy, a little steadier while labels are few.",
        cost="O(n), five times the matrix product",
        tasks=ONE_LABEL | SEVERAL_LABELS,
    ),
    Strategy(
        name="kl_to_consensus",
        needs=Needs.COMMITTEE,
        function=committee.mean_kl_to_consensus,
        multilabel=binary_committee.binary_mean_kl_to_consensus,
        sieves=best("kl_to_consensus"),
        reference="McCallum & Nigam 1998; for several labels averaged as Esuli & Sebastiani 2009",
        summary="Where a committee's members disagree, rather than doubt together.",
        use="Labels are noisy: what everyone doubts alike is not asked.",
        cost="O(n), five times the matrix product",
        tasks=ONE_LABEL | SEVERAL_LABELS,
    ),
    Strategy(
        name="k_center",
        needs=Needs.VECTORS,
        function=picking.k_center,
        multilabel=picking.k_center,
        sieves=centers,
        reference="Gonzalez 1985; Sener & Savarese 2018; over shards Malkomes et al. 2015",
        summary="The items farthest from everything labeled.",
        use="Nothing may be far from a label; finds outliers first, so worse than random for small budgets.",
        cost="O(n (m + k) d) at most for m newly labeled; bounds leave most of it out",
        tasks=ONE_LABEL | SEVERAL_LABELS | TOKEN_LABELS,
        wants_distance=True,
    ),
    Strategy(
        name="coverage",
        needs=Needs.VECTORS,
        function=picking.spread,
        multilabel=picking.spread,
        sieves=sample,
        reference="Arthur & Vassilvitskii 2007",
        summary="Spread over the pool in proportion to the squared distance.",
        use="Before there is a model, where typical_in_stages takes too long.",
        cost="O(c k d) of a sample of c",
        tasks=ONE_LABEL | SEVERAL_LABELS | TOKEN_LABELS,
        wants_labeled=True,
    ),
    Strategy(
        name="typical",
        needs=Needs.VECTORS,
        function=picking.typical,
        multilabel=picking.typical,
        sieves=sample,
        reference="Hacohen, Dekel & Weinshall 2022 (TypiClust)",
        summary="The densest spot of each cluster that holds no label.",
        use="Budgets of a few labels a class.",
        cost="O(c k d) of a sample of c, times the iterations of k-means",
        tasks=ONE_LABEL | SEVERAL_LABELS | TOKEN_LABELS,
        wants_labeled=True,
    ),
    Strategy(
        name="typical_in_stages",
        needs=Needs.VECTORS,
        function=picking.typical_in_stages,
        multilabel=picking.typical_in_stages,
        sieves=sample,
        reference="Hacohen, Dekel & Weinshall 2022 (TypiClust, stage by stage)",
        summary="The densest spots of 20 clusters, then of 40, of 80 and so on: the start before there is a model.",
        use="Before there is a model. Every project starts by it.",
        cost="O(r k d) of a sample of r, times the iterations of k-means",
        tasks=ONE_LABEL | SEVERAL_LABELS | TOKEN_LABELS,
        wants_labeled=True,
    ),
    Strategy(
        name="prob_cover",
        needs=Needs.VECTORS,
        function=picking.covering,
        multilabel=picking.covering,
        sieves=sample,
        reference="Yehuda, Dekel, Hacohen & Weinshall 2022 (ProbCover)",
        summary="Balls of one radius that cover as much of the pool as possible.",
        use="Budgets of a few labels a class, in clear clusters.",
        cost="O(c² d) of a sample of c",
        tasks=ONE_LABEL | SEVERAL_LABELS | TOKEN_LABELS,
        wants_labeled=True,
    ),
    Strategy(
        name="max_herding",
        needs=Needs.VECTORS,
        function=picking.max_herding,
        multilabel=picking.max_herding,
        sieves=sample,
        reference="Bae, Noh & Sutherland 2024 (MaxHerding)",
        summary="What makes every item of the pool most similar to one that is asked.",
        use="Budgets of a few labels a class.",
        cost="O(c² d) of a sample of c",
        tasks=ONE_LABEL | SEVERAL_LABELS | TOKEN_LABELS,
        wants_labeled=True,
    ),
    Strategy(
        name="k_medoids",
        needs=Needs.VECTORS,
        function=picking.k_medoids,
        multilabel=picking.k_medoids,
        sieves=sample,
        reference="Park & Jun 2009",
        summary="The middle items of k clusters.",
        use="One round of labels that is to stand for the pool.",
        cost="O(c k d) of a sample of c, times the iterations",
        tasks=ONE_LABEL | SEVERAL_LABELS | TOKEN_LABELS,
    ),
    Strategy(
        name="badge",
        needs=Needs.VECTORS_AND_MODEL,
        function=picking.gradients,
        multilabel=picking.gradients_of_labels,
        sieves=drawn("least_confident"),
        reference="Ash, Zhang, Krishnamurthy, Langford & Agarwal 2020 (BADGE)",
        summary="A draw that is spread over the gradients the answers would cause: doubtful and diverse.",
        use="Large batches between two rounds.",
        cost="O(c k d) of a draw of c by doubt",
        tasks=ONE_LABEL | SEVERAL_LABELS,
    ),
    Strategy(
        name="cluster_margin",
        needs=Needs.VECTORS_AND_MODEL,
        function=picking.margin_clusters,
        multilabel=picking.margin_clusters,
        sieves=most_doubtful,
        reference="Citovsky et al. 2021 (Cluster-Margin)",
        summary="The smallest margins, taken in turns from clusters of like items, small clusters first.",
        use="Very large batches between two rounds.",
        cost="O(c² d) of the c most doubtful",
        tasks=ONE_LABEL | SEVERAL_LABELS,
    ),
    Strategy(
        name="uncertain_k_center",
        needs=Needs.VECTORS_AND_MODEL,
        function=picking.uncertain_k_center,
        multilabel=picking.uncertain_k_center,
        sieves=most_doubtful,
        reference="Sener & Savarese 2018, of the most uncertain",
        summary="Of the smallest margins those farthest from one another and from what is labeled.",
        use="Doubtful items that must not be alike.",
        cost="O(c k d) of the c most doubtful",
        tasks=ONE_LABEL | SEVERAL_LABELS,
        wants_distance=True,
    ),
    Strategy(
        name="falcun",
        needs=Needs.VECTORS_AND_MODEL,
        function=picking.relevance,
        multilabel=None,
        sieves=drawn("margin"),
        reference="Gilhuber, Beer, Ma & Seidl 2024 (Falcun)",
        summary="Doubtful, and unlike in what the model says of them.",
        use="Balanced classes, medium budgets.",
        cost="O(c k classes) of a draw of c by doubt",
        tasks=ONE_LABEL,
    ),
    Strategy(
        name="uncertainty_herding",
        needs=Needs.VECTORS_AND_MODEL,
        function=picking.uncertainty_herding,
        multilabel=picking.uncertainty_herding,
        sieves=sample,
        reference="Bae, Oliveira & Sutherland 2025 (Uncertainty Herding)",
        summary="What covers the doubtful part of the pool; typical items at first, doubtful ones later.",
        use="Any budget; the radius shrinks by itself as labels come.",
        cost="O(c² d) of a sample of c",
        tasks=ONE_LABEL | SEVERAL_LABELS,
        wants_labeled=True,
    ),
    Strategy(
        name="variance_reduction",
        needs=Needs.VECTORS_AND_MODEL,
        function=picking.lower_variance,
        multilabel=picking.lower_variance_of_labels,
        sieves=sample,
        reference="Schein & Ungar 2007; in turns Ash et al. 2021 (BAIT)",
        summary="Labels after which the model's answers to the whole pool would vary least.",
        use="Any budget; where classes overlap so much that doubt alone misleads.",
        cost="O((c + m) d² + d³ + k c d) of a sample of c, m labeled",
        tasks=ONE_LABEL | SEVERAL_LABELS,
        wants_labeled=True,
    ),
    *OF_WORDS,
)

CATALOG: Mapping[str, Strategy] = MappingProxyType({strategy.name: strategy for strategy in _STRATEGIES})


def lookup(name: str) -> Strategy:
    """The strategy of that name.

    Raises
    ------
    ValueError
        If there is none; names the nearest and all there are.

    Examples
    --------
    >>> lookup("margin").reference
    'Scheffer, Decomain & Wrobel 2001; for several labels Brinker 2006'
    >>> lookup("margins")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: no strategy is called 'margins'; did you mean 'margin'? there are badge, class_balanced_margin, ...
    """
    if name in CATALOG:
        return CATALOG[name]
    near = difflib.get_close_matches(name, CATALOG, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"no strategy is called {name!r}; {hint}there are {', '.join(sorted(CATALOG))}")


#: What asks most nearly the same, in the order to try, where a task has no form of a strategy.
_NEAREST: dict[str, tuple[str, ...]] = {
    "entropy": ("token_entropy_mean",),
    "margin": ("mnlp",),
    "least_confident": ("mnlp",),
    "ratio": ("margin", "mnlp"),
    "class_balanced_margin": ("margin", "mnlp"),
    "vote_entropy": ("token_vote_entropy",),
    "vote_entropy_tiebroken": ("vote_entropy", "token_vote_entropy_tiebroken"),
    "consensus_entropy": ("token_consensus_entropy",),
    "kl_to_consensus": ("token_kl_to_consensus",),
    "falcun": ("badge",),
    "uncertainty_herding": ("max_herding",),
    "badge": ("coverage",),
    "uncertain_k_center": ("k_center",),
    "cluster_margin": ("typical",),
    "token_entropy_max": ("entropy",),
    "token_entropy_mean": ("entropy",),
    "token_entropy_sum": ("entropy",),
    "token_entropy_top": ("entropy",),
    "entity_entropy": ("entropy",),
    "mnlp": ("least_confident",),
    "sequence_least_confident": ("least_confident",),
    "token_vote_entropy": ("vote_entropy",),
    "token_vote_entropy_tiebroken": ("vote_entropy_tiebroken", "vote_entropy"),
    "token_consensus_entropy": ("consensus_entropy",),
    "token_kl_to_consensus": ("kl_to_consensus",),
}


def stand_in(strategy: Strategy, task: str) -> str:
    """The strategy nearest to one that does not serve the task, which does.

    Examples
    --------
    >>> stand_in(lookup("margin"), "token_classification"), stand_in(lookup("falcun"), "multilabel_classification")
    ('mnlp', 'badge')
    """
    return next(name for name in (*_NEAREST.get(strategy.name, ()), "typical_in_stages") if task in CATALOG[name].tasks)
