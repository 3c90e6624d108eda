"""Models out of the files they were stored in, whatever kind they are."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol, cast

from numpy.typing import NDArray

#: What a file says it is → "module:Class". Imported when the first such file is read.
FORMATS = {
    "tithe-linear/1": "tithe.learners.linear_model:LinearModel",
    "tithe-tagger/1": "tithe.learners.tagging.tagger_model:WordTagger",
    "tithe-transformer/1": "tithe.learners.transformer.text_model:TextModel",
    "tithe-transformer-tagger/1": "tithe.learners.transformer.tag_model:TransformerTagger",
}


class StoredModel(Protocol):
    """What every model can: say how it came about, and be stored."""

    def facts(self) -> dict[str, Any]:
        """How it was fitted, ready for JSON."""

    def to_tensors(self) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        """Everything that is needed to make it again, as named arrays and texts: never a pickle."""


def model_from(tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, str]) -> StoredModel:
    """The model whose ``to_tensors`` gave these.

    Raises
    ------
    ValueError
        When the format is not known, or the arrays do not fit together.
    """
    target = FORMATS.get(meta.get("format", ""))
    if target is None:
        raise ValueError(f"no model of the format {meta.get('format')!r} is known; there are {', '.join(FORMATS)}")
    module, _, name = target.partition(":")
    return cast("StoredModel", getattr(importlib.import_module(module), name).from_tensors(tensors, meta))
