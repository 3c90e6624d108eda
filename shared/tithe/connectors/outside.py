"""Calls to addresses that users name: never to the private network, unless whoever runs Tithe said so.

The guard stands where the connection is made: names are resolved here, every address is looked at, and the one that was
looked at is the one that is called. So neither a redirect nor a name that changes its address gets past it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import httpcore
import httpx

from tithe.connectors.addresses import allowed, may_be_called, read
from tithe.connectors.errors import AddressForbidden, ToolMisbehaves, ToolUnreachable

#: The addresses behind a host, as a resolver tells them.
Resolver = Callable[[str, int], Sequence[str]]

#: The setting an operator changes; errors name it.
SETTING = "TITHE_CONNECT_ALLOW"


def resolve(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


@dataclass(frozen=True)
class Outside:
    """What may be called."""

    #: Hosts (``tools.example``) and networks (``10.0.0.0/8``) that may be called although they are private.
    allowed: tuple[str, ...] = ()
    timeout_seconds: float = 20.0
    #: A whole call, from its first byte to the answer's last; longer where the call itself waits longer for a byte.
    whole_seconds: float = 300.0
    answer_limit_bytes: int = 64 << 20
    resolver: Resolver = field(default=resolve, compare=False)

    def __post_init__(self) -> None:
        allowed(self.allowed)  # what cannot be read is told at once

    def client(
        self, base_url: str, *, headers: Mapping[str, str] | None = None, timeout_seconds: float | None = None
    ) -> httpx.Client:
        """An HTTP client for one tool: no redirects, time limits, guarded. Raises AddressForbidden for no http(s) URL.

        It calls `base_url`'s host and no other, whatever address it is given, so that a credential in `headers` stays
        between Tithe and the tool. Beside what httpx raises its calls raise AddressForbidden, and ToolMisbehaves for an
        answer that is too large, packed, or points elsewhere.
        """
        base = _checked(base_url)
        return httpx.Client(
            base_url=base,
            headers={"Accept-Encoding": "identity", **(headers or {})},
            timeout=self.timeout_seconds if timeout_seconds is None else timeout_seconds,
            transport=_GuardedTransport(self, base),
            follow_redirects=False,
            trust_env=False,
        )

    def check(self, url: str) -> Sequence[str]:
        """The addresses behind a URL, resolved now. Raises AddressForbidden, ToolUnreachable."""
        base = _checked(url)
        try:
            return self.addresses(_host(base), _port(base))
        except OSError as error:
            raise ToolUnreachable(
                f"{base.host} has no address: {error.strerror or error}", remedy="check the address's spelling"
            ) from error

    def addresses(self, host: str, port: int) -> list[str]:
        """Those of the host's addresses that may be called: at least one. Raises OSError, AddressForbidden."""
        try:
            found = self.resolver(host, port)
        except UnicodeError as error:  # a label of 64 letters, say
            raise OSError(f"{host!r:.100} cannot be a host") from error
        fine = [one for one in found if may_be_called(read(one), host, self.allowed)]
        if not fine:
            _forbid(host, found)
        return fine


def _forbid(host: str, found: Sequence[str]) -> NoReturn:
    if not found:
        raise OSError(f"{host} has no address")
    one = str(read(found[0]))
    behind = "" if one == host else f" ({', '.join(found[:3])})"
    raise AddressForbidden(
        f"{host}{behind} is not a public address, and Tithe may not call it",
        remedy=f"if this is your own tool, whoever runs Tithe sets {SETTING}={one} and restarts it",
    )


def _checked(url: str) -> httpx.URL:
    """The URL of a tool, or AddressForbidden. What it says of the URL never holds a password."""
    try:
        base = httpx.URL(url.strip())
        base.host  # noqa: B018  (what cannot be written in letters is found out here)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise AddressForbidden("this cannot be read as an address", remedy="such as https://labels.example") from error
    if base.scheme not in ("http", "https"):
        told = f"{base.scheme[:20]}://" if base.scheme else "an address without http:// or https://"
        raise AddressForbidden(f"{told} cannot be called", remedy="tools answer at https:// or http://")
    if not _host(base):
        raise AddressForbidden("the address names no host", remedy="such as https://labels.example")
    if base.userinfo:
        raise AddressForbidden(
            "the address has a name or a password in it", remedy="leave it out: the secret is sent on its own"
        )
    if base.query or base.fragment:
        raise AddressForbidden("the address has a ? or a # in it", remedy="leave out what begins there")
    return base


def _host(url: httpx.URL) -> str:
    """As it goes over the wire: a name in letters of ASCII."""
    return url.raw_host.decode("ascii")


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


class _Clock(threading.local):
    """Until when the call of this thread may last."""

    until = float("inf")

    @contextlib.contextmanager
    def ends(self, until: float) -> Iterator[None]:
        before, self.until = self.until, until
        try:
            yield
        finally:
            self.until = before

    def left(self, limit: float | None) -> float | None:
        """The time a step may take that has a limit of its own."""
        whole = self.until - time.monotonic()
        if whole == float("inf"):
            return limit
        return max(0.001, whole) if limit is None else max(0.001, min(limit, whole))

    @property
    def over(self) -> bool:
        return time.monotonic() > self.until


