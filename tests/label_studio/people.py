"""People who label in a real Label Studio: what its page does, through the same calls, in the order of its queue."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

#: What somebody answers to a task; None: they skip it.
Answer = Callable[[dict[str, Any]], Any]


class Person:
    """Somebody signed in with a browser's session."""

    def __init__(self, email: str, http: httpx.Client) -> None:
        self.email = email
        self.http = http
        self._controls: dict[int, tuple[str, dict[str, Any]]] = {}

    @classmethod
    def signed_in(cls, url: str, email: str, password: str, invite_path: str | None = None) -> Self:
        """Sign up by an invitation, or sign in where there is none or the account is there already."""
        http = httpx.Client(base_url=url, timeout=120, headers={"Referer": url}, event_hooks={"request": [_with_csrf]})
        signed = None
        if invite_path is not None:
            path = invite_path.removeprefix(url)
            form = {"email": email, "password": password, "how_find_us": "", "elaborate": ""}
            signed = _send_form(http, "/user/signup/?" + urlsplit(path).query, form)
        if signed is None or signed.status_code != 302:
            signed = _send_form(http, "/user/login/", {"email": email, "password": password})
        assert signed.status_code == 302, f"{email} could not sign in: {signed.status_code}"
        person = cls(email, http)
        assert person.whoami()["email"] == email
        return person

    def whoami(self) -> dict[str, Any]:
        """What Label Studio knows of them."""
        return _read(self.http.get("/api/current-user/whoami"))

    def personal_token(self) -> str:
        """A new personal access token, in place of an older one."""
        for old in _read(self.http.get("/api/token/")):
            self.http.post("/api/token/blacklist/", json={"refresh": old["token"]})
        return str(_read(self.http.post("/api/token/", json={}))["token"])

    def next_task(self, project: int | str) -> dict[str, Any] | None:
        """The task Label Studio asks next, as its page gets it: it is locked for them. None: there is none left."""
        answer = self.http.get(f"/api/projects/{project}/next")
        return None if answer.status_code == 404 else _read(answer)

    def annotate(self, task: dict[str, Any] | int | str, value: Any, *, seconds: float = 1.0) -> dict[str, Any]:
        """Submit an answer in the project's form: a class, classes, spans in code points."""
        whole = self._task(task)
        return self.submit(whole["id"], self.result(whole, value), seconds=seconds)

    def submit(
        self, task: int | str, result: list[dict[str, Any]], *, seconds: float = 1.0, cancelled: bool = False
    ) -> dict[str, Any]:
        """Submit a result as it is, whatever is in it."""
        said = {"result": result, "lead_time": seconds, "was_cancelled": cancelled}
        return _read(self.http.post(f"/api/tasks/{task}/annotations/", json=said))

    def skip(self, task: dict[str, Any] | int | str) -> dict[str, Any]:
        """Say that they do not want to answer."""
        return self.submit(task["id"] if isinstance(task, dict) else task, [], cancelled=True)

    def edit(self, annotation: dict[str, Any] | int | str, value: Any) -> dict[str, Any]:
        """Change an answer given before."""
        identity = annotation["id"] if isinstance(annotation, dict) else annotation
        before = _read(self.http.get(f"/api/annotations/{identity}/"))
        changed = {"result": self.result(self._task(before["task"]), value), "was_cancelled": False}
        return _read(self.http.patch(f"/api/annotations/{identity}/", json=changed))

    def delete(self, annotation: dict[str, Any] | int | str) -> None:
        """Delete an answer."""
        identity = annotation["id"] if isinstance(annotation, dict) else annotation
        _read(self.http.delete(f"/api/annotations/{identity}/"))

    def delete_task(self, task: dict[str, Any] | int | str) -> None:
        """Delete a task, and what was said of it."""
        _read(self.http.delete(f"/api/tasks/{task['id'] if isinstance(task, dict) else task}/"))

    def label(self, project: int | str, answer: Answer, most: int = 1_000_000) -> list[dict[str, Any]]:
        """Answer what the queue gives, at most so many tasks; the tasks, in the order they came."""
        asked: list[dict[str, Any]] = []
        while len(asked) < most and (task := self.next_task(project)) is not None:
            value = answer(task)
            if value is None:
                self.skip(task)
            else:
                self.annotate(task, value)
            asked.append(task)
        return asked

    def result(self, task: dict[str, Any], value: Any) -> list[dict[str, Any]]:
        """A label as the page writes it."""
        name, control = self._control(task["project"])
        entry = {"from_name": name, "to_name": control["to_name"][0], "type": control["type"].lower()}
        if control["type"] == "Labels":
            text = task["data"][control["inputs"][0]["value"]]
            return [
                {**entry, "value": {"start": one["start"], "end": one["end"], "labels": [one["label"]],
                                    "text": text[one["start"] : one["end"]]}}
                for one in value
            ]  # fmt: skip
        chosen = [value] if isinstance(value, str) else list(value)
        return [{**entry, "value": {"choices": chosen}}] if chosen else []

    def _task(self, task: dict[str, Any] | int | str) -> dict[str, Any]:
        return task if isinstance(task, dict) else _read(self.http.get(f"/api/tasks/{task}/"))

    def _control(self, project: int) -> tuple[str, dict[str, Any]]:
        if project not in self._controls:
            parsed = _read(self.http.get(f"/api/projects/{project}/"))["parsed_label_config"]
            self._controls[project] = next(iter(parsed.items()))
        return self._controls[project]


def _send_form(http: httpx.Client, path: str, form: dict[str, str]) -> httpx.Response:
    page = http.get(path)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token, f"{path} has no form: {page.status_code}"
    return http.post(path, data=form | {"csrfmiddlewaretoken": token.group(1)}, headers={"Referer": str(page.url)})


def _with_csrf(request: httpx.Request) -> None:
    """What a page's script does: the cookie's token goes into a header."""
    found = re.search(r"csrftoken=([^;]+)", request.headers.get("Cookie", ""))
    if found and request.method not in ("GET", "HEAD"):
        request.headers["X-CSRFToken"] = found.group(1)


def _read(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:500]}"
    return answer.json() if answer.content else None
