"""Hugging Face datasets in a folder: what `save_to_disk` writes, and folders of Parquet.

Read and written with pyarrow alone, which is there already: `datasets` would bring pandas and a second of start-up, and
its layout is plain: Arrow streams, with names of classes in their metadata. Tests load what is written with `datasets`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tithe.connectors.files.features import Feature, Features, tag_names
from tithe.connectors.files.folder import Part, parts
from tithe.connectors.files.format import TEXTS, Format, Options, Schema, Written
from tithe.connectors.files.labels import Found, of_classes, of_spans
from tithe.connectors.files.row import Fault, Row, Unfit
from tithe.connectors.files.tags import spans_of, tags_of
from tithe.connectors.files.whole import whole_folder
from tithe.connectors.files.words import tokenized
from tithe.contracts.projects import Task
from tithe.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 1000
_OWN = {"id", "text", "tokens", "meta"}
#: Where labels are looked for when the user does not say, best first.
_LABELS = {
    Task.TOKENS: ("spans", "ner_tags", "tags", "labels", "label"),
    Task.TEXT: ("label", "labels"),
    Task.MULTILABEL: ("labels", "label"),
}
_SPLITS = {None: "train", "pool": "train", "test": "test"}


def read(path: Path, options: Options, schema: Schema) -> Iterator[Row | Fault]:
    """Every row, numbered through all files. Labels of the split `test` are held out; all others are seed labels."""
    import pyarrow as pa

    place = 0
    for part in parts(path):
        try:
            features, batches = part.open()
            columns = _Columns(features, options, schema)
            for batch in batches:
                for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                    for cells in batch.slice(start, _ROWS_AT_ONCE).to_pylist():
                        place += 1
                        yield columns.read(place, cells, part)
        except (pa.ArrowException, OSError) as error:
            place += 1
            said = f"{part.path.name} cannot be read from here on: {str(error).splitlines()[0][:120]}"
            yield Fault(place, "unreadable", said, "was it copied whole?")


class _Columns:
    """Which column is what. Raises BadInput where that is not clear."""

    def __init__(self, features: Features, options: Options, schema: Schema) -> None:
        self._features, self._options, self._schema = features, options, schema
        names = list(features)
        for option, name in (("text", options.text_column), ("label", options.label_column), ("id", options.id_column)):
            if name is not None and name not in names:
                raise BadInput(f"there is no column {name!r}", place=f"--{option}-column", remedy=_there(names))
        self.text = options.text_column or "text"
        tokens = schema.task is Task.TOKENS and "tokens" in names and options.text_column is None
        self.tokens = "tokens" if tokens else None
        if self.text not in names and self.tokens is None:
            raise BadInput(f"there is no column {self.text!r}", remedy=f"name it with --text-column; {_there(names)}")
        self.label = options.label_column or next((name for name in _LABELS[schema.task] if name in names), None)
        self.id = options.id_column or "id"
        self._used = {self.text, self.id, self.label, *_OWN, *(_LABELS[Task.TOKENS] if self.tokens else ())}

    def read(self, place: int, cells: dict[str, Any], part: Part) -> Row | Fault:
        try:
            return self._row(place, cells, part)
        except Unfit as unfit:
            return unfit.at(place)

    def _row(self, place: int, cells: dict[str, Any], part: Part) -> Row:
        text = cells.get(self.text)
        tokens = cells.get(self.tokens) if self.tokens else None
        given = cells.get(self.label) if self.label and not self._options.as_pool else None
        # Tokens that stand beside a text are the text cut up: the text is the item, if its spans are there.
        if text is not None and tokens is not None and self.label in ("spans", None):
            tokens = None
        label = None if given is None else self._label(given, text, tokens)
        meta = {name: _plain(cell) for name, cell in cells.items() if name not in self._used and cell is not None}
        kept = cells.get("meta")
        return Row(
            place, cells.get(self.id), None if tokens is not None else text, tokens, label, part.split,
            meta | _meta(kept),
        )  # fmt: skip

    def _label(self, given: Any, text: str | None, tokens: list[str] | None) -> Any:
        feature = self._features[self.label or ""]
        if self._schema.task is not Task.TOKENS:
            chosen = [feature.name(one) for one in (given if isinstance(given, list) else [given])]
            return of_classes(self._schema.task, chosen) if None not in chosen else None
        if not isinstance(given, list):
            raise Unfit("wrong_task", f"{self.label} holds classes, the project wants spans", "--label-column")
        if self.label == "spans" or any(isinstance(one, dict) for one in given):
            found = [Found(one.get("start"), one.get("end"), one.get("label")) for one in given]
            content = text if tokens is None else " ".join(tokens)
            return of_spans(Task.TOKENS, content or "", found, self._options.offsets)
        if tokens is None:
            raise Unfit("no_tokens", f"{self.label} holds tags, and there is no column 'tokens'", "--as-pool")
        return spans_of(tokens, [str(feature.name(one)) for one in given])


def _there(names: Iterable[str]) -> str:
    return f"there are: {', '.join(sorted(names)[:20])}"


def _meta(kept: Any) -> dict[str, Any]:
    """Ours, written as JSON; whatever else stands there stays as it is."""
    if isinstance(kept, str):
        try:
            kept = json.loads(kept)
        except ValueError:
            return {"meta": kept}
    return {} if kept is None else kept if isinstance(kept, dict) else {"meta": _plain(kept)}


def _plain(cell: Any) -> Any:
    """As JSON has it; bytes (pictures, sounds) are left out."""
    if isinstance(cell, dict):
        return {name: _plain(inner) for name, inner in cell.items()}
    if isinstance(cell, list):
        return [_plain(inner) for inner in cell]
    if isinstance(cell, (bytes, bytearray)):
        return None
    return cell.isoformat() if hasattr(cell, "isoformat") else cell


def write(path: Path, rows: Iterable[Row], schema: Schema) -> Written:
    """A `DatasetDict` as `load_from_disk` reads it: `train`, and `test` for what is held out.

    Classes are `ClassLabel`, in the project's order. Entities are `spans` in code points of `text`, and beside them
    `tokens` with `ner_tags` (IOB2) to train on; of a text these are words and single marks.
    """
    open_splits: dict[str, _Split] = {}
    left_out = Counter[str]()
    features = _features(schema)
    with whole_folder(path, ours="dataset_dict.json") as folder:
        try:
            for row in rows:
                name = _SPLITS.get(row.split, "train")
                if name not in open_splits:
                    open_splits[name] = _Split(folder / name, name, features)
                open_splits[name].add(_cells(row, schema))
            if not open_splits:
                open_splits["train"] = _Split(folder / "train", "train", features)
        finally:
            for one in open_splits.values():
                one.close()
        (folder / "dataset_dict.json").write_text(json.dumps({"splits": sorted(open_splits, reverse=True)}))
    return Written(sum(one.rows for one in open_splits.values()), left_out)


def _features(schema: Schema) -> Features:
    classes = Feature.classes(schema.labels)
    texts = {"id": Feature.text(), "text": Feature.text()}
    if schema.task is Task.TEXT:
        return texts | {"label": classes, "meta": Feature.text()}
    if schema.task is Task.MULTILABEL:
        return texts | {"label": classes.several(), "meta": Feature.text()}
    return texts | {
        "tokens": Feature.text().several(), "ner_tags": Feature.classes(tag_names(schema.labels)).several(),
        "spans": Feature.spans(), "meta": Feature.text(),
    }  # fmt: skip


def _cells(row: Row, schema: Schema) -> dict[str, Any]:
    meta = None if row.meta is None else json.dumps(row.meta, ensure_ascii=False)
    cells: dict[str, Any] = {"id": None if row.id is None else str(row.id), "text": row.text, "meta": meta}
    if schema.task is Task.TEXT:
        return cells | {"label": None if row.label is None else schema.labels.index(row.label)}
    if schema.task is Task.MULTILABEL:
        return cells | {"label": None if row.label is None else [schema.labels.index(one) for one in row.label]}
    cut = tokenized(row)
    tags = None
    if cut.label is not None:
        number = {tag: at for at, tag in enumerate(tag_names(schema.labels))}
        tags = [number[tag] for tag in tags_of(cut.tokens or [], cut.label)]
    return cells | {"tokens": cut.tokens, "ner_tags": tags, "spans": row.label}


class _Split:
    """One split as it is written: an Arrow stream and the two files beside it."""

    def __init__(self, folder: Path, name: str, features: Features) -> None:
        import pyarrow as pa

        folder.mkdir()
        self._folder, self._name, self._features = folder, name, features
        told = {"info": {"features": {name: one.said for name, one in features.items()}}}
        self._schema: pa.Schema = pa.schema(
            [(name, one.arrow()) for name, one in features.items()], metadata={"huggingface": json.dumps(told)}
        )
        self._stream = pa.ipc.new_stream(str(folder / "data-00000-of-00001.arrow"), self._schema)
        self._waiting: list[dict[str, Any]] = []
        self.rows = 0

    def add(self, cells: dict[str, Any]) -> None:
        self._waiting.append(cells)
        self.rows += 1
        if len(self._waiting) >= _ROWS_AT_ONCE:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._stream.close()
        described = {
            "citation": "", "description": "", "homepage": "", "license": "",
            "features": {name: one.said for name, one in self._features.items()},
        }  # fmt: skip
        state: dict[str, Any] = {
            "_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_fingerprint": f"tithe{self.rows:011x}",
            "_format_columns": None, "_format_kwargs": {}, "_format_type": None, "_output_all_columns": False,
            "_split": self._name,
        }  # fmt: skip
        (self._folder / "dataset_info.json").write_text(json.dumps(described, indent=2))
        (self._folder / "state.json").write_text(json.dumps(state, indent=2))

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            self._stream.write_batch(pa.RecordBatch.from_pylist(self._waiting, schema=self._schema))
            self._waiting = []


HUGGINGFACE = Format(
    "huggingface", "Hugging Face datasets folder", (), TEXTS, "row", "what was skipped, who answered", read, write
)
