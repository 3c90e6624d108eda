"""Label Studio over HTTP: one method a call, every failure told as what it means. Nothing is decided here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from tithe.connectors.errors import CredentialRefused, RemoteGone, ToolMisbehaves, ToolUnreachable
from tithe.connectors.label_studio.tokens import authorization, said
from tithe.connectors.outside import Outside
from tithe.connectors.protocol import Json

#: What is told of a task; the names are those of its annotations too, and leave predictions out.
_FIELDS = (
    "id,data,meta,annotations,created_at,updated_at,total_annotations,cancelled_annotations,result,was_cancelled,"
    "completed_by,lead_time,ground_truth,unique_id,parent_prediction,parent_annotation"
)
#: Many rows are written, on SQLite one after the other.
_WRITE_SECONDS = 120.0
#: Deleting predictions takes milliseconds each, on a slow machine some twenty.
_DELETE_SECONDS = 600.0


class Declined(ToolMisbehaves):
    """Label Studio says that what it was sent is wrong."""


class Forbidden(CredentialRefused):
    """Label Studio knows who asks and does not let them."""


@dataclass(frozen=True)
class Page:
    """Some tasks, and how many there are in all."""

    tasks: list[Json]
    total: int
    now: datetime | None  #: by the tool's clock, when it answered


class Client:
    """Calls to one Label Studio.

    Raises, from any method: ToolUnreachable, CredentialRefused (Forbidden), RemoteGone where something of a project was
    asked and it is not there, Declined, ToolMisbehaves, AddressForbidden.
    """

    def __init__(self, url: str, token: str, outside: Outside) -> None:
        self._url = url.rstrip("/")
        self._http = outside.client(self._url)
        self._auth = authorization(token, f"{self._url}/api/token/refresh/")

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    def version(self) -> str | None:
        """The server's version."""
        release = _object(self._call("GET", "/api/version")).get("release")
        return str(release) if release else None

    def whoami(self) -> Json:
        """The user the token belongs to."""
        return _object(self._call("GET", "/api/current-user/whoami"))

    def users(self) -> list[Json]:
        """Everybody of the organisation."""
        return _objects(_json(self._call("GET", "/api/users/")))

    # ---- projects ----

    def project(self, project: str) -> Json:
        """A project's settings and counts."""
        with _of(project):
            return _object(self._call("GET", f"/api/projects/{project}/"))

    def projects_titled(self, title: str) -> list[Json]:
        """Projects whose title holds this one."""
        asked = {"title": title, "page_size": 100, "include": "id,title,description,task_number"}
        return _objects(_object(self._call("GET", "/api/projects/", params=asked)).get("results"))

    def create_project(self, wanted: Json) -> Json:
        """Make a project."""
        return _object(self._call("POST", "/api/projects/", body=wanted))

    def change_project(self, project: str, wanted: Json) -> Json:
        """Set what is given and leave the rest."""
        with _of(project):
            return _object(self._call("PATCH", f"/api/projects/{project}/", body=wanted, seconds=_WRITE_SECONDS))

    # ---- tasks ----

    def tasks(
        self, project: str, *, filters: Sequence[Json] = (), ids: Iterable[int] | None = None, order: str = "id",
        size: int = 200, fields: str = _FIELDS,
    ) -> Page:  # fmt: skip
        """The first tasks, in an order, that pass every filter and, where given, are among the ids."""
        query: Json = {"filters": {"conjunction": "and", "items": list(filters)}, "ordering": [f"tasks:{order}"]}
        if ids is not None:
            query["selectedItems"] = {"all": False, "included": list(ids)}
        asked = {
            "project": project, "page": 1, "page_size": size, "fields": "all", "include": fields,
            "query": json.dumps(query, ensure_ascii=False, separators=(",", ":")),
        }  # fmt: skip
        with _of(project):
            answer = self._call("GET", "/api/tasks/", params=asked, seconds=_WRITE_SECONDS)
        told = _object(answer)
        tasks, total = _objects(told.get("tasks")), told.get("total")
        if not isinstance(total, int) or any(not isinstance(task.get("id"), int) for task in tasks):
            raise ToolMisbehaves("Label Studio listed tasks without ids or a total")
        return Page(tasks, total, _date(answer))

    def import_tasks(self, project: str, tasks: Sequence[Json]) -> list[int]:
        """Make tasks, all or none (Declined); their ids, in order."""
        with _of(project):
            answer = self._call(
                "POST", f"/api/projects/{project}/import?return_task_ids=true", body=tasks, seconds=_WRITE_SECONDS
            )
        ids = _object(answer).get("task_ids")
        if not isinstance(ids, list) or len(ids) != len(tasks) or not all(isinstance(one, int) for one in ids):
            raise ToolMisbehaves(f"Label Studio was sent {len(tasks)} tasks and did not answer with as many ids")
        return ids

    def delete_tasks(self, project: str, ids: Sequence[int], filters: Sequence[Json]) -> None:
        """Delete those of the tasks that pass every filter."""
        if not ids:
            return  # nothing selected could be read as everything
        body = {
            "filters": {"conjunction": "and", "items": list(filters)},
            "selectedItems": {"all": False, "included": list(ids)},
        }
        asked = {"id": "delete_tasks", "project": project}
        with _of(project):
            self._call("POST", "/api/dm/actions", params=asked, body=body, seconds=_DELETE_SECONDS)

    # ---- predictions: what the order is made of ----

    def import_predictions(self, project: str, predictions: Sequence[Json]) -> None:
        """Add predictions, all or none for up to 500 (Declined)."""
        with _of(project):
            self._call("POST", f"/api/projects/{project}/import/predictions", body=predictions, seconds=_WRITE_SECONDS)

    def model_versions(self, project: str) -> dict[str, int]:
        """How many predictions there are of each version."""
        with _of(project):
            told = _object(self._call("GET", f"/api/projects/{project}/model-versions/"))
        return {version: count for version, count in told.items() if isinstance(count, int)}

    def delete_version(self, project: str, version: str) -> None:
        """Delete a version's predictions; milliseconds each."""
        with _of(project):
            self._call(
                "DELETE", f"/api/projects/{project}/model-versions/", body={"model_version": version},
                seconds=_DELETE_SECONDS,
            )  # fmt: skip

    # ---- hooks ----

    def hooks(self, project: str) -> list[Json]:
        """The project's webhooks."""
        with _of(project):
            return _objects(_json(self._call("GET", "/api/webhooks/", params={"project": project})))

    def create_hook(self, wanted: Json) -> None:
        """Add a webhook. Forbidden: its guard does not let it call that address."""
        self._call("POST", "/api/webhooks/", body=wanted)

    def delete_hook(self, hook: int) -> None:
        """Remove a webhook."""
        self._call("DELETE", f"/api/webhooks/{hook}/")

    def _call(
        self, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None,
        seconds: float | None = None,
    ) -> httpx.Response:  # fmt: skip
        patience = httpx.USE_CLIENT_DEFAULT if seconds is None else httpx.Timeout(seconds, connect=10.0)
        try:
            answer = self._http.request(method, path, params=params, json=body, auth=self._auth, timeout=patience)
        except httpx.TimeoutException as error:
            raise ToolUnreachable(f"Label Studio at {self._url} did not answer in time") from error
        except httpx.RequestError as error:
            raise ToolUnreachable(f"Label Studio at {self._url} cannot be reached: {error}") from error
        if answer.is_success:
            return answer
        raise self._failure(method, path, answer)

    def _failure(self, method: str, path: str, answer: httpx.Response) -> Exception:
        status, words = answer.status_code, said(answer)
        what = f"{method} {path.partition('?')[0]}"
        if status == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
            return ToolUnreachable(
                f"Label Studio answered {status} to {what}: {words}", retry_after_seconds=_retry_after(answer)
            )
        if status == httpx.codes.UNAUTHORIZED:
            return CredentialRefused(
                f"Label Studio does not take the token: {words}",
                remedy="connect again with a token that it lists under Account & Settings",
            )
        if status == httpx.codes.FORBIDDEN:
            return Forbidden(f"Label Studio does not allow {what}: {words}")
        if not _is_json(answer):
            return _no_json(answer)
        if status == httpx.codes.NOT_FOUND:
            return _NotThere(f"{what}: {words}")
        return Declined(f"Label Studio answered {status} to {what}: {words}", reason=words)


