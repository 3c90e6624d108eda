"""Where the default wins and loses: against random, and against each library's best on that very set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from learning_curves.groups import CONTROLLED, DEFAULT, EVERYTHING, RANDOM, Entry
from learning_curves.quality_cells import signed
from learning_curves.quality_rows import Curve, Curves, Difference, by_strategy, mean_area, over, paired, shared_end
from learning_curves.same_choice import TWINS

_SMALL_TEXT = "small-text: "
#: Column to the beginnings of the rivals' names.
_COLUMNS = {
    "random": (RANDOM,),
    "scikit-activeml's best": ("peer: ",),
    "small-text's best": (_SMALL_TEXT, *TWINS),
}
#: Points of area behind its library's best on the first pool at which a strategy is not followed on others.
BEHIND = 0.5
_WORDS = {"win": "wins", "loss": "losses", "even": "even", "one seed": "with one seed only", "not run": "not run"}


def lines(curves: Sequence[Curve], entries: Sequence[Entry]) -> Iterator[str]:
    """A table, a row for each set, and the counts under it."""
    yield "\n## Wins and losses of the default\n"
    yield (
        "By area under the curve, in points, seed by seed, the default without a control arm. The best of a library is "
        "the one with the largest area on that very set, found afterwards: nobody could have known it, and it is not "
        "the same on the next set.\n"
    )
    yield f"| set | against {' | against '.join(_COLUMNS)} |"
    yield "|---" * (1 + len(_COLUMNS)) + "|"
    told: dict[str, dict[str, list[str]]] = {column: defaultdict(list) for column in _COLUMNS}
    for entry in entries:
        found, cells = by_strategy(curves, entry.set.name), []
        for column, beginnings in _COLUMNS.items():
            verdict, cell = _against_best(found, entry.set.metric, beginnings)
            told[column][verdict].append(entry.set.name)
            cells.append(cell)
        yield f"| {entry.set.name} | {' | '.join(cells)} |"
    yield ""
    for column, verdicts in told.items():
        yield f"- against {column}: {_counted(verdicts)}"
    yield from _one_by_one(curves, entries)


def _one_by_one(curves: Sequence[Curve], entries: Sequence[Entry]) -> Iterator[str]:
    """The default against every strategy by itself, over all sets both were followed on."""
    differences: dict[str, dict[str, float]] = defaultdict(dict)
    for entry in entries:
        found = by_strategy(curves, entry.set.name)
        for name in found.keys() - {EVERYTHING, DEFAULT, CONTROLLED}:
            against = over(found[DEFAULT], found[name], entry.set.metric, shared_end(found))
            if against is not None:
                differences[name][entry.set.name] = against.mean
    yield (
        "\nOne strategy has to be chosen before anything is known. So, against each by itself, over the sets on which "
        "both were followed (variants of a set depend on it; the interval of 95 % takes them for sets of their own):\n"
    )
    yield "| the default against | sets | larger area on | mean difference | behind by more than half a point on |"
    yield "|---" * 5 + "|"
    for name, of_sets in sorted(differences.items(), key=lambda one: (-len(one[1]), one[0])):
        ahead = sum(value > 0 for value in of_sets.values())
        behind = "; ".join(f"{at} ({value:+.1f})" for at, value in of_sets.items() if value < -BEHIND)
        mean = paired(list(of_sets.values()))
        shown = f"{mean.mean:+.1f} ± {mean.half:.1f}" if mean.seeds > 2 else f"{mean.mean:+.1f}"
        twin = f" (small-text: {TWINS[name].removeprefix(_SMALL_TEXT)})" if name in TWINS else ""
        yield f"| {name}{twin} | {len(of_sets)} | {ahead} | {shown} | {behind or 'none'} |"


def _against_best(found: Mapping[str, Curves], metric: str, beginnings: tuple[str, ...]) -> tuple[str, str]:
    """The verdict, and what the cell says."""
    best = best_rival(found, metric, beginnings)
    if best is None:
        return "not run", "not run"
    name, against = best
    if name in TWINS and _SMALL_TEXT in beginnings:
        name = TWINS[name]
    rival = "" if name == RANDOM else f", {name.partition(': ')[2]}"
    if against.seeds == 1:
        return "one seed", signed(against) + rival
    return against.verdict, f"{against.verdict}: {signed(against)}{rival}"


def best_rival(found: Mapping[str, Curves], metric: str, beginnings: tuple[str, ...]) -> tuple[str, Difference] | None:
    """The rival with the largest area of those with most seeds (no lucky seed makes a best), the default less it."""
    end, ours = shared_end(found), found[DEFAULT]
    against = {name: over(ours, found[name], metric, end) for name in found if name.startswith(beginnings)}
    known = {name: difference for name, difference in against.items() if difference is not None}
    most = max((difference.seeds for difference in known.values()), default=0)
    rivals = [(name, difference) for name, difference in known.items() if difference.seeds == most]
    return min(rivals, key=lambda one: one[1].mean, default=None)


def _counted(verdicts: Mapping[str, Sequence[str]]) -> str:
    """How many of each, the losses by name."""
    parts = []
    for verdict in ("win", "loss", "even", "one seed", "not run"):
        sets = verdicts.get(verdict, ())
        if sets or verdict in ("win", "loss"):
            named = f" ({'; '.join(sets)})" if sets and verdict == "loss" else ""
            parts.append(f"{len(sets)} {_WORDS[verdict]}{named}")
    return ", ".join(parts)


def far_behind(curves: Sequence[Curve], entry: Entry) -> set[str]:
    """Strategies of other libraries that are not worth following further: what their first pool says."""
    found = {name: of.get(0) for name, of in by_strategy(curves, entry.set.name).items()}
    metric = entry.set.metric
    ends = [curve["labels"][-1] for name, curve in found.items() if curve and name in entry.others]
    areas = {name: mean_area({0: found[name]}, metric, min(ends)) for name in entry.others if found.get(name)}
    near: set[str] = set()
    for beginnings in _COLUMNS.values():
        rivals = {name: height for name, height in areas.items() if name.startswith(beginnings)}
        near |= {name for name, height in rivals.items() if height >= max(rivals.values()) - BEHIND}
    return areas.keys() - near
