"""The files of a Hugging Face dataset: which there are, of which split, and what they say of their columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tithe.connectors.files.features import Feature, Features
from tithe.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa

#: As Hugging Face tells splits by names of files and folders.
_TEST = re.compile(r"(?:^|[^a-z])(?:test|testing|eval|evaluation)(?:[^a-z]|$)")
_ROWS = 512


@dataclass(frozen=True)
class Part:
    """One file of a dataset."""

    path: Path
    split: str  #: pool or test
    described: Path | None = None  #: the dataset_info.json beside it

    def open(self) -> tuple[Features, Iterator[pa.RecordBatch]]:
        """Its columns, and its rows as they are read."""
        schema, batches = _parquet(self.path) if self.path.suffix == ".parquet" else _arrow(self.path)
        said = _said(schema.metadata or {}, self.described)
        return {name: Feature(said.get(name)) for name in schema.names}, batches


def is_dataset(path: Path) -> bool:
    """Whether a folder looks like one."""
    return path.is_dir() and (
        any((path / name).is_file() for name in ("dataset_dict.json", "state.json", "dataset_info.json"))
        or next(_parquets(path), None) is not None
    )


def parts(path: Path) -> list[Part]:
    """The files, split by split. Raises BadInput where there are none, or one that is named is missing."""
    if not path.is_dir():
        raise BadInput(f"{path} is a file", remedy="name the folder of the dataset")
    if (path / "dataset_dict.json").is_file():
        names = _json(path / "dataset_dict.json").get("splits", [])
        return [part for name in names for part in _saved(path / name, name)]
    if (path / "state.json").is_file():
        return _saved(path, str(_json(path / "state.json").get("_split") or path.name))
    described = path / "dataset_info.json"
    found = [
        Part(file, _split(str(file.relative_to(path)).lower()), described if described.is_file() else None)
        for file in sorted(_parquets(path))
    ]
    if not found:
        raise BadInput(f"the folder {path} holds no dataset", remedy="one made by save_to_disk, or files of Parquet")
    return found


def _saved(folder: Path, name: str) -> list[Part]:
    state = folder / "state.json"
    if not state.is_file():
        raise BadInput(f"{state} is missing", remedy="was the folder copied whole?")
    files = [folder / str(one.get("filename")) for one in _json(state).get("_data_files", [])]
    if missing := next((file for file in files if not file.is_file()), None):
        raise BadInput(f"{missing} is missing", remedy="was the folder copied whole?")
    return [Part(file, _split(name.lower()), folder / "dataset_info.json") for file in files]


def _parquets(path: Path) -> Iterator[Path]:
    return (file for file in path.rglob("*.parquet") if not any(part.startswith(".") for part in file.parts[-3:]))


def _split(name: str) -> str:
    return "test" if _TEST.search(name) else "pool"


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise BadInput(f"{path} is not JSON: {error}", remedy="was the folder copied whole?") from error
    if not isinstance(found, dict):
        raise BadInput(f"{path} holds no object", remedy="was it written by datasets?")
    return found


def _said(metadata: dict[bytes, bytes], described: Path | None) -> dict[str, Any]:
    """What the columns are: as the file itself says, else as the one beside it does."""
    try:
        found = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features")
    except (ValueError, AttributeError):
        found = None
    if not found and described is not None and described.is_file():
        found = _json(described).get("features")
    return found if isinstance(found, dict) else {}


def _parquet(path: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
    return file.schema_arrow, file.iter_batches(batch_size=_ROWS)


def _arrow(path: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    import pyarrow as pa

    mapped = pa.memory_map(str(path))
    stream = pa.ipc.open_stream(mapped)
    return stream.schema, iter(stream)
