"""An open connection to Scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import NoReturn

import httpx

from tithe.connectors.errors import RemoteGone, SchemaUnfit, ToolError, ToolMisbehaves
from tithe.connectors.protocol import (
    Capabilities,
    Changes,
    Fate,
    Health,
    Json,
    Outgoing,
    Preview,
    Pushed,
    Ranked,
    Remote,
    Schema,
    Seen,
    Withdrawn,
)
from tithe.connectors.scale.client import PAGE, Page, Refused, ScaleClient
from tithe.connectors.scale.mapping import TYPES, Form, batch_name, moment, seen, task_body
from tithe.connectors.scale.settings import ScaleSettings, most_to_push
from tithe.contracts.projects import Task

#: How far a poll looks back beyond the last one: what Scale is slow to list is told twice rather than never.
OVERLAP = timedelta(minutes=5)
DASHBOARD = "https://dashboard.scale.com/"
#: `unique_id`s asked for in one call: they stand in its address.
_KEYS_AT_ONCE = 20


def capabilities(settings: ScaleSettings) -> Capabilities:
    """What Scale can do; entities only where the settings allow what is unverified."""
    tasks = {Task.TEXT, Task.MULTILABEL} | ({Task.TOKENS} if settings.ner else set())
    return Capabilities(
        tasks=frozenset(tasks),
        rerank=False,
        withdraw=True,
        edits=True,
        deletes=True,
        skips=False,
        overlap=False,
        adopts=False,
        hooks=True,
        suggestions=False,
        grouped=True,
        most_at_once=100,
    )


class ScaleConnector:
    """See :class:`~tithe.connectors.protocol.Connector`. A group is a batch, which the push finalises."""

    def __init__(self, settings: ScaleSettings, client: ScaleClient, *, test_key: bool) -> None:
        self._settings = settings
        self._client = client
        self._test_key = test_key

    @property
    def capabilities(self) -> Capabilities:
        """What Scale can do."""
        return capabilities(self._settings)

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    # ---- who and what ----

    def health(self) -> Health:
        """Ask for the project: that takes a key that is good, and no project."""
        there = self._client.project(self._settings.project) is not None
        key = "a test key: a machine answers, wrongly" if self._test_key else "a live key"
        return Health(None, None, f"{key}; the project is {'there' if there else 'not there yet'}")

    def preview(self, schema: Schema) -> Preview:
        """Say what connecting would do; changes nothing."""
        settings, says = self._settings, []
        faults = [fault] if (fault := self._unfit(schema)) else []
        found = self._client.project(settings.project)
        if found is not None and not faults and (fault := _other_type(found, schema.task)):
            faults.append(fault)
        where = "is used" if found is not None else "is made"
        says.append(f"The project {settings.project!r} {where}. Each round becomes a batch, closed when it is pushed.")
        says.append("Items leave this machine: their texts go to Scale and to the people who work for it.")
        says.append("Each item is answered once; Scale does not say by whom.")
        if self._test_key:
            says.append("This is a test key: a machine answers at once, and wrongly. Do not train on that.")
        says.append(self._about_money())
        if schema.task is Task.TOKENS and settings.ner:
            says.append(f"Entities are unverified: {ScaleSettings.model_fields['ner'].description}.")
        return Preview(tuple(says), tuple(faults))

    def _about_money(self) -> str:
        settings = self._settings
        if settings.price_per_label is None:
            return "Scale charges for every task; without price_per_label Tithe does not count what."
        price = f"A label costs {settings.price_per_label} {settings.currency}"
        most = most_to_push(settings, 0)
        if most is None:
            return f"{price}, and nothing limits how many are bought but the project's budget."
        return f"{price}; {settings.spend_limit} {settings.currency} may be spent: {most} labels."

    def _unfit(self, schema: Schema) -> str | None:
        if schema.task is Task.TOKENS and not self._settings.ner:
            return "entities are off: set ner to true, and read first what is unverified about them"
        if schema.task not in self.capabilities.tasks:
            return f"Scale has no tasks of {schema.task}: a project of texts can be connected"
        return None

    def ensure_project(self, schema: Schema, known: Remote | None) -> Remote:
        """Find or make the project. The question goes with every task, so there is nothing else to bring up to date."""
        if fault := self._unfit(schema):
            raise SchemaUnfit(fault, remedy="connect another project, or change the connection's settings")
        settings, form = self._settings, Form.wanted(schema, self._settings)
        found = self._client.project(settings.project)
        if found is None:
            if known is not None:
                self._gone()
            found = self._client.make_project(settings.project, TYPES[schema.task], form.instruction)
        if fault := _other_type(found, schema.task):
            raise SchemaUnfit(fault, remedy="name another project in the connection's settings")
        return Remote(id=settings.project, url=DASHBOARD, facts=form.facts())

    # ---- there ----

    def push(self, remote: Remote, items: Sequence[Outgoing], group: str) -> list[Pushed]:
        """Make the items' tasks in the group's batch, and have it worked on.

        Again, after whatever: tasks that are there are found by their key, and every batch they lie in is finalised. A
        group that was closed already takes no more tasks, so further ones go to a second batch of its name.
        """
        form = Form.of(remote)
        there = self._made_already([item.key for item in items])
        open_batches = {str(task.get("batch") or batch_name(remote.id, group)) for task in there.values()}
        batch: str | None = None
        pushed, refusals = [], []
        for item in items:
            if item.key in there:
                pushed.append(Pushed(item.key, there[item.key]["task_id"], Fate.EXISTING))
                continue
            if not item.text.strip():
                pushed.append(Pushed(item.key, None, Fate.REJECTED, "there is no text to show"))
                continue
            batch = batch or self._open_batch(remote, group)
            try:
                task, new = self._client.make_task(TYPES[form.task], task_body(form, item, self._settings, batch))
            except Refused as refused:
                self._unless_gone(refused)
                refusals.append(refused)
                pushed.append(Pushed(item.key, None, Fate.REJECTED, f"Scale says: {refused.words}"))
                continue
            open_batches.add(str(task.get("batch") or batch))
            pushed.append(Pushed(item.key, task["task_id"], Fate.CREATED if new else Fate.EXISTING))
        if len(refusals) > 1 and len(refusals) == len(items):  # not the items are at fault, and no item is lost
            raise SchemaUnfit(f"Scale takes none of the items: {refusals[0].words}", remedy="look at the project there")
        for name in sorted(open_batches):
            self._close_batch(name)
        return pushed

    def _made_already(self, keys: Sequence[str]) -> dict[str, Json]:
        there: dict[str, Json] = {}
        for first in range(0, len(keys), _KEYS_AT_ONCE):
            try:
                found = self._client.by_keys(self._settings.project, keys[first : first + _KEYS_AT_ONCE])
            except Refused as refused:
                self._unless_gone(refused)
                raise
            there |= {task["unique_id"]: task for task in found if task.get("status") != "canceled"}
        return there

    def _open_batch(self, remote: Remote, group: str) -> str:
        """The first batch of the group that still takes tasks; made where there is none."""
        number = 1
        while True:
            name = batch_name(remote.id, group, number)
            try:
                found = self._client.batch(name) or self._client.make_batch(remote.id, name)
            except Refused as refused:
                self._unless_gone(refused)
                raise
            if found.get("project") not in (None, remote.id):
                raise SchemaUnfit(f"the batch {name!r} is of another project, {found['project']!r}")
            if found.get("status") == "staging":
                return name
            number += 1

    def _close_batch(self, name: str) -> None:
        found = self._client.batch(name)
        if found is None:
            raise ToolMisbehaves(f"Scale does not show the batch {name!r} that it says tasks are in")
        if found.get("status") == "staging":
            self._client.finalize(name)

    def rerank(self, remote: Remote, ranked: Sequence[Ranked], version: str) -> None:
        """Scale cannot: a batch that is finalised is worked off as Scale likes."""

    def withdraw(self, remote: Remote, tasks: Sequence[str]) -> dict[str, Withdrawn]:
        """Cancel what nobody works on yet. A task that somebody has opened already is answered, and paid."""
        return {task: self._withdrawn(remote, task) for task in tasks}

    def _withdrawn(self, remote: Remote, task: str) -> Withdrawn:
        if self._client.cancel(task):
            return Withdrawn.GONE
        (now,) = self.read(remote, [task])
        if not now.exists:
            return Withdrawn.GONE
        return Withdrawn.ANSWERED if now.annotations else Withdrawn.KEPT

    # ---- back ----

    def poll(self, remote: Remote, cursor: Json | None) -> Changes:
        """One page of the tasks that changed. The cursor holds when the sweep began, by Scale's clock, and its page."""
        after, token, began = _cursor(cursor)
        try:
            page = self._page(updated_after=after, next_token=token)
        except Refused as refused:
            if token is None or refused.answered != httpx.codes.BAD_REQUEST:
                raise
            began = None  # the page's token is no longer known: the sweep begins anew
            page = self._page(updated_after=after)
        began = began or (page.told_at - OVERLAP).isoformat()
        told = tuple(self._seen(remote, page.tasks))
        if page.token is None:
            return Changes(told, {"after": began, "token": None, "began": None})
        return Changes(told, {"after": after, "token": page.token, "began": began}, more=True)

    def read(self, remote: Remote, tasks: Sequence[str]) -> list[Seen]:
        """Read these tasks whole, one call each."""
        form = Form.of(remote)
        told = []
        for task in tasks:
            found = self._client.task(task)
            if found is None or found.get("project", remote.id) != remote.id:
                told.append(Seen(task, None, exists=False))
            else:
                told.append(seen(found, form, self._settings.aliases))
        return told

    def task_of(self, remote: Remote, annotations: Sequence[str]) -> list[str]:
        """An annotation has its task's id."""
        return [now.task for now in self.read(remote, annotations) if now.annotations]

    def everything(self, remote: Remote) -> Iterator[Sequence[Seen]]:
        """Every task that is not cancelled, newest first."""
        token: str | None = None
        while True:
            page = self._page(next_token=token)
            yield [now for now in self._seen(remote, page.tasks) if now.exists]
            token = page.token
            if token is None:
                return

    def _seen(self, remote: Remote, tasks: Sequence[Json]) -> list[Seen]:
        form = Form.of(remote)
        return [seen(task, form, self._settings.aliases) for task in tasks]

    def _page(self, **params: str | None) -> Page:
        try:
            return self._client.tasks(self._settings.project, limit=PAGE, **params)
        except Refused as refused:
            self._unless_gone(refused)
            raise

    def _unless_gone(self, refused: Refused) -> None:
        if refused.answered == httpx.codes.NOT_FOUND and self._client.project(self._settings.project) is None:
            self._gone()

    def _gone(self) -> NoReturn:
        raise RemoteGone(
            f"the project {self._settings.project!r} is not in Scale any more", remedy="connect anew, to another name"
        )


def _cursor(cursor: Json | None) -> tuple[str | None, str | None, str | None]:
    """`after`, the page's token, and when the sweep began."""
    told = [(cursor or {}).get(name) for name in ("after", "token", "began")]
    if not all(one is None or isinstance(one, str) for one in told) or (told[0] and moment(told[0]) is None):
        raise ToolError(f"this is no cursor of Scale's: {str(cursor)[:100]}", remedy="poll from the beginning")
    after, token, began = told
    return after, token, began


def _other_type(project: Json, task: Task) -> str | None:
    if project.get("type") in (None, TYPES[task]):
        return None
    return f"the project {project.get('name')!r} is of type {project['type']}, {task} needs {TYPES[task]}"
