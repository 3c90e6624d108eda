"""How the caller's columns are told from ours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tithe.errors import BrokenUpload

#: What a record may say of an item. Everything else is the caller's own and goes into `meta`, or is refused.
FIELDS = frozenset({"id", "text", "tokens", "vector", "meta", "label", "split"})


@dataclass(frozen=True)
class Columns:
    """Which of the caller's columns is what, and what becomes of those that are nothing of ours."""

    text: str = "text"
    label: str = "label"
    id: str = "id"
    vector: str = "vector"
    extra: Literal["reject", "meta"] | None = None  #: None: as the format has it

    def __post_init__(self) -> None:
        chosen = [self.text, self.label, self.id, self.vector]
        if len(set(chosen)) != len(chosen):
            raise BrokenUpload("one column cannot be two things", place="query", remedy="name a column for each")

    def ours(self) -> dict[str, str]:
        """The caller's name → our name."""
        renamed = {self.text: "text", self.label: "label", self.id: "id", self.vector: "vector"}
        return {name: name for name in ("tokens", "meta", "split") if name not in renamed} | renamed

    def check_present(self, found: Iterable[str]) -> None:
        """Raise BrokenUpload where a file with a header has no content, or lacks a column that was named."""
        there = set(found)
        told = ", ".join(sorted(there)[:30])
        named = {
            "text_column": self.text,
            "label_column": self.label,
            "id_column": self.id,
            "vector_column": self.vector,
        }
        for parameter, name in named.items():
            if name != parameter.removesuffix("_column") and name not in there:
                raise BrokenUpload(
                    f"there is no column {name!r}", place=f"query.{parameter}", remedy=f"there are: {told}"
                )
        if not there & {self.text, "tokens", self.vector}:
            raise BrokenUpload(
                f"there is no column {self.text!r}", place="body",
                remedy=f"name the one that holds the text with ?text_column=…; there are: {told}",
            )  # fmt: skip
