"""spaCy, where it is installed: reached from here alone, and only its blank pipelines."""

from __future__ import annotations

import importlib.util
from typing import Any

from tithe.errors import BadInput

#: Its tokenizer knows no single language.
_LANGUAGE = "xx"


def blank() -> Any:
    """A pipeline with a tokenizer and nothing else. Raises BadInput where spaCy is not installed."""
    if importlib.util.find_spec("spacy") is None:
        raise BadInput("DocBin files need spaCy, which is not installed", remedy="pip install 'tithe[spacy]'")
    import spacy

    return spacy.blank(_LANGUAGE)
