"""Free TCP ports, taken below the range from which systems hand out ports to outgoing connections.

Inside that range a client that keeps retrying a dead server on 127.0.0.1 can be given the server's own port as its
source: it then connects to itself, and the server can never come back.
"""

import contextlib
import secrets
import socket
from collections.abc import Container

from tithe.embedded.errors import PortTakenError

_LOWEST, _HIGHEST = 20_000, 32_000  # outgoing ports begin at 32768 on Linux, at 49152 on macOS


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now; a port that only waits out old connections counts as free."""
    with contextlib.ExitStack() as stack:
        try:
            family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            probe = stack.enter_context(socket.socket(family, kind))
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
        except OSError:
            return False
    return True


def choose_port(remembered: int | None, taken: Container[int], host: str = "127.0.0.1") -> int:
    """Take the remembered port if it is still free, else a random free one that is not in `taken`."""
    if remembered and remembered not in taken and is_free(remembered, host):
        return remembered
    for _ in range(1000):
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
        if port not in taken and is_free(port, host):
            return port
    raise PortTakenError(host, _LOWEST)


def demand_port(port: int, host: str) -> int:
    """Take exactly this port, or raise PortTakenError."""
    if not is_free(port, host):
        raise PortTakenError(host, port)
    return port
