"""Part from a tool: take back what nobody answered there, then forget the connection. What counted stays counted."""

from __future__ import annotations

import structlog

from tithe.connectors.errors import ToolError
from tithe.storage import remote
from tithe.storage.database import Unit
from tithe.storage.remote import There
from tithe.sync import intake, order
from tithe.sync.link import Pass

_log = structlog.get_logger("tithe.sync")
_AT_ONCE = 200


def leave(one: Pass) -> None:
    """Read what was said to the last, take the rest back, let go of what is held."""
    if one.remote is not None:
        try:
            intake.poll(one)
            while chosen := _unanswered(one):
                before = set(chosen)
                order.withdraw(one, chosen)
                if before == set(_unanswered(one)):  # the tool does not let go of them: leave them there
                    break
            forget = getattr(one.connector, "forget", None)
            if callable(forget):
                forget(one.at)
        except ToolError as error:  # it is left all the same; what the tool still has, it keeps
            _log.warning("left_as_it_is", connector=one.connection.name, code=error.code, reason=error.message)


def _unanswered(one: Pass) -> dict[str, There]:
    def work(unit: Unit) -> list[There]:
        there = remote.there(unit, one.connection.id, one.hold(unit).batch_id, 0.0)
        return [task for task in there if not task.said]

    if not one.connector.capabilities.withdraw:
        return {}
    return {str(task.task): task for task in one.run(work)[:_AT_ONCE]}
