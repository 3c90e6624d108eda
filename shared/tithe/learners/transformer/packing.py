"""A fine-tuned model as named arrays and texts, and back: body, head, how it is read, how it came about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from numpy.typing import NDArray

from tithe.learners.linear_model import LinearModel
from tithe.learners.transformer.body import Body
from tithe.learners.transformer.settings import TransformerSettings

Tensors = Mapping[str, NDArray[Any]]
_HEADS = "heads."


class Parts(NamedTuple):
    """What a fine-tuned model is made of."""

    body: Body
    head: LinearModel
    settings: TransformerSettings
    fitted: Mapping[str, Any]


def packed(parts: Parts, form: str) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Everything, as named arrays and texts: neither the base model nor a hub is needed to read it again."""
    tensors, meta = parts.body.to_tensors()
    heads, of_heads = parts.head.to_tensors()
    tensors |= {_HEADS + name: array for name, array in heads.items()}
    return tensors, {
        **meta,
        "format": form,
        "heads": json.dumps(of_heads),
        "settings": parts.settings.to_json(),
        "facts": json.dumps(dict(parts.fitted)),
    }


def unpacked(tensors: Tensors, meta: Mapping[str, str], form: str) -> Parts:
    """The parts :func:`packed` was given. Raises ValueError when these are of another form, or do not fit together."""
    if meta.get("format") != form:
        raise ValueError(f"not a {form} model: format is {meta.get('format')!r}")
    absent = {"heads", "settings", "facts"} - meta.keys()
    if absent:
        raise ValueError(f"the model lacks its {', '.join(sorted(absent))}")
    heads = {name.removeprefix(_HEADS): array for name, array in tensors.items() if name.startswith(_HEADS)}
    head = LinearModel.from_tensors(heads, json.loads(meta["heads"]))
    settings = TransformerSettings.from_json(meta["settings"])
    return Parts(Body.from_tensors(tensors, meta), head, settings, json.loads(meta["facts"]))
