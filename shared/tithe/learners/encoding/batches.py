"""Which sequences go through a model together: ones of about the same length, and no more than memory takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]


def batches(lengths: Sequence[int] | NDArray[np.int64], most_tokens: int) -> list[Positions]:
    """Cut sequences into batches by length, the longest first.

    Padding is what a batch wastes, and sorted neighbours differ by little. The longest come first, so that a budget
    that is too large shows at once.

    Parameters
    ----------
    lengths
        Tokens of each sequence, shape (n,); an empty one counts as one token.
    most_tokens
        What a padded batch, rows times its longest, may hold, at least 1. A sequence longer than that goes alone.

    Returns
    -------
    Positions in `lengths`, each in exactly one batch; inside a batch from long to short, equal lengths in their order.

    Raises
    ------
    ValueError
        When `most_tokens` is not positive, or a length is negative (names the position).

    Notes
    -----
    O(n log n).

    Examples
    --------
    >>> [batch.tolist() for batch in batches([3, 9, 4, 8, 1], 16)]
    [[1], [3, 2], [0, 4]]
    """
    found = np.asarray(lengths, dtype=np.int64)
    if most_tokens < 1:
        raise ValueError(f"most_tokens must be at least 1, not {most_tokens}")
    if (found < 0).any():
        at = int(np.argmax(found < 0))
        raise ValueError(f"lengths[{at}] is {found[at]}: a sequence cannot be shorter than nothing")
    order = np.argsort(-found, kind="stable")
    cut: list[Positions] = []
    first = 0
    while first < len(order):
        longest = max(1, int(found[order[first]]))
        together = max(1, most_tokens // longest)
        cut.append(order[first : first + together])
        first += together
    return cut
