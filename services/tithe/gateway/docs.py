"""The description as a page for people. All that it loads comes from here: it works where there is no internet."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

ASSETS = "/static/docs"

router = APIRouter(include_in_schema=False)


def assets() -> StaticFiles:
    """Swagger UI as `fastapi-offline` ships it. Found, not imported: only its files are wanted."""
    package = importlib.util.find_spec("fastapi_offline")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("fastapi-offline is not installed")
    return StaticFiles(directory=Path(package.origin).parent / "static")


@router.api_route("/docs", methods=["GET", "HEAD"])
async def docs() -> HTMLResponse:
    """Every operation, to be tried out."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Tithe",
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS}/favicon.png",
        swagger_ui_parameters={"validatorUrl": None},
    )
