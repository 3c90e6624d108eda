"""What a shard keeps of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tithe.choosing.answers import Asked
from tithe.choosing.asked import by_answers
from tithe.choosing.core_set import radius_of_last
from tithe.choosing.kept import NONE, Kept, merge
from tithe.learners.fused import best_rows
from tithe.learners.linear_model import LinearModel
from tithe.learners.protocol import Float32
from tithe.learners.words import Tagged
from tithe.strategies import draws, ranking
from tithe.strategies.arrays import Float64, Int64
from tithe.strategies.catalog import CATALOG
from tithe.strategies.coverage import k_center_greedy
from tithe.strategies.sieves import Keep, Sieve

_CHUNK_ROWS = 16_384
#: So many more than asked for are kept by scores that are right but for their last bits.
_SLACK = 256


class Rows(Protocol):
    """A stretch of a pool's vectors, as :class:`tithe.loop.features.PoolVectors` reads them from disk."""

    def runs(self, chunk_rows: int) -> Iterator[tuple[int, Float32]]:
        """Every row in order, as (first ordinal, rows)."""

    def ordinals(self) -> Int64:
        """Every ordinal that has a row, ascending."""

    def gather(self, ordinals: Int64) -> tuple[npt.NDArray[np.bool_], Float32]:
        """Which of the ordinals have a row, and those rows, in order."""


@dataclass(frozen=True, slots=True)
class Shard:
    """What is sifted: rows, and which of them may not be asked for.

    Attributes
    ----------
    rows
        The shard's vectors.
    closed
        int64, ascending: ordinals that are labeled, handed out, or held out.
    task
        What a label is, as projects name it.
    model
        None before there is one.
    considered
        int64, ascending: the open ordinals that a model is asked about; None: all of them.
    nearest
        Gives each row's distance to its nearest labeled item, shape (rows,), in the order of the rows' ordinals;
        infinity where nothing is labeled. Only called for centers.
    seed
        The round's.
    """

    rows: Rows
    closed: Int64
    task: str
    model: Asked | None
    nearest: Callable[[], Float64]
    seed: int
    considered: Int64 | None = None
    opened: Int64 = field(init=False)

    def __post_init__(self) -> None:
        ordinals = self.rows.ordinals()
        object.__setattr__(self, "opened", ordinals[self.may_be_asked(ordinals)])

    def may_be_asked(self, ordinals: Int64) -> npt.NDArray[np.bool_]:
        """Which of them are open."""
        return ~np.isin(ordinals, self.closed, assume_unique=True)


def sift_all(shard: Shard, sieves: Sequence[Sieve]) -> list[Kept]:
    """What the shard keeps by each of the sieves, in their order. Raises as :func:`sift`."""
    model = shard.model
    if model is None or isinstance(model, LinearModel) or not len(shard.opened):
        return [_named(shard, sieve) for sieve in sieves]
    considered = shard.opened if shard.considered is None else shard.considered
    asking = [sieve for sieve in sieves if _asks(sieve)]
    answered = iter(by_answers(asking, model, considered, shard.task, shard.seed))
    return [next(answered) if _asks(sieve) else _named(shard, sieve) for sieve in sieves]


def _named(shard: Shard, sieve: Sieve) -> Kept:
    try:
        return sift(shard, sieve)
    except ValueError as error:
        raise ValueError(f"{sieve.name}: {error}") from error


def _asks(sieve: Sieve) -> bool:
    return sieve.keep is not Keep.CENTERS and sieve.by != "random"


