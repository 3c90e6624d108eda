"""Files of every format, in and out: :func:`bring` into a project, :func:`take` out of it.

Those the server reads go as they are; the others are read here, row by row.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from tithe.client.own_files import is_own, server_reads
from tithe.client.problem import TitheProblem
from tithe.client.uploads import Converted, Progress
from tithe.client.uploads import Format as ServerFormat
from tithe.connectors.files.format import Format, Options, Schema, Written
from tithe.connectors.files.formats import FORMATS, by_suffix, named
from tithe.connectors.files.prodigy import prodigy
from tithe.connectors.files.row import Row, Unfit
from tithe.connectors.files.sending import Sending
from tithe.connectors.files.taking import Taking
from tithe.connectors.files.tell import tell
from tithe.connectors.files.texts import check_text
from tithe.connectors.prodigy.format import gathered, to_prodigy
from tithe.contracts.api import Imported
from tithe.errors import BadInput

if TYPE_CHECKING:
    from tithe.client.project import ProjectHandle

_TOLD = 100
#: What the server reads goes as it is where nothing is asked of it but which column is what.
_AS_IT_IS = Options()


@dataclass(frozen=True)
class Brought:
    """What became of a file."""

    format: Format
    imported: Imported  #: records that could not be read count among those that were not taken
    remarks: Mapping[str, int] = field(default_factory=dict)  #: what was decided in reading, and of how many rows


def formats() -> Mapping[str, Format]:
    """Every format there is, by name."""
    return {**FORMATS, "prodigy": prodigy(_from_prodigy, _to_prodigy)}


def _from_prodigy(lines: Iterable[Mapping[str, Any]], schema: Schema) -> Iterator[Row]:
    try:
        for told in gathered(map(dict, lines), schema.task, schema.labels):
            yield Row(0, **told)
    except ValueError as fault:
        raise Unfit("unreadable_line", str(fault)) from fault


def _to_prodigy(row: Row, schema: Schema) -> Mapping[str, Any]:
    told = {**row.sent(), "status": "skipped" if row.skipped else None, "annotator": row.annotator}
    return to_prodigy({"id": row.id, **told}, schema.task, schema.labels)


def bring(
    project: ProjectHandle,
    path: str | Path,
    format: str | None = None,  # noqa: A002 -- as users say it
    *,
    options: Options = _AS_IT_IS,
    vector_column: str | None = None,
    extra: Literal["meta", "reject"] | None = None,
    progress: Progress | None = None,
) -> Brought:
    """Import a file of any format: labels it holds are seed labels, all the rest is the pool.

    Parameters
    ----------
    project
        Where to.
    path
        A file; of Hugging Face datasets their folder.
    format
        One of :func:`formats`; default: told from the name and from what is in it.
    options
        Which column is what, whether labels are wanted.
    vector_column, extra
        Of JSON lines, CSV and Parquet, as :meth:`~tithe.client.project.ProjectHandle.import_items` has them.
    progress
        Called with what was sent so far and the whole: bytes where the server reads the format, else records.

    Raises
    ------
    BadInput
        The file is not what it is taken for, cannot be read, or holds what the project does not label.
    TitheProblem
        The server refuses.
    """
    path = Path(path)
    path.stat()  # a missing file is said before anything else
    task = project.settings.task
    chosen = named(format or tell(path, task), formats())
    _check_task(chosen, project)
    columns: dict[str, Any] = {
        "text_column": options.text_column, "label_column": options.label_column, "id_column": options.id_column,
        "vector_column": vector_column, "extra": extra,
    }  # fmt: skip
    own = chosen.read is None and is_own(path, chosen.name)
    if chosen.read is None and not own and not options.as_pool and options.split is None:
        if chosen.name != "parquet":
            check_text(path)
        native = cast("ServerFormat", chosen.name)
        return Brought(chosen, project.import_items(path, format=native, progress=progress, **columns))
    read = chosen.read or server_reads(chosen.name, own=own, vector_column=vector_column, extra=extra)
    sending = Sending(read, path, options, Schema(task, tuple(project.settings.labels), project.name))
    try:
        done = project.import_items(Converted(sending), progress=progress)
    except TitheProblem as problem:
        problem.facts = _with_faults(problem.facts, sending)
        raise
    told = _with_faults(done.model_dump(mode="json"), sending)
    return Brought(chosen, Imported.model_validate(told), sending.remarks)


def _with_faults(facts: Mapping[str, Any], sending: Sending) -> dict[str, Any]:
    """What the server counted, and what never reached it."""
    if "rejected_lines" not in facts:
        return dict(facts)
    unread = [
        {"line": one.place, "code": one.code, "reason": one.reason, "remedy": one.remedy} for one in sending.faults
    ]
    told = sorted([*facts["rejected_lines"], *unread], key=lambda one: int(one["line"]))
    return {
        **facts,
        "lines": facts["lines"] + sending.refused,
        "rejected": facts["rejected"] + sending.refused,
        "rejected_lines": told[:_TOLD],
    }


def take(
    project: ProjectHandle,
    path: str | Path,
    format: str | None = None,  # noqa: A002 -- as users say it
    *,
    everything: bool = False,
    skips: bool = False,
) -> Written:
    """Write a project's labels in a format that the server does not write; whole or not at all.

    Parameters
    ----------
    project
        Whose labels.
    path
        Where to; Hugging Face datasets make a folder of it.
    format
        One of :func:`formats`; default: told from the path's name.
    everything
        Items without a label, too, where the format can say that there is none.
    skips
        What was skipped, too, where it can be said.

    Raises
    ------
    BadInput
        The format cannot hold what the project labels.
    """
    path = Path(path)
    chosen = chosen_for(path, format)
    _check_task(chosen, project)
    if chosen.write is None:
        raise BadInput(f"{chosen.name} is written by the server", remedy="call project.export()")
    schema = Schema(project.settings.task, tuple(project.settings.labels), project.name)
    with tempfile.TemporaryFile(prefix="tithe-export-") as lines:  # an export that breaks off writes nothing
        project.export(lines, "jsonl", everything=everything, skips=skips)
        lines.seek(0)
        taking = Taking(lines)
        written = chosen.write(path, taking, schema)
    return Written(written.rows, Counter(written.left_out) + taking.left_out)


def chosen_for(path: Path, name: str | None) -> Format:
    """The format to write: the one named, else the one a path's name asks for, else JSON lines. Raises BadInput."""
    known = formats()
    return named(name, known) if name is not None else by_suffix(path, known) or known["jsonl"]


def _check_task(chosen: Format, project: ProjectHandle) -> None:
    task = project.settings.task
    if task not in chosen.tasks:
        held = ", ".join(sorted(chosen.tasks))
        raise BadInput(f"{chosen.title} holds {held}; {project.name!r} is {task}", remedy="take another --format")
