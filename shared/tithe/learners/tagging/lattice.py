"""Sums and maxima over all well-formed tag sequences, of many documents side by side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tithe.learners.protocol import Float64
from tithe.learners.tagging.scheme import Bool
from tithe.learners.words import Int64

#: The log of what may not be: small enough to lose against anything, large enough to be added up.
_NEVER = -1e30


class Order:
    """Words by their place in the document, longest document first: at each place, a run of rows without a gap.

    Parameters
    ----------
    starts
        int64, shape (n + 1,): the documents' first words.

    Attributes
    ----------
    words
        int64, shape (W,): which word stands in each row.
    documents
        int64, shape (W,): its document.
    bounds
        int64, shape (longest + 1,): the rows of the words at place t are ``bounds[t]`` to ``bounds[t + 1]``; as many
        rows from ``bounds[t - 1]`` on are the words before them, in the same order.
    before, after
        int64: rows, pairwise, of all words that have one before them (`after`), and of that one (`before`).
    last
        int64, shape (documents with words,): rows of last words.
    """

    def __init__(self, starts: Int64) -> None:
        lengths = np.diff(starts)
        order = np.argsort(-lengths, kind="stable")
        order = order[: np.count_nonzero(lengths)]
        lengths = lengths[order]
        longest = int(lengths[0]) if len(lengths) else 0
        live = np.searchsorted(-lengths, -np.arange(longest), side="left")
        self.bounds = np.concatenate([[0], np.cumsum(live)]).astype(np.int64)
        within = np.arange(int(self.bounds[-1])) - np.repeat(self.bounds[:-1], live)
        self.documents = order[within]
        self.words = starts[self.documents] + np.repeat(np.arange(longest), live)
        self.after = np.arange(live[0] if longest else 0, int(self.bounds[-1]))
        self.before = np.repeat(self.bounds[:-2], live[1:]) + within[self.after]
        self.last = self.bounds[lengths - 1] + np.arange(len(lengths))


class Sums(NamedTuple):
    """What :func:`sums` finds, all float64; rows as the order has them.

    Attributes
    ----------
    forward
        Shape (W, tags): how likely each tag is by the words up to here, all that come later left out.
    backward
        Shape (W, tags): what `forward` is multiplied with to get the marginal probability.
    ahead
        Shape (W, tags): what a step to this tag adds; ``forward[before] * step * ahead[after]`` is the marginal
        probability of a pair.
    scale
        Shape (W,): what the row was divided by; a document's rows multiply to its sum over all sequences.
    """

    forward: Float64
    backward: Float64
    ahead: Float64
    scale: Float64


def sums(weights: Float64, step: Float64, starts: Bool, ends: Bool, order: Order) -> Sums:
    """The forward-backward algorithm, rescaled at each word, in probabilities rather than logs.

    Parameters
    ----------
    weights
        float64, shape (W, tags), rows as the order has them, none negative: what each tag weighs at each word.
    step
        float64, shape (tags, tags): what the second tag after the first weighs; 0, never.
    starts, ends
        bool, shape (tags,): what may be first, and last.
    order
        Of the same words.

    Notes
    -----
    Time O(W tags^2), two matrix products a place. A document whose every sequence weighs nothing gives NaN.

    References
    ----------
    Rabiner (1989), A tutorial on hidden Markov models, Proceedings of the IEEE 77, 257-286, section V A.
    """
    bounds = order.bounds
    count, tags = weights.shape
    forward = weights * 1.0
    if not count:
        return Sums(forward, forward, forward, np.ones(0))
    forward[: bounds[1]] *= starts
    forward[order.last] *= ends
    ahead, scale, backward = forward.copy(), np.empty(count), np.empty((count, tags))
    places = len(bounds) - 1
    for place in range(places):
        row = forward[bounds[place] : bounds[place + 1]]
        if place:
            row *= forward[bounds[place - 1] : bounds[place - 1] + len(row)] @ step
        total = row.sum(axis=1)
        scale[bounds[place] : bounds[place + 1]] = total
        row /= total[:, None]
    ahead /= scale[:, None]
    back = np.ascontiguousarray(step.T)
    backward[order.last] = 1
    for place in range(places - 1, 0, -1):
        row = ahead[bounds[place] : bounds[place + 1]]
        row *= backward[bounds[place] : bounds[place + 1]]
        backward[bounds[place - 1] : bounds[place - 1] + len(row)] = row @ back
    return Sums(forward, backward, ahead, scale)


def likeliest(scores: Float64, allowed: Bool, starts: Bool, ends: Bool, order: Order) -> Int64:
    """The well-formed tag sequence of the largest sum of scores, of each document.

    Parameters
    ----------
    scores
        float64, shape (W, tags), rows as the order has them: logs, say.
    allowed
        bool, shape (tags, tags).
    starts, ends
        bool, shape (tags,).
    order
        Of the same words.

    Returns
    -------
    int64, shape (W,), rows as the order has them. Among equals, the lower tag at the last word that differs.

    Notes
    -----
    Time O(W tags^2) at most: tags with the same predecessors share their maximum.

    References
    ----------
    Viterbi (1967), Error bounds for convolutional codes, IEEE Transactions on Information Theory 13, 260-269.
    """
    bounds = order.bounds
    best = np.maximum(scores, _NEVER)
    if not len(best):
        return np.zeros(0, np.int64)
    best[: bounds[1], ~starts] = _NEVER
    best[np.ix_(order.last, np.flatnonzero(~ends))] = _NEVER
    sources, source_of = np.unique(allowed, axis=1, return_inverse=True)
    groups = [np.flatnonzero(column) for column in sources.T]
    came_from = np.zeros(best.shape, np.int16)
    places = len(bounds) - 1
    for place in range(1, places):
        row = best[bounds[place] : bounds[place + 1]]
        earlier = best[bounds[place - 1] : bounds[place - 1] + len(row)]
        tops = np.stack([group[earlier[:, group].argmax(axis=1)] for group in groups], axis=1)
        origin = tops[:, source_of.ravel()]
        came_from[bounds[place] : bounds[place + 1]] = origin
        row += np.take_along_axis(earlier, origin, axis=1)
        np.maximum(row, _NEVER, out=row)
    path = np.zeros(len(best), np.int64)
    path[order.last] = best[order.last].argmax(axis=1)
    for place in range(places - 1, 0, -1):
        rows = np.arange(bounds[place], bounds[place + 1])
        path[bounds[place - 1] : bounds[place - 1] + len(rows)] = came_from[rows, path[rows]]
    return path
