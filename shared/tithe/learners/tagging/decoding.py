"""From tag probabilities to entities with a confidence."""

from __future__ import annotations

import numpy as np

from tithe.learners.protocol import Float64
from tithe.learners.tagging.lattice import Order, likeliest, sums
from tithe.learners.tagging.scheme import Scheme
from tithe.learners.words import Entity, Int64, Tagged

_LEAST = 1e-100


def entities(tagged: Tagged, scheme: Scheme, eagerness: float = 1.0) -> list[list[Entity]]:
    """The likeliest well-formed entities of each document.

    Words are taken to be independent but for the scheme: a sequence weighs the product of its tags' probabilities if
    it is well-formed, nothing otherwise. The entities are those of the sequence that weighs most; an entity's
    confidence is the weight of all sequences with exactly this entity, whatever else they hold, beside the weight of
    all.

    Parameters
    ----------
    tagged
        float64, shape (W, tags); not a committee's.
    scheme
        What the tags mean.
    eagerness
        What the probability of O is divided by when the sequence is sought: above one, more entities are found, less
        sure ones. Confidences are the same whatever it is.

    Returns
    -------
    Of each document its entities, in order, without overlap; confidences in (0, 1).

    Raises
    ------
    ValueError
        When the probabilities are not of shape (W, tags).

    Notes
    -----
    Time O(W tags), and O(tags^2) for each word of a document in which a word is likelier something than nothing: where
    O is the likeliest tag of every word (`eagerness` taken in), O throughout is the likeliest sequence.

    Examples
    --------
    >>> certain = np.array([[0.1, 0.8, 0.1], [0.3, 0.1, 0.6], [0.8, 0.1, 0.1]])
    >>> [(found,)] = entities(Tagged(certain, np.array([0, 3])), Scheme(1, "bio"))
    >>> tuple(found)[:3], round(found.confidence, 2)
    ((0, 2, 0), 0.53)
    """
    probabilities, starts = tagged
    if probabilities.shape != (int(starts[-1]), scheme.tags):
        raise ValueError(f"probabilities must have shape {(int(starts[-1]), scheme.tags)}, not {probabilities.shape}")
    answer: list[list[Entity]] = [[] for _ in range(len(starts) - 1)]
    busy = np.concatenate(
        [[0], np.cumsum(probabilities[:, 0] < eagerness * probabilities[:, 1:].max(axis=1, initial=0))]
    )
    chosen = np.flatnonzero(busy[starts[1:]] > busy[starts[:-1]])
    if not len(chosen):
        return answer
    lengths = np.diff(starts)[chosen]
    own = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = np.repeat(starts[chosen] - own[:-1], lengths) + np.arange(own[-1])
    weights = np.maximum(probabilities[rows], _LEAST)
    order = Order(own)
    logs = np.log(weights[order.words])
    logs[:, 0] -= np.log(eagerness)
    path = np.empty(len(weights), np.int64)
    path[order.words] = likeliest(logs, scheme.allowed, scheme.starts, scheme.ends, order)
    found = scheme.decode(path, own)
    sure = _confidence(weights, path, found, own, scheme, order)
    for (document, first, stop, type_), confidence in zip(found.tolist(), sure.tolist(), strict=True):
        answer[int(chosen[document])].append(Entity(first, stop, type_, confidence))
    return answer


def eagerness_for(f1: float | None) -> float:
    """How eager to be where entities are found with this F1: ``(2 - f1) / f1``, within [1, 4]; 1 where it is not known.

    Among independent decisions, F1 is highest when everything likelier than half the F1 that is then reached is said
    to be there. Measured on tweets with 50 / 100 / 300 / 1,000 labeled documents: 8 / 4 / 2 / 2 points of entity F1
    more than at eagerness 1; on Wikipedia 1 / 0 / 0 / 0.

    References
    ----------
    Lipton, Elkan & Naryanaswamy (2014), Optimal thresholding of classifiers to maximize F1 measure, ECML PKDD,
    225-239, theorem 1.

    Examples
    --------
    >>> eagerness_for(0.8), eagerness_for(None), eagerness_for(0.0)
    (1.5, 1.0, 4.0)
    """
    if f1 is None:
        return 1.0
    return round(min(4.0, max(1.0, (2 - f1) / max(f1, 0.1))), 3)


def _confidence(weights: Float64, path: Int64, found: Int64, starts: Int64, scheme: Scheme, order: Order) -> Float64:
    """float64, shape (entities,): forward to the first word, along the path, and on from the last."""
    if not len(found):
        return np.zeros(0)
    summed = sums(weights[order.words], scheme.allowed.astype(np.float64), scheme.starts, scheme.ends, order)
    place = np.empty(len(weights), np.int64)
    place[order.words] = np.arange(len(weights))
    first, last = starts[found[:, 0]] + found[:, 1], starts[found[:, 0]] + found[:, 2] - 1
    along = np.log(weights[np.arange(len(path)), path]) - np.log(summed.scale[place])
    inner = np.append(along, 0.0)
    within = np.where(last > first, np.add.reduceat(inner, np.stack([first + 1, last + 1], 1).ravel())[::2], 0.0)
    onward = summed.backward[place[last], path[last]]
    if scheme.kind == "bio":  # nothing in the tag says that the entity ends here: leave out what goes on
        following = np.flatnonzero(last + 1 < starts[found[:, 0] + 1])
        ahead = summed.ahead[place[last[following] + 1]]
        onward[following] -= (scheme.goes_on[path[last[following]]] * ahead).sum(axis=1)
    with np.errstate(divide="ignore"):
        sure = np.exp(np.log(summed.forward[place[first], path[first]]) + within + np.log(np.maximum(onward, 0)))
    clipped: Float64 = np.clip(sure, 1e-6, 1 - 1e-6)
    return clipped
