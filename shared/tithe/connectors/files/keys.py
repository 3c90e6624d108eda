"""Which keys of an object are what: its text, its id, and the rest, which is meta."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tithe.connectors.files.format import Options
from tithe.connectors.files.row import Row, Unfit

#: Where Tithe's own id travels through tools that number things themselves.
OWN_ID = "tithe_id"


def text_at(found: Mapping[str, Any], options: Options, default: str = "text") -> str:
    """The text. Raises Unfit, naming the keys there are."""
    key = options.text_column or default
    text = found.get(key)
    if isinstance(text, str):
        return text
    there = ", ".join(sorted(map(str, found))[:12])
    raise Unfit("no_text", f"there is no text under {key!r}", f"name its key with --text-column; there are: {there}")


def id_at(found: Mapping[str, Any], options: Options, default: str = "id") -> Any:
    """The id: what the user says, else Tithe's own that came back, else the tool's."""
    if options.id_column:
        return found.get(options.id_column)
    return found.get(OWN_ID, found.get(default))


def rest(found: Mapping[str, Any], used: Collection[str]) -> dict[str, Any]:
    """What is not used, with what stands under `meta` beside it."""
    meta = found.get("meta")
    kept = {key: value for key, value in found.items() if key not in used and key != "meta" and value is not None}
    if isinstance(meta, dict):
        return {**kept, **meta}
    return kept if meta is None else {**kept, "meta": meta}


def split_at(found: Mapping[str, Any]) -> str | None:
    """Whether it is held out; what other tools call a split is theirs."""
    split = found.get("split")
    return split if split in ("pool", "test") else None


def tokens_at(found: Mapping[str, Any], text: str) -> list[str] | None:
    """The tokens Tithe wrote beside a text, where they still are this text."""
    tokens = found.get("tokens")
    if not isinstance(tokens, list) or not tokens or not all(isinstance(one, str) for one in tokens):
        return None
    return tokens if " ".join(tokens) == text else None


def known(row: Row) -> dict[str, Any]:
    """What tools have no place for: tokens of an item that came so, and that it is held out."""
    beside: dict[str, Any] = {}
    if row.tokens is not None:
        beside["tokens"] = row.tokens
    if row.split == "test":
        beside["split"] = "test"
    return beside
