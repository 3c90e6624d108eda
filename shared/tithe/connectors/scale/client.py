"""Scale's interface over HTTP: one method a call, and what may go wrong said in Tithe's errors.

Every call here may be made again: what is made has a name or a `unique_id`, and what is there already is looked up.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import httpx
import tenacity

from tithe.connectors.errors import CredentialRefused, SchemaUnfit, ToolMisbehaves, ToolUnreachable
from tithe.connectors.protocol import Json
from tithe.connectors.scale.pace import Pace

#: What Scale gives in one page at most.
PAGE = 100
_ATTEMPTS = 4
#: Within a call nobody waits longer; the driver comes back later instead.
_LONGEST_WAIT_SECONDS = 8.0
_TASK_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_BROKEN_OFF = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


class Refused(ToolMisbehaves):
    """Scale refuses the call, and not for a reason that every call has."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answered = answer.status_code
        self.words = _words(answer)
        super().__init__(
            f"Scale answered {answer.request.method} {answer.request.url.path} with {answer.status_code}: {self.words}",
            remedy="look at the project in Scale, and at what it says",
        )


class _Passing(ToolUnreachable):
    """Scale is busy or away: once more, soon."""


@dataclass(frozen=True)
class Page:
    """Some tasks of a list, and how to get at the rest."""

    tasks: list[Json]
    token: str | None  #: None: this is the last page
    told_at: datetime  #: Scale's own clock


class ScaleClient:
    """The calls a connector makes. `http` has the address and the credential."""

    def __init__(self, http: httpx.Client, pace: Pace, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._http = http
        self._pace = pace
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Passing),
            stop=_enough,
            wait=_wait,
            sleep=sleep,
            reraise=True,
        )

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    # ---- projects and batches ----

    def project(self, name: str) -> Json | None:
        """The project of that name, or None."""
        return self._found(f"projects/{_in_path(name)}")

    def make_project(self, name: str, kind: str, instruction: str) -> Json:
        """The project of that name; one that is there already is given as it is."""
        body = {"name": name, "type": kind, "params": {"instruction": instruction}, "rapid": False, "studio": False}
        made = self._made("projects", body)
        return made or self._there(self.project(name), f"the project {name!r}")

    def batch(self, name: str) -> Json | None:
        """The batch of that name, or None."""
        return self._found(f"batches/{_in_path(name)}")

    def make_batch(self, project: str, name: str) -> Json:
        """The batch of that name; one that is there already is given as it is."""
        made = self._made("batches", {"project": project, "name": name, "callback": "", "metadata": {}})
        return made or self._there(self.batch(name), f"the batch {name!r}")

    def finalize(self, name: str) -> None:
        """Have a batch worked on; one that is already is left alone."""
        try:
            self._call("POST", f"batches/{_in_path(name)}/finalize")
        except Refused:
            if self._there(self.batch(name), f"the batch {name!r}").get("status") == "staging":
                raise

    # ---- tasks ----

    def make_task(self, kind: str, body: Json) -> tuple[Json, bool]:
        """A task, and whether it is new: one whose `unique_id` is there already is looked up."""
        made = self._made(f"task/{kind}", body)
        if made is not None:
            return _task(made), True
        found = self.by_keys(body["project"], [body["unique_id"]])
        if not found:
            raise ToolMisbehaves(
                f"Scale says that a task with the unique_id {body['unique_id']!r} is there, but does not show it",
                remedy="is it in another project of the account?",
            )
        return found[0], False

    def task(self, task_id: str) -> Json | None:
        """A task, or None."""
        found = self._found(f"task/{task_id}") if _TASK_ID.fullmatch(task_id) else None
        return None if found is None else _task(found)

    def cancel(self, task_id: str) -> bool:
        """Take back a task nobody works on yet, and free its `unique_id`; whether it was."""
        if not _TASK_ID.fullmatch(task_id):
            return False
        try:
            self._call("POST", f"task/{task_id}/cancel", params={"clear_unique_id": "true"})
        except Refused:
            return False
        return True

    def by_keys(self, project: str, keys: Sequence[str]) -> list[Json]:
        """The tasks with these `unique_id`s; those that were not made are left out."""
        asked = set(keys)
        page = self.tasks(project, unique_id=list(keys), limit=PAGE)
        return [task for task in page.tasks if task.get("unique_id") in asked]

    def tasks(self, project: str, **params: Any) -> Page:
        """One page of a project's tasks, newest first."""
        given = {name: value for name, value in params.items() if value is not None}
        answer = self._call("GET", "tasks", params={"project": project, **given})
        told = _json(answer)
        if not isinstance(told, dict) or not isinstance(told.get("docs"), list):
            raise ToolMisbehaves("Scale answered a list of tasks without docs")
        token = told.get("next_token") if told.get("has_more") else None
        if told.get("has_more") and (not isinstance(token, str) or token == params.get("next_token")):
            raise ToolMisbehaves("Scale says that there are more tasks, but not how to get at them")
        return Page([_task(task) for task in told["docs"]], token, _clock(answer))

    # ---- a call ----

    def _found(self, path: str) -> Json | None:
        try:
            return _object(_json(self._call("GET", path)))
        except Refused as refused:
            if refused.answered == httpx.codes.NOT_FOUND:
                return None
            raise

    def _made(self, path: str, body: Json) -> Json | None:
        """What was made; None where it is there already."""
        try:
            return _object(_json(self._call("POST", path, body=body)))
        except Refused as refused:
            if refused.answered == httpx.codes.CONFLICT:
                return None
            raise

    @staticmethod
    def _there(found: Json | None, what: str) -> Json:
        if found is None:
            raise ToolMisbehaves(f"Scale says that {what} is there, but does not show it")
        return found

    def _call(self, method: str, path: str, *, body: Json | None = None, params: Json | None = None) -> httpx.Response:
        return self._retrying(self._once, method, path, body, params)

    def _once(self, method: str, path: str, body: Json | None, params: Json | None) -> httpx.Response:
        self._pace.wait()
        try:
            answer = self._http.request(method, path, json=body, params=params)
        except _BROKEN_OFF as error:
            raise _Passing(f"Scale broke off: {error or type(error).__name__}") from error
        except httpx.HTTPError as error:
            raise ToolUnreachable(
                f"Scale does not answer: {error or type(error).__name__}", remedy="it is tried again by itself"
            ) from error
        _raise_for(answer, self._pace)
        return answer