class _GuardedStream(httpcore.NetworkStream):
    """A connection every step of which ends with the whole call's time."""

    def __init__(self, inner: httpcore.NetworkStream, clock: _Clock) -> None:
        self._inner = inner
        self._clock = clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._clock.over:
            raise httpcore.ReadTimeout("the whole call took too long")
        return self._inner.read(max_bytes, self._clock.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._clock.over:
            raise httpcore.WriteTimeout("the whole call took too long")
        self._inner.write(buffer, self._clock.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _GuardedStream(
            self._inner.start_tls(ssl_context, server_hostname, self._clock.left(timeout)), self._clock
        )

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _GuardedNetwork(httpcore.NetworkBackend):
    """Makes connections, to addresses that were looked at and to nothing else."""

    def __init__(self, outside: Outside, clock: _Clock) -> None:
        self._outside = outside
        self._clock = clock
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            found = self._outside.addresses(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} has no address: {error.strerror or error}") from error
        failure: Exception | None = None
        for address in found:
            try:
                inner = self._inner.connect_tcp(address, port, self._clock.left(timeout), local_address, socket_options)
                return _GuardedStream(inner, self._clock)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = failure or error
        raise failure or httpcore.ConnectError(f"{host} has no address")


class _GuardedTransport(httpx.BaseTransport):
    """httpx on connections of the guard: one tool, no proxies, answers of bounded size, calls of bounded time."""

    def __init__(self, outside: Outside, base: httpx.URL) -> None:
        self._outside = outside
        self._origin = (base.scheme, base.raw_host, _port(base))
        self._clock = _Clock()
        context = _tls(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
        self._pool = httpcore.ConnectionPool(
            ssl_context=context, keepalive_expiry=5.0, network_backend=_GuardedNetwork(outside, self._clock)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if (url.scheme, url.raw_host, _port(url)) != self._origin:
            raise AddressForbidden(f"{url.host} is not this tool's address", remedy="give the tool's own address")
        limits = request.extensions.get("timeout", {})
        longest = max([self._outside.whole_seconds, *(value for value in limits.values() if value is not None)])
        until = time.monotonic() + longest
        sent = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _as_httpx(), self._clock.ends(until):
            answer = self._pool.handle_request(sent)
        stream = _BoundedStream(answer, self._clock, until, self._outside.answer_limit_bytes)
        response = httpx.Response(
            answer.status, headers=answer.headers, stream=stream, extensions=answer.extensions, request=request
        )
        try:
            _refuse_unreadable(response, self._outside.answer_limit_bytes)
        except ToolMisbehaves:
            stream.close()
            raise
        return response

    def close(self) -> None:
        self._pool.close()


class _BoundedStream(httpx.SyncByteStream):
    """An answer's body, as far as it may go."""

    def __init__(self, answer: httpcore.Response, clock: _Clock, until: float, limit_bytes: int) -> None:
        self._answer = answer
        self._clock = clock
        self._until = until
        self._limit = limit_bytes

    def __iter__(self) -> Iterator[bytes]:
        seen = 0
        parts = self._answer.iter_stream()
        while True:
            with _as_httpx(), self._clock.ends(self._until):
                part = next(parts, None)
            if part is None:
                return
            seen += len(part)
            if seen > self._limit:
                raise _too_large(self._limit)
            yield part

    def close(self) -> None:
        with _as_httpx():
            self._answer.close()


def _refuse_unreadable(response: httpx.Response, limit_bytes: int) -> None:
    """What is no answer to a connector, whatever it says. Raises ToolMisbehaves."""
    if response.has_redirect_location:
        raise ToolMisbehaves(
            f"{response.request.url.host} sends callers elsewhere ({_elsewhere(response)})",
            remedy="connect to that address, if it is the tool's own",
        )
    # Packed, a few bytes may stand for more than memory holds. Nobody asked for it, either.
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise ToolMisbehaves(
            f"{response.request.url.host} answers packed, although it was asked not to",
            remedy="the proxy before the tool must heed Accept-Encoding: identity",
        )
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > limit_bytes:
        raise _too_large(limit_bytes)


def _elsewhere(response: httpx.Response) -> str:
    """Where a redirect points, without anything secret in it."""
    try:
        url = response.request.url.join(response.headers["location"])
        return f"{url.scheme}://{url.netloc.decode('ascii')}{url.path}"[:200]
    except (httpx.InvalidURL, ValueError):
        return "to what is no address"


def _too_large(limit_bytes: int) -> ToolMisbehaves:
    return ToolMisbehaves(
        f"the tool's answer is larger than {limit_bytes:,} bytes", remedy="connect fewer tasks at once"
    )


@contextlib.contextmanager
def _as_httpx() -> Iterator[None]:
    """What went wrong in the connection, under httpx's name: the two libraries name their errors alike."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
    ) as e:
        raised: type[httpx.TransportError] = getattr(httpx, type(e).__name__, httpx.TransportError)
        raise raised(str(e)) from e


@functools.lru_cache(maxsize=4)
def _tls(_cert_file: str | None, _cert_dir: str | None) -> ssl.SSLContext:
    """What SSL_CERT_FILE and SSL_CERT_DIR name; without them httpx's certificates, and the system's."""
    context = httpx.create_ssl_context()
    context.load_default_certs()
    return context
