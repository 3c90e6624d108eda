"""CoNLL: a token a line, its columns, its tag last; a blank line ends a sentence.

Read whatever the columns and the scheme of tags. Written as CoNLL-2003 has it (``token -X- _ tag``), or as token, tab,
tag.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tithe.connectors.files.format import Format, Options, Schema, Written
from tithe.connectors.files.row import Fault, Row, Unfit
from tithe.connectors.files.tags import Scheme, is_tag, spans_of, tags_of
from tithe.connectors.files.texts import lines
from tithe.connectors.files.whole import whole_file
from tithe.connectors.files.words import tokenized
from tithe.contracts.projects import Task
from tithe.errors import BadInput

_GAP = re.compile(r"[ \t]+")
_DOCUMENT = "-DOCSTART-"
_LOSES = "ids, meta, the split, items without a label, spaces of texts that did not come as tokens"


@dataclass
class _Sentence:
    """A sentence as it comes; `fault` is the first there is in it."""

    place: int = 0
    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    fault: Fault | None = None

    def add(self, number: int, line: str, *, tagged: bool) -> None:
        self.place = self.place or number
        columns = [part.strip(" ") for part in line.split("\t")] if "\t" in line else _GAP.split(line.strip(" "))
        if not columns[0].strip():
            self.fault = self.fault or Fault(number, "no_token", "the line has no token", "token first, tag last")
        if tagged and (len(columns) < 2 or not is_tag(columns[-1])):
            said = f"{columns[-1][:40]!r} is no tag" if len(columns) > 1 else "the line has a token and no tag"
            self.fault = self.fault or Fault(
                number, "no_tag", f"{said}; the sentence from line {self.place:,} on is left out",
                "O, or B-, I-, E-, S- and a type; or say --as-pool",
            )  # fmt: skip
        self.tokens.append(columns[0])
        self.tags.append(columns[-1])

    def row(self, *, tagged: bool) -> Row | Fault:
        return self.fault or Row(
            self.place, tokens=self.tokens, label=spans_of(self.tokens, self.tags) if tagged else None
        )


def read(path: Path, options: Options, schema: Schema) -> Iterator[Row | Fault]:
    """Every sentence, by its first line, or a fault by the line it is in. `-DOCSTART-` and comments are passed over."""
    if schema.task is not Task.TOKENS:
        raise BadInput(f"CoNLL holds tokens with tags, the project is {schema.task}", remedy="name the right project")
    tagged = not options.as_pool
    sentence = _Sentence()
    for found in lines(path):
        if isinstance(found, Fault):
            sentence.place = sentence.place or found.place
            sentence.fault = sentence.fault or found
        elif found[1].strip(" \t"):
            if not _no_token(found[1], sentence):
                sentence.add(*found, tagged=tagged)
        elif sentence.place:
            yield sentence.row(tagged=tagged)
            sentence = _Sentence()
    if sentence.place:
        yield sentence.row(tagged=tagged)


def _no_token(line: str, sentence: _Sentence) -> bool:
    """Whether a line begins a document, or comments on the sentence after it."""
    if sentence.place:
        return False
    return line.startswith((_DOCUMENT + " ", _DOCUMENT + "\t")) or (
        line.startswith("# ") and not is_tag(_GAP.split(line.rstrip())[-1])
    )


def _write(
    path: Path,
    rows: Iterable[Row],
    schema: Schema,  # noqa: ARG001 -- as formats have it
    *,
    scheme: Scheme,
    gap: str,
) -> Written:
    written, left_out = 0, Counter[str]()
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            try:
                file.writelines(_sentence(row, scheme, gap))
            except Unfit as unfit:
                left_out[unfit.reason] += 1
            else:
                file.write("\n")
                written += 1
    return Written(written, left_out)


def _sentence(row: Row, scheme: Scheme, gap: str) -> list[str]:
    """Its lines. Raises Unfit where it would not read as it is meant."""
    if row.label is None:
        raise Unfit("no_label", "without a label")
    one = tokenized(row)
    tokens = one.tokens or []
    if tokens[0] == _DOCUMENT:
        raise Unfit("document", f"that begin with {_DOCUMENT}, which begins a document")
    if any(_misread(token, gap) for token in tokens):
        raise Unfit("white_space", "with white space in a token")
    return [f"{token}{gap}{tag}\n" for token, tag in zip(tokens, tags_of(tokens, one.label, scheme), strict=True)]


def _misread(token: str, gap: str) -> bool:
    """Whether a token would be read as something else; one with spaces inside needs tabs between the columns."""
    marks = "\n\r\t" if gap == "\t" else "\n\r\t "
    return token.strip(" ") != token or any(mark in token for mark in marks)


def _format(name: str, title: str, suffixes: tuple[str, ...], scheme: Scheme, gap: str) -> Format:
    return Format(
        name, title, suffixes, frozenset({Task.TOKENS}), "sentence", _LOSES, read,
        partial(_write, scheme=scheme, gap=gap), "line",
    )  # fmt: skip


CONLL = _format("conll", "CoNLL-2003, tags in IOB2", (".conll", ".conll2003"), "iob2", " -X- _ ")
BIO = _format("bio", "token and tag, IOB2", (".bio", ".iob2", ".iob"), "iob2", "\t")
IOB1 = _format("iob1", "token and tag, IOB1", (".iob1",), "iob1", "\t")
BIOES = _format("bioes", "token and tag, BIOES", (".bioes",), "bioes", "\t")
