"""Guidelines over HTTP."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from tithe.contracts.shapes import Asked, Told, Words


class WriteGuidelines(Asked):
    """A new version."""

    text: Words = Field(max_length=200_000, description="Markdown; raw HTML in it is shown as text")
    after: int = Field(ge=0, description="the version it was written on; 0: there was none")


class GuidelinesVersion(Told):
    """That there was a version."""

    version: int
    who: str
    at: datetime
    characters: int


class Guidelines(Told):
    """What annotators are told."""

    version: int = Field(description="0: nothing was written yet")
    text: str
    html: str = Field(description="the same as a page shows it; nothing in it can run")
    who: str | None
    at: datetime | None
    versions: list[GuidelinesVersion] = Field(description="the newest first")
