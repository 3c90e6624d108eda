"""Label Studio's two kinds of token: a legacy one, sent as it is, and a personal one, changed for a short-lived one."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Generator

import httpx

from tithe.connectors.errors import CredentialRefused, ToolMisbehaves, ToolUnreachable

#: A personal access token is a JSON web token: three parts of base64url.
_PERSONAL = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")
#: Seconds an access token lives where it does not say.
_LIFETIME = 300.0
#: At this share of its life it is changed, so that none dies on its way.
_RENEWED_AT = 0.8


def authorization(token: str, refresh_url: str) -> httpx.Auth:
    """How requests are signed with this token; its form tells the kind."""
    token = token.strip()
    return Personal(token, refresh_url) if _PERSONAL.fullmatch(token) else Legacy(token)


class Legacy(httpx.Auth):
    """A token that is sent as it is."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request."""
        request.headers["Authorization"] = f"Token {self._token}"
        yield request


class Personal(httpx.Auth):
    """A token that is changed for another, which lives some minutes: at four fifths of its life, and once on a 401."""

    requires_response_body = True

    def __init__(self, token: str, refresh_url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._token, self._refresh_url, self._clock = token, refresh_url, clock
        self._access = ""
        self._stale_at = float("-inf")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request; raises as :meth:`_take`."""
        fresh = False
        if self._clock() >= self._stale_at:
            self._take((yield self._renewal()))
            fresh = True
        request.headers["Authorization"] = f"Bearer {self._access}"
        answer = yield request
        if answer.status_code == httpx.codes.UNAUTHORIZED and not fresh:
            self._take((yield self._renewal()))
            request.headers["Authorization"] = f"Bearer {self._access}"
            yield request

    def forget(self) -> None:
        """Change the token with the next request, whatever its age."""
        self._stale_at = float("-inf")

    def _renewal(self) -> httpx.Request:
        return httpx.Request("POST", self._refresh_url, json={"refresh": self._token})

    def _take(self, answer: httpx.Response) -> None:
        """Keep the new token.

        Raises
        ------
        CredentialRefused, ToolUnreachable, ToolMisbehaves
            There is none; what the tool said of it is in the message.
        """
        if answer.status_code in (400, 401, 403):
            raise CredentialRefused(
                f"Label Studio does not take the personal access token: {said(answer)}",
                remedy="make a new one in Label Studio (Account & Settings, Personal Access Token) and connect again",
            )
        if answer.status_code == 429 or answer.status_code >= 500:
            raise ToolUnreachable(f"Label Studio answered {answer.status_code} where the token is renewed")
        try:
            access = answer.json()["access"]
            if not isinstance(access, str) or not access.isascii() or not access.isprintable():
                raise TypeError("no token")
            life = lifetime(access)
        except (ValueError, KeyError, TypeError) as error:
            raise ToolMisbehaves(
                f"{self._refresh_url} answered {answer.status_code} and no access token: is this Label Studio?"
            ) from error
        self._access = access
        self._stale_at = self._clock() + _RENEWED_AT * life


def lifetime(access: str) -> float:
    """Seconds a token lives, by what it says of itself: no clock of ours need agree with the tool's.

    Examples
    --------
    >>> lifetime("eyJhbGciOiJIUzI1NiJ9.eyJleHAiOiAxMzAwLCAiaWF0IjogMTAwMH0.c2ln")
    300.0
    >>> lifetime("opaque")
    300.0
    """
    try:
        middle = access.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        life = float(claims["exp"]) - float(claims["iat"])
    except (IndexError, KeyError, TypeError, ValueError):
        return _LIFETIME
    return life if life > 0 else _LIFETIME


def said(answer: httpx.Response, longest: int = 300) -> str:
    """What the tool says is wrong, in its own words."""
    try:
        body = answer.json()
    except ValueError:
        return f"it answered {answer.status_code}"
    if not isinstance(body, dict):
        return str(body)[:longest]
    faults = body.get("validation_errors")
    words = body.get("detail") if not faults else _joined(faults)
    return str(words or f"it answered {answer.status_code}")[:longest]


def _joined(faults: object) -> str:
    if isinstance(faults, dict):
        return "; ".join(f"{name}: {_joined(fault)}" for name, fault in faults.items())
    return " ".join(_joined(fault) for fault in faults) if isinstance(faults, list) else str(faults)
