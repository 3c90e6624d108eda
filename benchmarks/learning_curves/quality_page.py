"""The quality report in Markdown, out of the kept curves: every figure and every count is computed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from learning_curves import quality_headline
from learning_curves.groups import CONTROLLED, DEFAULT, EVERYTHING, GROUPS, RANDOM, Entry, Group
from learning_curves.quality_rows import (
    Curve,
    Difference,
    Ratio,
    by_strategy,
    mean_area,
    middle,
    needed,
    of_seeds,
    over,
    ratio,
)
from learning_curves.table import TARGETS

SHOWN = {RANDOM: "random", DEFAULT: "**Tithe's default**", CONTROLLED: "Tithe's default with its control arm"}
_HEAD = """# Quality: labels needed

Written by `make bench-quality` from the curves in [results/quality.json](results/quality.json). No figure in a table or in
"In short" is typed.
"""
#: What needs no figures but the machine: kept as text.
_HOW = Path(__file__).with_name("quality_how.md")


def written(
    curves: Sequence[Curve],
    entities: Mapping[str, Any],
    facts: Mapping[str, Any],
    pictures: Mapping[str, str] | None = None,
) -> str:
    """The page.

    Parameters
    ----------
    curves
        As they are kept: set, strategy, seed, limit, growth, labels, accuracy, macro_f1; with pool, test and classes.
    entities
        ``results/ner.json``; empty: no such part.
    facts
        The machine, the versions, which peers choose the same.
    pictures
        Group name to the picture's path as seen from the page.
    """
    groups = [(group, [entry for entry in group.entries if _there(curves, entry)]) for group in GROUPS]
    groups = [(group, entries) for group, entries in groups if entries]
    parts = [_HEAD, *quality_headline.lines(curves), *_wins(curves, [entry for _, found in groups for entry in found])]
    for group, entries in groups:
        parts += _group(curves, group, entries, (pictures or {}).get(group.name))
    if entities:
        parts += _entities(entities["rows"])
    if "machine" in facts:
        parts.append(_how(curves, facts))
    return "\n".join(parts).rstrip() + "\n"


def _there(curves: Sequence[Curve], entry: Entry) -> bool:
    found = by_strategy(curves, entry.set.name)
    return {EVERYTHING, RANDOM, DEFAULT} <= found.keys()


def _how(curves: Sequence[Curve], facts: Mapping[str, Any]) -> str:
    same = " and ".join(
        f"{name.removeprefix('small-text: ')} {count} picks" for name, count in facts["same_choice"].items()
    )
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    return _HOW.read_text().format(same=same, versions=versions, growth=curves[0]["growth"], **facts["machine"])


# ---- one group ----


def _group(curves: Sequence[Curve], group: Group, entries: Sequence[Entry], picture: str | None) -> Iterator[str]:
    yield f"\n## {group.title}\n\n{group.words}\n"
    if picture:
        yield f"![{group.title}]({picture})\n"
    for entry in entries:
        yield from _table(curves, entry)


def _table(curves: Sequence[Curve], entry: Entry) -> Iterator[str]:
    metric, found = entry.set.metric, by_strategy(curves, entry.set.name)
    full, base = of_seeds(found[EVERYTHING], found[RANDOM]), found[RANDOM]
    one, height = next(iter(full.values())), float(np.median([curve[metric] for curve in full.values()]))
    end = min(curve["labels"][-1] for name in found.keys() - {EVERYTHING} for curve in found[name].values())
    yield (
        f"\n**{entry.set.name}**: {one['classes']} classes, a pool of {one['pool']:,}, {one['test']:,} to test on; full: "
        f"{metric.replace('_', '-').replace('f1', 'F1')} {height:.3f}; areas to {end:,} labels\n"
    )
    yield "| strategy | seeds | " + " | ".join(f"{target:.0%}" for target in TARGETS) + " | area | over random |"
    yield "|---|---|" + "---|" * len(TARGETS) + "---|---|"
    ranked = sorted(found.keys() - {EVERYTHING}, key=lambda name: -mean_area(found[name], metric, end))
    for name in ranked:
        mine = found[name]
        cells = [_needed(mine, base, of_seeds(full, mine), metric, target, name == RANDOM) for target in TARGETS]
        above = "" if name == RANDOM else _signed(over(mine, base, metric, end))
        area = f"{mean_area(mine, metric, end):.1f}"
        yield f"| {SHOWN.get(name, name)} | {len(mine)} | {' | '.join(cells)} | {area} | {above} |"


def _needed(
    mine: Mapping[int, Curve],
    base: Mapping[int, Curve],
    full: Mapping[int, Curve],
    metric: str,
    target: float,
    bare: bool,
) -> str:
    of = needed(mine, full, metric, target)
    at, ends = middle(list(of.values())), (_end(mine), _end(base))
    shown = f"{at:,.0f}" if np.isfinite(at) else f"> {ends[0]:,.0f}"
    if bare:
        return shown
    found = ratio(of, needed(base, of_seeds(full, base), metric, target), ends)
    return shown if found is None else f"{shown} ({times(found)})"


def times(found: Ratio) -> str:
    """A ratio with its interval.

    Examples
    --------
    >>> times(Ratio(3.91, 2.0, 5.0)), times(Ratio(8.0, 8.0, 8.0, at_least=True))
    ('3.9x, 2.0 to 5.0', 'at least 8.0x')
    """
    sign = "at least " if found.at_least else "at most " if found.at_most else ""
    spread = "" if found.low == found.high else f", {found.low:.1f} to {found.high:.1f}"
    return f"{sign}{found.median:.1f}x{spread}"


def _end(curves: Mapping[int, Curve]) -> float:
    return float(min(curve["labels"][-1] for curve in curves.values()))


def _signed(found: Difference | None) -> str:
    if found is None:
        return ""
    return f"{found.mean:+.1f}" + (f" ± {found.half:.1f}" if np.isfinite(found.half) else " (one seed)")


# ---- wins and losses ----


def _wins(curves: Sequence[Curve], entries: Sequence[Entry]) -> Iterator[str]:
    """The default against random and against each library's best on every set, by area."""
    yield "\n## Wins and losses of the default\n"
    yield (
        "By area under the curve, points, seed by seed, the default without a control arm. The best of a library is the "
        "one with the largest area on that very set, found afterwards: nobody could have known it, and it need not be the "
        "same on the next set.\n"
    )
    yield "| set | against random | against scikit-activeml's best | against small-text's best |"
    yield "|---|---|---|---|"
    told: dict[str, list[str]] = {}
    for entry in entries:
        found, metric = by_strategy(curves, entry.set.name), entry.set.metric
        cells = []
        for column, starts in (
            ("random", (RANDOM,)),
            ("scikit-activeml's best", _SKACTIVEML),
            ("small-text's best", _SMALL_TEXT),
        ):
            rivals = [name for name in found if name.startswith(starts) and found[name].keys() & found[DEFAULT].keys()]
            rivals = rivals if not entry.set.several else [name for name in rivals if name not in _TWINS]
            best = _best(found, rivals, metric)
            against = over(found[DEFAULT], found[best], metric) if best else None
            if best is None or against is None:
                cells.append("not run")
                continue
            verdict = against.verdict if against.seeds > 1 else "one seed"
            told.setdefault(f"{column}: {verdict}", []).append(entry.set.name)
            cells.append(f"{verdict}: {_signed(against)}" + ("" if best == RANDOM else f" ({best.partition(': ')[2]})"))
        yield f"| {entry.set.name} | {' | '.join(cells)} |"
    yield ""
    for column in ("random", "scikit-activeml's best", "small-text's best"):
        yield _count(column, told)


