"""Which format a file is: by its name, and by what is in it where names do not say."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tithe.connectors.files.folder import is_dataset
from tithe.connectors.files.label_studio_min import ITS_OWN
from tithe.connectors.files.objects import first_character, json_lines, json_list
from tithe.connectors.files.row import Fault
from tithe.connectors.files.tags import is_tag
from tithe.connectors.files.texts import check_text, lines
from tithe.contracts.projects import Task
from tithe.errors import BadInput

_LOOKED_AT = 200
_BY_NAME = {
    ".csv": "csv", ".parquet": "parquet", ".pq": "parquet", ".spacy": "spacy", ".conll": "conll",
    ".conll2003": "conll", ".bio": "bio", ".iob": "bio", ".iob2": "bio", ".iob1": "iob1", ".bioes": "bioes",
}  # fmt: skip
_LINES = (".jsonl", ".ndjson")
_PACKED = (".zip", ".gz", ".bz2", ".xz", ".7z", ".tar", ".tgz")


def tell(path: Path, task: Task | None = None) -> str:
    """The name of the format. Raises BadInput naming those it may be, where more than one fits, or none.

    `task` helps: what a project of one class cannot take is not meant.
    """
    suffix = path.suffix.lower()
    if path.is_dir():
        if is_dataset(path):
            return "huggingface"
        raise BadInput(f"{path} is a folder, and no Hugging Face dataset", remedy="name the file in it")
    if suffix in _PACKED:
        raise BadInput(f"{path.name} is packed", remedy="unpack it, and import what is in it")
    if suffix in _BY_NAME:
        return _BY_NAME[suffix]
    if suffix == ".arrow":
        raise BadInput(f"{path.name} is one file of a dataset", remedy="name its folder")
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PAR1":
        return "parquet"
    check_text(path)
    found = _told(path)
    if task is not None:
        found = [name for name in found if _possible(name, task)] or found
    if len(found) == 1:
        return found[0]
    if not found:
        raise BadInput(f"{path.name}: cannot tell the format", remedy="say it with --format")
    raise BadInput(f"{path.name} may be {' or '.join(found)}", remedy=f"say which: --format {found[0]}")


def _told(path: Path) -> list[str]:
    start = first_character(path)
    if start == "[":
        first = [one for one in itertools.islice(json_list(path), 20) if not isinstance(one, Fault)]
        if first:
            return _json(first[0][1])
    if start in ("{", "["):
        return _json_lines(path)
    if path.suffix.lower() in (".txt", ".tsv", ".tags", ".data", "") and _tagged(path):
        return ["conll"]
    return ["jsonl"] if path.suffix.lower() in _LINES else []


def _json(one: Any) -> list[str]:
    if isinstance(one, dict) and isinstance(one.get("data"), dict):
        return ["label-studio"]
    if isinstance(one, dict) and ITS_OWN & set(one):
        return ["label-studio-min"]
    if isinstance(one, str):  # a line such as ["text", {"entities": …}]
        return ["spacy-jsonl"]
    return ["label-studio", "label-studio-min"]


#: What lines have that only this tool writes, the surest first; `label`, `entities` and `spans` are looked into.
_SIGNS: tuple[tuple[str, Callable[[dict[str, Any]], bool]], ...] = (
    ("jsonl", lambda one: one.get("status") in ("labeled", "skipped", "unlabeled") and "split" in one),
    ("jsonl", lambda one: isinstance(one.get("label"), str) or _holds(one, "label", dict)),
    ("prodigy", lambda one: bool({"_input_hash", "_task_hash", "answer"} & set(one))),
    ("doccano", lambda one: bool({"Comments", "annotation_approver", "tithe_id"} & set(one))),
    ("spacy-jsonl", lambda one: isinstance(one.get("cats"), dict) or _holds(one, "entities", list)),
    ("doccano", lambda one: _holds(one, "label", list) or _holds(one, "labels", list)),
    ("doccano", lambda one: _holds(one, "entities", dict)),
    ("prodigy", lambda one: "spans" in one and "label" not in one),
)


def _holds(one: dict[str, Any], key: str, kind: type) -> bool:
    value = one.get(key)
    return isinstance(value, list) and bool(value) and isinstance(value[0], kind)


def _json_lines(path: Path) -> list[str]:
    unsure: set[str] = set()
    plain = False
    for one in _objects(path):
        if isinstance(one, list) and len(one) == 2 and isinstance(one[0], str):
            return ["spacy-jsonl"]
        if not isinstance(one, dict):
            continue
        if (name := next((name for name, sign in _SIGNS if sign(one)), None)) is not None:
            return [name]
        unsure |= _unsure(one)
        plain = plain or bool({"text", "tokens", "vector"} & set(one))
    if unsure:
        return sorted(unsure)
    return ["jsonl"] if plain or path.suffix.lower() in _LINES else []


def _unsure(one: dict[str, Any]) -> set[str]:
    """What a line may be that shows nothing certain."""
    if one.get("entities") == []:
        return {"doccano", "spacy-jsonl"}
    if isinstance(one.get("labels"), list) and "label" not in one:
        return {"doccano"}
    if _holds(one, "label", str):  # both write classes so
        return {"doccano", "jsonl"}
    return set()


def _objects(path: Path) -> Iterator[Any]:
    for found in itertools.islice(json_lines(path), _LOOKED_AT):
        if not isinstance(found, Fault):
            yield found[1]


def _tagged(path: Path) -> bool:
    """Whether lines end with tags."""
    read = (found[1].split() for found in itertools.islice(lines(path), _LOOKED_AT) if not isinstance(found, Fault))
    columns = [one for one in read if one]
    return bool(columns) and all(len(one) > 1 and is_tag(one[-1]) for one in columns)


def _possible(name: str, task: Task) -> bool:
    """Of what is unsure: lists of classes are no plain JSON lines of a project of one class, and need no doccano."""
    if task is Task.MULTILABEL:
        return name != "doccano"
    return not (task is Task.TEXT and name == "jsonl")
