"""What was not said as an option: asked for on a terminal, refused by name anywhere else."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from tithe.client import ProjectHandle, Tithe

#: What any tool's secret may stand in.
SECRET_VARIABLE = "TITHE_CONNECT_SECRET"  # noqa: S105 -- a variable's name


def on_terminal() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def chosen_project(tithe: Tithe, named: str | None) -> ProjectHandle:
    """The project that is named, else the one that is picked."""
    if named:
        return tithe.project(named)
    if not on_terminal():
        raise typer.BadParameter("say which project: -p PROJECT")
    names = ", ".join(one.name for one in tithe.projects())
    return tithe.project(typer.prompt(f"Which project? ({names or 'there is none yet: `tithe project create`'})"))


def given_or_asked(value: str | None, option: str, question: str) -> str:
    """What was said, else what is answered."""
    if value:
        return value
    if not on_terminal():
        raise typer.BadParameter(f"say {option}")
    return str(typer.prompt(question))


def secret(title: str, what: str, variables: Sequence[str], *, from_stdin: bool) -> str:
    """The tool's secret: from standard input, a variable of the environment, or typed unseen.

    An option would leave it in the shell's history and in the list of processes.
    """
    if from_stdin:
        found = sys.stdin.readline().strip()
        if not found:
            raise typer.BadParameter("--token-stdin: standard input is empty")
        return found
    for variable in (*variables, SECRET_VARIABLE):
        if found := os.environ.get(variable, "").strip():
            return found
    if not on_terminal():
        raise typer.BadParameter(f"say --token-stdin, or set {' or '.join((*variables, SECRET_VARIABLE))}")
    typer.echo(f"{title} wants {what}.")
    return str(typer.prompt("Paste it here (it is not shown)", hide_input=True)).strip()


def aliases(pairs: Sequence[str] | None) -> dict[str, str]:
    """``TOOL=PROJECT`` as a mapping. A label with = in it is cut at the first.

    Examples
    --------
    >>> aliases(["Positive=pos", "Negative=neg"])
    {'Positive': 'pos', 'Negative': 'neg'}
    """
    return dict(_cut(pair, "--alias", "TOOL=PROJECT") for pair in pairs or ())


def typed_settings(pairs: Sequence[str] | None, schema: Mapping[str, Any]) -> dict[str, Any]:
    """``KEY=VALUE`` as a kind's settings want it: text as it is, anything else as JSON.

    Examples
    --------
    >>> schema = {"properties": {"url": {"type": "string"}, "size": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}}
    >>> typed_settings(["url=http://a?b=c", "size=3"], schema)
    {'url': 'http://a?b=c', 'size': 3}
    """
    known = schema.get("properties", {})
    found: dict[str, Any] = {}
    for pair in pairs or ():
        name, text = _cut(pair, "--set", "KEY=VALUE")
        found[name] = text if "string" in _types(known.get(name, {})) else _json(text)
    return found


def ask_what_is_missing(settings: dict[str, Any], schema: Mapping[str, Any]) -> None:
    """Have every setting that must be said said."""
    for name in schema.get("required", ()):
        if name not in settings:
            told = schema.get("properties", {}).get(name, {})
            answer = given_or_asked(None, f"--set {name}=…", f"{name}: {told.get('description', 'must be said')}")
            settings |= typed_settings([f"{name}={answer}"], schema)


def _types(told: Mapping[str, Any]) -> set[str]:
    kinds = {told["type"]} if isinstance(told.get("type"), str) else set()
    if "$ref" in told or "enum" in told or "const" in told:
        kinds.add("string")
    return kinds.union(*(_types(one) for one in told.get("anyOf", ())))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # the server knows better what is wrong with it


def _cut(pair: str, option: str, shape: str) -> tuple[str, str]:
    name, equals, value = pair.partition("=")
    if not equals or not name.strip():
        raise typer.BadParameter(f"{option} {pair!r} is not {shape}")
    return name.strip(), value.strip()
