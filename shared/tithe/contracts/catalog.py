"""The strategies as the HTTP interface tells them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from tithe.contracts.projects import Task


class StrategyCard(BaseModel):
    """One strategy a project may choose."""

    model_config = ConfigDict(frozen=True)

    name: str
    summary: str
    use: str = Field(description="when it is the right one, and when not")
    needs: str = Field(description="nothing, probabilities, committee, vectors, vectors and a model, or tags of words")
    cost: str = Field(description="time beyond reading the pool once")
    reference: str
    tasks: list[Task]


class StrategyCards(BaseModel):
    """Every strategy there is, or every one that serves a task."""

    model_config = ConfigDict(frozen=True)

    strategies: list[StrategyCard]
