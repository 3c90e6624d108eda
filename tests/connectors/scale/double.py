"""A double of Scale on loopback: its v1 interface, what its people do, and every fault on demand.

It speaks as the public documentation says and as the vendor's own client understands: test_double.py has that client
use it.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

KEY = "live_abc"
CALLBACK_KEY = "callback-key-of-the-account"


class Says(Exception):
    """An error answer."""

    def __init__(self, status: int, error: str, **headers: str) -> None:
        self.status, self.error, self.headers = status, error, headers


class Scale:
    """All that Scale holds, and what befalls it."""

    def __init__(self) -> None:
        self.projects: dict[str, dict[str, Any]] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.tasks: dict[str, dict[str, Any]] = {}
        self.finalized: list[str] = []  # every time a batch was
        self.requests: list[tuple[str, str]] = []
        self.started: set[str] = set()  # tasks somebody works on
        self.page_size = 100
        self.down = False
        self.faults: list[Says] = []  # for the next requests
        self.lose: int | None = None  # after so many requests one's answer is lost, and Scale is down
        self.hangs: dict[str, float] = {}  # path: seconds until its answer is sent
        self._ids = itertools.count(1)
        self._ahead = timedelta()
        self._last = datetime.now(UTC)
        self._lock = threading.Lock()

    # ---- its clock ----

    def pass_time(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)

    def now(self) -> datetime:
        """Never twice the same."""
        self._last = max(self._last + timedelta(microseconds=1), datetime.now(UTC) + self._ahead)
        return self._last

    def stamp(self) -> str:
        return self.now().isoformat().replace("+00:00", "Z")

    # ---- its people ----

    def touch(self, task_id: str, **changes: Any) -> None:
        self.tasks[task_id] |= changes | {"updated_at": self.stamp()}

    def complete(self, task_id: str, response: Any) -> None:
        self.touch(task_id, status="completed", response=response, completed_at=self.stamp())

    def choose(self, task_id: str, *values: Any) -> None:
        answered = {"type": "category", "field_id": "label", "response": [list(values)]}
        self.complete(task_id, {"annotations": {"label": answered}})

    def recall(self, task_id: str) -> None:
        self.touch(task_id, status="pending", response=None, completed_at=None)

    def callback(self, task_id: str) -> tuple[dict[str, str], bytes]:
        """What Scale posts of a task as it is now."""
        task = self.tasks[task_id]
        body = {"task": task, "response": task.get("response"), "task_id": task_id}
        return {"scale-callback-auth": CALLBACK_KEY, "content-type": "application/json"}, json.dumps(body).encode()

    # ---- its interface ----

    def answer(self, method: str, path: str, request: Request, body: Any) -> Response:
        with self._lock:
            self.requests.append((method, path))
            try:
                self._befall()
                told = self._routed(method, path, request, body)
                if self.lose == 0:
                    self.down, self.lose = True, None
                    raise Says(504, "the answer was lost", **{"Retry-After": "60"})
                if self.lose is not None:
                    self.lose -= 1
            except Says as said:
                return JSONResponse(
                    {"status_code": said.status, "error": said.error}, said.status, self._headers(said.headers)
                )
            return JSONResponse(told, headers=self._headers({}))

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        return {"Date": format_datetime(self.now(), usegmt=True), **more}

    def _befall(self) -> None:
        if self.down:
            raise Says(503, "away", **{"Retry-After": "60"})
        if self.faults:
            raise self.faults.pop(0)

    def _routed(self, method: str, path: str, request: Request, body: Any) -> Any:
        if request.headers.get("authorization") != "Basic " + base64.b64encode(f"{KEY}:".encode()).decode():
            raise Says(401, "No valid API key provided.")
        for verb, pattern, handler in ROUTES:
            if verb == method and (found := re.fullmatch(f"/v1/{pattern}", path)):
                return handler(self, request, body, *map(unquote, found.groups()))
        raise Says(404, "The requested resource doesn't exist.")

    def _batch_list(self, project: str) -> Any:
        docs = [one for one in self.batches.values() if one["project"] == project]
        return {"docs": docs, "totalDocs": len(docs), "limit": 100, "offset": 0, "has_more": False}

    def _counts(self, name: str) -> Any:
        inside = [task["status"] for task in self.tasks.values() if task["batch"] == name]
        return {"status": self._of(self.batches, name)["status"]} | {one: inside.count(one) for one in set(inside)}

    def _audit(self, task_id: str, body: Any) -> Any:
        self._of(self.tasks, task_id)
        self.touch(task_id, customer_review_status="accepted" if body["accepted"] else "rejected")
        return {}

    def _set_metadata(self, task_id: str, body: Any) -> Any:
        self._of(self.tasks, task_id)
        self.touch(task_id, metadata=body)
        return self.tasks[task_id]

    @staticmethod
    def _of(things: dict[str, Any], name: str) -> Any:
        if name not in things:
            raise Says(404, "The requested resource doesn't exist.")
        return things[name]

    def _make_project(self, body: Any) -> Any:
        if body["name"] in self.projects:
            raise Says(409, "Project already exists")
        params = {"version": 0, "created_at": self.stamp(), **(body.get("params") or {})}
        self.projects[body["name"]] = {
            "name": body["name"],
            "type": body["type"],
            "created_at": self.stamp(),
            "param_history": [params],
        }
        return self.projects[body["name"]]

    def _make_batch(self, body: Any) -> Any:
        self._of(self.projects, body["project"])
        if body["name"] in self.batches:
            raise Says(409, "Batch already exists")
        told = {name: body[name] for name in ("name", "project", "callback", "metadata")}
        self.batches[body["name"]] = told | {"status": "staging", "created_at": self.stamp()}
        return self.batches[body["name"]]

    def _finalize(self, name: str) -> Any:
        batch = self._of(self.batches, name)
        if batch["status"] != "staging":
            raise Says(400, "You can only finalize batches that are in staging")
        batch["status"] = "in_progress"
        self.finalized.append(name)
        return batch

    def _make_task(self, kind: str, body: Any) -> Any:
        project, batch = self._of(self.projects, body["project"]), self._of(self.batches, body["batch"])
        fault = _fault(kind, body)
        if project["type"] != kind:
            fault = f"the project is of type {project['type']}"
        if batch["status"] != "staging":
            fault = "the batch is finalized"
        if fault:
            raise Says(400, fault)
        unique = body.get("unique_id")
        if unique and any(task["unique_id"] == unique for task in self.tasks.values()):
            raise Says(409, "A task with this unique_id already exists")
        known = ("project", "batch", "instruction", "metadata", "unique_id", "callback_url")
        task_id = f"{next(self._ids):024x}"
        self.tasks[task_id] = {
            "task_id": task_id,
            "type": kind,
            "status": "pending",
            "created_at": self.stamp(),
            "updated_at": self.stamp(),
            **{name: body.get(name) for name in known},
            "metadata": body.get("metadata") or {},
            "params": {name: given for name, given in body.items() if name not in known},
        }
        return self.tasks[task_id]

    def _cancel(self, task_id: str, request: Request) -> Any:
        task = self._of(self.tasks, task_id)
        clear = request.query_params.get("clear_unique_id") == "true"
        if task["status"] != "pending" or task_id in self.started:
            raise Says(400, "only tasks that nobody works on can be canceled")
        self.touch(task_id, status="canceled", **({"unique_id": None} if clear else {}))
        return task

    def _list(self, request: Request) -> Any:
        query = request.query_params
        self._of(self.projects, query["project"])
        found = [task for task in self.tasks.values() if task["project"] == query["project"]][::-1]
        if "unique_id" in query:
            found = [task for task in found if task["unique_id"] in query.getlist("unique_id")]
        for name in ("batch", "status", "type"):
            if name in query:
                found = [task for task in found if task[name] == query[name]]
        if "updated_after" in query:
            after = datetime.fromisoformat(query["updated_after"])
            after = after if after.tzinfo else after.replace(tzinfo=UTC)
            found = [task for task in found if datetime.fromisoformat(task["updated_at"]) > after]
        total = len(found)
        if token := query.get("next_token"):
            if not token.startswith("below-"):
                raise Says(400, "unknown next_token")
            found = [task for task in found if task["task_id"] < token.removeprefix("below-")]
        limit = min(int(query.get("limit", 100)), self.page_size)
        page, more = found[:limit], len(found) > limit
        token = {"next_token": f"below-{page[-1]['task_id']}"} if more else {}
        return {"docs": page, "total": total, "limit": limit, "offset": 0, "has_more": more, **token}


def _fault(kind: str, body: Any) -> str | None:
    """What is wrong with a task, by the documentation of its type."""
    if kind == "namedentityrecognition":
        ok = "\x00" not in body.get("text", "\x00") and all(
            {"name", "description"} <= set(one) for one in body["labels"]
        )
        return None if ok else "text and labels are required"
    if kind != "textcollection":
        return "unknown type"
    texts = [one["content"] for one in body.get("attachments") or () if one.get("type") == "text"]
    if not texts or not all(texts) or any("\x00" in text for text in texts):
        return "attachments: content is not valid"
    for one in body.get("fields") or ():
        choices, most = one.get("choices") or (), one.get("max_choices", 1)
        if one["type"] != "category" or not one["field_id"] or not 1 <= one.get("min_choices", 1) <= most:
            return "fields: not valid"
        if not choices or most > len(choices) or not all({"label", "value"} <= set(choice) for choice in choices):
            return "choices: not valid"
    return None if body.get("fields") else "fields are required"


#: Method, path below /v1, and what answers: it is given the double, the request, its body, and the path's names.
ROUTES: list[tuple[str, str, Callable[..., Any]]] = [
    ("GET", "projects", lambda scale, *_: list(scale.projects.values())),
    ("POST", "projects", lambda scale, _, body: scale._make_project(body)),
    ("GET", "projects/([^/]+)", lambda scale, _, __, name: scale._of(scale.projects, name)),
    ("GET", "batches", lambda scale, request, _: scale._batch_list(request.query_params["project"])),
    ("POST", "batches", lambda scale, _, body: scale._make_batch(body)),
    ("GET", "batches/([^/]+)", lambda scale, _, __, name: scale._of(scale.batches, name)),
    ("POST", "batches/([^/]+)/finalize", lambda scale, _, __, name: scale._finalize(name)),
    ("GET", "batches/([^/]+)/status", lambda scale, _, __, name: scale._counts(name)),
    ("GET", "tasks", lambda scale, request, _: scale._list(request)),
    ("GET", "task/([^/]+)", lambda scale, _, __, task: scale._of(scale.tasks, task)),
    ("POST", "task/([^/]+)/cancel", lambda scale, request, _, task: scale._cancel(task, request)),
    ("POST", "task/([^/]+)/audit", lambda scale, _, body, task: scale._audit(task, body)),
    ("POST", "task/([^/]+)/setMetadata", lambda scale, _, body, task: scale._set_metadata(task, body)),
    ("POST", "task/([^/]+)", lambda scale, _, body, kind: scale._make_task(kind, body)),
]


def application(scale: Scale) -> Starlette:
    async def every(request: Request) -> Response:
        raw = await request.body()
        body = json.loads(raw) if raw else None
        path = request.scope["raw_path"].decode().partition("?")[0]

        def answered() -> Response:
            answer = scale.answer(request.method, path, request, body)
            time.sleep(scale.hangs.get(path, 0.0))
            return answer

        return await run_in_threadpool(answered)

    return Starlette(routes=[Route("/{rest:path}", every, methods=["GET", "POST", "PUT", "DELETE"])])


@contextmanager
def running(scale: Scale) -> Iterator[str]:
    """The double, served on loopback; its address, as the setting `url` wants it."""
    config = uvicorn.Config(
        application(scale), host="127.0.0.1", port=0, log_level="error", date_header=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = True
        thread.join(5)
