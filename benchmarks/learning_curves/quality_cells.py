"""Figures of the quality report as a table shows them."""

from __future__ import annotations

import numpy as np

from learning_curves.quality_rows import Difference, Ratio


def times(found: Ratio) -> str:
    """A ratio with its interval.

    Examples
    --------
    >>> times(Ratio(3.91, 2.0, 5.0)), times(Ratio(8.0, 8.0, 8.0, at_least=True))
    ('3.9x, 2.0 to 5.0', 'at least 8.0x')
    """
    sign = "at least " if found.at_least else "at most " if found.at_most else ""
    spread = "" if found.low == found.high else f", {found.low:.1f} to {found.high:.1f}"
    return f"{sign}{found.median:.1f}x{spread}"


def signed(found: Difference | None) -> str:
    """A difference with its interval.

    Examples
    --------
    >>> signed(Difference(1.24, 0.31, 3)), signed(Difference(-0.5, float("nan"), 1))
    ('+1.2 ± 0.3', '-0.5 (one seed)')
    """
    if found is None:
        return ""
    return f"{found.mean:+.1f}" + (f" ± {found.half:.1f}" if np.isfinite(found.half) else " (one seed)")
