"""From a file to its labeled rows: columns by name, formats of other tools by what is in them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tithe.connectors.files.format import Options, Schema
from tithe.connectors.files.formats import FORMATS
from tithe.connectors.files.row import Fault, Row, Unfit
from tithe.connectors.files.tags import spans_of
from tithe.connectors.files.tell import tell
from tithe.contracts.projects import Task
from tithe.errors import BadInput
from tithe.learners.protocol import Float32
from tithe.rehearsal.settings import Source

if TYPE_CHECKING:
    import pyarrow as pa

_JSON_BLOCK = 64 << 20  # bytes: no line may be longer
_LINES = (".jsonl", ".ndjson", ".json")


def read(path: Path, source: Source, vectors: str | None) -> tuple[Task, list[Row], Float32 | None, list[str]]:
    """The task, the labeled rows, their vectors if they bring any, and what is to be told.

    Raises
    ------
    BadInput
        When the file cannot be read, or a column is missing: says which there are.
    """
    if not path.exists():
        raise BadInput(f"there is no file {path}", remedy="name a Parquet, CSV or JSON lines file")
    kind = path.suffix.lower()
    if kind == ".tsv":
        name = "csv"
    elif kind in _LINES and _plain_lines(path, source.label):
        name = "jsonl"
    else:
        name = tell(path, source.task)
    if name in ("csv", "jsonl", "parquet"):
        return _of_columns(path, _table(path, name), source, vectors)
    return _of_tool(path, name, source)


def _plain_lines(path: Path, label: str) -> bool:
    """Whether the lines have the column; spans as lists of lists are doccano's."""
    with path.open("rb") as file:
        first = file.readline(_JSON_BLOCK)
    try:
        found = json.loads(first)[label]
    except (ValueError, TypeError, LookupError):
        return False
    return not (isinstance(found, list) and bool(found) and isinstance(found[0], list))


def _table(path: Path, kind: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet

    try:
        if kind == "parquet":
            return pa.parquet.read_table(path)
        if kind == "csv":
            delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
            quotes = pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
            return pa.csv.read_csv(path, parse_options=quotes)
        return pa.json.read_json(path, read_options=pa.json.ReadOptions(block_size=_JSON_BLOCK))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{path.name} cannot be read as {kind}: {str(error).splitlines()[0][:200]}",
            remedy="write it again, or as Parquet",
        ) from None


def _of_columns(
    path: Path, table: pa.Table, source: Source, vectors: str | None
) -> tuple[Task, list[Row], Float32 | None, list[str]]:
    names = table.column_names
    labels = table[_present(path, names, source.label, "--label")].to_pylist()
    task = source.task or _task_of(names, labels, source, vectors)
    found = None if vectors is None else _vectors(path, table, vectors)
    tokens = task is Task.TOKENS and source.tokens in names and _are_tags(labels)
    contents: list[Any]
    if tokens:
        contents = [_listed(cell) for cell in table[source.tokens].to_pylist()]
    elif found is not None and source.text not in names:
        contents = [None for _ in labels]
    else:
        contents = table[_present(path, names, source.text, "--text")].to_pylist()
    rows, kept, notes = _rows(task, contents, labels, tokens=tokens, bare=found is not None)
    return task, rows, None if found is None else found[kept], notes


def _rows(
    task: Task, contents: Sequence[Any], labels: Sequence[Any], *, tokens: bool, bare: bool
) -> tuple[list[Row], list[int], list[str]]:
    """Rows with a content and a label, their positions, and how many were left out for which reason."""
    rows: list[Row] = []
    kept: list[int] = []
    left_out: dict[str, int] = {}
    for at, (content, given) in enumerate(zip(contents, labels, strict=True)):
        try:
            if not bare and not (content if tokens else str(content or "").strip()):
                raise Unfit("no_text", "without a text")
            text = None if tokens or content is None else str(content)
            label = _label(task, given, [str(token) for token in content] if tokens else None)
            if label is None:
                raise Unfit("no_label", "without a label")
        except Unfit as unfit:
            left_out[str(unfit)] = left_out.get(str(unfit), 0) + 1
            continue
        rows.append(Row(at + 1, text=text, tokens=[str(token) for token in content] if tokens else None, label=label))
        kept.append(at)
    return rows, kept, [f"{_n(count, 'row')} {why}: left out" for why, count in left_out.items()]


