"""What the tests of changed answers share: what stands, by looking at the rows and not at what replaces what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tithe.contracts.projects import Project, ProjectPatch
from tithe.loop.hand_out import HandedOut
from tithe.loop.record import Recorded, Sent, record
from tithe.storage import answers, projects
from tithe.storage.answers import Progress, Standing
from tithe.storage.database import Database, Unit

from .driving import choices, embed_all, fill, line, run_round


@dataclass(frozen=True)
class Row:
    """A counted answer."""

    ordinal: int
    annotator: str
    kind: str
    value: Any
    source: str
    seq: int
    split: str
    cost: int


def counted(unit: Unit, project: Project) -> list[Row]:
    found = unit.connection.execute(
        "SELECT a.ordinal, a.annotator, a.kind, a.value, a.source, a.seq, i.split, i.cost"
        " FROM answers a JOIN items i USING (project_id, ordinal)"
        " WHERE a.project_id = %s AND a.state = 'counted' ORDER BY a.seq",
        (project.id,),
    )
    return [Row(*row) for row in found.fetchall()]


def last_words(rows: list[Row], watermark: int) -> list[Row]:
    """Of each item and person what came last up to the watermark, in the order it came."""
    last = {(row.ordinal, row.annotator): row for row in rows if row.seq <= watermark}
    return sorted(last.values(), key=lambda row: row.seq)


def changes(rows: list[Row]) -> int:
    """Labels of the pool that were added, changed or taken away, one after the other."""
    said: dict[tuple[int, str], str] = {}
    found = 0
    for row in rows:
        before = said.get((row.ordinal, row.annotator))
        found += row.split == "pool" and "label" in (before, row.kind)
        said[(row.ordinal, row.annotator)] = row.kind
    return found


def assert_counted_right(database: Database, project: Project) -> None:
    """The counters say what a recount says, and every watermark gives the labels that stood at it."""
    with database.unit() as unit:
        rows, progress = counted(unit, project), answers.progress(unit, project.id)
        now = last_words(rows, len(rows))
        assert [row.seq for row in rows] == list(range(1, progress.answer_seq + 1))
        assert progress.label_count == sum(row.kind == "label" and row.split == "pool" for row in now)
        assert progress.skip_count == sum(row.kind == "skip" for row in now)
        paid = sum(row.cost for row in now if row.kind == "label" and row.source == "annotator")
        assert progress.paid_count == paid
        assert progress.change_count == changes(rows)
        for watermark in range(progress.answer_seq + 1):
            told = answers.training_set(unit, project.id, watermark, "pool")
            stood = [row for row in last_words(rows, watermark) if row.kind == "label" and row.split == "pool"]
            assert told == [(row.ordinal, row.value) for row in stood]


def stands(database: Database, project: Project, ordinal: int, annotator: str = "ada") -> Standing:
    found = database.run(lambda unit: answers.standing(unit, project.id, [ordinal], annotator))
    assert len(found) == 1
    return found[0]


def now(database: Database, project: Project) -> Progress:
    return database.run(lambda unit: answers.progress(unit, project.id))


def send(database: Database, project: Project, handed: HandedOut, sent: list[Sent], key: str | None = None) -> Recorded:
    assert handed.batch is not None
    return record(database, project.id, handed.batch.id, sent, key)[0]


def outcomes(recorded: Recorded) -> list[tuple[str, str | None]]:
    return [(one["outcome"], one["because"]) for one in recorded.outcomes]


def ranked(database: Database, project: Project, items: int = 30) -> None:
    fill(database, project, [line(n) for n in range(items)])
    embed_all(database, project)
    run_round(database, project, choices(list(range(items))), trains=False)


def patched(database: Database, project: Project, **changes: Any) -> Project:
    return database.run(lambda unit: projects.patch(unit, project.id, ProjectPatch(**changes)))


def labels(database: Database, project: Project) -> dict[tuple[int, str], Any]:
    """Item and person → the label that stands."""
    with database.unit() as unit:
        rows = counted(unit, project)
    return {(row.ordinal, row.annotator): row.value for row in last_words(rows, len(rows)) if row.kind == "label"}
