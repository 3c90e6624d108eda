"""A whole Tithe beside a real Label Studio: what the walks through both share."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from label_studio.people import Person
from label_studio.server import LabelStudio
from tithe.embedded.stack import Stack, StackOptions
from tithe.storage import checks
from tithe.storage.database import Database
from tithe.storage.migrate import migrate

TOPICS = {
    "sport": "match goal team coach league striker",
    "money": "bank share market profit tax loan",
    "health": "doctor nurse vaccine ward fever clinic",
}
SETTINGS = {
    "TITHE_CONNECT_ALLOW": "127.0.0.1",
    "TITHE_CONNECTOR_GRACE_SECONDS": "15",
    "TITHE_CONNECTOR_RECONCILE_SECONDS": "10",
    "TITHE_BLOCK_ROWS": "300",
}


def texts(count: int, seed: int) -> dict[str, str]:
    """{text: its topic}, every text once."""
    chance = random.Random(seed)
    made = {}
    for number in range(count):
        topic = chance.choice(list(TOPICS))
        made[f"{' '.join(chance.sample(TOPICS[topic].split(), 3))} {seed}-{number} 😀"] = topic
    return made


@contextmanager
def whole_tithe(folder: Path) -> Iterator[Stack]:
    """Every process of it, on durable servers of its own."""
    options = StackOptions(data=folder, scorers=1, flower=False, env=SETTINGS)
    with Stack(options, migrate=lambda url: migrate(url) and None) as running:
        running.start()
        yield running


def until(happens: Callable[[], Any], seconds: float = 90.0, what: str = "it") -> Any:
    """Wait for something that is true in the end; what it was."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := happens():
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what} did not happen in {seconds:g} s")


