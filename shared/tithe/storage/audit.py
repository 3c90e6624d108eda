"""Who changed what, and when. Written in the transaction that makes the change; never changed, never deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from tithe.storage.database import Unit

_LAST = (1 << 63) - 1


@dataclass(frozen=True)
class Noted:
    """One change."""

    id: int
    at: datetime
    project_id: UUID | None
    who: str
    what: str
    details: dict[str, Any]


def note(unit: Unit, project_id: UUID | None, who: str, what: str, details: dict[str, Any] | None = None) -> None:
    """Keep that `who` did `what`: a word with a dot, such as ``class.renamed``. No secrets in `details`."""
    unit.run("audit.note", project_id=project_id, who=who, what=what, details=Jsonb(details or {}))


def page(unit: Unit, project_id: UUID | None, before: int | None = None, limit: int = 100) -> list[Noted]:
    """The newest first; `before` the id of the last one seen. `project_id` None: of everything."""
    return unit.all("audit.page", Noted, project_id=project_id, before=_LAST if before is None else before, limit=limit)
