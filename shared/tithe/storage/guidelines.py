"""Guidelines: what annotators are told about how to label. Versions are added, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tithe.storage.database import Unit


@dataclass(frozen=True)
class Guidelines:
    """One version."""

    version: int
    text: str  #: Markdown
    who: str
    at: datetime


@dataclass(frozen=True)
class Version:
    """That there was one."""

    version: int
    who: str
    at: datetime
    characters: int


def read(unit: Unit, project_id: UUID, version: int | None = None) -> Guidelines | None:
    """That version, or the newest; None: there is none."""
    return unit.one("guidelines.newest", Guidelines, project_id=project_id, version=version)


def versions(unit: Unit, project_id: UUID) -> list[Version]:
    """The newest first, 500 at most."""
    return unit.all("guidelines.versions", Version, project_id=project_id)


def add(unit: Unit, project_id: UUID, after: int, text: str, who: str) -> int | None:
    """A new version after the one its writer saw (0: none); its number. None: there is a newer one already."""
    found: int | None = unit.value("guidelines.add", project_id=project_id, after=after, text=text, who=who)
    return found
