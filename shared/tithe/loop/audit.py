"""Everything `tithe check` looks at: the invariants in the database, and the files its rows point at."""

from __future__ import annotations

from tithe.artifacts import ArtifactDamaged, ArtifactMissing, ArtifactStore
from tithe.storage import checks
from tithe.storage.checks import Violation
from tithe.storage.database import Database


def audit(database: Database, store: ArtifactStore, *, patience_seconds: float = 60.0) -> list[Violation]:
    """What must not be; an empty list: all is well. Reads every block and current model once, for its checksum."""
    found = database.run(lambda unit: checks.check(unit, patience_seconds=patience_seconds))
    for file in database.run(checks.files):
        try:
            store.verify(file.path, file.sha256)
        except (ArtifactMissing, ArtifactDamaged) as fault:
            found.append(Violation("i9_files_are_what_their_rows_say", file.project_id, fault.message))
    return found
