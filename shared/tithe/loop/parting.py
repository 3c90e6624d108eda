"""Forget a connection: what it held is everybody's again, what counted stays counted."""

from __future__ import annotations

from uuid import UUID

from tithe.storage import connectors, remote
from tithe.storage.database import Database


def part(database: Database, connector_id: UUID) -> None:
    """Let go of what is held, then remove what was known of the tool, slice by slice: it may be a great deal.

    Broken off, the connection is `leaving`, and goes with the next pass over it.
    """
    database.run(lambda unit: connectors.let_go(unit, connector_id))
    while database.run(lambda unit: remote.purge_slice(unit, connector_id)):
        pass
    database.run(lambda unit: connectors.remove(unit, connector_id))
