"""Label Studio's connector keeps every promise of the contract, on the real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from label_studio.between import Line, line_to, mailbox
from label_studio.people import Person
from label_studio.server import LabelStudio
from tithe.connectors.contract import ConnectorContract, Hook
from tithe.connectors.label_studio import KIND
from tithe.connectors.outside import Outside
from tithe.connectors.protocol import Connector, Schema
from tithe.contracts.projects import Task

SCHEMAS = {
    Task.TEXT: Schema("Mail", Task.TEXT, ("ham", "späm 🥫", "a/b & c"), 1, suggestions=False),
    Task.MULTILABEL: Schema("Mail", Task.MULTILABEL, ("ham", "späm 🥫", '"c"'), 2, suggestions=False),
    Task.TOKENS: Schema("Names", Task.TOKENS, ("PER", "LOC"), 1, suggestions=True),
}


class LabelStudioUnderTest:
    """See :class:`~tithe.connectors.contract.ToolUnderTest`."""

    kind = KIND
    hook_secret = "s3cret"
    refused_text = None  # it takes every text

    def __init__(self, studio: LabelStudio, line: Line, task: Task) -> None:
        self.studio, self.line = studio, line
        self.schema = SCHEMAS[task]
        self.settings = KIND.settings.model_validate({"url": line.url})
        for one in self._projects():
            studio.api.delete(f"/api/projects/{one['id']}/").raise_for_status()
        self.come_back()

    def open(self, *, wrong_secret: bool = False) -> Connector:
        token = "f" * 40 if wrong_secret else self.studio.personal_token()
        return KIND.open(self.settings, token, Outside(allowed=("127.0.0.1",)))

    def projects(self) -> int:
        return len(self._projects())

    def tasks(self) -> set[str]:
        told = [self.studio.api.get("/api/tasks/", params={"project": one["id"]}).json() for one in self._projects()]
        return {str(task["id"]) for one in told for task in one["tasks"]}

    def shown(self, task: str) -> str:
        return self._task(task)["data"]["text"]

    def label(self, task: str, annotator: str, value: Any) -> None:
        self._person(annotator).annotate(task, value)

    def skip(self, task: str, annotator: str) -> None:
        self._person(annotator).skip(task)

    def nonsense(self, task: str, annotator: str) -> bool:
        span = {"start": 0, "end": 10_000, "label": "PER"}
        value = [span] if self.schema.task is Task.TOKENS else []
        if self.schema.task is Task.MULTILABEL:
            return False  # there whatever is chosen is a label, or none of the schema
        self._person(annotator).annotate(task, value)
        return True

    def edit(self, task: str, annotator: str, value: Any) -> None:
        self._person(annotator).edit(self._annotation(task, annotator), value)

    def delete_annotation(self, task: str, annotator: str) -> None:
        self._person(annotator).delete(self._annotation(task, annotator))

    def delete_task(self, task: str) -> None:
        self.studio.admin.delete_task(task)

    def delete_project(self) -> None:
        (project,) = self._projects()
        self.studio.api.delete(f"/api/projects/{project['id']}/").raise_for_status()

    def served(self, annotator: str, n: int) -> list[str]:
        (project,) = self._projects()
        value = [] if self.schema.task is not Task.TEXT else "ham"
        asked = self._person(annotator).label(project["id"], lambda _: value, n)
        return [str(task["id"]) for task in asked]

    def go_down(self) -> None:
        self.line.down = True

    def lose_answer(self, after: int) -> bool:
        self.line.lose = after
        return True

    def come_back(self) -> None:
        self.line.down, self.line.lose = False, None

    def hook(self, task: str) -> Hook:
        """What Label Studio really posts when the task's annotation is saved again."""
        project = self._task(task)["project"]
        with mailbox() as (url, came):
            hook = {"project": project, "url": url, "headers": {"X-Tithe-Secret": self.hook_secret}}
            made = self.studio.api.post("/api/webhooks/", json=hook).json()
            annotations = self._task(task)["annotations"]
            if annotations:
                self.studio.api.patch(f"/api/annotations/{annotations[0]['id']}/", json={"lead_time": 1.0})
            else:
                self._person("ada").skip(task)
            until = time.monotonic() + 10
            while not came and time.monotonic() < until:
                time.sleep(0.02)
            self.studio.api.delete(f"/api/webhooks/{made['id']}/").raise_for_status()
        return came[0]

    def foreign_hook(self, _: str) -> Hook | None:
        return None  # which project Tithe made is not in the settings; tests of hooks.parse cover one that is

    def _projects(self) -> list[dict[str, Any]]:
        return self.studio.api.get("/api/projects/", params={"page_size": 100}).json()["results"]

    def _task(self, task: str) -> dict[str, Any]:
        return self.studio.api.get(f"/api/tasks/{task}/").json()

    def _annotation(self, task: str, annotator: str) -> int:
        email = self._person(annotator).email
        return next(one["id"] for one in self._task(task)["annotations"] if one["completed_by"]["email"] == email)

    def _person(self, annotator: str) -> Person:
        return self.studio.user(f"{annotator}@tithe.example")


@pytest.fixture(scope="module")
def line(studio: LabelStudio) -> Iterator[Line]:
    with line_to(studio.url) as line:
        yield line


class TestLabelStudio(ConnectorContract):
    @pytest.fixture(params=[Task.TEXT, Task.MULTILABEL, Task.TOKENS])
    def tool(self, studio: LabelStudio, line: Line, request: pytest.FixtureRequest) -> LabelStudioUnderTest:
        return LabelStudioUnderTest(studio, line, request.param)
