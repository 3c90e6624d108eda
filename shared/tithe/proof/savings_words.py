"""Savings in a sentence that a person can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tithe.proof.savings import Savings

_NAMES = {"accuracy": "accuracy", "macro_f1": "macro-F1", "entity_f1": "entity F1"}


def in_words(told: Savings) -> str:
    """One honest sentence: no figure that the interval does not bear."""
    if told.missing:
        return f"No figure yet: {told.missing}."
    after = f" at equal {_NAMES[told.metric]}, after {told.spent:,} labels ({told.control:,} of them control)"
    low, high = told.saved_low, told.saved_high
    if low is None:
        raise AssertionError("a measurement without a figure says why in `missing`")
    if high is not None and high < 0:
        return f"Choosing cost labels: between {-high:,} and {-low:,} more than random{after}."
    if low > 0:
        return f"{_range(low, high)} saved{_likeliest(told)}{after}."
    if told.gain is not None and told.gain > 0.5:
        return (
            f"Not sure yet that choosing beats chance: {_range(low, high)} saved{_likeliest(told)}{after}; "
            "the interval holds zero."
        )
    return f"No sign that choosing beats chance: {_range(low, high)} saved{after}; the interval holds zero."


def _range(low: int, high: int | None) -> str:
    if high is None:
        return f"{low:,} labels or more" if low > 0 else f"anything from {low:,} labels up"
    return f"between {low:,} and {high:,} labels"


def _likeliest(told: Savings) -> str:
    return "" if told.saved is None or told.saved_high is None else f", most likely {told.saved:,}"
