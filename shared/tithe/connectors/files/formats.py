"""Every format by name. The first three are read and written by the server itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tithe.connectors.files.conll import BIO, BIOES, CONLL, IOB1
from tithe.connectors.files.docbin import DOCBIN
from tithe.connectors.files.doccano import DOCCANO
from tithe.connectors.files.format import Format
from tithe.connectors.files.huggingface import HUGGINGFACE
from tithe.connectors.files.label_studio import LABEL_STUDIO
from tithe.connectors.files.label_studio_min import LABEL_STUDIO_MIN
from tithe.connectors.files.spacy_lines import SPACY_LINES
from tithe.contracts.projects import Task
from tithe.errors import BadInput

_ALL = frozenset(Task)
JSONL = Format("jsonl", "JSON lines", (".jsonl", ".ndjson"), _ALL, "line", "")
CSV = Format("csv", "CSV", (".csv",), _ALL, "line", "types: meta and lists are JSON in their cells")
PARQUET = Format("parquet", "Parquet", (".parquet", ".pq"), _ALL, "row", "")

FORMATS: Mapping[str, Format] = {
    one.name: one
    for one in (
        JSONL, CSV, PARQUET, CONLL, BIO, IOB1, BIOES, DOCBIN, SPACY_LINES, HUGGINGFACE, DOCCANO, LABEL_STUDIO,
        LABEL_STUDIO_MIN,
    )
}  # fmt: skip


def named(name: str, formats: Mapping[str, Format] = FORMATS) -> Format:
    """The format of that name. Raises BadInput."""
    if name not in formats:
        raise BadInput(f"there is no format {name!r}", place="--format", remedy=f"one of {', '.join(formats)}")
    return formats[name]


def by_suffix(path: Path, formats: Mapping[str, Format] = FORMATS) -> Format | None:
    """The format that a name to write to asks for; None: it asks for none."""
    return next((one for one in formats.values() if path.suffix.lower() in one.suffixes), None)
