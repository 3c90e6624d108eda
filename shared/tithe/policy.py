"""Pure decisions: no I/O, no clock, no state. What the loop asks before it acts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class LabelCounts:
    """What the retraining decision looks at."""

    changes: int  #: labels added, changed or taken away so far
    at_last_round: int  #: the same when the last round was requested
    finished: bool  #: no more labels are coming: the budget is spent or the pool is exhausted


def retrain_due(counts: LabelCounts, retrain_every: int) -> bool:
    """Whether what happened to the labels asks for a round.

    A label that is changed or withdrawn counts as much as a new one: taking labels away never puts a round off. A
    crossing, never ``count % n == 0``: two labels that arrive together cannot step over it. When no more labels are
    coming, whatever is left since the last round is trained on, so that the history ends with the last label.

    Examples
    --------
    >>> retrain_due(LabelCounts(changes=41, at_last_round=0, finished=False), 40)
    True
    >>> retrain_due(LabelCounts(changes=41, at_last_round=40, finished=False), 40)
    False
    >>> retrain_due(LabelCounts(changes=41, at_last_round=40, finished=True), 40)
    True
    """
    new = counts.changes - counts.at_last_round
    return new >= retrain_every or (counts.finished and new > 0)


def ready_depth(batch_size: int, retrain_every: int, overlap: int) -> int:
    """How many items a round ranks for handing out: enough that nobody runs dry before the next round is in.

    Examples
    --------
    >>> ready_depth(batch_size=10, retrain_every=40, overlap=1)
    260
    """
    return min(5000, max(200, 4 * retrain_every + 10 * batch_size) // max(1, overlap))


def shard_rows(pool_rows: int) -> int:
    """How many rows one scorer job reads: an eighth of the pool, so that idle scorers have work, within reason.

    Examples
    --------
    >>> shard_rows(1_000), shard_rows(100_000), shard_rows(10_000_000)
    (4096, 12500, 131072)
    """
    return min(131_072, max(4096, -(-pool_rows // 8)))


def shard_ranges(blocks: Sequence[tuple[int, int]], shard_rows: int) -> Iterator[tuple[int, int]]:
    """Group contiguous blocks ``(start, rows)`` into shards ``(start, stop)`` of about `shard_rows` rows.

    Blocks are never split: a shard reads whole files. Gaps (a block not embedded yet) end a shard.

    Examples
    --------
    >>> list(shard_ranges([(0, 10), (10, 10), (20, 5), (40, 10)], shard_rows=20))
    [(0, 20), (20, 25), (40, 50)]
    """
    start = stop = None
    for block_start, rows in sorted(blocks):
        if start is None or stop is None:
            start, stop = block_start, block_start + rows
        elif block_start == stop and stop - start + rows <= shard_rows:
            stop += rows
        else:
            yield start, stop
            start, stop = block_start, block_start + rows
    if start is not None and stop is not None:
        yield start, stop


def block_ranges(planned: int, total: int, block_rows: int, *, remainder: bool) -> Iterator[tuple[int, int]]:
    """Cut the ordinals ``[planned, total)`` into blocks ``(start, rows)``; the short tail only where `remainder` says.

    Examples
    --------
    >>> list(block_ranges(0, 25, 10, remainder=False)), list(block_ranges(20, 25, 10, remainder=True))
    ([(0, 10), (10, 10)], [(20, 5)])
    """
    while total - planned >= block_rows:
        yield planned, block_rows
        planned += block_rows
    if remainder and total > planned:
        yield planned, total - planned


def grown_enough(ranked: int, rows: int) -> bool:
    """Whether a pool grew enough to rank it again: by a hundredth, so that a trickle does not churn.

    Smaller additions are ranked by the next round that labels ask for.

    Examples
    --------
    >>> grown_enough(0, 1), grown_enough(1000, 1005), grown_enough(1000, 1010)
    (True, False, True)
    """
    return rows - ranked >= max(1, ranked // 100)


def tail_worth_a_block(tail: int, planned: int, block_rows: int) -> bool:
    """Whether the pool's last rows are made a block when an import ends, rather than left to be joined by the next.

    Examples
    --------
    >>> tail_worth_a_block(1, 0, 1024), tail_worth_a_block(1, 5000, 1024), tail_worth_a_block(100, 5000, 1024)
    (True, False, True)
    """
    return planned == 0 or tail >= min(64, block_rows)


def retry_delay_seconds(attempt: int) -> float:
    """Back-off before a failed job is claimed again: 1, 2, 4 … at most 60 seconds.

    Examples
    --------
    >>> [retry_delay_seconds(a) for a in (1, 2, 3, 10)]
    [1.0, 2.0, 4.0, 60.0]
    """
    return float(min(60, 2 ** (attempt - 1)))


def round_seed(project_seed: int, round_number: int) -> int:
    """The seed of one round: a project replayed with the same seed chooses the same items.

    Examples
    --------
    >>> round_seed(7, 0) != round_seed(7, 1)
    True
    """
    return (project_seed * 1_000_003 + round_number * 7919) % (1 << 62)


def refill_due(held: int, window: int) -> bool:
    """Whether a tool that holds so many items is to get new ones: when a quarter of its window was answered.

    Examples
    --------
    >>> refill_due(200, 200), refill_due(151, 200), refill_due(150, 200), refill_due(0, 1)
    (False, False, True, True)
    """
    return held <= window - max(1, window // 4)


def tool_retry_seconds(failures: int, chance: float) -> float:
    """Back-off before a tool that failed so many times in a row is called again: 2, 4, 8 … at most 300, give or take.

    `chance`, in [0, 1), spreads connections to one tool, so that they do not come back all at once.

    Examples
    --------
    >>> [tool_retry_seconds(n, 0.5) for n in (1, 2, 20)]
    [2.0, 4.0, 300.0]
    """
    return min(300.0, 2.0 ** min(failures, 10)) * (0.75 + 0.5 * chance)
