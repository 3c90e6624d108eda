"""The recommendation, in words a person can act on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tithe.rehearsal.figures import interval_rank
from tithe.rehearsal.settings import DEFAULT, RANDOM

#: In which order shares of the full-pool score are looked at.
_FIRST = (0.95, 0.90, 0.98, 0.99)


def verdict(report: Mapping[str, Any]) -> dict[str, Any]:
    """Which strategy to take, and why.

    A strategy beats random where the whole interval of its ratio lies above 1, for some target, and its curve is not
    lower on the whole; of those the one with the highest curve is recommended. With too few seeds for intervals, the
    medians decide, and the words say so.

    Returns
    -------
    ``strategy`` (its name; None: none beat random), ``share`` (a target for which it beats random), ``sure`` (whether
    intervals decided) and ``words``, a list of sentences.
    """
    sure = interval_rank(len(report["settings"]["seeds"])) is not None
    rivals = [one for one in report["strategies"] if one["name"] != RANDOM]
    if not rivals:
        words = ["Only random was played: name a strategy beside it (--strategy margin)."]
        return {"strategy": None, "share": None, "sure": sure, "words": words}
    better = {one["name"]: found for one in rivals if (found := _won(one, sure=sure))}
    if better:
        best = max((one for one in rivals if one["name"] in better), key=lambda one: one["area"]["median"])
        won = better[best["name"]]
        words = [*_praise(report, best, won, sure=sure), *_rest(report, best, won[0]), *_ran_dry(rivals)]
        return {"strategy": best["name"], "share": won[0], "sure": sure, "words": words}
    return {
        "strategy": None,
        "share": None,
        "sure": sure,
        "words": [*_none_beats(report, rivals, sure=sure), *_ran_dry(rivals), *_errors(report)],
    }


def _ran_dry(rivals: Sequence[Mapping[str, Any]]) -> list[str]:
    dry = [one for one in rivals if one.get("unranked")]
    if not dry:
        return []
    who = ", ".join(f"{one['name']} {one['unranked']:,.0f}" for one in dry)
    told = (
        f"Labels asked for at random because all else was a near-duplicate of what had been asked: {who}. If your "
        "items are not that alike, the encoder cannot tell them apart; --near-duplicate 0 lets them in."
    )
    return [told]


def at_share(strategy: Mapping[str, Any], share: float) -> dict[str, Any]:
    """The strategy's figures for a target."""
    found: dict[str, Any] = next(one for one in strategy["targets"] if one["share"] == share)
    return found


def ratio_said(ratio: Mapping[str, Any] | None) -> str:
    """A ratio with its interval, for people.

    Examples
    --------
    >>> ratio_said({"median": 4.1, "low": 2.9, "high": 5.6, "bound": None})
    '4.1x (2.9 to 5.6)'
    >>> ratio_said({"median": 4.1, "low": 2.9, "high": None, "bound": "at least"})
    'at least 4.1x (from 2.9)'
    """
    if ratio is None:
        return ""
    low, high = ratio["low"], ratio["high"]
    ends = {
        (True, True): f" ({low} to {high})", (True, False): f" (from {low})", (False, True): f" (up to {high})",
        (False, False): "",
    }[low is not None, high is not None]  # fmt: skip
    if ratio["median"] is None:
        return f"unknown{ends}"
    return (f"{ratio['bound']} " if ratio["bound"] else "") + f"{ratio['median']:.1f}x{ends}"


def _won(strategy: Mapping[str, Any], *, sure: bool) -> list[float]:
    """The targets for which it beats random, the most telling first."""
    return [share for share in _FIRST if _beats(strategy, share, sure=sure)]


def _beats(strategy: Mapping[str, Any], share: float, *, sure: bool) -> bool:
    found = at_share(strategy, share)
    ratio, over = found["against_random"], strategy["area_over_random"]
    if found["labels"]["median"] is None or ratio["median"] is None or ratio["bound"] == "at most":
        return False
    if not sure:
        return bool(ratio["median"] > 1 and over["median"] > 0)
    return bool((ratio["low"] or 0) > 1 and over["high"] > 0)


