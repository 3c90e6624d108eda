"""The double of Scale as the contract suite uses it."""

from __future__ import annotations

import json
from typing import Any

from connectors.scale.double import CALLBACK_KEY, KEY, Scale
from tithe.connectors.outside import Outside
from tithe.connectors.protocol import Connector, Schema
from tithe.connectors.scale.kind import KIND
from tithe.connectors.scale.mapping import NONE
from tithe.connectors.scale.settings import ScaleSettings
from tithe.contracts.projects import Task

LOOPBACK = Outside(allowed=("127.0.0.0/8",), timeout_seconds=5.0)
SCHEMAS = {
    Task.TEXT: Schema("Mail", Task.TEXT, ("ham", "späm 🥫", "a/b & c"), 1, suggestions=False),
    Task.MULTILABEL: Schema("Mail", Task.MULTILABEL, ("ham", "späm 🥫", "a/b & c"), 1, suggestions=False),
    Task.TOKENS: Schema("Names", Task.TOKENS, ("PER", "LOC"), 1, suggestions=False),
}


def settings_for(url: str, **more: Any) -> ScaleSettings:
    return ScaleSettings(**{"project": "mail / all", "url": url, "requests_per_second": 10_000, "ner": True} | more)


class ScaleUnderTest:
    """See :class:`~tithe.connectors.contract.ToolUnderTest`."""

    kind = KIND
    hook_secret = CALLBACK_KEY
    refused_text = "not \x00 text"

    def __init__(self, scale: Scale, url: str, task: Task) -> None:
        self.scale = scale
        self.schema = SCHEMAS[task]
        self.settings = settings_for(url)

    def open(self, *, wrong_secret: bool = False) -> Connector:
        return KIND.open(self.settings, "live_wrong" if wrong_secret else KEY, LOOPBACK)

    def projects(self) -> int:
        return len(self.scale.projects)

    def tasks(self) -> set[str]:
        return {name for name, task in self.scale.tasks.items() if task["status"] != "canceled"}

    def shown(self, task: str) -> str:
        params = self.scale.tasks[task]["params"]
        return params["text"] if "text" in params else params["attachments"][0]["content"]

    def label(self, task: str, _: str, value: Any) -> None:
        if self.schema.task is Task.TOKENS:
            self.scale.complete(task, {"annotations": [self._entity(task, **span) for span in value]})
        elif self.schema.task is Task.MULTILABEL:
            self.scale.choose(task, *(value or [NONE]))
        else:
            self.scale.choose(task, value)

    def _entity(self, task: str, start: int, end: int, label: str) -> dict[str, Any]:
        """As a page written in JavaScript would count: UTF-16 units."""
        text = self.shown(task)
        first, stop = (len(text[:at].encode("utf-16-le")) // 2 for at in (start, end))
        return {"start": first, "end": stop, "text": text[start:end], "label": label}

    def nonsense(self, task: str, _: str) -> bool:
        self.scale.complete(task, {"annotations": "🤷"})
        return True

    def edit(self, task: str, annotator: str, value: Any) -> None:
        self.label(task, annotator, value)
        self.scale.touch(task, customer_review_status="fixed")

    def delete_annotation(self, task: str, _: str) -> None:
        self.scale.recall(task)

    def delete_task(self, task: str) -> None:
        self.scale.touch(task, status="canceled")

    def delete_project(self) -> None:
        self.scale.projects.clear()

    def go_down(self) -> None:
        self.scale.down = True

    def lose_answer(self, after: int) -> bool:
        self.scale.lose = after
        return True

    def come_back(self) -> None:
        self.scale.down, self.scale.lose = False, None

    def hook(self, task: str) -> tuple[dict[str, str], bytes]:
        return self.scale.callback(task)

    def foreign_hook(self, task: str) -> tuple[dict[str, str], bytes]:
        headers, body = self.scale.callback(task)
        told = json.loads(body)
        told["task"]["project"] = "somebody else's"
        return headers, json.dumps(told).encode()

    def skip(self, task: str, annotator: str) -> None:
        raise NotImplementedError("nobody can skip at Scale")

    def served(self, annotator: str, n: int) -> list[str]:
        raise NotImplementedError("Scale does not say")
