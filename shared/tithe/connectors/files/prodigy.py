"""Prodigy's JSON lines (`db-out`). How a line reads is Prodigy's connector's to say: it is passed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tithe.connectors.files.format import TEXTS, Format, Options, Schema, Written
from tithe.connectors.files.keys import text_at
from tithe.connectors.files.objects import json_lines
from tithe.connectors.files.row import Fault, Row, Unfit
from tithe.connectors.files.write_lines import write_lines

#: Lines of Prodigy's, and the project's schema → rows (their places are set here); of one line one row, and of
#: yes-or-no questions about one text a row together. Raises Unfit.
FromProdigy = Callable[[Iterable[Mapping[str, Any]], Schema], Iterable[Row]]
ToProdigy = Callable[[Row, Schema], Mapping[str, Any]]


def prodigy(from_lines: FromProdigy, to_line: ToProdigy) -> Format:
    """The format, of what turns lines into rows, and a row into a line."""

    def read(path: Path, options: Options, schema: Schema) -> Iterator[Row | Fault]:
        place = 0
        questions: list[dict[str, Any]] = []
        for found in json_lines(path):
            if isinstance(found, Fault):
                place = found.place
                yield found
                continue
            place, line = found
            try:
                row = _row(place, line, options, schema)
            except Unfit as unfit:
                yield unfit.at(place)
                continue
            if row is None or _is_question(line):
                questions.append(line)  # it says something only together with the others about its text
            else:
                yield row
        for number, row in enumerate(from_lines(questions, schema), start=1):
            yield replace(row, place=place + number)

    def _row(place: int, line: Any, options: Options, schema: Schema) -> Row | None:
        if not isinstance(line, dict):
            raise Unfit("not_an_object", "the line is no JSON object", "export with prodigy db-out")
        if options.as_pool:
            return Row(place, text=text_at(line, options))
        return next((replace(row, place=place) for row in from_lines([line], schema)), None)

    def _is_question(line: dict[str, Any]) -> bool:
        return "label" in line and "options" not in line and "accept" not in line

    def write(path: Path, rows: Iterable[Row], schema: Schema) -> Written:
        return write_lines(path, (to_line(row, schema) for row in rows))

    return Format("prodigy", "Prodigy JSON lines", (), TEXTS, "line", "", read, write)
