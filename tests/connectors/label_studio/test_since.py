"""A cursor over tasks that change while they are read: each change is told, whatever the pages' edges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.connectors.errors import ToolMisbehaves
from tithe.connectors.label_studio.client import Page
from tithe.connectors.label_studio.since import filters, following, order

START = datetime(2026, 11, 23, tzinfo=UTC)


def page_of(tasks: dict[int, datetime], cursor: Any, size: int, now: datetime) -> Page:
    """What Label Studio answers to the cursor's filters."""

    def passes(identity: int, changed: datetime) -> bool:
        for one in filters(cursor):
            value = changed if "updated_at" in one["filter"] else identity
            bound = datetime.fromisoformat(one["value"]) if one["type"] == "Datetime" else one["value"]
            if not (value > bound if one["operator"] == "greater" else value < bound):
                return False
        return True

    found = [(changed, identity) for identity, changed in tasks.items() if passes(identity, changed)]
    found.sort(key=lambda pair: pair[1] if order(cursor) == "id" else pair)
    listed = [{"id": identity, "updated_at": changed.isoformat()} for changed, identity in found[:size]]
    return Page(listed, len(found), now)


@given(
    st.lists(st.integers(0, 3), max_size=30),
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(0, 29), st.integers(0, 12)), max_size=6),
)
def test_every_change_is_told_while_others_happen(ticks: list[int], size: int, later: list[tuple[int, int]]):
    tasks = {at + 1: START + timedelta(microseconds=tick) for at, tick in enumerate(ticks)}
    now = START + timedelta(hours=1)
    told: dict[int, datetime] = {}
    cursor: Any = None
    changes = {step: identity for identity, step in later}
    for step in range(500):
        page = page_of(tasks, cursor, size, now)
        told |= {task["id"]: datetime.fromisoformat(task["updated_at"]) for task in page.tasks}
        cursor, more = following(cursor, page)
        if not more:
            break
        if (changed := changes.get(step)) is not None and changed + 1 in tasks:
            tasks[changed + 1] = START + timedelta(minutes=1, microseconds=step)
    else:
        raise AssertionError("it never came to an end")
    assert told == tasks
    assert page_of(tasks, cursor, size, now).tasks == []


def test_who_has_seen_everything_steps_back_a_little():
    now = START + timedelta(seconds=100)
    fresh = {1: now - timedelta(seconds=1)}
    cursor, more = following(None, page_of(fresh, None, 10, now))
    assert (cursor, more) == ({"after": "2026-11-23T00:01:10.000000Z"}, False)
    cursor, _ = following(cursor, page_of(fresh, cursor, 10, now + timedelta(seconds=60)))
    assert cursor == {"after": "2026-11-23T00:01:39.000000Z"}
    cursor, _ = following(cursor, page_of(fresh, cursor, 10, now + timedelta(seconds=90)))
    assert cursor == {"after": "2026-11-23T00:01:39.000000Z"}


@pytest.mark.parametrize("page", [Page([], 3, None), Page([{"id": 1, "updated_at": "soon"}], 1, None)])
def test_what_makes_no_sense(page: Page):
    with pytest.raises(ToolMisbehaves):
        following(None, page)
