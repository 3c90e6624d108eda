"""Items on their way to a tool, a parcel at a time.

What goes together is written down before it goes, and stays written down until the tool has taken all of it: a pass
that broke in the middle is finished as it was begun, because a tool may close the group with the push.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from tithe.connectors.errors import ToolMisbehaves
from tithe.connectors.protocol import Fate, Outgoing, Pushed
from tithe.storage import connectors, remote
from tithe.storage.database import Unit
from tithe.storage.remote import Intended
from tithe.sync.link import Pass
from tithe.sync.suggestions import suggestion

_log = structlog.get_logger("tithe.sync")
_STATES = {Fate.CREATED: "there", Fate.EXISTING: "there", Fate.REJECTED: "rejected"}


def push(one: Pass) -> int:
    """Tell the tool of every item that is to be there and is not known to be; how many."""
    pushed = 0
    while parcel := one.run(lambda unit: _parcel(unit, one)):
        group, items = parcel
        fates = one.connector.push(one.at, [_outgoing(item, at) for at, item in enumerate(items)], group)
        if {fate.key for fate in fates} != {item.key for item in items}:
            raise ToolMisbehaves(f"{len(items)} items were pushed, and not each of them was accounted for")
        one.run(lambda unit, items=items, fates=fates: _arrived(unit, one, items, fates))  # type: ignore[misc]
        pushed += len(items)
    return pushed


def _parcel(unit: Unit, one: Pass) -> tuple[str, list[Intended]] | None:
    """What is pushed together next, and its group's name; None: nothing waits."""
    remote.drop_unheld(unit, one.connection.id, one.hold(unit).batch_id)
    begun = connectors.fact(unit, one.connection.id, "parcel")
    if begun is not None:
        # Also what is known to be there by now: the group is closed only when all of it is pushed.
        items = remote.parcel(unit, one.connection.id, begun["ids"])
        if items:
            return begun["group"], items
    items = remote.intended(unit, one.connection.id, one.connector.capabilities.most_at_once)
    if not items:
        return None
    group = f"tithe-{one.connection.id.hex[:8]}-{connectors.next_order(unit, one.connection.id)}"
    connectors.note_facts(unit, one.connection.id, {"parcel": {"group": group, "ids": [item.id for item in items]}})
    return group, items


def _arrived(unit: Unit, one: Pass, items: Sequence[Intended], fates: Sequence[Pushed]) -> None:
    """Write down what became of a parcel; what the tool will not take is nobody's any more, and told about."""
    told = [(fate.key, fate.task, _STATES[fate.fate], fate.reason) for fate in fates]
    tasks = [fate.task for fate in fates if fate.task is not None]
    remote.detach(unit, one.project.id, one.connection.id, one.hold(unit).batch_id, tasks, [fate.key for fate in fates])
    remote.arrived(unit, one.connection.id, told)
    connectors.note_facts(unit, one.connection.id, {"parcel": None})
    refused = {fate.key for fate in fates if fate.fate is Fate.REJECTED}
    lost = [item.ordinal for item in items if item.key in refused]
    if lost:
        remote.release(unit, one.project.id, one.hold(unit).batch_id, lost)
        _log.warning("items_rejected", connector=one.connection.name, items=len(lost))


def _outgoing(item: Intended, place: int) -> Outgoing:
    text = item.text if item.text is not None else " ".join(item.tokens or [])
    rank = place if item.rank is None else item.rank
    return Outgoing(item.key, item.external_id, text, rank, item.meta, suggestion(item.why or {}))
