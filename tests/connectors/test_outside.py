"""The guard: nothing private is called, whatever a URL, a resolver, a redirect or a tool tries."""

from __future__ import annotations

import datetime as dt
import gzip
import http.server
import ipaddress
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tithe.connectors import outside as guard
from tithe.connectors.addresses import is_public, read
from tithe.connectors.errors import AddressForbidden, ToolMisbehaves, ToolUnreachable
from tithe.connectors.outside import Outside

LOOPBACK = Outside(allowed=("127.0.0.1",))


class Tool:
    """A server on loopback that answers what the test wants and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answer: Callable[[http.server.BaseHTTPRequestHandler], None] = lambda call: send(call, b"hello")
        tool = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                tool.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                try:
                    tool.answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def send(call: http.server.BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    call.send_response(status)
    for name, value in headers.items():
        call.send_header(name.replace("_", "-"), value)
    call.send_header("Content-Length", str(len(body)))
    call.end_headers()
    call.wfile.write(body)


@pytest.fixture
def tool() -> Iterator[Tool]:
    made = Tool()
    yield made
    made.close()


def told(*addresses: str) -> guard.Resolver:
    return lambda _host, _port: addresses


# ---- which addresses ----

PRIVATE = [
    "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "169.254.0.1", "0.0.0.0", "0.1.2.3", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.88.99.1",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "3fff::1",
    "100::1", "2001::1", "64:ff9b:1::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::1", "5f00::1",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "169.253.0.1", "11.0.0.1",
    "223.255.255.255", "2606:4700:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused_however_it_is_wrapped(address: str):
    assert not is_public(read(address))
    with pytest.raises(AddressForbidden) as caught:
        Outside(resolver=told(address)).check("https://tool.example")
    assert "TITHE_CONNECT_ALLOW=" in (caught.value.remedy or "")


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_called(address: str):
    assert Outside(resolver=told(address)).check("https://tool.example") == [address]


def test_no_address_of_a_private_network_is_public():
    for network in ("10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"):
        block = ipaddress.ip_network(network)
        for offset in (0, 1, block.num_addresses // 2, block.num_addresses - 1):
            plain = str(block[offset])
            for written in (plain, f"::ffff:{plain}", f"64:ff9b::{plain}", f"::{plain}"):
                assert not is_public(read(written)), written


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "017700000001", "[::1]", "[::ffff:127.0.0.1]",
     "[::ffff:7f00:1]", "localhost", "localhost.", "LOCALHOST", "127.0.0.1.", "0", "[::]"],
)  # fmt: skip
def test_no_spelling_of_loopback_reaches_it(host: str, tool: Tool):
    refused = pytest.raises((AddressForbidden, httpx.ConnectError))
    with refused, Outside().client(f"http://{host}:{tool.port}") as client:
        client.get("/")
    assert tool.asked == []


@pytest.mark.parametrize(
    "url",
    ["http://\uff11\uff12\uff17.0.0.1/", "http://①②⑦.⓪.⓪.①/", "http://127。0。0。1/", "http://xn--/", "http://a b/", "http://[::1/",
     "http://[fe80::1%25lo]/", "http://\x00/", "http://127.0.0.1\\@1.1.1.1/", "http://\u017f:/"],
)  # fmt: skip
def test_an_odd_host_is_refused_and_reaches_nobody(url: str):
    with pytest.raises((AddressForbidden, ToolUnreachable)):
        Outside().check(url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://tool.example", "ftp://"),
        ("file:///etc/passwd", "file://"),
        ("gopher://127.0.0.1:6379/_x", "gopher://"),
        ("tool.example", "without http"),
        ("", "without http"),
        ("//tool.example", "without http"),
        ("http://", "no host"),
        ("http:///path", "no host"),
        ("https://ada:hunter2@tool.example", "a password"),
        ("https://hunter2@tool.example", "a password"),
        ("https://tool.example/?a=hunter2", "?"),
        ("https://tool.example/#hunter2", "#"),
    ],
)
def test_only_a_plain_http_address_is_taken_and_what_is_said_holds_no_password(url: str, said: str):
    with pytest.raises(AddressForbidden) as caught:
        Outside().client(url)
    assert said in caught.value.message
    assert "hunter2" not in f"{caught.value.message} {caught.value.remedy} {caught.value.facts}"


def test_a_name_in_letters_of_another_script_is_asked_for_as_it_goes_over_the_wire():
    asked: list[str] = []

    def resolver(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["8.8.8.8"]

    Outside(resolver=resolver).check("https://bücher.example")
    assert asked == ["xn--bcher-kva.example"]


# ---- what an operator allows ----


@pytest.mark.parametrize("entry", ["127.0.0.1", "127.0.0.0/8", "tool.example", "TOOL.example.", "0.0.0.0/0"])
def test_what_is_allowed_may_be_called(entry: str, tool: Tool):
    outside = Outside(allowed=(entry,), resolver=told("127.0.0.1"))
    with outside.client(f"http://tool.example:{tool.port}") as client:
        assert client.get("/x").text == "hello"
    assert tool.asked[0][1]["host"] == f"tool.example:{tool.port}"


@pytest.mark.parametrize("entry", ["127.0.0.2", "10.0.0.0/8", "example", "other.example", "::1", "sub.tool.example"])
def test_what_is_allowed_opens_nothing_else(entry: str):
    with pytest.raises(AddressForbidden):
        Outside(allowed=(entry,), resolver=told("127.0.0.1")).check("http://tool.example")


def test_an_allowed_address_is_allowed_wrapped_too_and_others_of_the_name_are_left_out():
    outside = Outside(allowed=("127.0.0.1",), resolver=told("::1", "::ffff:127.0.0.1", "10.0.0.1", "127.0.0.1"))
    assert outside.check("http://tool.example") == ["::ffff:127.0.0.1", "127.0.0.1"]


@pytest.mark.parametrize("entry", ["http://localhost", "10.0.0.0/33", "a b", "*", "1.2.3", "tool.example:80", ""])
def test_an_entry_that_names_nothing_is_told_at_once(entry: str):
    with pytest.raises(ValueError, match="no host, address or network"):
        Outside(allowed=(entry,))


# ---- the guard stands where the connection is made ----


def test_a_name_that_changes_its_address_gets_nothing(tool: Tool):
    turns = itertools.cycle([["8.8.8.8"], ["127.0.0.1"]])
    outside = Outside(resolver=lambda _host, _port: next(turns))
    url = f"http://rebinding.example:{tool.port}"
    assert outside.check(url) == ["8.8.8.8"]
    with outside.client(url) as client, pytest.raises(AddressForbidden):
        client.get("/")
    assert tool.asked == []


def test_the_address_that_was_looked_at_is_the_one_that_is_called(monkeypatch: pytest.MonkeyPatch, tool: Tool):
    asked: list[str] = []
    real = socket.getaddrinfo

    def lying(host: str, *rest: object, **more: object) -> object:
        asked.append(host)
        return real("127.0.0.1" if host == "tool.example" and len(asked) == 1 else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", lying)
    with LOOPBACK.client(f"http://tool.example:{tool.port}") as client:
        assert client.get("/").text == "hello"
    # The name is asked for once: then only the number that came back, which nobody can make another.
    assert asked == ["tool.example", "127.0.0.1"]


def test_a_redirect_is_not_followed_and_says_where_it_points(tool: Tool):
    tool.answer = lambda call: send(call, b"", 302, Location="http://user:pw@169.254.169.254/latest?token=x")
    with (
        LOOPBACK.client(tool.url) as client,
        pytest.raises(ToolMisbehaves, match=r"169\.254\.169\.254/latest") as caught,
    ):
        client.get("/", follow_redirects=True)
    assert not any(secret in caught.value.message for secret in ("pw", "token"))
    assert len(tool.asked) == 1


def test_a_client_calls_its_own_tool_only(tool: Tool):
    with LOOPBACK.client(tool.url, headers={"Authorization": "Token s3cret"}) as client:
        for elsewhere in (f"http://localhost:{tool.port}/", "https://127.0.0.1/", f"https://127.0.0.1:{tool.port}/"):
            with pytest.raises(AddressForbidden):
                client.get(elsewhere)
        assert client.get(f"{tool.url}/page/2").text == "hello"
    assert [path for path, _ in tool.asked] == ["/page/2"]


def test_neither_proxies_nor_passwords_of_the_environment_are_used(
    monkeypatch: pytest.MonkeyPatch, tool: Tool, tmp_path
):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ada password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with LOOPBACK.client(tool.url) as client:
        assert client.get("/").status_code == 200
    assert "authorization" not in tool.asked[0][1]


def test_a_base_with_a_path_keeps_it(tool: Tool):
    with LOOPBACK.client(f"{tool.url}/label-studio/", headers={"X-Own": "1"}) as client:
        client.get("/api/version")
    path, headers = tool.asked[0]
    assert (path, headers["x-own"], headers["accept-encoding"]) == ("/label-studio/api/version", "1", "identity")


# ---- what a hostile tool can do ----


def test_an_endless_answer_is_cut(tool: Tool):
    def endless(call: http.server.BaseHTTPRequestHandler) -> None:
        call.send_response(200)
        call.send_header("Transfer-Encoding", "chunked")
        call.end_headers()
        while True:
            call.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    tool.answer = endless
    outside = Outside(allowed=("127.0.0.1",), answer_limit_bytes=1 << 20)
    with outside.client(tool.url) as client, pytest.raises(ToolMisbehaves, match="1,048,576 bytes"):
        client.get("/")


def test_an_answer_that_says_that_it_is_too_large_is_not_read(tool: Tool):
    tool.answer = lambda call: send(call, b"x" * 2000)
    outside = Outside(allowed=("127.0.0.1",), answer_limit_bytes=1000)
    with outside.client(tool.url) as client:
        with pytest.raises(ToolMisbehaves, match="1,000 bytes"):
            client.get("/")
        tool.answer = lambda call: send(call, b"x" * 1000)
        assert len(client.get("/").content) == 1000


def test_a_packed_answer_is_not_unpacked(tool: Tool):
    packed = gzip.compress(b"\0" * (1 << 20))
    tool.answer = lambda call: send(call, packed, Content_Encoding="gzip")
    with LOOPBACK.client(tool.url) as client, pytest.raises(ToolMisbehaves, match="packed"):
        client.get("/")


@pytest.mark.parametrize("in_headers", [True, False])
def test_an_answer_that_drips_ends_with_the_whole_calls_time(tool: Tool, in_headers: bool):
    def dripping(call: http.server.BaseHTTPRequestHandler) -> None:
        head = b"HTTP/1.1 200 OK\r\n" + (b"" if in_headers else b"Content-Length: 100\r\n\r\n")
        call.wfile.write(head)
        for number in range(60):
            call.wfile.write(b"X-%d: y\r\n" % number if in_headers else b"x")
            time.sleep(0.05)

    tool.answer = dripping
    outside = Outside(allowed=("127.0.0.1",), timeout_seconds=0.2, whole_seconds=0.3)
    began = time.monotonic()
    with outside.client(tool.url) as client, pytest.raises(httpx.ReadTimeout):
        client.get("/")
    assert time.monotonic() - began < 1.5


def test_a_silent_tool_is_a_timeout_and_one_that_is_not_there_an_error_of_httpx(tool: Tool):
    tool.answer = lambda _call: time.sleep(1)
    with LOOPBACK.client(tool.url, timeout_seconds=0.1) as client, pytest.raises(httpx.ReadTimeout):
        client.get("/")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with LOOPBACK.client(f"http://127.0.0.1:{port}") as client, pytest.raises(httpx.ConnectError):
        client.get("/")
    tool.answer = lambda call: call.wfile.write(b"no http at all\r\n\r\n")
    with LOOPBACK.client(tool.url) as client, pytest.raises(httpx.RemoteProtocolError):
        client.get("/")


def test_the_next_address_is_tried_where_nobody_answers_at_the_first(tool: Tool):
    outside = Outside(allowed=("127.0.0.0/8",), resolver=told("127.0.0.99", "127.0.0.1"))
    with outside.client(f"http://tool.example:{tool.port}") as client:
        assert client.get("/").text == "hello"


def test_a_name_without_an_address_is_said_to_have_none():
    def nowhere(host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    outside = Outside(resolver=nowhere)
    with pytest.raises(ToolUnreachable, match=r"tool\.example has no address"):
        outside.check("https://tool.example")
    with outside.client("https://tool.example") as client, pytest.raises(httpx.ConnectError, match="no address"):
        client.get("/")


# ---- TLS ----


def certificate(folder: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_a_certificate_is_checked_against_the_name_and_the_setting(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pem = certificate(tmp_path, "tool.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    tool.server.socket = context.wrap_socket(tool.server.socket, server_side=True)
    outside = Outside(allowed=("127.0.0.1",), resolver=told("127.0.0.1"))
    refused = pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED")
    with outside.client(f"https://tool.example:{tool.port}") as client, refused:
        client.get("/")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with outside.client(f"https://tool.example:{tool.port}") as client:
        assert client.get("/").text == "hello"
    refused = pytest.raises(httpx.ConnectError, match=r"not valid for 'other\.example'")
    with outside.client(f"https://other.example:{tool.port}") as client, refused:
        client.get("/")