def _praise(report: Mapping[str, Any], best: Mapping[str, Any], won: list[float], *, sure: bool) -> list[str]:
    share, hardest = won[0], max(won)
    found = at_share(best, share)
    ratio, labels, theirs = found["against_random"], found["labels"]["median"], found["random_labels"]["median"]
    random = next(one for one in report["strategies"] if one["name"] == RANDOM)
    random_said = f"random with {theirs:,.0f}" if theirs else f"random not with {random['curve']['labels'][-1]:,}"
    what = best["name"] if best["name"] != DEFAULT else f"the product's default ({best['strategy']})"
    interval = "" if ratio["low"] is None else f", 90 % interval {_range(ratio)}"
    bound = f"{ratio['bound']} " if ratio["bound"] else ""
    first = (
        f"{what[0].upper()}{what[1:]} reached {share:.0%} of the full-pool score with {labels:,.0f} labels, "
        f"{random_said} ({bound}{ratio['median']:.1f}x{interval}): take it."
    )
    words = [first]
    if hardest > share:
        far = at_share(best, hardest)
        words.append(f"For {hardest:.0%}: {far['labels']['median']:,.0f} labels, {ratio_said(far['against_random'])}.")
    if not sure:
        seeds = len(report["settings"]["seeds"])
        words.append(f"{seeds} seeds are too few for an interval: this is a hint, no finding. Say --seeds 5 or more.")
    return words + _money(report, labels, theirs)


def _range(ratio: Mapping[str, Any]) -> str:
    return f"from {ratio['low']}" if ratio["high"] is None else f"{ratio['low']} to {ratio['high']}"


def _money(report: Mapping[str, Any], labels: float, theirs: float | None) -> list[str]:
    price, currency, pool = report["settings"]["price"], report["settings"]["currency"], report["data"]["pool"]
    if price is None:
        return []
    saved = "" if theirs is None else f" Random costs {theirs * price:,.2f}: {(theirs - labels) * price:,.2f} saved."
    words = (
        f"At your {pool:,} items and {price:g} {currency} a label, labeling everything costs {pool * price:,.2f} "
        f"{currency}, these {labels:,.0f} labels {labels * price:,.2f}.{saved}"
    )
    return [words]


def _rest(report: Mapping[str, Any], best: Mapping[str, Any], share: float) -> list[str]:
    """What else is to be known: the default, what was no better than random, how far to trust the best of several."""
    words = []
    rivals = [one for one in report["strategies"] if one["name"] not in (RANDOM, best["name"])]
    default = next((one for one in rivals if one["name"] == DEFAULT), None)
    if default is not None and (mine := at_share(default, share)["labels"]["median"]) is not None:
        words.append(f"The product's default ({default['strategy']}) needed {mine:,.0f}.")
    worse = [
        one["name"] for one in rivals if (one["area_over_random"]["high"] or one["area_over_random"]["median"]) < 0
    ]
    if worse:
        words.append(f"Worse than random on the whole: {', '.join(worse)}.")
    if rivals:
        words.append(f"The best of {len(rivals) + 1} looks a little better than it is: it was chosen for its luck too.")
    return words + _errors(report)


def _none_beats(report: Mapping[str, Any], rivals: list[Any], *, sure: bool) -> list[str]:
    if all(at_share(one, 0.90)["labels"]["median"] is None for one in rivals):
        budget = report["settings"]["budget"]
        heights = ", ".join(f"{one['name']} {100 * one['area_over_random']['median']:+.1f}" for one in rivals)
        theirs, share = at_share(rivals[0], 0.90)["random_labels"]["median"], "90 % of the full-pool score"
        first = f"No strategy reached {share} with {budget:,} labels: play more rounds (--rounds)."
        if theirs is not None and theirs <= budget:
            first = f"Random reached {share} with {theirs:,.0f} labels, nothing else with {budget:,}."
        return [
            first,
            f"Until there, the mean height of the curves above random's, in points: {heights}.",
        ]
    told = ", ".join(f"{one['name']} {ratio_said(at_share(one, 0.95)['against_random'])}" for one in rivals)
    words = [
        "No strategy beat random: label at random, or change the encoder.",
        f"Random's labels for 95 % of the full-pool score, over each strategy's: {told}.",
    ]
    if not sure:
        words.append("With fewer than 5 seeds there are no intervals: --seeds 5 may find a difference that is there.")
    return words


def _errors(report: Mapping[str, Any]) -> list[str]:
    told, rate = report["full_pool"]["none_wrong"], report["settings"]["error_rate"]
    if told is None:
        return []
    lost = told["points_lost"]["median"]
    words = (
        f"With {rate:.0%} wrong answers the score of every label of the pool is {100 * abs(lost):.1f} points "
        f"{'lower' if lost >= 0 else 'higher'} than with none: targets are shares of the score with wrong answers."
    )
    return [words]
