"""Every error as a problem document (RFC 9457): what is wrong, where, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match

from tithe.contracts.shapes import Fault, Problem
from tithe.errors import (
    BadInput,
    Conflict,
    NotAllowed,
    NotFound,
    SignedOut,
    TitheError,
    TooLarge,
    TooManyTries,
    Unavailable,
    UnsupportedMedia,
)

MEDIA_TYPE = "application/problem+json"
_log = structlog.get_logger("tithe.gateway")
_RETRY_SECONDS = 5

#: Pydantic's kinds of fault, and what to do about them. Others say it in their message.
_REMEDIES = {
    "missing": "add it",
    "extra_forbidden": "leave it out: this call knows no such field; /openapi.json lists those it knows",
    "json_invalid": "send one JSON document in UTF-8",
    "string_unicode": "send text that is valid Unicode, without lone surrogates",
    "model_attributes_type": "send a JSON object",
    "dict_type": "send a JSON object",
    "uuid_parsing": "ids look like 0192f3a4-5b6c-7d8e-9f00-112233445566",
    "uuid_type": "ids are strings that look like 0192f3a4-5b6c-7d8e-9f00-112233445566",
    "finite_number": "NaN and Infinity are not numbers here",
}
_DOCUMENTED: dict[int, type[TitheError] | str] = {
    400: "The body is not JSON.",
    401: SignedOut,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    415: UnsupportedMedia,
    429: TooManyTries,
    422: BadInput,
    503: Unavailable,
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error responses of a route, for its description."""
    found: dict[int | str, dict[str, Any]] = {}
    for status in sorted({*statuses, 401, 403, 503}):
        meaning = _DOCUMENTED[status]
        text = meaning if isinstance(meaning, str) else (meaning.__doc__ or "").strip()
        found[status] = {"model": Problem, "description": text}
    return found


def respond(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The problem as a response."""
    body = problem.model_dump_json(exclude_none=True, exclude_defaults=True)
    return Response(body, problem.status, headers, media_type=MEDIA_TYPE)


def make(status: int, code: str, title: str, detail: str, **more: Any) -> Problem:
    """A problem by hand, where no error of ours stands behind it."""
    return Problem(type=f"urn:tithe:problem:{code}", title=title, status=status, detail=detail, code=code, **more)


def internal_error() -> Response:
    """What is told of an error nobody expected: nothing of its insides."""
    return respond(
        make(
            500, "internal_error", "Something went wrong inside Tithe.", "the error is in the gateway's log",
            remedy="if it happens again, report it with the time it happened",
        )
    )  # fmt: skip


def install(app: FastAPI) -> None:
    """Let every error the application meets be rendered here."""
    app.add_exception_handler(TitheError, _tithe_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)


async def _tithe_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, TitheError), "registered for it"  # noqa: S101
    if isinstance(error, SignedOut) and _wants_a_page(request):
        return to_sign_in(request)
    if error.status >= 500 and not isinstance(error, Unavailable):
        _log.error("request_failed", method=request.method, path=request.url.path, exc_info=error)
        return internal_error()
    return tithe_problem(error)


def _wants_a_page(request: Request) -> bool:
    """Whether a browser opened one of the pages, rather than a program calling the interface."""
    return (
        request.method == "GET"
        and not request.url.path.startswith("/v1/")
        and "text/html" in request.headers.get("accept", "")
    )


def to_sign_in(request: Request) -> Response:
    """For somebody who opened a page without having come in: afterwards they are where they wanted to be."""
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?{urlencode({'next': asked})}", 303)


def tithe_problem(error: TitheError) -> Response:
    """One of our own errors as a response."""
    facts = dict(error.facts)
    faults = [Fault(**{**fault, "place": _placed(fault.get("place"))}) for fault in facts.pop("errors", ())]
    retry = facts.pop("retry_after_seconds", _RETRY_SECONDS if isinstance(error, Unavailable) else None)
    problem = make(
        error.status, error.code, (type(error).__doc__ or "").strip(), error.message,
        place=_placed(error.place), remedy=error.remedy, errors=faults, facts=facts,
    )  # fmt: skip
    headers = {"Retry-After": str(retry)} if retry else {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return respond(problem, headers)


async def _invalid_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError), "registered for it"  # noqa: S101
    faults = [_fault(one) for one in error.errors()]
    if any(fault.code == "json_invalid" for fault in faults):
        return respond(
            make(400, "not_json", "The body is not JSON.", faults[0].detail, errors=faults, place="body",
                 remedy=_REMEDIES["json_invalid"])
        )  # fmt: skip
    first = faults[0]
    detail = f"{first.place}: {first.detail}" + (f" (and {len(faults) - 1} more)" if len(faults) > 1 else "")
    title = (BadInput.__doc__ or "").strip()
    return respond(make(422, BadInput.code, title, detail, place=first.place, remedy=first.remedy, errors=faults[:100]))


def _fault(found: Mapping[str, Any]) -> Fault:
    kind, message = found["type"], found["msg"]
    if kind in ("value_error", "assertion_error"):
        message = str(found.get("ctx", {}).get("error", message))
    elif kind == "json_invalid":
        message = f"{found.get('ctx', {}).get('error', message)} at character {found['loc'][-1]}"
        return Fault(place="body", code=kind, detail=message, remedy=_REMEDIES[kind])
    return Fault(place=_dotted(found["loc"]), code=kind, detail=message, remedy=_REMEDIES.get(kind))


def _dotted(parts: Iterable[str | int]) -> str:
    """``("body", "labels", 0, "label")`` → ``body.labels[0].label``."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def _placed(place: str | None) -> str | None:
    """Where the loop found something, as seen from outside."""
    if place is None or re.match(r"(body|path|query|header|line)\b", place):
        return place
    if place in ("project_id", "batch_id"):
        return f"path.{place}"
    return f"header.{place}" if place == "Idempotency-Key" else f"body.{place}"


_KNOWN_STATUSES = {
    400: ("bad_request", "The request cannot be read.", "send one JSON document in UTF-8, not nested too deeply"),
    404: (NotFound.code, "There is no such address.", "/openapi.json lists the addresses there are"),
    405: ("method_not_allowed", "This address does not take that method.", "the Allow header lists those it takes"),
    413: (TooLarge.code, (TooLarge.__doc__ or "").strip(), "send less at a time"),
}


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for it"  # noqa: S101
    code, title, remedy = _KNOWN_STATUSES.get(error.status_code, ("http_error", "The request was refused.", None))
    detail = f"{request.method} {request.url.path}" if error.status_code in (404, 405) else str(error.detail)
    headers = error.headers
    if error.status_code == 405 and (allowed := _allowed(request)):
        headers = {"Allow": ", ".join(allowed)}
    return respond(make(error.status_code, code, title, detail, remedy=remedy), headers)


def _allowed(request: Request) -> list[str]:
    """What the address takes, over all of its routes: the framework tells only those of the first. Empty for files."""
    app: FastAPI = request.app
    methods = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
    asked = [(name, {**request.scope, "method": name}) for name in methods]
    return [name for name, scope in asked if any(one.matches(scope)[0] is Match.FULL for one in app.routes)]
