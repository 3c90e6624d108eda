"""The report's first words: what a large pool takes beside the classic claim, and what rare classes gain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from learning_curves.groups import CONTROLLED, DEFAULT, EVERYTHING, GROUPS, RANDOM, Entry
from learning_curves.quality_rows import Curve, by_strategy, middle, needed, of_seeds, ratio

_CLASSIC = "90 % of the quality with 15 to 20 % of the labels; 5 to 10 times fewer labels at equal quality"


def lines(curves: Sequence[Curve]) -> Iterator[str]:
    """The headline, as far as there are curves for it."""
    entries = {group.name: [one for one in group.entries if _there(curves, one)] for group in GROUPS}
    yield f"\n## In short\n\nThe classic claim for active learning: *{_CLASSIC}.* Here, counting every label:\n"
    for entry in entries["large"]:
        yield from _large(curves, entry)
    for name, words in (("skewed", "Rare classes"), ("balanced", "Balanced classes"), ("noisy", "Wrong answers")):
        if entries[name]:
            yield f"- **{words}**, times as many labels as the default that random needs for 90 / 95 / 98 % of full:"
            yield from (_ratios(curves, entry) for entry in entries[name])


def _there(curves: Sequence[Curve], entry: Entry) -> bool:
    return {EVERYTHING, RANDOM, DEFAULT} <= by_strategy(curves, entry.set.name).keys()


def _large(curves: Sequence[Curve], entry: Entry) -> Iterator[str]:
    """Labels for 90 % of full, as a share of the pool, with the control arm where it was run."""
    found, metric = by_strategy(curves, entry.set.name), entry.set.metric
    full = of_seeds(found[EVERYTHING], found[RANDOM])
    pool = next(iter(full.values()))["pool"]
    ours = CONTROLLED if CONTROLLED in found else DEFAULT
    told = []
    for name, words in (
        (ours, "the default, its control labels counted," if ours == CONTROLLED else "the default"),
        (RANDOM, "random"),
    ):
        at = middle(list(needed(found[name], of_seeds(full, found[name]), metric, 0.9).values()))
        end = min(curve["labels"][-1] for curve in found[name].values())
        told.append(
            f"{words} takes {at:,.0f} labels, {at / pool:.1%} of the pool"
            if np.isfinite(at)
            else f"{words} has not arrived after {end:,}"
        )
    yield (
        f"- **{entry.set.name}** ({pool:,} texts): for 90 % of full quality {'; '.join(told)}. "
        f"15 to 20 % would be {0.15 * pool:,.0f} to {0.2 * pool:,.0f}."
    )


def _ratios(curves: Sequence[Curve], entry: Entry) -> str:
    """One set's ratios, without and with the control arm."""
    from learning_curves.quality_page import times

    found, metric = by_strategy(curves, entry.set.name), entry.set.metric
    full, base = of_seeds(found[EVERYTHING], found[RANDOM]), found[RANDOM]

    def told(name: str) -> str:
        cells = []
        for target in (0.90, 0.95, 0.98):
            got = ratio(
                needed(found[name], of_seeds(full, found[name]), metric, target),
                needed(base, full, metric, target),
                (_end(found[name]), _end(base)),
            )
            cells.append("neither arrives" if got is None else times(got))
        return " / ".join(cells)

    controlled = f"; with the control arm {told(CONTROLLED)}" if CONTROLLED in found else ""
    return f"  - {entry.set.name}: {told(DEFAULT)}{controlled}"


def _end(curves: Mapping[int, Curve]) -> float:
    return float(min(curve["labels"][-1] for curve in curves.values()))
