"""Random's own learning curve, out of the control labels alone.

The control arm's labels are a random sample of the pool. So the product's learner, fitted to parts of them and tried on
the rest, shows what randomly chosen labels would have bought: up to as many as there are. `tithe.proof.savings` carries
on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from tithe.proof.tallies import Float64, Int64, Metric, Tally

#: Fits the learner to the control labels at these rows (positions among the drawn items), with a seed. The tally's
#: `seen` covers all labeled rows; None: too few classes. Its `expected` is best what the *active* model expects of
#: the fitted one's answers, ``of_classes(metric, active model's probabilities, fitted model's answers, …)``: the
#: weaker model's own probabilities tell less.
Fit = Callable[[Int64, int], Tally | None]

#: Parts the control labels are cut into: the largest fit leaves one out.
FOLDS = 5
#: Fewer labels than this are not worth a fit.
SMALLEST = 8
#: The smallest fit has at least one in so many of the largest one's labels.
REACH = 8


@dataclass(frozen=True, slots=True)
class RandomArm:
    """How models fitted to random labels did on the random labels they had not seen.

    Attributes
    ----------
    metric, drawn
        As the tallies say: which score, and how many items M were drawn.
    rows
        int64, shape (m,), ascending: the labeled control items.
    sizes, repeats
        int64, shape (S,): labels fitted to, ascending; fits of that size.
    seen
        float64, shape (S, m, K): what an item adds, on average over the fits that had not seen it.
    expected
        float64, shape (S, m, K): what they were expected to add; None where models cannot say.
    drawn_mean
        float64, shape (S, K): the same, averaged over all drawn items but a fit's own.
    """

    metric: Metric
    drawn: int
    rows: Int64
    sizes: Int64
    repeats: Int64
    seen: Float64
    expected: Float64 | None
    drawn_mean: Float64 | None

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Ready for `numpy.savez`."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "metric": np.array(self.metric),
            "drawn": np.array(self.drawn),
            "rows": self.rows,
            "sizes": self.sizes,
            "repeats": self.repeats,
            "seen": self.seen,
        }
        if self.expected is not None and self.drawn_mean is not None:
            arrays |= {"expected": self.expected, "drawn_mean": self.drawn_mean}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> RandomArm:
        """What `to_arrays` gave."""
        guessed = "expected" in arrays
        return cls(
            metric=cast("Metric", str(arrays["metric"])),
            drawn=int(arrays["drawn"]),
            rows=arrays["rows"],
            sizes=arrays["sizes"],
            repeats=arrays["repeats"],
            seen=arrays["seen"],
            expected=arrays["expected"] if guessed else None,
            drawn_mean=arrays["drawn_mean"] if guessed else None,
        )


def plan(rows: Int64, seed: int, *, fits: int = 20) -> list[Int64]:
    """Which labels to fit to: about geometric sizes up to four fifths of them, `FOLDS` times each.

    The repeats of a size are windows of one shuffled circle: small ones share no label, the largest are the usual
    folds, and every label is left out at least once.

    Parameters
    ----------
    rows
        int64, shape (m,): the labeled control items.
    fits
        No more fits than this.

    Examples
    --------
    >>> [len(one) for one in plan(np.arange(40), 0, fits=10)]
    [8, 8, 8, 8, 8, 32, 32, 32, 32, 32]
    """
    count = len(rows)
    largest = count - -(-count // FOLDS)
    if largest < SMALLEST or fits < FOLDS:
        return []
    circle = np.random.default_rng(seed).permutation(rows)
    steps = np.geomspace(max(SMALLEST, largest // REACH), largest, fits // FOLDS) if fits >= 2 * FOLDS else [largest]
    windows = []
    for size in np.unique(np.round(steps).astype(np.int64)):
        for repeat in range(FOLDS):
            window = circle[(repeat * count // FOLDS + np.arange(size)) % count]
            windows.append(np.sort(window))
    return windows


def measure(fit: Fit, rows: Int64, planned: Sequence[Int64], seed: int) -> RandomArm | None:
    """Every planned fit, and what it makes of the labels it has not seen. None where not one size can be told.

    A size counts only if every label was left out by some fit of it that worked.

    Parameters
    ----------
    rows
        int64, shape (m,), ascending: the labeled control items.
    """
    sizes: dict[int, _Size] = {}
    metric: Metric | None = None
    drawn = 0
    for number, training in enumerate(planned):
        tally = fit(training, seed + number)
        if tally is None:
            continue
        metric, drawn = tally.metric, drawn if tally.expected is None else len(tally.expected)
        sizes.setdefault(len(training), _Size()).add(tally, rows, training)
    told = [size for size in sorted(sizes) if sizes[size].complete]
    if metric is None or not told:
        return None
    averages = [sizes[size].averages() for size in told]
    guesses = [(expected, mean) for _, expected, mean in averages if expected is not None and mean is not None]
    return RandomArm(
        metric=metric,
        drawn=drawn or len(rows),
        rows=rows,
        sizes=np.array(told, dtype=np.int64),
        repeats=np.array([sizes[size].fits for size in told], dtype=np.int64),
        seen=np.stack([seen for seen, _, _ in averages]),
        expected=np.stack([expected for expected, _ in guesses]) if len(guesses) == len(told) else None,
        drawn_mean=np.stack([mean for _, mean in guesses]) if len(guesses) == len(told) else None,
    )


class _Size:
    """Sums over the fits of one size."""

    def __init__(self) -> None:
        self.fits = 0
        self._times: Float64 | None = None
        self._seen: Float64 | None = None
        self._expected: Float64 | None = None
        self._means: list[Float64] = []

    @property
    def complete(self) -> bool:
        return self._times is not None and bool((self._times > 0).all())

    def add(self, tally: Tally, rows: Int64, training: Int64) -> None:
        out = ~np.isin(rows, training)
        places = np.searchsorted(tally.rows, rows)
        seen = tally.seen[places] * out[:, None]
        self.fits += 1
        self._times = out.astype(np.float64) if self._times is None else self._times + out
        self._seen = seen + (0.0 if self._seen is None else self._seen)
        if tally.expected is not None:
            expected = tally.expected[rows] * out[:, None]
            self._expected = expected + (0.0 if self._expected is None else self._expected)
            self._means.append(np.delete(tally.expected, training, axis=0).mean(axis=0))

    def averages(self) -> tuple[Float64, Float64 | None, Float64 | None]:
        if self._times is None or self._seen is None:
            raise AssertionError("no fit was added")
        times = self._times[:, None]
        if self._expected is None:
            return self._seen / times, None, None
        return self._seen / times, self._expected / times, np.mean(self._means, axis=0)
