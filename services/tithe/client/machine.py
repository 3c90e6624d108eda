"""A project's machine labels: asked for, watched, taken home."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any, Literal
from uuid import UUID

from tithe.client.transport import Transport
from tithe.contracts.machine import MachineRun, MachineRuns


class MachineLabels:
    """A project's machine labelings on the server."""

    def __init__(self, transport: Transport, path: str) -> None:
        self._transport = transport
        self._path = f"{path}/machine-labels"

    def ask(
        self, error: float, *, certainty: float = 0.95, audit: int = 100, preview: bool = False,
        test_labels: bool = False,
    ) -> MachineRun:  # fmt: skip
        """Have the model label what it is sure of: with `certainty`, no more than the share `error` of it is wrong.

        Raises TitheProblem ``no_model_yet``, ``too_few_control_labels``, ``conflict`` where one is under way.
        """
        body: dict[str, Any] = {
            "error": error, "certainty": certainty, "audit": audit, "preview": preview, "test_labels": test_labels
        }  # fmt: skip
        return MachineRun.model_validate(self._transport.call("POST", self._path, body=body, repeatable=False))

    def runs(self) -> list[MachineRun]:
        """The project's machine labelings, newest first."""
        return MachineRuns.model_validate(self._transport.call("GET", self._path)).runs

    def run(self, run_id: UUID) -> MachineRun:
        """One of them as it stands. Raises TitheProblem ``not_found``."""
        return MachineRun.model_validate(self._transport.call("GET", f"{self._path}/{run_id}"))

    def withdraw(self, run_id: UUID) -> None:
        """Take its labels back; its audit is asked for no more."""
        self._transport.call("DELETE", f"{self._path}/{run_id}")

    def export(
        self, run_id: UUID, target: str | Path | IO[bytes], format: Literal["jsonl", "csv"] = "jsonl",  # noqa: A002
        *, people: bool = False, anyway: bool = False,
    ) -> int:  # fmt: skip
        """Write its labels to a path or a binary stream; how many bytes. A file appears whole or not at all.

        Parameters
        ----------
        run_id, target, format
            Which, where to, and how: jsonl or csv.
        people
            People's labels first, in the same file.
        anyway
            Also while its audit is open, or after it failed.
        """
        options = {"format": format, "people": people, "anyway": anyway}
        if not isinstance(target, (str, Path)):
            return self._export(run_id, target, options)
        path = Path(target)
        part = path.with_name(path.name + ".part")
        try:
            with part.open("wb") as file:
                size = self._export(run_id, file, options)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return size

    def _export(self, run_id: UUID, file: IO[bytes], options: dict[str, Any]) -> int:
        with self._transport.download(f"{self._path}/{run_id}/export", options) as chunks:
            return sum(file.write(chunk) for chunk in chunks)
