"""Who calls: by a key, by the cookie of a session or, where that is switched on, from this very machine."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Request

from tithe.contracts.people import Role
from tithe.errors import CrossSite, SignedOut
from tithe.loop.people import sha256_of
from tithe.settings import Settings
from tithe.storage import people
from tithe.storage.database import Unit
from tithe.storage.people import Person

COOKIE = "tithe_session"
#: Where a caller without credentials is somebody: their name as an annotator.
LOOPBACK_ADMIN = "admin"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: A proxy stands in between: who calls it may be anywhere.
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


@dataclass(frozen=True)
class Caller:
    """Who calls, and what they are in the project that the call names; without one: what they are anywhere."""

    user_id: UUID | None  #: None: somebody on this machine, no user
    name: str
    role: Role
    by: Literal["key", "session", "loopback"]

    @property
    def answers_for_others(self) -> bool:
        """Whether they may name other annotators than themselves: tools do."""
        return self.role.may(Role.MANAGER)


def identify(unit: Unit, request: Request, settings: Settings) -> Caller:
    """Who calls. Raises SignedOut, CrossSite."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme:
        found = people.by_key(unit, sha256_of(token.strip())) if scheme.lower() == "bearer" else None
        if found is None:
            raise SignedOut(
                "this key does not count: it is unknown, revoked or expired", place="header.Authorization",
                remedy="send Authorization: Bearer KEY, with a key of `tithe key add` or of the page about you",
            )  # fmt: skip
        return _caller(found, "key")
    # Everything below is what a browser sends along by itself, so a page of another site must not make it.
    if request.method not in _SAFE and not of_our_own_page(request):
        raise CrossSite("a page of another site made this call", remedy="call from Tithe's own pages, or with a key")
    if (cookie := request.cookies.get(COOKIE)) and (found := people.by_session(unit, sha256_of(cookie))) is not None:
        return _caller(found, "session")
    if settings.open_loopback and from_this_machine(request):
        return Caller(None, LOOPBACK_ADMIN, Role.ADMIN, "loopback")
    raise SignedOut(
        "nobody is signed in", remedy="sign in at /sign-in, or send Authorization: Bearer KEY (`tithe key add`)"
    )


def of_our_own_page(request: Request) -> bool:
    """Whether a browser that sent this did so for one of our own pages; what is no browser says nothing, and may.

    Browsers say where a call comes from in a header that no page can set (Sec-Fetch-Site); older ones in Origin.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")


def from_this_machine(request: Request) -> bool:
    """Whether a program on this machine called, by one of the machine's own names, and not through a proxy.

    A page of another site can have its own name point here (DNS rebinding): then that name stands in Host.
    """
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    return _loopback(request.client.host) and _loopback(_host_name(request.headers.get("host", "")))


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _caller(found: Person, by: Literal["key", "session"]) -> Caller:
    return Caller(found.id, found.name, Role(found.role), by)
