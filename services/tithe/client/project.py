"""One project: its items, its batches, its state."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal, cast
from urllib.parse import quote
from uuid import UUID

from tithe.client import questions, uploads
from tithe.client.batch import BatchHandle, Nothing
from tithe.client.connections import Connections
from tithe.client.machine import MachineLabels
from tithe.client.problem import TitheProblem
from tithe.client.transport import Transport
from tithe.contracts.api import HandOut, Imported, ImportProgress
from tithe.contracts.insight import History, RoundPage, RoundState, Status
from tithe.contracts.nearest import NearestLabeled, NearestRecall
from tithe.contracts.people import Member, Members, ProjectRole
from tithe.contracts.predictions import Prediction, Predictions
from tithe.contracts.projects import Project
from tithe.contracts.proof import Proof


class ProjectHandle:
    """A project on a server. `settings` is what the server last said of it."""

    def __init__(self, transport: Transport, settings: Project) -> None:
        self.settings = settings
        self._transport = transport
        self._path = f"/v1/projects/{settings.id}"

    @property
    def id(self) -> UUID:
        """Its id."""
        return self.settings.id

    @property
    def name(self) -> str:
        """Its name."""
        return self.settings.name

    def __repr__(self) -> str:
        return f"ProjectHandle({self.name!r}, {self.id})"

    # ---- the project itself ----

    def patch(self, **changes: Any) -> Project:
        """Change settings, named as in the HTTP interface. A budget of None lifts it."""
        self.settings = Project.model_validate(self._transport.call("PATCH", self._path, body=changes))
        return self.settings

    def delete(self) -> None:
        """Take the project away, with everything in it."""
        self._transport.call("DELETE", self._path, repeatable=False)

    @property
    def connections(self) -> Connections:
        """The project's connections to labeling tools."""
        return Connections(self._transport, self._path)

    def members(self) -> list[Member]:
        """Who may work in the project, beside admins."""
        return Members.model_validate(self._transport.call("GET", f"{self._path}/members")).members

    def set_member(self, name: str, role: ProjectRole) -> None:
        """Let somebody in, or give them another role. Raises TitheProblem ``not_found``: no such account."""
        self._transport.call("PUT", f"{self._path}/members/{quote(name, safe='')}", body={"role": role})

    def drop_member(self, name: str) -> None:
        """Show somebody out; what they answered stays."""
        self._transport.call("DELETE", f"{self._path}/members/{quote(name, safe='')}")

    @property
    def machine_labels(self) -> MachineLabels:
        """What models labeled of the project, by a bound on the error."""
        return MachineLabels(self._transport, self._path)

    # ---- items ----

    def import_items(
        self,
        source: uploads.Source,
        *,
        format: uploads.Format | None = None,  # noqa: A002 -- as users say it
        progress: uploads.Progress | None = None,
        text_column: str | None = None,
        label_column: str | None = None,
        id_column: str | None = None,
        vector_column: str | None = None,
        extra: Literal["meta", "reject"] | None = None,
    ) -> Imported:
        """Stream items in: a file (JSON lines, CSV, Parquet) or an iterable of objects.

        Bad lines are reported by number and lose nothing else. Content that is there already counts as duplicate, so
        sending the same again is how a broken import resumes; for a file, this call does so by itself.

        Parameters
        ----------
        source
            A path, or objects such as ``{"id": "7", "text": "…", "label": "spam", "split": "test"}``.
        format
            Of a file; default: told from its name.
        progress
            Called with what was sent so far and the whole: bytes of a file, rows of objects.
        text_column, label_column, id_column, vector_column
            Which columns hold what; default: text, label, id and vector.
        extra
            What becomes of other columns: kept as meta, or refused.
        """
        columns = {
            "text_column": text_column, "label_column": label_column, "id_column": id_column,
            "vector_column": vector_column, "extra": extra,
        }  # fmt: skip
        upload = uploads.upload(source, format, progress)
        answer = self._transport.upload(
            f"{self._path}/items", upload.content, media=upload.media, params=columns, again=upload.again
        )
        return Imported.model_validate(answer)

    def import_progress(self, import_id: UUID) -> ImportProgress:
        """How far an import is, whoever sends it."""
        return ImportProgress.model_validate(self._transport.call("GET", f"{self._path}/imports/{import_id}"))

    # ---- labeling ----

    def next_batch(self, annotator: str, size: int | None = None, *, wait: bool = False) -> BatchHandle | Nothing:
        """Items for this annotator: their open batch again, or a new one. :class:`Nothing` says why there is none.

        With `wait` it asks again whenever the server says that this makes sense, and returns Nothing only at the end.
        """
        body = {"annotator": annotator} | ({} if size is None else {"size": size})
        while True:
            given = HandOut.model_validate(self._transport.call("POST", f"{self._path}/batches", body=body))
            if given.items:
                return BatchHandle(
                    self._transport, given, annotator=annotator, lease_seconds=self.settings.lease_seconds
                )
            nothing = Nothing(given.empty_because or "all_leased", given.retry_after_seconds)
            if nothing.retry_after_seconds is None or not wait:
                return nothing
            time.sleep(nothing.retry_after_seconds)

    def batch(self, annotator: str, size: int | None = None, *, wait: bool = True) -> BatchHandle:
        """As :meth:`next_batch`, for ``with project.batch("ada") as batch``; TitheProblem where there is none."""
        given = self.next_batch(annotator, size, wait=wait)
        if isinstance(given, Nothing):
            raise TitheProblem(
                409, given.because, f"nothing to label: {given.because}", retry_after_seconds=given.retry_after_seconds
            )
        return given

    def labels(self, annotator: str, size: int | None = None, *, wait: bool = True) -> Iterator[questions.Question]:
        """Question after question until nothing is left, for ``for question in project.labels("ada")``.

        Answers are sent batch by batch. Left early, by ``break`` or by an error, the loop sends what was answered and
        gives back the rest; after an error that is when the client is closed, or the program ends.
        """
        asking = questions.ask(lambda: self.next_batch(annotator, size, wait=wait), self.settings)
        self._transport.unfinished.add(asking)
        return asking

    # ---- state ----

    def status(self) -> Status:
        """How the project stands at this moment."""
        return Status.model_validate(self._transport.call("GET", f"{self._path}/status"))

    def rounds(self) -> list[RoundState]:
        """Every round, in order."""
        found: list[RoundState] = []
        after: int | None = None
        while True:
            page = RoundPage.model_validate(
                self._transport.call("GET", f"{self._path}/rounds", params={"after": after})
            )
            found += page.rounds
            if page.next is None:
                return found
            after = page.next

    def history(self) -> History:
        """The learning curve: one point for each model trained."""
        return History.model_validate(self._transport.call("GET", f"{self._path}/history"))

    def proof(self) -> Proof:
        """What the loop is worth: quality, labels saved, whether to go on; measured after each round."""
        return Proof.model_validate(self._transport.call("GET", f"{self._path}/proof"))

    def stop(self) -> Project:
        """Hand nothing out any more; what people hold they may still answer."""
        self.settings = Project.model_validate(self._transport.call("POST", f"{self._path}/stop"))
        return self.settings

    def resume(self) -> Project:
        """Hand out again. A `stop_when` that stopped the project is taken away."""
        self.settings = Project.model_validate(self._transport.call("POST", f"{self._path}/resume"))
        return self.settings

    def ask_for_round(self) -> RoundState:
        """Train and rank now. Raises TitheProblem ``round_already_open``."""
        answer = self._transport.call("POST", f"{self._path}/rounds", repeatable=False)
        return RoundState.model_validate(answer)

    # ---- what is near ----

    def nearest_labeled(self, item_id: str, k: int = 5, *, exact: bool = False) -> NearestLabeled:
        """The k labeled items nearest to an item, in the space the model sees; `exact`: whatever the index says.

        Raises TitheProblem ``not_found``, ``no_vector_yet``, ``nothing_labeled_yet``.
        """
        answer = self._transport.call(
            "GET", f"{self._path}/items/{quote(item_id, safe='')}/nearest-labeled", params={"k": k, "exact": exact}
        )
        return NearestLabeled.model_validate(answer)

    def nearest_labeled_recall(self) -> NearestRecall:
        """How good the index is that finds them. Raises TitheProblem ``nothing_labeled_yet``."""
        return NearestRecall.model_validate(self._transport.call("GET", f"{self._path}/nearest-labeled/recall"))

    # ---- results ----

    def predict(
        self,
        texts: Sequence[str] | None = None,
        *,
        vectors: Sequence[Sequence[float]] | None = None,
        item_ids: Sequence[str] | None = None,
        patience_seconds: float = 60.0,
    ) -> list[Prediction | None]:
        """What the current model thinks, in the order of what was sent; None where an item has no vector yet.

        A prediction holds ``label``, ``labels`` or ``spans`` (``start``, ``end``, ``label``, ``confidence``), as the
        task has it; its ``answer()`` is what to send to agree with it.

        Raises TitheProblem ``no_model_yet``, ``prediction_failed``, or ``prediction_late`` after `patience_seconds`;
        TypeError where a single string stands for a list.
        """
        asked = {"texts": texts, "vectors": vectors, "item_ids": item_ids}
        for name, value in asked.items():
            if isinstance(value, (str, bytes)):  # a sequence, too: of letters
                wanted = "a list of vectors, such as [[0.1, 0.2]]" if name == "vectors" else f"a list: [{value!r:.80}]"
                raise TypeError(f"{name} is one {type(value).__name__}; send {wanted}")
        body: Mapping[str, Any] = {name: list(value) for name, value in asked.items() if value is not None}
        answer = self._predictions("POST", f"{self._path}/predict", body)
        until = time.monotonic() + patience_seconds
        while answer.state == "waiting":
            if time.monotonic() > until:
                raise TitheProblem(
                    504, "prediction_late", "no scorer has answered in time", remedy="are scorers running?"
                )
            time.sleep(0.1)
            answer = self._predictions("GET", f"{self._path}/predict/{answer.request_id}", None)
        if answer.predictions is None:
            raise TitheProblem(500, "prediction_failed", answer.failure or "the prediction failed")
        return answer.predictions

    def export(
        self,
        target: str | Path | IO[bytes],
        format: uploads.Format | None = None,  # noqa: A002 -- as users say it
        *,
        everything: bool = False,
        predictions: bool = False,
        skips: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> int:
        """Write the labels to a path or a binary stream; how many bytes. A file appears whole or not at all.

        Parameters
        ----------
        target
            Where to write.
        format
            jsonl, csv or parquet; default: told from a path's name, else jsonl.
        everything
            Items without a label, too.
        predictions
            Add the current model's label and its confidence.
        skips
            Tell what was skipped, and why.
        progress
            Called with the bytes written so far.
        """
        path = Path(target) if isinstance(target, (str, Path)) else None
        chosen = format or (path and uploads.format_of(path)) or "jsonl"
        options = {
            "format": chosen, "include": "all" if everything else "labels", "predictions": predictions, "skips": skips
        }  # fmt: skip
        if path is None:
            return self._export(cast("IO[bytes]", target), options, progress)
        part = path.with_name(path.name + ".part")
        try:
            with part.open("wb") as file:
                size = self._export(file, options, progress)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return size

    def _export(self, file: IO[bytes], options: Mapping[str, Any], progress: Callable[[int], None] | None) -> int:
        size = 0
        with self._transport.download(f"{self._path}/export", options) as chunks:
            for chunk in chunks:
                size += file.write(chunk)
                if progress is not None:
                    progress(size)
        return size

    def _predictions(self, method: str, path: str, body: Mapping[str, Any] | None) -> Predictions:
        return Predictions.model_validate(self._transport.call(method, path, body=body))
