"""One HTTP call and what becomes of it: an answer, or a TitheProblem; again where that helps."""

from __future__ import annotations

import atexit
import contextlib
import ipaddress
import json
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, TypeVar

import httpx
import tenacity

from tithe.client.problem import TitheProblem

T = TypeVar("T")

_LONGEST_WAIT_SECONDS = 30.0
#: An upload is answered when its last row is stored: that may take a while after its last byte.
_UPLOAD_ANSWER_SECONDS = 900.0


#: An error that ends the program keeps the loop it came from alive until the very end, when nothing can be sent.
_OPEN: weakref.WeakSet[Transport] = weakref.WeakSet()


@atexit.register
def _finish_all() -> None:
    for transport in list(_OPEN):
        transport.finish()


class Transport:
    """The connection to one gateway. May be used from several threads.

    Parameters
    ----------
    url
        The gateway's address, without ``/v1``.
    timeout
        Seconds to wait for a connection, and for each part of an answer.
    retries
        How often a call is sent again; with back-off, eight of them bridge about twenty seconds.
    key
        The caller's API key; None: the server is not told who calls.
    """

    def __init__(self, url: str, *, timeout: float, retries: int, key: str | None = None) -> None:
        base = _address(url)
        # A proxy of the environment is for the world outside, not for a server on this machine.
        headers = {"Authorization": f"Bearer {key}"} if key else None
        self._http = httpx.Client(base_url=base, timeout=timeout, headers=headers, trust_env=not _is_local(base.host))
        self._timeout = timeout
        self._retries = retries
        self._url = str(base)
        #: Loops over questions that may hold answers not sent yet.
        self.unfinished: weakref.WeakSet[Generator[Any]] = weakref.WeakSet()
        _OPEN.add(self)

    def close(self) -> None:
        """End the loops under way, then close the connections."""
        self.finish()
        self._http.close()

    def finish(self) -> None:
        """End the loops under way: what was answered is sent."""
        for asking in list(self.unfinished):
            with contextlib.suppress(ValueError):  # it runs, in another thread
                asking.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
    ) -> Any:
        """Send `body` as JSON; the answer's JSON, or None where it has no content.

        A call that is not `repeatable` is sent again only where it surely never arrived.
        """
        if self._http.is_closed:
            raise TitheProblem(0, "client_closed", "the client is closed", remedy="make another", arrived=False)

        def once() -> Any:
            with self._problems():
                answer = self._http.request(
                    method, path, json=body, params=_given(params), headers=dict(headers or {}) or None
                )
            raise_for(answer)
            return _read(answer) if answer.content else None

        return self.again(once, repeatable=repeatable)

    def upload(
        self, path: str, content: Callable[[], Iterator[bytes]], *, media: str, params: Mapping[str, Any], again: bool
    ) -> Any:
        """Stream a body; where `again`, a broken upload is sent once more from its beginning."""

        def once() -> Any:
            with self._problems():
                answer = self._http.post(
                    path,
                    content=content(),
                    params=_given(params),
                    headers={"Content-Type": media},
                    timeout=httpx.Timeout(self._timeout, read=_UPLOAD_ANSWER_SECONDS),
                )
            raise_for(answer)
            return _read(answer)

        return self.again(once, repeatable=again)

    @contextlib.contextmanager
    def download(self, path: str, params: Mapping[str, Any]) -> Iterator[Iterator[bytes]]:
        """Stream an answer. A break in its middle raises: half an export is none."""
        with self._problems(), self._http.stream("GET", path, params=_given(params)) as answer:
            if answer.is_error:
                answer.read()
            raise_for(answer)
            yield answer.iter_bytes()

    def again(self, once: Callable[[], T], *, repeatable: bool = True) -> T:
        """Call `once`, and again while its problem is a passing one."""

        def helps(error: BaseException) -> bool:
            return isinstance(error, TitheProblem) and error.passing and (repeatable or not error.arrived)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(helps),
            stop=tenacity.stop_after_attempt(1 + self._retries),
            wait=_wait,
            reraise=True,
        )
        return retrying(once)

    @contextlib.contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            raise TitheProblem(
                0,
                "unreachable",
                f"{self._url} does not answer: {error or type(error).__name__}",
                remedy="is the server running? `tithe up` starts one",
                arrived=not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)),
            ) from error


def raise_for(answer: httpx.Response) -> None:
    """Raise the problem an answer reports; an answer that is none of ours becomes one."""
    if answer.is_success:
        return
    try:
        body = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        body = None
    if not isinstance(body, dict):
        body = {}
    raise TitheProblem(
        answer.status_code,
        str(body.get("code") or "http_error"),
        str(body.get("detail") or body.get("title") or f"{answer.status_code} {answer.reason_phrase}"),
        place=body.get("place"),
        remedy=body.get("remedy"),
        errors=body.get("errors") or (),
        retry_after_seconds=_seconds(answer.headers.get("Retry-After")),
        facts=body.get("facts"),
    )


def _read(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise TitheProblem(
            answer.status_code,
            "not_tithe",
            f"{answer.url} does not answer as Tithe does",
            remedy="check the server's address",
        ) from error


_backoff = tenacity.wait_exponential(multiplier=0.2, max=5) + tenacity.wait_random(0, 0.3)


def _wait(state: tenacity.RetryCallState) -> float:
    """Doubling, with chance in it; never sooner than the server asked for."""
    error = state.outcome.exception() if state.outcome else None
    told = error.retry_after_seconds if isinstance(error, TitheProblem) else None
    return max(_backoff(state), min(told or 0.0, _LONGEST_WAIT_SECONDS))


def _seconds(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:  # a date: no server of ours sends one
        return None


def _given(params: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {name: value for name, value in params.items() if value is not None} if params else None


def _address(url: str) -> httpx.URL:
    try:
        base = httpx.URL(url.rstrip("/"))
    except httpx.InvalidURL:
        base = httpx.URL("")
    if base.scheme not in ("http", "https") or not base.host:
        raise TitheProblem(0, "bad_address", f"{url!r} is no server's address", remedy="such as http://127.0.0.1:8000")
    return base


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
