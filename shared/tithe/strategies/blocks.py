"""Probabilities, read in blocks that stay in cache and checked on the way.

A block is turned on its side, from rows of classes to columns of float64, so that every operation on it runs along
many rows at once. It follows that a row's score never depends on the rows beside it, not even in the last bit: a pool
scored whole and the same pool scored in shards give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tithe.strategies.arrays import Float64, Floats

Fault = Callable[[Float64], tuple[int, int, str] | None]
Measure = Callable[[Float64, Float64], Float64]

SUM_TOLERANCE = 1e-3
BLOCK_VALUES = 32_768  # 256 KiB of float64; a block and its scratch fit a core's own cache
BLOCK_ROWS_AT_LEAST = 256  # with many classes a call over fewer rows costs more than the arithmetic in it
BLOCK_VALUES_AT_MOST = 2**20  # whatever the classes and members, 8 MiB


def score_rows(name: str, probabilities: Floats, fault: Fault, measure: Measure) -> Float64:
    """Score an array of shape (n, classes); see :func:`score_members`, of which this is the committee of one."""
    values = _real_array(name, probabilities, ("n", "classes"))
    return _score(name, values, values[np.newaxis], fault, lambda stack, scratch: measure(stack[0], scratch[0]))


def score_members(name: str, probabilities: Floats, fault: Fault, measure: Measure) -> Float64:
    """Score an array of shape (members, n, classes) block by block.

    `measure` gets the block as float64 of shape (members, classes, rows) and a scratch array of the same shape, both of
    which it may overwrite, and returns one score per row.
    """
    values = _real_array(name, probabilities, ("members", "n", "classes"))
    if not len(values):
        raise ValueError(f"{_described(name, values)}, has no members; a committee needs at least one")
    return _score(name, values, values, fault, measure)


def _score(name: str, given: Floats, members: Floats, fault: Fault, measure: Measure) -> Float64:
    count, n, classes = members.shape
    if n and not classes:
        raise ValueError(f"{_described(name, given)}, has no classes: row 0 is empty")
    scores = np.empty(n)
    most_rows = _rows_per_block(count * max(classes, 1), n)
    stack_buffer, scratch_buffer = np.empty((2, count * classes * most_rows))
    for rows in _row_blocks(n, most_rows):
        # A single row is read twice: NumPy adds up a lone column in another order than columns side by side.
        width = max(rows.stop - rows.start, 2)
        stack = stack_buffer[: count * classes * width].reshape(count, classes, width)
        scratch = scratch_buffer[: stack.size].reshape(stack.shape)
        block = members[:, rows].copy()  # in order first: turning it straight out of main memory takes twice as long
        np.copyto(stack, block.transpose(0, 2, 1))
        if (found := fault(stack)) is not None:
            member, row, reason = found
            place = f"member {member}, row" if given.ndim == 3 else "row"
            raise ValueError(f"{_described(name, given)}: {place} {rows.start + row} {reason}")
        scores[rows] = measure(stack, scratch)[: rows.stop - rows.start]
    return scores


def _rows_per_block(values_per_row: int, n: int) -> int:
    wide = min(BLOCK_ROWS_AT_LEAST, BLOCK_VALUES_AT_MOST // values_per_row)
    return max(2, min(n, max(wide, BLOCK_VALUES // values_per_row)))


def _row_blocks(n: int, most_rows: int) -> Iterator[slice]:
    for start in range(0, n, most_rows):
        yield slice(start, min(start + most_rows, n))


def distribution_fault(stack: Float64) -> tuple[int, int, str] | None:
    """Find the first row that is no distribution over the classes: a value missing or negative, or a sum off 1."""
    sound = bool(stack.min() >= 0.0)
    if sound:
        totals = np.add.reduce(stack, axis=1)
        sound = bool(totals.min() >= 1.0 - SUM_TOLERANCE) and bool(totals.max() <= 1.0 + SUM_TOLERANCE)
    if sound:
        return None
    with np.errstate(invalid="ignore"):
        totals = np.add.reduce(stack, axis=1)
        least = stack.min(axis=1)
    member, row = _first_false((least >= 0.0) & (totals >= 1.0 - SUM_TOLERANCE) & (totals <= 1.0 + SUM_TOLERANCE))
    values = stack[member, :, row]
    if np.isnan(values).any():
        return member, row, "holds NaN"
    if values.min() < 0.0:
        return member, row, f"holds a negative value, {values.min():.6g}"
    return member, row, f"sums to {totals[member, row]:.6g}, not to 1 within {SUM_TOLERANCE:g}"


def bernoulli_fault(stack: Float64) -> tuple[int, int, str] | None:
    """Find the first row with a value that is no probability of a label: missing, or outside 0 to 1."""
    if stack.min() >= 0.0 and stack.max() <= 1.0:
        return None
    member, row = _first_false((stack.min(axis=1) >= 0.0) & (stack.max(axis=1) <= 1.0))
    values = stack[member, :, row]
    if np.isnan(values).any():
        return member, row, "holds NaN"
    worst = values.min() if values.min() < 0.0 else values.max()
    return member, row, f"holds {worst:.6g}, which is outside 0 to 1"


def _real_array(name: str, values: Floats, axes: tuple[str, ...]) -> Floats:
    array = np.asarray(values)
    if array.ndim != len(axes):
        raise ValueError(f"{_described(name, array)}, must have {len(axes)} axes, ({', '.join(axes)})")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{_described(name, array)}, holds {array.dtype}, not real numbers")
    return array


def _described(name: str, values: npt.NDArray[Any]) -> str:
    return f"{name}, shape {values.shape}"


def _first_false(good: npt.NDArray[np.bool_]) -> tuple[int, int]:
    row, member = np.argwhere(~good.T)[0]
    return int(member), int(row)
