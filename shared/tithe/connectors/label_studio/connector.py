"""Label Studio behind the connector protocol."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TypeVar
from urllib.parse import quote

from tithe.connectors.errors import SchemaUnfit, ToolMisbehaves
from tithe.connectors.label_studio import hooks, order, since
from tithe.connectors.label_studio.annotators import Annotators
from tithe.connectors.label_studio.client import Client, Declined, Forbidden, where
from tithe.connectors.label_studio.config import Control
from tithe.connectors.label_studio.keys import KEY, key_of
from tithe.connectors.label_studio.mapping import Reading
from tithe.connectors.label_studio.preview import preview
from tithe.connectors.label_studio.projects import brought, found_or_made
from tithe.connectors.label_studio.settings import Settings
from tithe.connectors.label_studio.tasks import seen, task_of_item
from tithe.connectors.outside import Outside
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
from tithe.contracts.projects import Task

CAPABILITIES = Capabilities(
    tasks=frozenset({Task.TEXT, Task.MULTILABEL, Task.TOKENS}), rerank=True, withdraw=True, edits=True, deletes=True,
    skips=True, overlap=True, adopts=True, hooks=True, suggestions=True, grouped=False, most_at_once=5000,
)  # fmt: skip
#: Tasks of one import; it is all or nothing.
_CHUNK = 500
#: Ids in one address.
_IDS = 200
#: Bytes of keys in one address, as they are escaped; servers in between take some 8,000 in all.
_KEY_BYTES = 4000
_UNANSWERED = (
    where("total_annotations", "equal", "Number", 0),
    where("cancelled_annotations", "equal", "Number", 0),
)
_One = TypeVar("_One")


class LabelStudio:
    """A connection to one project of one Label Studio."""

    def __init__(self, settings: Settings, secret: str, outside: Outside) -> None:
        self._settings = settings
        self._client = Client(settings.url, secret, outside)
        self._named = Annotators(self._client.users, settings.annotators)

    @property
    def capabilities(self) -> Capabilities:
        """What this tool can do."""
        return CAPABILITIES

    def health(self) -> Health:
        """Ask the tool who it is, and who we are to it."""
        version, user = self._client.version(), self._client.whoami()
        name = str(user.get("email") or user.get("username") or f"user-{user.get('id')}")
        return Health(
            version, name, f"Label Studio {version or 'of an unknown version'} at {self._settings.url}, as {name}"
        )

    def preview(self, schema: Schema) -> Preview:
        """Say what :meth:`ensure_project` would do; changes nothing."""
        return preview(self._client, self._settings, schema, self.health())

    def ensure_project(self, schema: Schema, known: Remote | None) -> Remote:
        """Find or make the tool's project and bring it to the schema; again, it changes nothing."""
        if schema.task not in CAPABILITIES.tasks:
            raise SchemaUnfit(f"Label Studio is given texts to label, and {schema.task} has none")
        project, made = found_or_made(self._client, self._settings, schema, known)
        return brought(self._client, self._settings, schema, project, made=made, known=known)

    def listen(self, remote: Remote, url: str, secret: str) -> Remote:
        """Have Label Studio call `url` when something changes; what came of it is in the facts under ``hooks``.

        That its guard does not let it call the address is no error: polling finds the same.
        """
        outdated, right = hooks.stale(self._client.hooks(remote.id), url, secret)
        told: Json = {"url": url, "registered": True, "reason": None}
        if not right:
            try:
                self._client.create_hook(hooks.wanted(remote.id, url, secret))
            except (Forbidden, Declined) as refusal:
                told |= {"registered": False, "reason": refusal.message}
        for hook in outdated:
            self._client.delete_hook(hook)
        return Remote(remote.id, remote.url, remote.facts | {"hooks": told})

    def push(self, remote: Remote, items: Sequence[Outgoing], group: str) -> list[Pushed]:  # noqa: ARG002 - no groups
        """Make tasks of the items, one answer for each, in order. A key that is there already makes no second task."""
        if not items:
            return []
        self._check_config(remote)
        fates: dict[str, Pushed] = {}
        for some in _slices(items, _CHUNK):
            there = self._tasks_by_key(remote, [item.key for item in some])
            fates |= {key: Pushed(key, str(task), Fate.EXISTING) for key, task in there.items()}
            missing = {item.key: item for item in some if item.key not in there}
            fates |= self._import(remote, list(missing.values()))
        return [fates[item.key] for item in items]

    def rerank(self, remote: Remote, ranked: Sequence[Ranked], version: str) -> None:
        """Have the tool ask for these tasks in this order, before all others."""
        visible = bool(remote.facts["suggestions"])
        placed = sorted(ranked, key=lambda one: one.rank)
        reading = self._reading(remote)
        texts = self._texts(remote, placed) if visible and reading.task is Task.TOKENS else {}
        predictions = [
            {
                "task": int(one.task),
                "score": place / len(placed),
                "result": reading.result(one.suggestion, texts.get(one.task, "")) if visible else [],
            }
            for place, one in enumerate(placed)
        ]
        order.set_order(self._client, remote.id, predictions, version, visible=visible)

    def withdraw(self, remote: Remote, tasks: Sequence[str]) -> dict[str, Withdrawn]:
        """Take tasks back that nobody has answered; what became of each."""
        fates = dict.fromkeys(tasks, Withdrawn.GONE)
        for some in _slices([task for task in fates if _is_id(task)], _IDS):
            there = self._listed(remote, some)
            fates |= {str(one["id"]): Withdrawn.KEPT for one in there if key_of(one) is None}
            ours = [one for one in there if key_of(one) is not None]
            free = [one["id"] for one in ours if not one["annotations"]]
            self._client.delete_tasks(remote.id, free, _UNANSWERED)
            # Somebody may have answered between the two calls; such a task was passed over.
            left = {one["id"] for one in self._listed(remote, map(str, free))} if free else set()
            kept = [one["id"] for one in ours if one["annotations"]] + sorted(left)
            fates |= {str(one): Withdrawn.ANSWERED for one in kept}
        return fates

    def poll(self, remote: Remote, cursor: Json | None) -> Changes:
        """Tell every task that changed since the cursor, whole; `None`: since ever."""
        page = self._client.tasks(remote.id, filters=since.filters(cursor), order=since.order(cursor))
        following, more = since.following(cursor, page)
        return Changes(self._seen(remote, page.tasks), following, more)

    def read(self, remote: Remote, tasks: Sequence[str]) -> list[Seen]:
        """Read these tasks whole; one that is not there has `exists` False."""
        wanted = list(dict.fromkeys(tasks))
        found: dict[str, Seen] = {}
        for some in _slices([task for task in wanted if _is_id(task)], _IDS):
            found |= {one.task: one for one in self._seen(remote, self._listed(remote, some))}
        return [found.get(task) or Seen(task, None, exists=False) for task in wanted]

    def task_of(self, remote: Remote, annotations: Sequence[str]) -> list[str]:
        """The tasks these annotations belong to; annotations that are not there are left out."""
        found: dict[str, None] = {}
        for some in _slices([one for one in dict.fromkeys(annotations) if _is_id(one)], _IDS):
            asked = where("annotations_ids", "contains", "String", " ".join(some))
            page = self._client.tasks(remote.id, filters=[asked], size=_IDS, fields="id")
            found |= dict.fromkeys(str(task["id"]) for task in page.tasks)
        return list(found)

    def everything(self, remote: Remote) -> Iterator[Sequence[Seen]]:
        """Every task of the remote project, whole, page by page, by id: none is missed however many go meanwhile."""
        last = 0
        while True:
            page = self._client.tasks(remote.id, filters=[where("id", "greater", "Number", last)])
            if page.tasks:
                yield self._seen(remote, page.tasks)
                last = page.tasks[-1]["id"]
            if page.total <= len(page.tasks):
                return
            if not page.tasks:
                raise ToolMisbehaves(f"Label Studio says that there are {page.total} tasks and lists none")

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _reading(self, remote: Remote) -> Reading:
        facts = remote.facts
        return Reading(Task(facts["task"]), Control.told(facts["control"]), self._settings.aliases)

    def _seen(self, remote: Remote, tasks: Sequence[Json]) -> tuple[Seen, ...]:
        reading = self._reading(remote)
        return tuple(seen(task, reading, self._named) for task in tasks)

    def _listed(self, remote: Remote, tasks: Sequence[str] | Iterator[str]) -> list[Json]:
        ids = [int(task) for task in tasks]
        return self._client.tasks(remote.id, ids=ids, size=_IDS).tasks

    def _texts(self, remote: Remote, ranked: Sequence[Ranked]) -> dict[str, str]:
        """What the tasks with spans to show say: a span is written with the text it marks."""
        asked = [one.task for one in ranked if one.suggestion]
        return {
            one.task: one.text or ""
            for some in _slices(asked, _IDS)
            for one in self._seen(remote, self._listed(remote, some))
        }

    def _check_config(self, remote: Remote) -> None:
        """Where the field is not shown any more every item would be refused, and through no fault of its own."""
        control = Control.told(remote.facts["control"])
        there = control.found_in(str(self._client.project(remote.id).get("label_config") or ""))
        if there is None or there.data_key != control.data_key:
            raise SchemaUnfit(
                f"the labeling configuration of project {remote.id} changed: {control.from_name!r} is not there any "
                f"more, or does not show ${control.data_key}",
                remedy="put it back in the project's settings in Label Studio, or connect again",
            )

    def _tasks_by_key(self, remote: Remote, keys: Sequence[str]) -> dict[str, int]:
        """{key: task} of those that are there. Where one was imported twice it is one of its tasks; the others go."""
        found: dict[str, list[Json]] = defaultdict(list)
        for some in _by_bytes(keys):
            asked = where(f"data.{KEY}", "in_list", "List", some)
            last, total = 0, 1
            while total:
                past = where("id", "greater", "Number", last)
                page = self._client.tasks(remote.id, filters=[asked, past])
                for task in page.tasks:
                    found[key_of(task) or ""].append(task)
                    last = task["id"]
                total = page.total - len(page.tasks) if page.tasks else 0
        return {key: self._one_of(remote, tasks) for key, tasks in found.items()}

    def _one_of(self, remote: Remote, tasks: list[Json]) -> int:
        """The task of a key: one that is answered before one that is not, the oldest of these."""
        best, *others = sorted(tasks, key=lambda task: (not task["annotations"], task["id"]))
        self._client.delete_tasks(remote.id, [task["id"] for task in others], _UNANSWERED)
        return int(best["id"])

    def _import(self, remote: Remote, items: Sequence[Outgoing]) -> dict[str, Pushed]:
        """Import; where Label Studio declines, halves are tried until it is one item, which it will never take."""
        if not items:
            return {}
        key = Control.told(remote.facts["control"]).data_key
        try:
            ids = self._client.import_tasks(remote.id, [task_of_item(item, key) for item in items])
        except Declined as declined:
            if len(items) == 1:
                reason = str(declined.facts.get("reason") or declined.message)
                return {items[0].key: Pushed(items[0].key, None, Fate.REJECTED, reason)}
            half = len(items) // 2
            return self._import(remote, items[:half]) | self._import(remote, items[half:])
        return {item.key: Pushed(item.key, str(one), Fate.CREATED) for item, one in zip(items, ids, strict=True)}


def _slices(values: Sequence[_One], size: int) -> Iterator[Sequence[_One]]:
    for first in range(0, len(values), size):
        yield values[first : first + size]


def _by_bytes(keys: Sequence[str]) -> Iterator[list[str]]:
    """Keys in runs that fit an address."""
    run: list[str] = []
    size = 0
    for key in dict.fromkeys(keys):
        more = len(quote(json.dumps(key, ensure_ascii=False))) + 3
        if run and size + more > _KEY_BYTES:
            yield run
            run, size = [], 0
        run.append(key)
        size += more
    if run:
        yield run


def _is_id(told: str) -> bool:
    return told.isascii() and told.isdigit() and len(told) < 19
