"""What the columns of a Hugging Face dataset are: only where names of classes are concerned does it matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tithe.connectors.files.row import Unfit

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Feature:
    """A column, as `dataset_info.json` says it."""

    said: Any = None

    @staticmethod
    def text() -> Feature:
        """A string."""
        return Feature({"dtype": "string", "_type": "Value"})

    @staticmethod
    def classes(names: Sequence[str]) -> Feature:
        """A class by its number."""
        return Feature({"names": list(names), "_type": "ClassLabel"})

    @staticmethod
    def spans() -> Feature:
        """A list of spans; said in the way that every version of `datasets` understands."""
        number = {"dtype": "int64", "_type": "Value"}
        return Feature([{"start": number, "end": number, "label": Feature.text().said}])

    def several(self) -> Feature:
        """A list of it; said as versions before 4 say it, which newer ones understand."""
        return Feature({"feature": self.said, "_type": "Sequence"})

    def arrow(self) -> pa.DataType:
        """Its type in Arrow."""
        return _arrow(self.said)

    def name(self, value: Any) -> str | None:
        """The class that a value is; None: none is given (-1). Raises Unfit where a number has no name.

        Examples
        --------
        >>> Feature.classes(["ham", "spam"]).several().name(1), Feature.text().name("ham")
        ('spam', 'ham')
        """
        if isinstance(value, str) or value is None:
            return value
        names = _names(self.said)
        if names is None:
            raise Unfit(
                "no_class_name", f"{value!r} is a number, and the file does not say which class it is",
                "make the column a ClassLabel, or a string",
            )  # fmt: skip
        if value == -1:
            return None
        if not 0 <= value < len(names):
            raise Unfit("no_class_name", f"there is no class number {value}: there are {len(names)}")
        return str(names[value])


Features = dict[str, Feature]


def tag_names(labels: Sequence[str]) -> list[str]:
    """The tags of entity types, in IOB2.

    Examples
    --------
    >>> tag_names(["PER", "LOC"])
    ['O', 'B-PER', 'I-PER', 'B-LOC', 'I-LOC']
    """
    return ["O", *(f"{mark}-{label}" for label in labels for mark in "BI")]


def _names(said: Any) -> list[str] | None:
    """The names of the classes in it, however deep in lists they are."""
    if isinstance(said, list):
        return _names(said[0]) if said else None
    if not isinstance(said, dict):
        return None
    if said.get("_type") == "ClassLabel":
        names = said.get("names")
        return names if isinstance(names, list) else None
    return _names(said.get("feature"))


def _arrow(said: Any) -> pa.DataType:
    import pyarrow as pa

    if isinstance(said, list):
        return pa.list_(_arrow(said[0]))
    kind = said.get("_type")
    if kind == "Sequence":
        return pa.list_(_arrow(said["feature"]))
    if kind == "ClassLabel":
        return pa.int64()
    if kind == "Value":
        return pa.string() if said["dtype"] == "string" else pa.int64()
    return pa.struct([(name, _arrow(inner)) for name, inner in said.items()])
