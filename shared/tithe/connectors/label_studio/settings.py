"""What a connection to Label Studio is told."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address begins with http:// or https://")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "the address holds more than a host and a path: leave out names, passwords and what follows ? or #"
        )
    return value.rstrip("/")


Address = Annotated[str, Field(max_length=2000), AfterValidator(_address)]


class Settings(BaseModel):
    """What a connection to Label Studio is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Address = Field(description="where Label Studio's page opens")
    project: int | None = Field(default=None, ge=1, description="the id of a project that is there; null: one is made")
    title: str | None = Field(default=None, max_length=200, description="of a project that is made; null: Tithe's own")
    adopt: bool = Field(
        default=True,
        description="take in tasks of the project that Tithe did not make: they become items, their annotations labels",
    )
    aliases: dict[str, str] = Field(
        default_factory=dict, max_length=10_000, description="{label in Label Studio: label of the project}"
    )
    hooks_url: Address | None = Field(
        default=None,
        description="where Label Studio reaches Tithe's gateway; null: Tithe only asks, Label Studio never tells",
    )
    annotators: Literal["email", "id"] = Field(default="email", description="by what the people who label are named")
    labels_of_deleted_tasks: Literal["keep", "withdraw"] = Field(
        default="keep", description="what becomes of the labels of a task that is deleted in Label Studio"
    )
    window: int = Field(default=200, ge=1, le=5000, description="tasks that wait in Label Studio at a time")
    poll_seconds: float = Field(default=15.0, ge=1, le=86_400, description="how often changes are asked for")
