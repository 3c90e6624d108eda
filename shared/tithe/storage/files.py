"""Files of the artifact store, as rows point at them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tithe.storage.database import Unit


def needed(unit: Unit, project_id: UUID, keys: Sequence[str], superseded_seconds: float) -> set[str]:
    """Which of the project's files a row still needs: every block's, and every model's that may yet be asked.

    That is the current model, one that an unfinished round ranks with, and one whose successor is younger than
    `superseded_seconds`. Other models keep their row, for the learning curve.
    """
    values = {"project_id": project_id, "keys": list(keys), "superseded": superseded_seconds}
    return {row[0] for row in unit.rows("files.needed", **values)}
