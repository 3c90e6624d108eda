"""A real Chromium before the whole real stack; people sign in as people do."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tithe.embedded.options import StackOptions
from tithe.embedded.stack import Stack
from tithe.loop import people
from tithe.storage.database import Database
from tithe.storage.migrate import migrate

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make setup does it")
CHROMIUM = os.environ.get("TITHE_CHROMIUM", "")
PASSWORD = "seven green umbrellas"
WORDS = [
    "ada",
    "bought",
    "green",
    "apples",
    "from",
    "the",
    "market",
    "in",
    "Łódź",
    "😀",
    "and",
    "paid",
    "with",
    "seven",
    "silver",
    "coins",
]
_NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if not CHROMIUM:
        pytest.skip("TITHE_CHROMIUM names no browser: make test-browser does, where a Chromium is installed")
    options = StackOptions(
        tmp_path_factory.mktemp("browser"), scorers=1, flower=False, durable=False, env={"TITHE_OPEN_LOOPBACK": "false"}
    )
    with Stack(options, migrate=lambda url: migrate(url) and None) as running:
        running.start()
        yield running


@dataclass
class World:
    """The server, its admin, and browsers before it."""

    url: str
    database_url: str
    browser: Any
    admin: httpx.Client
    complaints: list[str] = field(default_factory=list)  #: of any page: errors, and what the policy forbade
    _people: dict[str, None] = field(default_factory=dict)

    def project(self, items: int = 260, **spec: Any) -> str:
        """A project with a pool, ranked; its id."""
        spec = {"name": f"p{random.random()}", "task": "text_classification", "labels": ["ham", "spam", "eggs"],
                "batch_size": 10, "retrain_every": 25, "encoder": "hashing"} | spec  # fmt: skip
        if spec["task"] == "vector_classification":
            del spec["encoder"]
        made = self.admin.post("/v1/projects", json=spec)
        assert made.is_success, made.text
        at = made.json()["id"]
        chance = random.Random(at)
        lines = []
        for n in range(items):
            text = " ".join(chance.sample(WORDS, 7)) + f" {n}"
            line: dict[str, Any] = {"id": f"i{n}", "text": text}
            if spec["task"] == "vector_classification":
                line = {
                    "id": f"i{n}",
                    "vector": [chance.random() for _ in range(6)],
                    "meta": {"weight": n, "name": text},
                }
            lines.append(json.dumps(line))
        if not lines:
            return at
        taken = self.admin.post(f"/v1/projects/{at}/items", content="\n".join(lines), headers=_NDJSON)
        assert taken.json()["accepted"] == items, taken.text
        return at

    def person(self, name: str, role: str = "annotator", *projects: str) -> None:
        """An account with a password, a member of these projects."""
        link = self.admin.post("/v1/users", json={"name": name, "role": role}).json()["link"]
        assert httpx.post(self.url + link, json={"password": PASSWORD}).status_code == 204
        for project in projects:
            member = role if role != "admin" else "manager"
            assert self.admin.put(f"/v1/projects/{project}/members/{name}", json={"role": member}).status_code == 204

    def page(self, name: str | None = None, **context: Any) -> Any:
        """A browser of their own, where `name` has signed in by the page."""
        made = self.browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **context})
        page = made.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)
        if name is not None:
            page.goto(f"{self.url}/sign-in")
            page.fill("input[name=name]", name)
            page.fill("input[name=password]", PASSWORD)
            page.click("button[type=submit]")
            page.wait_for_selector("[data-testid=projects]")
        return page

    def _heard(self, message: Any) -> None:
        away = ("Failed to load resource", "ERR_")  # what is away is away: the page says so itself
        if message.type == "error" and not any(one in message.text for one in away):
            self.complaints.append(message.text)

    def answers(self, project: str, annotator: str | None = None) -> list[tuple[str, str, Any]]:
        """(item, kind, value) of what stands."""
        with Database(self.database_url, connections=1) as database, database.unit() as unit:
            found = unit.connection.execute(
                "SELECT i.external_id, a.kind, a.value, a.annotator FROM answers a"
                " JOIN items i USING (project_id, ordinal)"
                " WHERE a.project_id = %s AND a.state = 'counted'"
                " AND NOT EXISTS (SELECT FROM answers n WHERE n.replaces = a.id) ORDER BY a.seq",
                (project,),
            ).fetchall()
        return [(item, kind, value) for item, kind, value, who in found if annotator in (None, who)]


@pytest.fixture(scope="session")
def browser(stack: Stack) -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def root(stack: Stack) -> str:
    """The key of an admin, made as `tithe user` and `tithe key` make them: by the database."""
    with Database(stack.endpoints.database_url, connections=1) as database:

        def work(unit: Any) -> str:
            made, _ = people.add(unit, "root", "admin", "test")
            return people.add_key(unit, made, "root", "test", 1)[0]

        return database.run(work)


@pytest.fixture
def world(stack: Stack, browser: Any, root: str) -> Iterator[World]:
    endpoints = stack.endpoints
    headers = {"Authorization": f"Bearer {root}"}
    with httpx.Client(base_url=endpoints.gateway_url, headers=headers, timeout=60) as admin:
        made = World(endpoints.gateway_url, endpoints.database_url, browser, admin)
        yield made
        for context in browser.contexts:
            context.close()
    assert made.complaints == []


@pytest.fixture
def until() -> Callable[..., Any]:
    """Wait for something that is true in the end."""
    import time

    def wait(happens: Callable[[], Any], seconds: float = 40.0) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := happens():
                return found
            time.sleep(0.1)
        raise AssertionError(f"not in {seconds:g} s")

    return wait
