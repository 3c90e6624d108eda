"""The report as a page that needs nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from tithe.rehearsal import plots
from tithe.rehearsal.verdict import ratio_said


def page(report: Mapping[str, Any]) -> str:
    """HTML, with the pictures in it. Raises Unavailable where jinja2 or matplotlib is missing."""
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"ratio": ratio_said, "labels": labels_said, "score": score_said}
    template = environment.from_string(files("tithe.rehearsal").joinpath("page.html.jinja").read_text("utf-8"))
    pictures = {"curves": plots.curves(report), "needed": plots.needed(report), "per_class": plots.per_class(report)}
    return template.render(
        report=report, pictures=pictures, colours=plots.colours([one["name"] for one in report["strategies"]])
    )


def labels_said(labels: Mapping[str, Any]) -> str:
    """Label counts with their interval, for people.

    Examples
    --------
    >>> labels_said({"median": 220.0, "low": 180.0, "high": None}), labels_said({"median": None, "low": None})
    ('220 (from 180)', 'not reached')
    >>> labels_said({"median": 1220.0, "low": 180.0, "high": 2000.0})
    '1,220 (180 to 2,000)'
    """
    if labels["median"] is None:
        return "not reached"
    if labels["low"] is None:
        return f"{labels['median']:,.0f}"
    ends = f"from {labels['low']:,.0f}" if labels["high"] is None else f"{labels['low']:,.0f} to {labels['high']:,.0f}"
    return f"{labels['median']:,.0f} ({ends})"


def score_said(score: Mapping[str, Any] | None, digits: int = 3) -> str:
    """A score with its interval, for people.

    Examples
    --------
    >>> score_said({"median": 0.91234, "low": 0.9, "high": 0.92}), score_said(None)
    ('0.912 (0.900 to 0.920)', '')
    """
    if score is None or score["median"] is None:
        return ""
    said = f"{score['median']:.{digits}f}"
    return said if score["low"] is None else f"{said} ({score['low']:.{digits}f} to {score['high']:.{digits}f})"
