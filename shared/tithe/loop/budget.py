"""What a budget still lets in that nobody reserved: late answers, and skips that become labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from tithe.contracts.projects import Project
from tithe.storage import queue
from tithe.storage.answers import Answer, Progress, Standing
from tithe.storage.database import Unit


def fits(unit: Unit, project: Project, progress: Progress, costs: Sequence[int]) -> int:
    """How many labels of these costs, from the first on, the budget has room for beside what others hold.

    What was handed out since then is paid for first. The caller holds the counters; `progress` is what they say.
    """
    if project.budget is None:
        return len(costs)
    reserved = queue.reserved(unit, project.id)
    return fitting(costs, project.budget - progress.paid_count - reserved, alone=reserved == 0)


def fitting(costs: Sequence[int], left: int, *, alone: bool) -> int:
    """How many of the costs, from the first on, fit into what is left; by the rule by which items are handed out.

    Examples
    --------
    >>> fitting([3, 4, 1], 7, alone=True), fitting([9, 1], 7, alone=True), fitting([9, 1], 7, alone=False)
    (2, 1, 0)
    """
    if left <= 0:
        return 0
    found = sum(total <= left for total in accumulate(costs))
    return max(found, 1) if alone and costs else found


def costs_more(kind: str, was: Standing) -> bool:
    """Whether saying this instead takes something from the budget that the answer before did not."""
    return kind == "label" and was.kind != "label" and was.source == "annotator"


def beyond(answer: Answer) -> Answer:
    """The same answer, kept without counting: the budget has nothing left for it."""
    return replace(answer, state="superseded", because="budget_spent", replaces=None)
