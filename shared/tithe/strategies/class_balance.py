"""A ranking that takes turns over the predicted classes, so that a frequent class does not crowd out a rare one."""

from __future__ import annotations

import numpy as np

from tithe.strategies.arrays import Floats, Int64, Ordinals
from tithe.strategies.distances import checked_k
from tithe.strategies.ranking import tie_hash, top_k

_MOST_CLASSES = 2**16


def class_balanced(scores: Floats, predicted: Ordinals, ordinals: Ordinals, k: int, seed: int) -> Int64:
    """Positions of k items, best first by turns: turn t takes the t-th best item of each predicted class.

    Within a turn items are in the order of the product: score descending, ties by :func:`~.ranking.tie_hash`. A class
    that has run out leaves its turns to the others, so there are always min(k, n) items.

    Parameters
    ----------
    scores : array of shape (n,), float32 or float64
        Higher = more worth asking; infinities are in order, NaN is refused.
    predicted : array of shape (n,), integers
        The class the model gives each item, 0 to 65,535.
    ordinals : array of shape (n,), int64 or uint64
        The items' ordinals, no two alike.
    k : int
        At least 0; more than n means all n.
    seed : int
        Of the order among equal scores; any integer, taken modulo 2**64.

    Returns
    -------
    array of shape (min(k, n),), int64

    Raises
    ------
    ValueError
        If a score is NaN, k is negative, a class is outside 0 to 65,535, or the arrays are not one row each of the same
        length.

    Notes
    -----
    O(n + k log k): a radix sort by class, a selection in each class, a sort of the chosen.

    **Merges exactly.** For any cut of a pool into shards, ``class_balanced`` over the union of every shard's own first
    k is ``class_balanced`` over the whole pool. Write r(x) for the number of better items of x's class in the pool,
    r'(x) for those in its shard, and let the key of x be (r(x), the order of the product): the pool is sorted by it.

    1. *The pool's first k are among their shards' first k.* r'(x) <= r(x). In the shard, class c holds n'(c) <= n(c)
       items. Count those before x there. If r'(x) < r(x), they all have r' <= r'(x) <= r(x) - 1, so class c has at
       most min(n(c), r(x)) of them, x's own class one fewer; and min(n(c), r(x)) items of each class come before x in
       the pool. If r'(x) = r(x) = t, class c has min(n'(c), t) <= min(n(c), t) items of earlier turns, and at turn t
       one more only if its t-th best in the shard beats x; its t-th best in the pool is no worse, so it beats x
       too and is counted in the pool. Either way no more items come before x in its shard than in the pool: fewer
       than k.
    2. *The union sorts as the pool does.* Let the pool's first k hold m(c) items of class c: its best m(c), all in the
       union by (1), so their ranks and keys are the same there. Any other item of class c in the union has at least
       rank m(c) there, and at that rank stands the pool's item of rank m(c) or a worse one, whose key is no
       smaller than that item's, which comes after all of the first k. So the first k come first, in the same order.

    References
    ----------
    Ertekin, Huang, Bottou & Giles 2007, Learning on the border: active learning in imbalanced data classification,
    CIKM, pp. 127-136 (why a batch should not follow the classes' frequencies). Turns over the predicted classes are the
    plainest form of it.

    Examples
    --------
    Class 0 has the three highest scores; class 1 gets its turn all the same, and when it has run out class 0 goes on:

    >>> scores, predicted = np.array([0.9, 0.8, 0.7, 0.1]), np.array([0, 0, 0, 1])
    >>> class_balanced(scores, predicted, np.array([10, 11, 12, 13]), k=4, seed=0)
    array([0, 3, 1, 2])
    """
    classes = np.asarray(predicted)
    if classes.ndim != 1 or (classes.dtype.kind not in "iu" and classes.size):
        raise ValueError(f"predicted, shape {classes.shape}, {classes.dtype}, must be one row of integers, (n,)")
    if classes.shape != np.shape(scores):
        raise ValueError(f"predicted, shape {classes.shape}, must be as long as scores, shape {np.shape(scores)}")
    if classes.size and not 0 <= int(classes.min()) <= int(classes.max()) < _MOST_CLASSES:
        raise ValueError(f"predicted holds class {classes.min()} to {classes.max()}, not 0 to {_MOST_CLASSES - 1}")
    top_k(scores, ordinals, 0, seed)  # its checks
    scores, ordinals = np.asarray(scores, dtype=np.float64), np.asarray(ordinals)
    k = checked_k(k, len(classes))
    counts = np.bincount(classes.astype(np.int64, copy=False))
    turns = _turns(counts, k)
    by_class = np.argsort(classes.astype(np.uint16), kind="stable")  # of 16 bits: a radix sort
    ends = np.cumsum(counts)
    chosen, turn = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for label in np.flatnonzero(counts):
        members = by_class[ends[label] - counts[label] : ends[label]]
        best = members[top_k(scores[members], ordinals[members], turns, seed)]
        chosen.append(best)
        turn.append(np.arange(len(best)))
    positions = np.concatenate(chosen)
    order = np.lexsort((tie_hash(ordinals[positions], seed), -scores[positions], np.concatenate(turn)))
    return positions[order[:k]]


def _turns(counts: Int64, k: int) -> int:
    """The fewest turns that hand out k items of classes of these sizes."""
    fewest, most = 0, int(counts.max(initial=0))
    while fewest < most:
        middle = (fewest + most) // 2
        if int(np.minimum(counts, middle).sum()) >= k:
            most = middle
        else:
            fewest = middle + 1
    return fewest