def _raise_for(answer: httpx.Response, pace: Pace) -> None:
    code = answer.status_code
    if code in (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS) or code >= 500:
        pace.refused()
        raise _Passing(
            f"Scale is busy: it answered {code}",
            remedy="it is tried again by itself",
            retry_after_seconds=_seconds(answer.headers.get("Retry-After")),
        )
    pace.went_well()
    if code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise CredentialRefused(
            f"Scale does not take the API key: {_words(answer)}",
            remedy="make one in Scale's dashboard and give it to the connection; test and live keys are worlds apart",
        )
    if code == httpx.codes.PAYMENT_REQUIRED:
        raise SchemaUnfit(
            f"the account may not make tasks of this kind: {_words(answer)}", remedy="ask Scale to enable it"
        )
    if not answer.is_success:
        raise Refused(answer)


def _enough(state: tenacity.RetryCallState) -> bool:
    return state.attempt_number >= _ATTEMPTS or _told(state) > _LONGEST_WAIT_SECONDS


def _told(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return (isinstance(error, ToolUnreachable) and error.facts.get("retry_after_seconds")) or 0.0


_backoff = tenacity.wait_exponential(multiplier=0.25, max=4) + tenacity.wait_random(0, 0.25)


def _wait(state: tenacity.RetryCallState) -> float:
    """Doubling, with chance in it; never sooner than Scale asked for."""
    return max(_backoff(state), _told(state))


def _seconds(header: str | None) -> float | None:
    """What Retry-After asks for: seconds, or a moment."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _clock(answer: httpx.Response) -> datetime:
    try:
        return parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return datetime.now(UTC)


def _words(answer: httpx.Response) -> str:
    """What an error answer says, short."""
    try:
        told = answer.json()
    except ValueError:
        told = None
    said = (told.get("error") or told.get("message")) if isinstance(told, Mapping) else None
    return str(said or answer.reason_phrase or "no reason given")[:300]


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except (ValueError, RecursionError) as error:
        raise ToolMisbehaves(
            f"{answer.request.url.host} does not answer as Scale does: no JSON", remedy="check the connection's url"
        ) from error


def _object(told: Any) -> Json:
    if not isinstance(told, dict):
        raise ToolMisbehaves("Scale answered something that is no object", remedy="check the connection's url")
    return told


def _task(told: Any) -> Json:
    task = _object(told)
    if not isinstance(task.get("task_id"), str):
        raise ToolMisbehaves("Scale told of a task without a task_id")
    return task


def _in_path(name: str) -> str:
    return quote(name, safe="")
