"""JSON lines: one object a line, read strictly, so that what is stored is what was meant."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from tithe.gateway.readers.lines import lines
from tithe.gateway.readers.record import Columns
from tithe.loop.checking import BadLine, Record


def read_ndjson(pieces: Iterable[bytes], columns: Columns, limit_bytes: int) -> Iterator[Record | BadLine]:
    """Every line that is not blank.

    NaN, Infinity and a key that comes twice are refused; keys that are nothing of ours are too, unless they are
    wanted in `meta`.
    """
    ours = columns.ours()
    for found in lines(pieces, limit_bytes):
        if isinstance(found, BadLine):
            yield found
            continue
        number, line = found
        if not line.strip():
            continue
        try:
            yield _record(number, line, ours, fold=columns.extra == "meta")
        except BadLine as bad:
            yield bad


def _record(number: int, line: bytes, ours: dict[str, str], *, fold: bool) -> Record:
    try:
        parsed = json.loads(line.decode(), parse_constant=_no_constant, object_pairs_hook=_no_twins)
    except UnicodeDecodeError as error:
        raise BadLine(number, "not_utf8", f"byte {error.start} is not UTF-8", "save the file as UTF-8") from error
    except RecursionError as error:
        raise BadLine(number, "too_deep", "the JSON is nested too deeply", "flatten it") from error
    except json.JSONDecodeError as error:
        told = f"{error.msg} at character {error.pos + 1}"
        raise BadLine(number, "not_json", told, "send one JSON object a line") from error
    except ValueError as error:
        raise BadLine(number, "not_json", str(error)[:200], "send one JSON object a line") from error
    if not isinstance(parsed, dict):
        raise BadLine(number, "not_an_object", "the line is not a JSON object", 'send lines such as {"text": "…"}')
    values = {ours[name]: value for name, value in parsed.items() if name in ours}
    extra = {name: value for name, value in parsed.items() if name not in ours}
    if extra and not fold:
        name = next(iter(extra))
        raise BadLine(
            number, "unknown_key", f"{name[:80]!r} is no field of an item",
            f"fields are {', '.join(sorted(ours))}; put it into meta, or send ?extra=meta",
        )  # fmt: skip
    return Record(number, values, extra, len(line))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise ValueError(f"the key {twice[:80]!r} comes twice")
    return found
