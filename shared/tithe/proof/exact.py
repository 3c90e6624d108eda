"""Exact bounds on a share from counted mistakes: plain Python, so that the gateway may ask too."""

from __future__ import annotations

import math
from collections.abc import Callable


def at_most(wrong: int, of: int, share: float) -> float:
    """The probability of `wrong` or fewer mistakes among `of` drawn where that share of all is wrong.

    Examples
    --------
    >>> round(at_most(0, 59, 0.05), 4)
    0.0485
    """
    if share <= 0 or wrong >= of:
        return 1.0
    if share >= 1:
        return 0.0
    odds = math.log(share) - math.log1p(-share)
    term = of * math.log1p(-share)
    logs = [term]
    for k in range(wrong):
        term += math.log((of - k) / (k + 1)) + odds
        logs.append(term)
    most = max(logs)
    return min(1.0, math.exp(most) * math.fsum(math.exp(one - most) for one in logs))


def needed_without_mistake(error: float, certainty: float) -> int:
    """How many drawn items without a mistake show that at most the share `error` of all is wrong.

    Examples
    --------
    >>> needed_without_mistake(0.05, 0.95), needed_without_mistake(0.01, 0.95)
    (59, 299)
    """
    return math.ceil(math.log(1 - certainty) / math.log1p(-error) - 1e-9)


def upper(wrong: int, of: int, certainty: float) -> float:
    """With this certainty no more than this share of all is wrong (one-sided Clopper-Pearson); 1 where none is known.

    References
    ----------
    Clopper & Pearson 1934, The use of confidence or fiducial limits illustrated in the case of the binomial,
    Biometrika 26(4), pp. 404-413.

    Examples
    --------
    >>> round(upper(0, 59, 0.95), 4), round(upper(3, 100, 0.95), 4)
    (0.0495, 0.0757)
    """
    if wrong >= of:
        return 1.0
    return _crossing(lambda share: at_most(wrong, of, share) > 1 - certainty)


def lower(wrong: int, of: int, certainty: float) -> float:
    """With this certainty at least this share of all is wrong (one-sided Clopper-Pearson); 0 without a mistake.

    Examples
    --------
    >>> round(lower(10, 100, 0.95), 4), lower(0, 100, 0.95)
    (0.0553, 0.0)
    """
    if wrong <= 0:
        return 0.0
    return _crossing(lambda share: 1 - at_most(wrong - 1, of, share) < 1 - certainty)


def _crossing(still: Callable[[float], bool]) -> float:
    """Where in [0, 1] it holds no longer, by halving."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if still(middle) else (low, middle)
    return high
