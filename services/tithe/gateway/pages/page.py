"""How a page is drawn: a template in one frame, under a policy that lets nothing run but our own files."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from tithe.gateway import health

_HERE = Path(__file__).parent
ASSETS = "/static/pages"
#: Nothing from elsewhere, nothing written into a page. Pictures may be of the user's own data: any https address.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob: https:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def assets() -> StaticFiles:
    """Scripts, styles and pictures."""
    return StaticFiles(directory=_HERE / "static")


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip


def render(request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """A template with what it shows. Everything in `context` is text until the template says otherwise."""
    caller = getattr(request.state, "caller", None)
    text = _environment().get_template(template).render(
        caller=caller, assets=ASSETS, version=health.version(), path=request.url.path, **context
    )  # fmt: skip
    return HTMLResponse(text, status, HEADERS)