_TWINS = ("peer: margin", "peer: entropy")
_SKACTIVEML = ("peer: ",)
_SMALL_TEXT = ("small-text: ", *_TWINS)


def _best(found: Mapping[str, Mapping[int, Curve]], rivals: Sequence[str], metric: str) -> str | None:
    """The rival with the largest area; those with most of the default's seeds only, so that no lucky seed wins."""
    shared = {name: found[name].keys() & found[DEFAULT].keys() for name in rivals}
    most = max(map(len, shared.values()), default=0)
    full = [name for name in rivals if len(shared[name]) == most]
    against = {name: over(found[name], found[DEFAULT], metric) for name in full}
    return max(full, key=lambda name: against[name].mean if against[name] else -np.inf, default=None)


def _count(column: str, told: Mapping[str, Sequence[str]]) -> str:
    parts = []
    for verdict, word in (("win", "wins"), ("loss", "losses"), ("even", "even"), ("one seed", "with one seed only")):
        sets = told.get(f"{column}: {verdict}", ())
        parts.append(f"{len(sets)} {word}" + (f" ({'; '.join(sets)})" if sets and verdict == "loss" else ""))
    return f"- against {column}: {', '.join(parts)}"


# ---- entities ----


def _entities(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What ``make bench-ner`` measured, shortened."""
    yield "\n## Entities\n"
    yield (
        "Not measured again here: these are the rows of `make bench-ner` ([results/ner.json](results/ner.json)), with the "
        "product's tagger; labels are sentences. Neither scikit-activeml nor small-text chooses sentences by their "
        "tokens, so there is no peer.\n\n![entities](../docs/images/ner-curves.png)\n"
    )
    yield "| set | strategy | seeds | full F1 | 90 % | 95 % | 98 % | over random | words for 95 % (of the pool's) |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        cells = [
            f"{row.get(target, '')}" + (f", {row[f'{target} saves']}" if f"{target} saves" in row else "")
            for target in ("90%", "95%", "98%")
        ]
        words = f"{row['words for 95%']} ({row['of the pool' + chr(39) + 's']})" if row.get("words for 95%") else ""
        name = row["work"].split(",")[0]
        told = [name, SHOWN.get(row["strategy"], row["strategy"]), row["seeds"], row["full"], *cells]
        yield f"| {' | '.join(map(str, [*told, row.get('over random', ''), words]))} |"