def _label(task: Task, given: Any, tokens: list[str] | None) -> Any:
    """A label in the project's form; None: there is none. Raises Unfit."""
    if given is None or (isinstance(given, float) and np.isnan(given)):
        return None
    if task is Task.MULTILABEL:
        return sorted({str(one) for one in _listed(given)})
    if task is Task.TOKENS:
        marked = _listed(given)
        if tokens is not None:
            return spans_of(tokens, [str(tag) for tag in marked])
        if not all(isinstance(one, dict) and {"start", "end", "label"} <= set(one) for one in marked):
            raise Unfit("no_spans", "with spans that are not {start, end, label}")
        return [{"start": int(one["start"]), "end": int(one["end"]), "label": str(one["label"])} for one in marked]
    if isinstance(given, (list, dict)):
        raise Unfit("no_class", "with a list in the place of a class (say --task for another task)")
    return str(given).strip() or None


def _listed(cell: Any) -> list[Any]:
    """A list, or the JSON of one, as CSV has it. Raises Unfit."""
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except ValueError:
            raise Unfit("no_list", "with a text in the place of a list") from None
    if not isinstance(cell, list):
        raise Unfit("no_list", "with no list where one is needed")
    return cell


def _task_of(names: Sequence[str], labels: Sequence[Any], source: Source, vectors: str | None) -> Task:
    """What the label column says, where nobody does."""
    first = next((one for one in labels if one is not None and one != []), None)
    if isinstance(first, list):
        if isinstance(first[0], dict) or (source.tokens in names and _are_tags(labels)):
            return Task.TOKENS
        return Task.MULTILABEL
    return Task.TEXT if vectors is None else Task.VECTORS


def _are_tags(labels: Sequence[Any]) -> bool:
    first = next((one for one in labels if one), None)
    listed = json.loads(first) if isinstance(first, str) and first.startswith("[") else first
    return isinstance(listed, list) and bool(listed) and isinstance(listed[0], str)


def _vectors(path: Path, table: pa.Table, given: str) -> Float32:
    """A matrix out of a column of lists, or out of an .npy file beside the rows. Raises BadInput."""
    if given.endswith(".npy"):
        try:
            found = np.load(given, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise BadInput(f"{given} cannot be read: {error}", place="--vectors") from None
    else:
        cells = table[_present(path, table.column_names, given, "--vectors")].to_pylist()
        lengths = {None if cell is None else len(cell) for cell in cells}
        if len(lengths) != 1:
            raise BadInput(f"the vectors in {given!r} have different lengths: {sorted(map(str, lengths))[:5]}")
        found = np.array(cells)
    if found.ndim != 2 or found.dtype.kind not in "fiu":
        raise BadInput(f"{given} holds no vectors: shape {found.shape}, {found.dtype}", place="--vectors")
    if len(found) != table.num_rows:
        raise BadInput(
            f"{given} has {len(found):,} rows, {path.name} has {table.num_rows:,}", place="--vectors",
            remedy="row for row, in the same order",
        )  # fmt: skip
    vectors = np.ascontiguousarray(found, dtype=np.float32)
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise BadInput(f"{given}: row {int(finite.argmin()) + 1} holds a number that is not finite", place="--vectors")
    return vectors


def _present(path: Path, names: Sequence[str], wanted: str, option: str) -> str:
    if wanted in names:
        return wanted
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    raise BadInput(
        f"{path.name} has no column {wanted!r}", place=option, remedy=f"{hint}there are: {', '.join(names[:30])}"
    )


def _of_tool(path: Path, name: str, source: Source) -> tuple[Task, list[Row], None, list[str]]:
    """What another tool wrote. It says no task: without `--task` each is tried, the sparser first."""
    reader = FORMATS[name].read if name in FORMATS else None
    if reader is None:
        raise BadInput(f"{path.name} is a file of {name}", remedy="a rehearsal reads Parquet, CSV, JSON lines, CoNLL …")
    if source.vectors is not None:
        raise BadInput(f"{path.name} is {name}, and brings no vectors", remedy="leave --vectors out")
    best: tuple[Task, list[Row], list[str]] | None = None
    for task in [source.task] if source.task else sorted(FORMATS[name].tasks):
        options = Options(text_column=None, label_column=None)
        rows: list[Row] = []
        faults: dict[str, int] = {}
        for found in reader(path, options, Schema(task, ())):
            if isinstance(found, Fault):
                faults[found.reason[:80]] = faults.get(found.reason[:80], 0) + 1
            elif found.label is not None and not found.skipped:
                rows.append(found)
        if best is None or len(rows) > len(best[1]):
            best = task, rows, [f"{_n(count, 'record')} left out: {why}" for why, count in faults.items()]
    if best is None or not best[1]:
        raise BadInput(f"{path.name} holds no labels that can be read", remedy="say --task")
    return best[0], best[1], None, best[2]


def _n(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
