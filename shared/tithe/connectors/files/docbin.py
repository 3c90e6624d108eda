"""spaCy's DocBin (``.spacy``), as `spacy train` reads it: ``doc.ents`` for entities, ``doc.cats`` for classes.

A DocBin is one compressed block, so it is in memory as a whole, packed, while it is read or written.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tithe.connectors.files.cats import cats_of, label_of_cats
from tithe.connectors.files.format import TEXTS, Format, Options, Schema, Written
from tithe.connectors.files.row import Fault, Row, Unfit
from tithe.connectors.files.spacy_room import blank
from tithe.connectors.files.whole import whole_file
from tithe.connectors.files.words import tokenized
from tithe.contracts.projects import Task
from tithe.errors import BadInput

#: Where in a Doc's user data Tithe keeps what spaCy has no place for, as JSON.
_KEPT = "tithe"


def read(path: Path, options: Options, schema: Schema) -> Iterator[Row | Fault]:
    """Every Doc, by number from 1. Raises BadInput where spaCy is missing, or cannot read the file."""
    if path.is_dir():
        raise BadInput(f"{path} is a folder", remedy="name the .spacy file in it")
    vocab = blank().vocab
    docs = _docs(path, vocab)
    for place, doc in enumerate(docs, 1):
        try:
            yield _row(place, doc, options, schema)
        except Unfit as unfit:
            yield unfit.at(place)


def _docs(path: Path, vocab: Any) -> Iterator[Any]:
    from spacy.about import __version__
    from spacy.tokens import DocBin

    # All that a damaged or foreign block throws: spaCy checks neither the version nor the shapes.
    thrown = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, EOFError, MemoryError)
    try:
        found = DocBin().from_bytes(path.read_bytes())
        if not len(found):
            raise BadInput(f"{path.name} holds no Doc", remedy="check where it comes from")
        yield from found.get_docs(vocab)
    except thrown as error:
        said = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise BadInput(
            f"{path.name} is no DocBin that spaCy {__version__} can read: {said}",
            remedy="was it copied whole? one of a newer spaCy needs that spaCy: pip install -U spacy",
        ) from error


def _row(place: int, doc: Any, options: Options, schema: Schema) -> Row:
    kept = _kept(doc)
    tokens = [token.text for token in doc] if kept.get("tokens") else None
    label = None
    if options.as_pool:
        pass
    elif schema.task is not Task.TOKENS:
        label = label_of_cats(schema.task, dict(doc.cats)) if doc.cats else None
    elif doc.has_annotation("ENT_IOB"):
        label = [{"start": ent.start_char, "end": ent.end_char, "label": ent.label_} for ent in doc.ents]
    return Row(place, kept.get("id"), None if tokens else doc.text, tokens, label, kept.get("split"), kept.get("meta"))


def _kept(doc: Any) -> dict[str, Any]:
    try:
        kept = json.loads(doc.user_data.get(_KEPT, "{}"))
    except (ValueError, TypeError):
        return {}
    return kept if isinstance(kept, dict) else {}


def write(path: Path, rows: Iterable[Row], schema: Schema) -> Written:
    """One Doc a row, its ents or its cats set; one without a label has neither."""
    from_text = blank()
    from spacy.tokens import DocBin

    # Not all of a token's attributes, of which there are dozens: they would be most of the memory.
    packed, left_out = DocBin(attrs=["ENT_IOB", "ENT_TYPE"], store_user_data=True), Counter[str]()
    for row in rows:
        doc = _doc(from_text, row, schema)
        kept = {"id": row.id, "meta": row.meta, "split": row.split, "tokens": row.tokens is not None or None}
        doc.user_data[_KEPT] = json.dumps({name: one for name, one in kept.items() if one is not None})
        packed.add(doc)
    with whole_file(path) as part:
        part.write_bytes(packed.to_bytes())
    return Written(len(packed), left_out)


def _doc(from_text: Any, row: Row, schema: Schema) -> Any:
    from spacy.tokens import Doc

    if row.tokens is not None:
        doc = Doc(from_text.vocab, words=row.tokens, spaces=[True] * (len(row.tokens) - 1) + [False])
    else:
        doc = from_text.make_doc(row.text or "")
    if row.label is None:
        return doc
    if schema.task is not Task.TOKENS:
        doc.cats = cats_of(schema, row.label)
        return doc
    spans = [doc.char_span(one["start"], one["end"], label=one["label"]) for one in row.label]
    if None in spans:  # an edge is inside one of spaCy's tokens
        doc = _cut_doc(from_text, row)
        spans = [doc.char_span(one["start"], one["end"], label=one["label"]) for one in row.label]
    doc.set_ents([span for span in spans if span is not None], default="outside")
    return doc


def _cut_doc(from_text: Any, row: Row) -> Any:
    """The text with tokens that end where a span does."""
    from spacy.tokens import Doc
    from spacy.util import get_words_and_spaces

    words, spaces = get_words_and_spaces(tokenized(row).tokens or [], row.text or "")
    return Doc(from_text.vocab, words=words, spaces=spaces)


DOCBIN = Format(
    "spacy", "spaCy DocBin", (".spacy",), TEXTS, "Doc", "what was skipped; spaCy holds the file in memory", read, write
)
