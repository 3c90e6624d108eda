"""BADGE: batches that are doubtful and diverse at once, by D² sampling in the space of the model's gradients.

The gradient of the last layer for an item, as if its likeliest answer were true, is the outer product of the residual
``a = p - answer`` (classes) and the vector ``x`` (d): long where the model doubts, in the direction of what it sees. It
is never built. Squared distances come from its two factors,

    |g_i - g_j|² = |a_i|² |x_i|² + |a_j|² |x_j|² - 2 (a_i . a_j) (x_i . x_j).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tithe.strategies.arrays import Float64, Floats, Int64
from tithe.strategies.blocks import bernoulli_fault, distribution_fault, score_rows
from tithe.strategies.distances import checked_k, checked_vectors, row_blocks

Residual = Callable[[Floats], Floats]

_NO_DISTANCE = 1e-300  # a smaller sum of squares is too coarse to draw from
_FIRST_DRAWS, _MOST_DRAWS = 16, 4096
_BLOCK_VALUES = 2**19
_REFUSALS_AT_LEAST = 256
_REFUSALS_SHARE = 32


def badge(vectors: Floats, probabilities: Floats, k: int, rng: np.random.Generator) -> Int64:
    """Choose k items by D² sampling (k-means++) over gradient embeddings, for items with one label each.

    The first is the one with the largest gradient, as in the authors' code (the paper's k-means++ would draw it
    uniformly, and so mostly among items the model is certain of); of equal ones, one by lot. Each next one is drawn in
    proportion to the squared distance of its gradient to the nearest chosen one: items the model is certain of lie at
    0 together and count as one. When only copies of the chosen are left, the rest is drawn uniformly from those.

    Parameters
    ----------
    vectors : array of shape (n, d), float32 or float64
        The candidates; may be a memory map, which is read in blocks.
    probabilities : array of shape (n, classes), float32 or float64
        Each row a distribution over the classes, summing to 1 within 1e-3.
    k : int
        At least 0; more than n means all n.
    rng : numpy.random.Generator

    Returns
    -------
    array of shape (min(k, n),), int64
        Distinct positions, in the order of choosing.

    Raises
    ------
    ValueError
        If k is negative, an array has the wrong shape, the arrays have different lengths, a vector holds NaN or
        infinity, or a row of probabilities holds NaN, a negative value, or does not sum to 1.

    Notes
    -----
    Time O(n * (d + classes) * k) at most, in matrix products, mostly far less; memory O(n + k * (d + classes)).
    Distances to the nearest chosen only shrink, so old ones bound them from above. A row is drawn in proportion to its
    bound, brought up to date, and accepted with probability true / bound: whatever the bounds, what is accepted is
    distributed exactly by D². All rows are brought up to date when refusals have cost as much as that would.

    References
    ----------
    Ash, Zhang, Krishnamurthy, Langford & Agarwal 2020, Deep batch active learning by diverse, uncertain gradient lower
    bounds, ICLR, arXiv:1906.03671, pp. 3-5 (algorithm 1).

    Examples
    --------
    The third has the largest gradient, of squared length (0.25 + 0.25) * 9. The first two are certain: both gradients
    are 0, so that one of them is a copy of the other, and three picks take one of them and the fourth.

    >>> vectors = np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.0, 1.0]])
    >>> probabilities = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.4, 0.6]])
    >>> chosen = badge(vectors, probabilities, 3, np.random.default_rng(0)).tolist()
    >>> chosen[0], 3 in chosen
    (2, True)
    """
    vectors = checked_vectors("vectors", vectors)
    lengths = score_rows("probabilities", probabilities, distribution_fault, _one_label_squares)
    return _sample(_Gradients(vectors, probabilities, lengths, _one_label_residual), k, rng)


def multilabel_badge(vectors: Floats, probabilities: Floats, k: int, rng: np.random.Generator) -> Int64:
    """Choose k items by D² sampling over gradient embeddings, for items with several labels each.

    The residual of a label is ``p - [p > 0.5]``: the gradient of the labels' summed cross entropy, as if the likeliest
    answer to each label were true. All else as :func:`badge`.

    Parameters
    ----------
    vectors : array of shape (n, d), float32 or float64
        The candidates; may be a memory map, which is read in blocks.
    probabilities : array of shape (n, labels), float32 or float64
        Probability that each label applies, 0 to 1; rows need not sum to anything.
    k : int
        At least 0; more than n means all n.
    rng : numpy.random.Generator

    Returns
    -------
    array of shape (min(k, n),), int64
        Distinct positions, in the order of choosing.

    Raises
    ------
    ValueError
        As :func:`badge`, but a row of probabilities is refused for NaN or a value outside 0 to 1.

    Notes
    -----
    As :func:`badge`, with labels for classes.

    References
    ----------
    Ash, Zhang, Krishnamurthy, Langford & Agarwal 2020, Deep batch active learning by diverse, uncertain gradient lower
    bounds, ICLR, arXiv:1906.03671, pp. 3-5. The gradient of several yes-or-no labels in place of the softmax's is ours.

    Examples
    --------
    The second item doubts both labels, the third one; the first none:

    >>> probabilities = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 0.6]])
    >>> multilabel_badge(np.ones((3, 4)), probabilities, 1, np.random.default_rng(0))
    array([1])
    """
    vectors = checked_vectors("vectors", vectors)
    lengths = score_rows("probabilities", probabilities, bernoulli_fault, _several_labels_squares)
    return _sample(_Gradients(vectors, probabilities, lengths, _several_labels_residual), k, rng)


def _one_label_squares(columns: Float64, scratch: Float64) -> Float64:
    columns[columns.argmax(axis=0), np.arange(columns.shape[1])] -= 1.0
    squares: Float64 = np.add.reduce(np.square(columns, out=scratch), axis=0)
    return squares


def _several_labels_squares(columns: Float64, scratch: Float64) -> Float64:
    columns -= columns > 0.5
    squares: Float64 = np.add.reduce(np.square(columns, out=scratch), axis=0)
    return squares


def _one_label_residual(rows: Floats) -> Floats:
    rows[np.arange(len(rows)), rows.argmax(axis=1)] -= 1.0
    return rows


def _several_labels_residual(rows: Floats) -> Floats:
    rows -= rows > 0.5
    return rows


class _Gradients:
    """The gradient embeddings of n items, as their factors."""

    def __init__(self, vectors: Floats, probabilities: Floats, residual_squares: Float64, residual: Residual) -> None:
        self._vectors = vectors
        self._probabilities = np.asarray(probabilities)
        if len(self._probabilities) != len(vectors):
            shapes = f"probabilities, shape {self._probabilities.shape}, and vectors, shape {vectors.shape}"
            raise ValueError(f"{shapes}, must have as many rows")
        self._residual = residual
        self.dtype = vectors.dtype
        self.squares = residual_squares  # becomes the squared length of each gradient
        for rows in row_blocks(len(vectors), self.width):
            block = vectors[rows].astype(np.float64, copy=False)
            self.squares[rows] *= np.einsum("ij,ij->i", block, block)

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def width(self) -> int:
        return int(self._vectors.shape[1] + self._probabilities.shape[1])

    def factors(self, rows: slice | Int64, dtype: np.dtype[np.floating]) -> tuple[Floats, Floats]:
        """Residuals and vectors of some rows. The likeliest answer is read before anything is rounded to `dtype`."""
        given = np.asarray(self._probabilities[rows])
        exact = given.astype(given.dtype if given.dtype in (np.float32, np.float64) else np.float64)
        vectors = np.asarray(self._vectors[rows]).astype(dtype, copy=False)
        return self._residual(exact).astype(dtype, copy=False), vectors


class _Chosen:
    """The chosen gradients, and how far others are from the nearest of them."""

    def __init__(self, gradients: _Gradients, most: int) -> None:
        self._of = gradients
        residuals, vectors = gradients.factors(slice(0, 0), np.dtype(np.float64))
        self._residuals = np.empty((most, residuals.shape[1]))
        self._vectors = np.empty((most, vectors.shape[1]))
        self._squares = np.empty(most)
        self.positions = np.empty(most, dtype=np.int64)
        self.count = 0

    def add(self, position: int) -> None:
        residual, vector = self._of.factors(slice(position, position + 1), np.dtype(np.float64))
        self._residuals[self.count], self._vectors[self.count] = residual[0], vector[0]
        self._squares[self.count] = self._of.squares[position]
        self.positions[self.count] = position
        self.count += 1

    def nearest(self, rows: slice | Int64, dtype: np.dtype[np.floating], since: int = 0) -> Float64:
        """Squared distance of rows to the nearest one chosen, from the `since`-th on.

        In float64 what is below the rounding of the products is 0, as it is for copies of a chosen one. In float32 the
        most the rounding can be is added: never less than the truth.
        """
        rounding = (self._of.width + 8) * float(np.finfo(dtype).eps)
        narrow = dtype == np.float32
        wider = 1.0 + rounding if narrow else 1.0
        one = slice(since, self.count)
        residuals, vectors = self._of.factors(rows, dtype)
        products = (vectors @ self._vectors[one].T.astype(dtype)).astype(np.float64, copy=False)
        products *= residuals @ self._residuals[one].T.astype(dtype)
        products *= -2.0
        products += wider * self._squares[one]
        own = self._of.squares[rows]
        squared: Float64 = products.min(axis=1) + wider * own
        squared[squared < (0.0 if narrow else 2.0 * rounding * own)] = 0.0
        return squared


def _sample(gradients: _Gradients, k: int, rng: np.random.Generator) -> Int64:
    n = len(gradients)
    k = checked_k(k, n)
    if k == 0:
        return np.empty(0, dtype=np.int64)
    chosen = _Chosen(gradients, k)
    sampler = _Sampler(gradients, chosen, rng)
    sampler.take(int(rng.choice(np.flatnonzero(gradients.squares == gradients.squares.max()))))
    while chosen.count < k and (drawn := sampler.draw()) is not None:
        sampler.take(drawn)
    taken = chosen.positions[: chosen.count]
    copies = np.setdiff1d(np.arange(n), taken) if len(taken) < k else taken[:0]
    return np.concatenate([taken, rng.permutation(copies)[: k - len(taken)]])


class _Sampler:
    """Draws rows in proportion to their squared distance to the chosen, keeping upper bounds of the distances."""

    def __init__(self, gradients: _Gradients, chosen: _Chosen, rng: np.random.Generator) -> None:
        self._gradients, self._chosen, self._rng = gradients, chosen, rng
        self._dtype = gradients.dtype
        self._bounds = np.full(len(gradients), np.inf)
        self._known = 0  # every bound has met so many of the chosen
        self._patience = max(_REFUSALS_AT_LEAST, len(gradients) // _REFUSALS_SHARE)
        self._refusals = self._patience  # nothing is known yet

    def take(self, position: int) -> None:
        self._chosen.add(position)
        self._bounds[position] = 0.0

    def draw(self) -> int | None:
        """One position, or None where all rows are copies of the chosen."""
        draws = _FIRST_DRAWS
        while True:
            if self._refusals >= self._patience:
                self._refresh()
            reach = np.cumsum(self._bounds)
            if reach[-1] <= _NO_DISTANCE:
                return None
            rows = np.searchsorted(reach, self._rng.random(draws) * reach[-1], side="right")
            np.minimum(rows, len(reach) - 1, out=rows)
            bounds = self._bounds[rows]
            squared = self._chosen.nearest(rows, np.dtype(np.float64))
            self._bounds[rows] = np.minimum(bounds, squared)
            accepted = self._rng.random(draws) * bounds < squared
            if accepted.any():
                first = int(accepted.argmax())
                self._refusals += first
                return int(rows[first])
            self._refusals += draws
            draws = min(2 * draws, _MOST_DRAWS)

    def _refresh(self) -> None:
        """Bring all bounds up to date; if that was done and did not help, without the slack of float32."""
        if self._known == self._chosen.count and self._dtype == np.float32:
            self._dtype = np.dtype(np.float64)
            self._known = 0
        count = self._chosen.count
        for rows in row_blocks(len(self._bounds), max(self._gradients.width, count - self._known), _BLOCK_VALUES):
            squared = self._chosen.nearest(rows, self._dtype, since=self._known)
            np.minimum(self._bounds[rows], squared, out=self._bounds[rows])
        self._bounds[self._chosen.positions[:count]] = 0.0
        self._known, self._refusals = count, 0
