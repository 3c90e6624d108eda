"""A sequence longer than a model's window, cut into windows that overlap: every token is kept from exactly one."""

from __future__ import annotations

from typing import NamedTuple


class Window(NamedTuple):
    """Tokens ``start`` to ``stop`` are read, of which those from ``keep_start`` to ``keep_stop`` are kept."""

    start: int
    stop: int
    keep_start: int
    keep_stop: int


def windows(n: int, most: int, overlap: int) -> list[Window]:
    """Windows of at most `most` tokens over `n`, the first at the front, the last at the end.

    All but a short sequence's only window are full. A token is kept from the window in which it is farthest from a
    border: neighbours part in the middle of what both read.

    Parameters
    ----------
    n
        Tokens of the sequence, special ones aside; 0 gives one empty window.
    most
        Tokens a window holds, at least 1.
    overlap
        Tokens that neighbouring windows share at least, in ``[0, most)``.

    Returns
    -------
    In order; ``keep_start`` to ``keep_stop`` partition ``range(n)``.

    Raises
    ------
    ValueError
        When `n` is negative or `most` and `overlap` do not leave room for a step.

    Examples
    --------
    >>> [tuple(window) for window in windows(10, 6, 2)]
    [(0, 6, 0, 5), (4, 10, 5, 10)]
    >>> [tuple(window) for window in windows(3, 6, 2)]
    [(0, 3, 0, 3)]
    """
    if n < 0:
        raise ValueError(f"a sequence cannot have {n} tokens")
    if not 0 <= overlap < most:
        raise ValueError(f"an overlap of {overlap} leaves windows of {most} tokens no step forward")
    starts = [*range(0, max(1, n - most), most - overlap), n - most] if n > most else [0]
    stops = [min(start + most, n) for start in starts]
    edges = [0, *((stop + start) // 2 for stop, start in zip(stops[:-1], starts[1:], strict=True)), n]
    return [Window(*parts) for parts in zip(starts, stops, edges[:-1], edges[1:], strict=True)]
