"""JSON in files: an object a line, or one long list, read strictly and one at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from tithe.connectors.files.row import Fault, Unfit
from tithe.connectors.files.texts import BOM, check_text, lines
from tithe.errors import BadInput

#: What a value may have begun with where a file was cut.
_WORDS = ("true", "false", "null", "-")
_EXPORT_AGAIN = "export it again, and check that it was copied whole"


def json_lines(path: Path) -> Iterator[tuple[int, Any] | Fault]:
    """What each line that is not blank holds, by the line's number. Raises BadInput where it is no text."""
    for found in lines(path):
        if isinstance(found, Fault):
            yield found
        elif found[1].strip():
            number, line = found
            try:
                yield number, parsed(line)
            except Unfit as unfit:
                yield unfit.at(number)


def parsed(line: str) -> Any:
    """The JSON of a line. Raises Unfit: NaN, Infinity and a key that comes twice are refused."""
    try:
        return json.loads(line, parse_constant=_no_constant, object_pairs_hook=_no_twins)
    except RecursionError:
        raise Unfit("too_deep", "the JSON is nested too deeply", "flatten it") from None
    except json.JSONDecodeError as error:
        left = line[error.pos :].strip()
        cut = error.msg.startswith("Unterminated") or any(word.startswith(left) for word in _WORDS)
        said = "the line ends in the middle" if cut else f"{error.msg} at character {error.pos + 1}"
        raise Unfit("not_json", said, _EXPORT_AGAIN if cut else "one JSON object a line") from None
    except ValueError as error:
        raise Unfit("not_json", str(error)[:200], "one JSON object a line") from None


def json_list(path: Path) -> Iterator[tuple[int, Any] | Fault]:
    """What a file's one list holds, by number from 1. Raises BadInput where it is no list.

    What is broken inside ends it with a fault: where JSON goes on after that nobody can say.
    """
    import ijson

    check_text(path)
    if (start := first_character(path)) != "[":
        raise BadInput(f"{path.name} is no JSON list: it begins with {start!r}", remedy="check the format, --format")
    number = 0
    with path.open("rb") as file:
        if file.read(len(BOM)) != BOM:
            file.seek(0)
        try:
            for one in ijson.items(file, "item", use_float=True):
                number += 1
                yield number, one
        except (ijson.JSONError, UnicodeDecodeError, ValueError) as error:
            cut = "premature EOF" in str(error) or "ncomplete" in str(error)
            said = "the file ends in the middle of it" if cut else f"it is not JSON: {str(error).splitlines()[0][:150]}"
            yield Fault(number + 1, "not_json", f"{said}; what follows cannot be read", _EXPORT_AGAIN)


def first_character(path: Path) -> str:
    """The first that is no white space; empty where there is none in the first 64 KiB."""
    with path.open("rb") as file:
        return file.read(1 << 16).removeprefix(BOM).lstrip()[:1].decode("latin-1")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise ValueError(f"the key {twice[:80]!r} comes twice")
    return found