@dataclass
class Walk:
    """One project, connected."""

    stack: Stack
    studio: LabelStudio
    http: httpx.Client
    project: str
    truth: dict[str, str]
    name: str = "studio"
    said: dict[tuple[str, str], Any] = field(
        default_factory=dict
    )  #: (text, annotator) → what stands, as people meant it

    @classmethod
    @contextmanager
    def begun(
        cls, stack: Stack, studio: LabelStudio, *, items: int = 150, seed: int = 1, hooks_url: str | None = None,
        secret: str | None = None, settings: dict[str, Any] | None = None, **spec: Any,
    ) -> Iterator[Walk]:  # fmt: skip
        """A project with texts of three topics, connected and healthy."""
        with httpx.Client(base_url=stack.endpoints.gateway_url, timeout=60) as http:
            fields = {"batch_size": 5, "retrain_every": 15, "encoder": "hashing", "labels": list(TOPICS)} | spec
            made = _read(
                http.post("/v1/projects", json={"name": f"walk {seed}", "task": "text_classification"} | fields)
            )
            walk = cls(stack, studio, http, made["id"], texts(items, seed))
            lines = [{"id": f"i{n}", "text": text} for n, text in enumerate(walk.truth)]
            _read(http.post(walk.at("items"), content="\n".join(map(json.dumps, lines)), headers=_NDJSON))
            until(
                lambda: walk.status()["counts"]["queued"] > 0 if "queued" in walk.status()["counts"] else walk.ranked()
            )
            told = {"url": studio.url, "window": 20, "poll_seconds": 2, "hooks_url": hooks_url} | (settings or {})
            asked = {
                "kind": "label-studio",
                "name": "studio",
                "settings": told,
                "secret": secret or studio.legacy_token,
            }
            _read(http.post(walk.at("connectors"), json=asked))
            until(lambda: walk.look()["state"] == "healthy" and walk.look()["there"] > 0, what="the connection")
            yield walk

    def at(self, path: str) -> str:
        return f"/v1/projects/{self.project}/{path}"

    def status(self) -> Any:
        return _read(self.http.get(self.at("status")))

    def look(self) -> Any:
        return _read(self.http.get(self.at(f"connectors/{self.name}")))

    def ranked(self) -> bool:
        return bool(
            self.sql("SELECT 1 FROM ready r JOIN progress p USING (project_id) WHERE p.project_id = %s", self.project)
        )

    @property
    def remote(self) -> int:
        """Label Studio's project."""
        return int(self.sql("SELECT remote ->> 'id' FROM connectors WHERE project_id = %s", self.project)[0][0])

    def sql(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with Database(self.stack.endpoints.database_url, connections=1) as database, database.unit() as unit:
            return unit.connection.execute(query, values).fetchall()

    def export(self) -> dict[tuple[str, str], Any]:
        """(text, annotator) → label of everything that stands."""
        lines = self.http.get(self.at("export")).text.splitlines()
        found = Counter()
        labels = {}
        for line in map(json.loads, lines):
            found[line["text"], line["annotator"]] += 1
            labels[line["text"], line["annotator"]] = line["label"]
        assert max(found.values(), default=1) == 1, "something counts twice"
        return labels

    def labels(self, person: Person, count: int) -> None:
        """They answer what the queue gives, with the truth."""
        for task in person.label(self.remote, self.answer, count):
            self.said[task["data"]["text"], person.email] = self.truth[task["data"]["text"]]

    def answer(self, task: dict[str, Any]) -> str:
        return self.truth[task["data"]["text"]]

    def settled(self) -> None:
        """Everything that was said has arrived, once, and nothing else has; and all invariants hold."""
        until(lambda: self.export() == self.said, what=f"{len(self.said)} labels ({_short(self)})")
        until(lambda: self.status()["round"] is None, what="the end of the round")
        self.clean()

    def clean(self) -> None:
        """`tithe check`."""
        with Database(self.stack.endpoints.database_url, connections=1) as database:
            assert database.run(lambda unit: checks.check(unit, patience_seconds=30)) == []

    def best(self) -> str:
        """The text that the newest round ranks first, of those nobody else holds or has answered."""
        return self.sql(
            "SELECT i.text FROM ready r JOIN progress p USING (project_id) JOIN items i USING (project_id, ordinal)"
            " WHERE p.project_id = %s AND r.round_id = p.current_round AND NOT EXISTS (SELECT FROM leases l"
            "   WHERE l.project_id = r.project_id AND l.ordinal = r.ordinal AND (l.state IN ('done', 'skipped')"
            "     OR (l.state = 'active' AND NOT l.annotator LIKE '@%%')))"
            " ORDER BY r.rank LIMIT 1", self.project,
        )[0][0]  # fmt: skip

    def told_order(self) -> None:
        """Label Studio has the order of the newest round."""
        until(
            lambda: self.sql(
                "SELECT 1 FROM connectors c JOIN progress p USING (project_id) WHERE c.project_id = %s"
                " AND c.ordered_round = p.current_round", self.project,
            ), what="the newest order",
        )  # fmt: skip


class Clumsy:
    """A way for hooks that doubles and shuffles them, and loses some."""

    def __init__(self, target: str) -> None:
        self.target, self.seen, self.lost = target, 0, 0
        self._chance = random.Random(5)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length")}
                self.send_response(200)
                self.end_headers()
                outer.seen += 1
                if outer._chance.random() < 0.2:
                    outer.lost += 1
                    return
                for _ in range(2):
                    threading.Timer(outer._chance.uniform(0, 1.5), outer._pass_on, (self.path, headers, body)).start()

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _pass_on(self, path: str, headers: dict[str, str], body: bytes) -> None:
        answer = httpx.post(self.target + path, headers=headers, content=body, timeout=10)
        assert answer.is_success, answer.text


_NDJSON = {"Content-Type": "application/x-ndjson"}


def _read(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:800]}"
    return answer.json() if answer.content else None


def _short(walk: Walk) -> str:
    have = walk.export()
    missing = [key for key in walk.said if key not in have]
    extra = [key for key in have if key not in walk.said]
    wrong = [key for key in have if key in walk.said and have[key] != walk.said[key]]
    return f"missing {missing[:3]}, extra {extra[:3]}, wrong {wrong[:3]}"
