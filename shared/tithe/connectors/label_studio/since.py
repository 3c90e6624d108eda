"""Where a poll stands: a cursor over tasks by the time of their last change. Pure.

A page holds tasks changed after a moment, oldest first. Tasks that change while pages are read move to the end, so no
page number is kept, only moments; and where more tasks than fit a page changed in one microsecond (a bulk action),
those are walked by id. Who has seen everything steps back a little: a change is committed some time after the moment
it bears.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tithe.connectors.errors import ToolMisbehaves
from tithe.connectors.label_studio.client import Page, where
from tithe.connectors.label_studio.mapping import moment
from tithe.connectors.protocol import Json

#: A change's commit is at most so much later than its moment.
OVERLAP = timedelta(seconds=30)
_TICK = timedelta(microseconds=1)
_EVER = "1970-01-01T00:00:00.000000Z"


def filters(cursor: Json | None) -> list[Json]:
    """What a page holds.

    Examples
    --------
    >>> filters({"after": "2026-11-23T07:00:00.000000Z"})[0]["operator"]
    'greater'
    """
    told = cursor or {}
    if "at" not in told:
        return [where("updated_at", "greater", "Datetime", told.get("after", _EVER))]
    at = _moment(told["at"])
    return [
        where("updated_at", "greater", "Datetime", _written(at - _TICK)),
        where("updated_at", "less", "Datetime", _written(at + _TICK)),
        where("id", "greater", "Number", told.get("past", 0)),
    ]


def order(cursor: Json | None) -> str:
    """How a page is ordered."""
    return "id" if "at" in (cursor or {}) else "updated_at"


def following(cursor: Json | None, page: Page) -> tuple[Json, bool]:
    """The next cursor, and whether there is more already."""
    told = cursor or {}
    cut = page.total > len(page.tasks)
    if cut and not page.tasks:
        raise ToolMisbehaves(f"Label Studio says that {page.total} tasks changed and lists none")
    if "at" in told:
        past = {"at": told["at"], "past": page.tasks[-1]["id"]} if cut else {"after": told["at"]}
        return past, True
    after = _moment(told.get("after", _EVER))
    changed = [_moment(task.get("updated_at")) for task in page.tasks]
    if not cut:
        last = max([after, *changed])
        now = page.now or datetime.now(UTC)
        return {"after": _written(min(last, max(now - OVERLAP, _moment(_EVER))))}, False
    if changed[-1] - _TICK > after:
        return {"after": _written(changed[-1] - _TICK)}, True
    return {"at": _written(changed[-1]), "past": 0}, True


def _moment(told: object) -> datetime:
    read = moment(told)
    if read is None:
        raise ToolMisbehaves(f"Label Studio told of a task changed at {told!r}, which is no moment")
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _written(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
