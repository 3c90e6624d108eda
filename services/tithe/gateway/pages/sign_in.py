"""Coming in and going out: signing in, an invitation, signing out, one's own page and that of all accounts."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Request, Response
from starlette.responses import HTMLResponse

from tithe.contracts.people import SetPassword, SignIn
from tithe.errors import CrossSite, SignedOut
from tithe.gateway.context import Here, JsonOnly
from tithe.gateway.pages.page import render
from tithe.gateway.tries import Tries
from tithe.gateway.who import COOKIE, of_our_own_page
from tithe.loop import people as accounts
from tithe.storage import people
from tithe.storage.database import Unit

#: For who has not come in yet; and for who has.
outside = APIRouter(include_in_schema=False)
inside = APIRouter(include_in_schema=False)
Invitation = Annotated[str, Path(max_length=100)]
_DAY_SECONDS = 86_400


@outside.api_route("/sign-in", methods=["GET", "HEAD"])
def show_sign_in(request: Request) -> HTMLResponse:
    """A name and a password."""
    return render(request, "sign_in.html.jinja", onward=_onward(request.query_params.get("next")))


@outside.post("/sign-in", dependencies=[JsonOnly])
def sign_in(asked: SignIn, request: Request, here: Here) -> Response:
    """Check them, slowly, and set the cookie of a new session."""
    _ours(request)
    tries: Tries = request.app.state.tries
    address = request.client.host if request.client else ""
    tries.count(asked.name, address)
    found = here.database.run(lambda unit: people.credentials(unit, asked.name))
    if not accounts.right_password(asked.password, found.password if found else None) or found is None:
        tries.wrong(address)
        raise SignedOut(
            "this name and this password do not go together", place="body.password",
            remedy="try again; an admin can invite you anew where it is lost",
        )  # fmt: skip
    tries.right(asked.name)
    cookie = here.database.run(lambda unit: accounts.open_session(unit, found.id), repeatable=False)
    return _signed_in(request, cookie)


@outside.api_route("/welcome/{invitation}", methods=["GET", "HEAD"])
def show_welcome(invitation: Invitation, request: Request, here: Here) -> HTMLResponse:
    """Where an invitation leads. Looking does not use it up: mail programs look, too."""
    who = here.database.run(lambda unit: people.invited(unit, accounts.sha256_of(invitation)))
    return render(request, "welcome.html.jinja", 200 if who else 404, invited=who)


@outside.post("/welcome/{invitation}", dependencies=[JsonOnly])
def welcome(invitation: Invitation, asked: SetPassword, request: Request, here: Here) -> Response:
    """Set the password, and come in."""
    _ours(request)
    tries: Tries = request.app.state.tries
    address = request.client.host if request.client else ""
    tries.count(f"@{invitation}", address)
    try:
        _, cookie = here.database.run(lambda unit: accounts.accept(unit, invitation, asked.password), repeatable=False)
    except SignedOut:
        tries.wrong(address)
        raise
    return _signed_in(request, cookie)


@inside.post("/sign-out")
def sign_out(request: Request, here: Here) -> Response:
    """End the session that the cookie is of."""

    def work(unit: Unit) -> None:
        if cookie := request.cookies.get(COOKIE):
            people.end_session(unit, accounts.sha256_of(cookie))

    here.database.run(work)
    gone = Response(status_code=204)
    gone.delete_cookie(COOKIE, path="/")
    return gone


@inside.api_route("/me", methods=["GET", "HEAD"])
def show_me(request: Request) -> HTMLResponse:
    """One's own page: keys, signing out."""
    return render(request, "me.html.jinja")


@inside.api_route("/people", methods=["GET", "HEAD"])
def show_people(request: Request) -> HTMLResponse:
    """Every account, for admins."""
    return render(request, "people.html.jinja")


def _ours(request: Request) -> None:
    # There is no session yet whose cookie could be missing: another site could sign somebody in as somebody else.
    if not of_our_own_page(request):
        raise CrossSite("a page of another site made this call", remedy="sign in on Tithe's own page")


def _signed_in(request: Request, cookie: str) -> Response:
    done = Response(status_code=204)
    done.set_cookie(
        COOKIE, cookie, max_age=accounts.SESSION_DAYS * _DAY_SECONDS, path="/", httponly=True, samesite="lax",
        secure=request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https",
    )  # fmt: skip
    return done


def _onward(asked: str | None) -> str:
    """Where to go after signing in: a path of ours, whatever the address said."""
    if not asked or not asked.startswith("/") or asked.startswith(("//", "/\\")) or "\\" in asked:
        return "/"
    parts = urlsplit(asked)
    return "/" if parts.scheme or parts.netloc else asked
