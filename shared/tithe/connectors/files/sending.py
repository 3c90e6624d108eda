"""A file on its way into a project: read row by row, sent as lines of JSON, faults collected.

The lines carry their places: before a row as many blank lines are sent as bring the count to its place, so that what
the server says of "line 137" is said of line 137 of the file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from tithe.connectors.files.format import Options, Read, Schema
from tithe.connectors.files.row import Fault, Row
from tithe.errors import BadInput

_PIECE_BYTES = 256 << 10
_TOLD = 100


class Sending:
    """One file. :meth:`pieces` may be called again: it begins anew.

    Attributes
    ----------
    faults, refused
        The first hundred records that could not be read, and how many there were.
    remarks
        What was decided in reading, and of how many rows.
    read, labeled
        Records so far, those with a fault among them, and rows that brought a label.
    """

    def __init__(self, read: Read, path: Path, options: Options, schema: Schema) -> None:
        self._read, self._path, self._options, self._schema = read, path, options, schema
        self._begin()

    def _begin(self) -> None:
        self.faults: list[Fault] = []
        self.refused = self.read = self.labeled = 0
        self.remarks: Counter[str] = Counter()

    def pieces(self, say: Callable[[int], None] = lambda _rows: None) -> Iterator[bytes]:
        """The lines, in pieces. `say` is told how many records were read.

        Raises BadInput, before the first piece, where the file cannot be read or holds no row that can.
        """
        self._begin()
        buffer, line, sent = bytearray(), 0, 0
        for found in self._read(self._path, self._options, self._schema):
            self.read += 1
            one = self._line(found)
            if isinstance(one, Fault):
                self._refuse(one)
                continue
            buffer += b"\n" * (found.place - line - 1) + one + b"\n"
            line, sent = found.place, sent + 1
            if len(buffer) >= _PIECE_BYTES:
                yield bytes(buffer)
                buffer.clear()
                say(self.read)
        if not sent:
            raise self._nothing()
        yield bytes(buffer)
        say(self.read)

    def _line(self, found: Row | Fault) -> bytes | Fault:
        if isinstance(found, Fault):
            return found
        row = found
        if self._options.as_pool:
            row = replace(row, label=None, split=None)
        elif self._options.split is not None:
            row = replace(row, split=self._options.split)
        try:
            line = json.dumps(row.sent(), separators=(",", ":"), allow_nan=False, default=str).encode()
        except (ValueError, RecursionError) as error:
            return Fault(row.place, "not_json", str(error)[:200], "write text, numbers or lists")
        self.labeled += row.label is not None
        if row.remark is not None:
            self.remarks[row.remark] += 1
        return line

    def _refuse(self, fault: Fault) -> None:
        self.refused += 1
        if len(self.faults) < _TOLD:
            self.faults.append(fault)

    def _nothing(self) -> BadInput:
        if not self.faults:
            return BadInput(f"{self._path.name} holds nothing", remedy="check where it comes from")
        first = self.faults[0]
        said = f"not one of {self.refused:,} records of {self._path.name} can be read"
        return BadInput(f"{said}; the first, at {first.place:,}: {first.reason}", remedy=first.remedy)
