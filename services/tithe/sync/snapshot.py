"""The labels of a project as one JSON-lines file beside the database: if the one is lost, the other is there."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tithe.contracts.tasks import SnapshotLabels
from tithe.runtime import Runtime
from tithe.storage import answers, jobs, projects
from tithe.storage.database import Unit
from tithe.storage.jobs import Claim


def snapshot_labels(runtime: Runtime, _: SnapshotLabels, claim: Claim) -> None:
    """Write ``labels/PROJECT.jsonl`` in the data folder anew: every label that stands, in the order they came."""
    target = runtime.settings.data / "labels" / f"{claim.project_id}.jsonl"
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(f".{claim.fence}.tmp")
    try:
        with runtime.database.unit() as unit:
            # One at a time per project, so that an older snapshot never takes a newer one's place.
            projects.take_turns(unit, claim.project_id)
            _write(unit, claim, unfinished)
            unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    runtime.database.run(lambda unit: jobs.finish(unit, claim))


def _write(unit: Unit, claim: Claim, path: Path) -> None:
    # Texts and labels are nobody else's business: readable by this account only.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        project = projects.get(unit, claim.project_id)
        for one in answers.export(unit, project.id, skips=False):
            line = {
                "id": one.external_id, "label": one.value, "annotator": one.annotator, "source": one.source,
                "split": one.split, "seq": one.seq, "at": one.created_at.isoformat() if one.created_at else None,
                **({"text": one.text} if one.text is not None else {}),
                **({"tokens": one.tokens} if one.tokens is not None else {}),
            }  # fmt: skip
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
