"""What a data folder remembers of its stack, in `stack.json`: ports to take again, and processes that may be left."""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tithe.embedded.endpoints import Endpoints
from tithe.embedded.process import ProcessStatus
from tithe.embedded.secret_file import write_private


@dataclass(frozen=True, slots=True)
class RecordedProcess:
    """A child as it was last written down."""

    name: str
    state: str
    pid: int
    create_time: float
    restarts: int
    stop_signal: int


@dataclass(frozen=True, slots=True)
class StackState:
    """One `stack.json`, read back. `pid` is the supervisor's, None after a clean stop."""

    pid: int | None = None
    ports: Mapping[str, int] = field(default_factory=dict)
    endpoints: Endpoints | None = None
    processes: Sequence[RecordedProcess] = ()


class StateFile:
    """Writes and reads `stack.json`. The supervisor's thread and the starting one both write, so there is a lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def save(
        self,
        pid: int | None,
        ports: Mapping[str, int],
        endpoints: Endpoints | None,
        statuses: Sequence[ProcessStatus],
    ) -> None:
        """Replace the file in one step. It holds passwords, so only its owner may read it."""
        recorded = [_record(status) for status in statuses if status.pid is not None]
        urls = {"gateway_url": endpoints.gateway_url, "flower_url": endpoints.flower_url} if endpoints else {}
        content = {
            "pid": pid,
            "ports": dict(ports),
            "endpoints": asdict(endpoints) if endpoints else None,
            **urls,  # for people and scripts; never read back
            "processes": recorded,
        }
        with self._lock:
            write_private(self._path, json.dumps(content, indent=2) + "\n")

    def read(self) -> StackState:
        """Read what was written last; nothing remembered where the file is missing or torn."""
        try:
            content: dict[str, Any] = json.loads(self._path.read_text())
            return StackState(
                pid=content["pid"],
                ports={str(name): int(port) for name, port in content["ports"].items()},
                endpoints=Endpoints(**content["endpoints"]) if content["endpoints"] else None,
                processes=[RecordedProcess(**entry) for entry in content["processes"]],
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return StackState()


def _record(status: ProcessStatus) -> dict[str, Any]:
    return {
        "name": status.name,
        "state": status.state.value,
        "pid": status.pid,
        "create_time": status.create_time or 0.0,
        "restarts": status.restarts,
        "stop_signal": status.stop_signal,
    }
