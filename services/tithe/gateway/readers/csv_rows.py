"""CSV as RFC 4180 has it: UTF-8, a header row, commas, fields in quotes may span lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any

from tithe.contracts.projects import Task
from tithe.errors import BrokenUpload
from tithe.gateway.readers.lines import lines
from tithe.gateway.readers.record import Columns
from tithe.loop.checking import BadLine, Record

_JSON_FIELDS = ("tokens", "vector", "meta")


def read_csv(pieces: Iterable[bytes], columns: Columns, limit_bytes: int, task: Task) -> Iterator[Record | BadLine]:
    """Every row, by the number of its first line.

    Columns that are nothing of ours go into `meta` as strings, unless they are to be refused. Empty cells say
    nothing; several labels are a JSON list, or separated by ``|``.
    """
    source = _Lines(pieces, limit_bytes)
    rows = _rows(source, limit_bytes)
    header = next(rows, None)
    if header is None:
        return
    if isinstance(header, BadLine):
        raise BrokenUpload(f"the header cannot be read: {header.reason}", place="line 1", remedy=header.remedy)
    names = _header(header[1], columns)
    ours = columns.ours()
    for row in rows:
        if isinstance(row, BadLine):
            yield row
            continue
        number, cells = row
        try:
            if len(cells) != len(names):
                raise BadLine(
                    number, "wrong_number_of_fields", f"{len(cells)} fields where the header has {len(names)}",
                    'put fields that hold commas or newlines in double quotes, and write " in them as ""',
                )  # fmt: skip
            pairs = list(zip(names, cells, strict=True))
            values = {
                ours[name]: _value(number, ours[name], cell, task) for name, cell in pairs if name in ours and cell
            }
            extra = {name: cell for name, cell in pairs if name not in ours}
            if extra and columns.extra == "reject":
                raise BadLine(number, "unknown_key", f"{next(iter(extra))!r} is no field of an item", "leave it out")
            yield Record(number, values, extra, source.taken)
        except BadLine as bad:
            yield bad


class _Lines:
    """Feeds the csv module line by line, and keeps count of how much the present row has taken."""

    def __init__(self, pieces: Iterable[bytes], limit_bytes: int) -> None:
        self._lines = lines(pieces, limit_bytes)
        self._limit_bytes = limit_bytes
        self.number = 0
        self.taken = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        found = next(self._lines)
        if isinstance(found, BadLine):
            self.number = found.line
            raise found
        self.number, line = found
        self.taken += len(line) + 1
        if self.taken > self._limit_bytes + 1:
            raise BadLine(
                self.number, "line_too_long", f"the row that ends here is longer than {self._limit_bytes:,} bytes",
                "look for a quote that is opened and never closed, or raise TITHE_LINE_LIMIT_BYTES",
            )  # fmt: skip
        try:
            return line.decode() + "\n"
        except UnicodeDecodeError as error:
            raise BadLine(self.number, "not_utf8", "the line is not UTF-8", "save the file as UTF-8") from error


def _rows(source: _Lines, limit_bytes: int) -> Iterator[tuple[int, list[str]] | BadLine]:
    # The csv module's own limit is for the whole process, and lower than ours; ours bounds the row.
    csv.field_size_limit(max(csv.field_size_limit(), limit_bytes))
    reader = csv.reader(source, strict=True)
    while True:
        first = source.number + 1
        source.taken = 0
        try:
            cells = next(reader)
        except StopIteration:
            return
        except BadLine as bad:
            yield bad
        except csv.Error as error:
            yield BadLine(first, "not_csv", str(error), 'write " in a field as "", and close every quote')
        else:
            if cells and any(cells):
                yield first, cells


def _header(cells: list[str], columns: Columns) -> list[str]:
    names = [cell.strip() for cell in cells]
    if len(names) == 1 and any(mark in names[0] for mark in ";\t"):
        raise BrokenUpload("the header has no commas", place="line 1", remedy="separate fields by commas")
    if len(set(names)) != len(names) or "" in names:
        raise BrokenUpload("a column of the header has no name, or that of another", place="line 1",
                           remedy="give each column a name of its own")  # fmt: skip
    columns.check_present(names)
    return names


def _value(number: int, name: str, cell: str, task: Task) -> Any:
    if name in _JSON_FIELDS:
        return _json(number, name, cell)
    if name == "label" and task is Task.TOKENS:
        return _json(number, name, cell)
    if name == "label" and task is Task.MULTILABEL:
        if cell.lstrip().startswith("["):
            return _json(number, name, cell)
        return [part.strip() for part in cell.split("|") if part.strip()]
    return cell


def _json(number: int, name: str, cell: str) -> Any:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError) as error:
        raise BadLine(number, "not_json", f"{name} is not JSON", f"write {name} as JSON, in quotes") from error
