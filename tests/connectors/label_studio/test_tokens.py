"""Both kinds of token, and when the short-lived one is changed."""

from __future__ import annotations

import base64
import json

import httpx
import pytest

from tithe.connectors.errors import CredentialRefused, ToolMisbehaves, ToolUnreachable
from tithe.connectors.label_studio.tokens import Legacy, Personal, authorization

REFRESH = "http://x/api/token/refresh/"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def access(number: int, life: float = 300) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"iat": 5_000, "exp": 5_000 + life, "n": number}).encode())
    return f"e30.{claims.decode().rstrip('=')}.c2ln"


class Server:
    """Answers what an auth flow sends: gives tokens, and takes only the last."""

    def __init__(self, auth: httpx.Auth, life: float = 300) -> None:
        self.auth, self.life = auth, life
        self.renewals = 0
        self.refused: set[str] = set()

    def ask(self) -> httpx.Response:
        flow = self.auth.auth_flow(httpx.Request("GET", "http://x/api/tasks/"))
        request = next(flow)
        while True:
            answer = self.answer(request)
            try:
                request = flow.send(answer)
            except StopIteration:
                return answer

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url == REFRESH:
            assert json.loads(request.content) == {"refresh": "a.b.c"}
            self.renewals += 1
            return httpx.Response(200, json={"access": access(self.renewals, self.life)})
        good = request.headers["Authorization"] not in self.refused
        return httpx.Response(200 if good else 401, request=request)


def test_the_form_tells_the_kind():
    assert isinstance(authorization("0123456789abcdef" * 2 + "01234567", REFRESH), Legacy)
    assert isinstance(authorization("my-own-token", REFRESH), Legacy)
    assert isinstance(authorization(" " + access(1) + "\n", REFRESH), Personal)


def test_a_legacy_token_is_sent_as_it_is():
    server = Server(authorization("abc", REFRESH))
    server.refused = {"Token other"}
    assert server.ask().request.headers["Authorization"] == "Token abc"


def test_it_is_changed_at_four_fifths_of_its_life():
    clock = Clock()
    server = Server(Personal("a.b.c", REFRESH, clock))
    server.ask()
    clock.now += 239
    server.ask()
    assert server.renewals == 1
    clock.now += 1
    server.ask()
    assert server.renewals == 2
    assert server.ask().request.headers["Authorization"] == f"Bearer {access(2)}"


def test_it_is_changed_once_where_it_is_not_taken():
    server = Server(Personal("a.b.c", REFRESH, Clock()))
    server.ask()
    server.refused = {f"Bearer {access(1)}"}
    assert server.ask().status_code == 200
    assert server.renewals == 2
    server.refused = {f"Bearer {access(number)}" for number in range(9)}
    assert server.ask().status_code == 401
    assert server.renewals == 3


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (httpx.Response(401, json={"detail": "Token is blacklisted"}), CredentialRefused, "blacklisted"),
        (httpx.Response(403, text="<html>"), CredentialRefused, "403"),
        (httpx.Response(503), ToolUnreachable, "503"),
        (httpx.Response(429), ToolUnreachable, "429"),
        (httpx.Response(200, text="<html>"), ToolMisbehaves, "no access token"),
        (httpx.Response(200, json=[]), ToolMisbehaves, "no access token"),
        (httpx.Response(200, json={"access": 7}), ToolMisbehaves, "no access token"),
        (httpx.Response(404, text="nothing"), ToolMisbehaves, "404"),
    ],
)
def test_a_renewal_that_fails_says_why(answer: httpx.Response, error: type[Exception], words: str):
    flow = Personal("a.b.c", REFRESH, Clock()).auth_flow(httpx.Request("GET", "http://x/"))
    next(flow)
    with pytest.raises(error, match=words) as failed:
        flow.send(answer)
    assert "a.b.c" not in str(failed.value)
