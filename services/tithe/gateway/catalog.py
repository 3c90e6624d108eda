"""What a project may choose by: the catalog of strategies."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from tithe.contracts.catalog import StrategyCard, StrategyCards
from tithe.contracts.projects import Task
from tithe.gateway.problems import documented

router = APIRouter(prefix="/v1/strategies", tags=["projects"])


@router.get("", summary="The strategies there are", responses=documented(422))
def list_strategies(
    task: Annotated[Task | None, Query(description="Only those that serve this task.")] = None,
) -> StrategyCards:
    """Every way to choose what is asked next: when to use it, what it needs, what it costs, whose idea it is."""
    from tithe.strategies.catalog import CATALOG

    return StrategyCards(
        strategies=[
            StrategyCard(
                name=one.name, summary=one.summary, use=one.use, needs=one.needs.value, cost=one.cost,
                reference=one.reference, tasks=sorted(Task(name) for name in one.tasks),
            )
            for one in CATALOG.values() if task is None or task.value in one.tasks
        ]
    )  # fmt: skip
