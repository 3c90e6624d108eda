"""One Valkey (Redis-compatible), out of its wheel, in a folder of its own.

What it holds is nudges, not truth, yet it keeps an append-only file so that a restart does not wait for the keeper to
send every nudge again. It listens on 127.0.0.1 with a random password, for Celery and Flower want one plain URL.
"""

import os
import signal
import socket
from pathlib import Path

from tithe.embedded.process import ProcessSpec
from tithe.embedded.secret_file import secret, write_private
from tithe.embedded.strays import end_processes, servers_in
from tithe.embedded.wheels import valkey_server

# Paths are left out: the server works in its own folder, so one with spaces in its name needs no quoting.
_CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
unixsocket ""
daemonize no
databases 16
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
tcp-backlog 128
loglevel notice
"""


class Valkey:
    """A broker and the way to run it: `prepare`, then let a supervisor run `spec`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder.resolve()
        self.port = port
        self._server = valkey_server()

    @property
    def url(self) -> str:
        """Where database 0 is, password included."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        """Write the configuration anew: the port may have changed, and the password must not show in `ps`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = _CONFIGURATION.format(port=self.port, password=self._password)
        write_private(self.folder / "valkey.conf", text)

    def spec(self, log: Path) -> ProcessSpec:
        """Tell the supervisor how to run the server."""
        return ProcessSpec(
            name="valkey",
            argv=[str(self._server), "valkey.conf"],
            env={**os.environ, "LC_ALL": "C"},
            log=log,
            cwd=self.folder,
            ready=self._is_ready,
            ready_seconds=60.0,
            death_signal=signal.SIGTERM,  # it writes its file out and goes
            clear=self._clear,
        )

    @property
    def _password(self) -> str:
        return secret(self.folder / "password")

    def _is_ready(self) -> bool:
        """Whether it answers to our password and has read its file back."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=0.5) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\nQUIT\r\n".encode())
                answer = b""
                while part := connection.recv(4096):
                    answer += part
        except OSError:
            return False
        return answer.startswith(b"+OK\r\n+PONG")

    def _clear(self) -> None:
        """End a server left behind: two of them on one append-only file would spoil it."""
        end_processes(servers_in(self.folder, "valkey-server"), signal.SIGTERM, 10.0)
