"""From vectors to the best rows in one pass: a row that provably is not among the best is never finished.

What is computed is the plain definition, :meth:`tithe.learners.bounds.Measure.scores` of every row in float64 and then
:func:`tithe.strategies.ranking.merge_top_k`, to the last bit and however the pool is cut. How: the k-th best score so
far is a bar. A screen (``screens``) sees a block's logits with a known error, ``bounds`` turns them into the highest
score a row can have, and only rows above the bar are looked at again: first by the float32 screen if they were seen as
bytes, then by the definition. A row that ties with the bar stays if the tie's hash is in its favour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tithe.learners.bounds import Measure, measures
from tithe.learners.linear_model import LinearModel
from tithe.learners.protocol import Float32, Float64
from tithe.learners.screens import ByteScreen, FloatScreen, Linear, NumpyScreen, Screen
from tithe.strategies import ranking

Ordinals = NDArray[np.int64]
Asked = Callable[[Ordinals], NDArray[np.bool_]]

#: Values (heads * classes * rows) of a block: logits and what is made of them fit a core's own cache.
_BLOCK_VALUES = 131_072
_BLOCK_ROWS = (512, 2048)
#: The first rows are NumPy's: they set a bar, and small shards never load ONNX Runtime.
_FIRST_ROWS = 16_384
#: Fewer columns than this are no slower to multiply in float32.
_BYTES_FROM_COLUMNS = 32
#: Bytes are given up where they let so many rows pass that looking twice costs more than it saves.
_BYTES_MAY_PASS = 0.3
#: How many rows show whether they do. Tried again whenever twice as many rows have been seen: the bar is higher.
_TRIED_ROWS = 4096
#: So many rows more than twice those to keep may wait for the definition.
_SPARE_ROWS = 256
#: With an error of so many nats a screen has seen nothing, and may have left the range of float32.
_BLIND = 1e4
_LAST_HASH = np.uint64(2**64 - 1)


class Best(NamedTuple):
    """The best rows, best first."""

    ordinals: Ordinals  #: int64, shape (min(k, rows that may be asked for),)
    scores: Float64  #: float64, the same shape; higher = more worth asking
    scored: int  #: rows that could have been among them


def best_rows(
    model: LinearModel,
    runs: Iterable[tuple[int, Float32]],
    measure: str,
    keep: int,
    seed: int,
    asked: Asked | None = None,
) -> Best:
    """The `keep` rows with the highest scores, ties by the seeded hash of their ordinals.

    Parameters
    ----------
    model
        Its task decides which form of the measure is meant.
    runs
        Pairs of a first ordinal and float32 rows of shape (r, d) that follow it, as
        :meth:`tithe.loop.features.PoolVectors.runs` gives them: in any order, of any lengths; no ordinal twice.
    measure
        The name of a strategy: ``entropy``, ``margin``, ``ratio`` (not for several labels), ``least_confident``,
        ``vote_entropy``, ``vote_entropy_tiebroken`` (not for several labels), ``consensus_entropy`` or
        ``kl_to_consensus``.
    keep
        How many, at least 0.
    seed
        Of the order among equal scores.
    asked
        Given ordinals, which of them may be chosen, shape (n,) bool. None: all.

    Returns
    -------
    :class:`Best`.

    Raises
    ------
    ValueError
        If a row of the vectors or of the heads is not finite (names it), a shape is wrong, the model has no committee
        and the measure needs one, the measure is not defined for the task, or keep is negative.

    Notes
    -----
    One matrix product, O(n d heads classes), in float32 or, with more than a few columns, in bytes; then O(d heads
    classes) float64 operations for each row that passes: about keep * log(n / keep), and those within the error of the
    bar. Memory: some megabytes and two copies of the rows that wait for a second look, whatever n is.
    """
    found = measures(model.task).get(measure)
    if found is None:
        known = ", ".join(sorted(measures(model.task)))
        raise ValueError(f"{measure!r} is no score of rows for task {model.task!r}; there are {known}")
    if keep < 0:
        raise ValueError(f"keep must be at least 0, not {keep}")
    if found.committee and not model.members:
        raise ValueError(f"{measure!r} needs a committee, and the model has none")
    _check_heads(model)
    search = _Search(model, found, keep, seed)
    for first, rows in runs:
        search.look(first, rows, asked)
    return search.finish()


def _check_heads(model: LinearModel) -> None:
    finite = np.isfinite(model.heads).all(axis=2)
    if not finite.all():
        head, row = np.argwhere(~finite)[0]
        raise ValueError(f"the model's head {head}, class {model.learned[row]}, is not finite")


@dataclass
class _Waiting:
    """Rows that wait until there are enough of them to be worth a call."""

    ordinals: list[Ordinals] = field(default_factory=list)
    rows: list[Float32] = field(default_factory=list)
    lows: list[Float64] = field(default_factory=list)
    highs: list[Float64] = field(default_factory=list)
    count: int = 0

    def add(self, ordinals: Ordinals, rows: Float32, low: Float64, high: Float64) -> None:
        if len(ordinals):
            self.ordinals.append(ordinals)
            self.rows.append(rows)
            self.lows.append(low)
            self.highs.append(high)
            self.count += len(ordinals)

    def take(self) -> tuple[Ordinals, Float32, Float64, Float64]:
        taken = tuple(np.concatenate(parts) for parts in (self.ordinals, self.rows, self.lows, self.highs))
        self.ordinals, self.rows, self.lows, self.highs, self.count = [], [], [], [], 0
        return taken  # type: ignore[return-value]  # four arrays, not any number of them


class _Search:
    def __init__(self, model: LinearModel, measure: Measure, keep: int, seed: int) -> None:
        self.model, self.measure, self.keep, self.seed = model, measure, keep, seed
        self.linear = Linear.of(model, measure.heads)
        self.floats: NumpyScreen | FloatScreen = NumpyScreen(self.linear)
        self.bytes: ByteScreen | None = None
        self.block = int(np.clip(_BLOCK_VALUES // len(self.linear.offsets), *_BLOCK_ROWS))
        self.passed, self.doubtful = _Waiting(), _Waiting()  # by the bytes; by both
        self.best: tuple[Ordinals, Float64] = (np.empty(0, np.int64), np.empty(0))
        self.bar, self.bar_hash = -np.inf, _LAST_HASH
        self.seen = self.scored = 0
        self.tried = self.let_pass = self.try_again = 0

    def look(self, first: int, rows: Float32, asked: Asked | None) -> None:
        """Offer a run of rows, block by block."""
        if rows.ndim != 2 or rows.shape[1] != self.model.dimension:
            raise ValueError(f"vectors must have shape (n, {self.model.dimension}), not {rows.shape}")
        for start in range(0, len(rows), self.block):
            block = np.ascontiguousarray(rows[start : start + self.block], dtype=np.float32)
            ordinals = np.arange(first + start, first + start + len(block), dtype=np.int64)
            length = _longest(ordinals, block)
            allowed = np.ones(len(block), bool) if asked is None else asked(ordinals)
            self.seen += len(block)
            self.scored += int(np.count_nonzero(allowed))
            if self.keep and allowed.any():
                self._first_look(ordinals, block, length, allowed)

    def finish(self) -> Best:
        """What is left of the offers."""
        self._second_look()
        self._thin_out()
        self._score()
        return Best(*self.best, self.scored)

    def _first_look(self, ordinals: Ordinals, block: Float32, length: float, allowed: NDArray[np.bool_]) -> None:
        screen = self._screen()
        alive, low, high = self._above_the_bar(screen, ordinals, block, length, allowed)
        if screen is not self.bytes:
            self._doubt(ordinals[alive], block[alive], low, high)
            return
        self.tried += len(block)
        self.let_pass += len(alive)
        self.passed.add(ordinals[alive], block[alive], low, high)
        if self.passed.count >= self.block:
            self._second_look()

    def _screen(self) -> Screen:
        """What the next block is seen through."""
        if self.seen <= _FIRST_ROWS or NumpyScreen.is_best_for(self.linear):
            return self.floats
        if isinstance(self.floats, NumpyScreen):
            self.floats = FloatScreen(self.linear)
        if len(self.linear.offsets) < _BYTES_FROM_COLUMNS:
            return self.floats
        if self.bytes is None:
            self.bytes = ByteScreen(self.linear, shifts=self.model.task == "single")
        if self.seen >= self.try_again:
            self.tried = self.let_pass = 0
            self.try_again = 2 * self.seen
        wasted = self.tried >= _TRIED_ROWS and self.let_pass > _BYTES_MAY_PASS * self.tried
        return self.floats if wasted else self.bytes

    def _second_look(self) -> None:
        if self.passed.count:
            ordinals, rows, _, _ = self.passed.take()
            everyone = np.ones(len(rows), bool)
            alive, low, high = self._above_the_bar(self.floats, ordinals, rows, _longest(ordinals, rows), everyone)
            self._doubt(ordinals[alive], rows[alive], low, high)

    def _doubt(self, ordinals: Ordinals, rows: Float32, low: Float64, high: Float64) -> None:
        self.doubtful.add(ordinals, rows, low, high)
        if self.doubtful.count >= 2 * self.keep + _SPARE_ROWS:
            self._thin_out()
            # Too many cannot be told apart from here: only the definition can.
            if self.doubtful.count >= self.keep + _SPARE_ROWS // 2 + self.keep // 2:
                self._score()

    def _thin_out(self) -> None:
        """Raise the bar to the k-th of the lowest scores that the waiting rows can have, and let go who is below."""
        if self.doubtful.count + len(self.best[0]) <= self.keep or not self.doubtful.count:
            return
        ordinals, rows, low, high = self.doubtful.take()
        self._raise(np.partition(np.concatenate([self.best[1], low]), -self.keep)[-self.keep])
        alive = high >= self.bar
        self.doubtful.add(ordinals[alive], rows[alive], low[alive], high[alive])

    def _raise(self, bar: float) -> None:
        if bar > self.bar:
            self.bar, self.bar_hash = bar, _LAST_HASH  # who the row at the bar is, is not known: ties stay

    def _score(self) -> None:
        """By the definition, where the bounds have not met."""
        if not self.doubtful.count:
            return
        ordinals, rows, scores, high = self.doubtful.take()
        apart = scores < high
        scores[apart] = self.measure.scores(self.model, rows[apart])
        self.best = ranking.merge_top_k([self.best, (ordinals, scores)], self.keep, self.seed)
        if len(self.best[0]) == self.keep:
            self.bar, self.bar_hash = self.best[1][-1], ranking.tie_hash(self.best[0][-1:], self.seed)[0]

    def _above_the_bar(
        self, screen: Screen, ordinals: Ordinals, rows: Float32, length: float, allowed: NDArray[np.bool_]
    ) -> tuple[Ordinals, Float64, Float64]:
        """Positions of the rows that may still be among the best, and between what their scores lie."""
        with np.errstate(over="ignore", invalid="ignore"):
            logits, error = screen(rows, length)
        glance = self.measure.glance if screen is self.bytes else None
        if error < _BLIND:
            low, high = (glance or self.measure.bound)(self.model, logits, error)
        else:
            low, high = np.full(len(rows), -np.inf), np.full(len(rows), np.inf)
        alive = np.flatnonzero((high >= self.bar) & allowed)
        if len(alive) > self.keep:  # these alone raise the bar
            self._raise(np.partition(low[alive], -self.keep)[-self.keep])
            alive = alive[high[alive] >= self.bar]
        tied = high[alive] == self.bar
        if tied.any():
            lost = np.zeros(len(alive), bool)
            lost[tied] = ranking.tie_hash(ordinals[alive[tied]], self.seed) > self.bar_hash
            alive = alive[~lost]
        return alive, low[alive], high[alive]


def _longest(ordinals: Ordinals, rows: Float32) -> float:
    """The length of the longest row, a little more rather than less."""
    with np.errstate(over="ignore", invalid="ignore"):
        squared = float(np.vecdot(rows, rows).max(initial=0))
    if not np.isfinite(squared):
        finite = np.isfinite(rows).all(axis=1)
        if not finite.all():
            raise ValueError(f"the vector of item {ordinals[np.argmin(finite)]} is not finite")
        return float(np.sqrt(np.vecdot(rows.astype(np.float64), rows.astype(np.float64)).max()))
    return float(np.sqrt(squared * (1 + 1e-3)) + 1e-18)
