"""The report's pictures, as SVG to be put into a page."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from tithe.errors import Unavailable
from tithe.rehearsal.settings import DEFAULT, RANDOM

_COLOURS = ("#2e86ab", "#3b7a57", "#edae49", "#6c4f9e", "#996633", "#00798c")
_SHOWN = {DEFAULT: "#d1495b", RANDOM: "#8d99ae"}
_MOST_CLASSES = 20


def check_matplotlib() -> None:
    """Raise Unavailable where it is not installed: before hours are spent, not after."""
    try:
        import matplotlib as mpl  # noqa: F401
    except ImportError:
        raise Unavailable(
            "the report's pictures need matplotlib, which is not installed", remedy="pip install matplotlib"
        ) from None


def colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each strategy, the same in every picture."""
    others = [name for name in names if name not in _SHOWN]
    return {name: _SHOWN.get(name) or _COLOURS[others.index(name) % len(_COLOURS)] for name in names}


def curves(report: Mapping[str, Any]) -> str:
    """Score over labels: medians over the seeds, from the lowest to the highest shaded, targets dotted."""
    figure, axis = _figure(4.2)
    strategies = report["strategies"]
    painted = colours([one["name"] for one in strategies])
    for one in strategies:
        line, colour = one["curve"], painted[one["name"]]
        axis.fill_between(line["labels"], line["lowest"], line["highest"], color=colour, alpha=0.12, linewidth=0)
        axis.plot(line["labels"], line["median"], color=colour, linewidth=1.8, label=one["name"])
    full = report["full_pool"]["score"]["median"]
    axis.axhline(full, color="black", linewidth=0.8)
    for share in (0.9, 0.95):
        axis.axhline(share * full, color="black", linewidth=0.6, linestyle=":")
    axis.axvline(report["settings"]["budget"], color="0.6", linewidth=0.6, linestyle="--")
    axis.set(xscale="log", xlabel="labels", ylabel=report["settings"]["metric"].replace("_", "-"))
    _plain_ticks(axis)
    axis.legend(loc="lower right", frameon=False)
    return _svg(figure)


def needed(report: Mapping[str, Any]) -> str:
    """Labels for each target, a bar for each strategy, with intervals; no bar: not reached."""
    strategies = report["strategies"]
    painted = colours([one["name"] for one in strategies])
    figure, axis = _figure(3.2)
    shares = [one["share"] for one in strategies[0]["targets"]]
    width = 0.8 / len(strategies)
    for at, one in enumerate(strategies):
        for place, target in enumerate(one["targets"]):
            middle = target["labels"]["median"]
            if middle is None:
                continue
            low, high = target["labels"]["low"] or middle, target["labels"]["high"] or middle
            x = place + (at - (len(strategies) - 1) / 2) * width
            axis.bar(x, middle, 0.9 * width, color=painted[one["name"]], label=one["name"] if not place else None)
            axis.errorbar(x, middle, [[middle - low], [high - middle]], color="0.2", linewidth=0.8, capsize=2)
    axis.set_xticks(range(len(shares)), [f"{share:.0%}" for share in shares])
    axis.set(xlabel="of the full-pool score", ylabel="labels", yscale="log")
    return _svg(figure)


def per_class(report: Mapping[str, Any]) -> str:
    """F1 of each class at the budget's end; of many classes the rarest."""
    sizes = report["data"]["classes"]
    shown = sorted(sizes, key=lambda name: (sizes[name], name))[:_MOST_CLASSES]
    figure, axis = _figure(0.9 + 0.28 * len(shown))
    painted = colours([one["name"] for one in report["strategies"]])
    for one in report["strategies"]:
        places = [at for at, name in enumerate(shown) if one["f1"][name] is not None]
        axis.plot(
            [one["f1"][shown[at]] for at in places], places, "o", color=painted[one["name"]], markersize=5, alpha=0.8
        )
    axis.set_yticks(range(len(shown)), [f"{_escaped(name[:40])} ({sizes[name]:,})" for name in shown])
    axis.set(xlabel="F1", xlim=(-0.02, 1.02))
    return _svg(figure)


def _figure(height: float) -> tuple[Any, Any]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "tithe"  # the same figures give the same file
    figure = Figure(figsize=(8, height), layout="constrained")
    axis = figure.subplots()
    axis.grid(visible=True, which="major", alpha=0.25)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    return figure, axis


def _plain_ticks(axis: Any) -> None:
    """Counts of labels as people write them."""
    low, high = axis.get_xlim()
    ticks = [tick for tick in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)
             if low <= tick <= high]  # fmt: skip
    axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axis.set_xticks([], minor=True)


def _escaped(name: str) -> str:
    """What a user wrote is no formula."""
    return name.replace("$", r"\$")


def _svg(figure: Any) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]