def sift(shard: Shard, sieve: Sieve) -> Kept:
    """Keep the shard's rows by the sieve's rule: at most ``sieve.rows``.

    Raises
    ------
    ValueError
        If the model's answers are no probabilities (NaN, say), or the strategy does not serve the task.
    """
    if not len(shard.opened):  # all are labeled, or the shard's blocks were lost: nothing, by any rule
        return replace(NONE, radius=0.0 if sieve.keep is Keep.CENTERS else None)
    if sieve.keep is Keep.CENTERS:
        return _centers(shard, sieve)
    if sieve.by == "random":
        return merge(sieve, [Kept(shard.opened, ranking.random_scores(shard.opened, shard.seed))], shard.seed)
    if shard.model is None:
        raise ValueError("there is no model yet to score with")
    if not isinstance(shard.model, LinearModel):
        return sift_all(shard, [sieve])[0]
    model = shard.model
    if sieve.keep is Keep.BEST:
        best = best_rows(model, shard.rows.runs(_CHUNK_ROWS), sieve.by, sieve.rows, shard.seed, shard.may_be_asked)
        return Kept(best.ordinals, best.scores)
    return merge(sieve, [_finished(shard, model, sieve, _about_best(shard, model, sieve))], shard.seed)


def _about_best(shard: Shard, model: LinearModel, sieve: Sieve) -> Int64:
    """The ordinals the sieve keeps and some more, by probabilities whose last bits depend on the rows beside them."""
    wider = replace(sieve, rows=sieve.rows + _SLACK)
    best = NONE
    for first, rows in shard.rows.runs(_CHUNK_ROWS):
        ordinals = np.arange(first, first + len(rows), dtype=np.int64)
        asked = shard.may_be_asked(ordinals)
        if asked.any():
            answers = model.predict_proba(rows if asked.all() else rows[asked])
            kept = _keyed(shard, sieve, ordinals[asked], answers)
            best = merge(wider, [best, kept], shard.seed)
    return best.ordinals


def _finished(shard: Shard, model: LinearModel, sieve: Sieve, ordinals: Int64) -> Kept:
    """The rows with what they are ordered by to the last bit: the same from whatever shard they come."""
    found, rows = shard.rows.gather(ordinals)
    return _keyed(shard, sieve, ordinals[found], model.exact_proba(rows, slice(0, 1))[0])


def _keyed(shard: Shard, sieve: Sieve, ordinals: Int64, answers: Float64) -> Kept:
    """What the sieve orders rows by, from the model's probabilities of them."""
    scores: Float64 = CATALOG[sieve.by].function_for(shard.task)(answers)
    if sieve.keep is Keep.DRAWN:
        return Kept(ordinals, draws.draw_keys(scores, ordinals, shard.seed))
    return Kept(ordinals, scores, answers.argmax(axis=1))


def doubt(task: str, model: Asked, ordinals: Int64, rows: Float32) -> tuple[Float64, Float64]:
    """The model's probabilities, shape (n, classes), and the margin score of each row, in [0, 1].

    Raises ValueError for a model of words: it has no classes.
    """
    answers = model.predict_proba(rows) if isinstance(model, LinearModel) else model.of(ordinals)
    if isinstance(answers, Tagged):
        raise ValueError("a model of words says nothing of classes")  # noqa: TRY004 - of the strategy, for this task
    uncertainty: Float64 = CATALOG["margin"].function_for(task)(answers)
    return answers, uncertainty


def _centers(shard: Shard, sieve: Sieve) -> Kept:
    """Farthest first within the shard. Closed rows are at distance 0: they are never a center, nor far from one."""
    ordinals = shard.rows.ordinals()
    parts = [rows for _, rows in shard.rows.runs(len(ordinals))]
    vectors = parts[0] if len(parts) == 1 else np.concatenate(parts)
    distance = np.where(np.isin(ordinals, shard.opened, assume_unique=True), shard.nearest(), 0.0)
    # One more than is kept: how far it is from the others is the radius they leave.
    chosen = k_center_greedy(vectors, sieve.rows + 1, np.random.default_rng(shard.seed), distance)
    radius = radius_of_last(vectors, chosen, distance) if len(chosen) > sieve.rows else 0.0
    kept = chosen[: sieve.rows]
    kept = kept[np.isin(ordinals[kept], shard.opened)]
    return Kept(ordinals[kept], distance[kept], radius=radius)