def where(field: str, operator: str, kind: str, value: Any) -> Json:
    """A filter of the data manager."""
    return {"filter": f"filter:tasks:{field}", "operator": operator, "type": kind, "value": value}


class _NotThere(ToolMisbehaves):
    """Something that was asked for by its id is not there."""


@contextmanager
def _of(project: str) -> Iterator[None]:
    """What is asked of a project is not there because the project is not."""
    try:
        yield
    except _NotThere as error:
        raise RemoteGone(
            f"project {project} is not in Label Studio, or not for this user: {error.message}",
            remedy="connect another project, or take the connection away",
        ) from error


def _is_json(answer: httpx.Response) -> bool:
    return re.match(r"application/(\S+\+)?json", answer.headers.get("Content-Type", "")) is not None


def _no_json(answer: httpx.Response) -> ToolMisbehaves:
    kind = answer.headers.get("Content-Type", "nothing").partition(";")[0]
    return ToolMisbehaves(
        f"{answer.request.url.copy_with(query=None)} answered {answer.status_code} with {kind}, not with JSON",
        remedy="is this the address of a Label Studio? Its page must open there",
    )


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise _no_json(answer) from None


def _object(answer: httpx.Response) -> Json:
    told = _json(answer)
    if not isinstance(told, dict):
        raise ToolMisbehaves(f"{answer.request.url.path} answered JSON that is no object")
    return told


def _objects(told: Any) -> list[Json]:
    if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
        raise ToolMisbehaves("Label Studio answered something where a list of objects was expected")
    return told


def _date(answer: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(answer.headers["Date"])
    except (KeyError, ValueError):
        return None


def _retry_after(answer: httpx.Response) -> float | None:
    told = answer.headers.get("Retry-After", "")
    return float(told) if told.isascii() and told.isdigit() else None
