"""What a strategy that looks at many items at once is given."""

from __future__ import annotations

from dataclasses import dataclass

from tithe.strategies.arrays import Float64, Floats


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items to choose from, row for row, and what is known of them.

    Attributes
    ----------
    vectors
        Shape (n, d), float32 or float64.
    probabilities
        Shape (n, classes), float64, or None: there is no model yet.
    uncertainty
        Shape (n,), float64 in [0, 1], higher = more worth asking: the margin score; None without a model.
    labeled
        Shape (m, d), m > 0: the vectors of what is labeled; None: nothing is, or the strategy does not ask for them.
    nearest_distance
        Shape (n,), float64, Euclidean: how far each candidate's nearest labeled item is; infinity where nothing is
        labeled; None for strategies that do not ask for it.
    """

    vectors: Floats
    probabilities: Float64 | None = None
    uncertainty: Float64 | None = None
    labeled: Floats | None = None
    nearest_distance: Float64 | None = None

    @property
    def doubt(self) -> Float64:
        """The uncertainty; a strategy that needs a model is never asked without one."""
        if self.uncertainty is None:
            raise ValueError("this strategy needs a model's uncertainty, and there is no model yet")
        return self.uncertainty

    @property
    def answers(self) -> Float64:
        """The probabilities; a strategy that needs a model is never asked without one."""
        if self.probabilities is None:
            raise ValueError("this strategy needs a model's probabilities, and there is no model yet")
        return self.probabilities
