"""`tithe connect label-studio`, `tithe connect scale`, and whatever other kind the server has."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tithe.cli.address import HERE, Data, connect
from tithe.cli.connect import asking, guide
from tithe.cli.connect.options import (
    Alias,
    Gateway,
    HooksUrl,
    NewName,
    PollSeconds,
    Project,
    Set,
    TokenStdin,
    Wait,
    Window,
    Yes,
)

if TYPE_CHECKING:
    from tithe.client import Tithe
    from tithe.contracts.connectors import ConnectorKindState


def label_studio(
    project: Project = None,
    url: Annotated[str | None, typer.Option(help="Label Studio's address, as a browser opens it.")] = None,
    tool_project: Annotated[
        int | None, typer.Option("--project", min=1, help="The id of a project in it; default: one is made.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Of a project that is made.")] = None,
    window: Window = None,
    alias: Alias = None,
    hooks_url: HooksUrl = None,
    poll_seconds: PollSeconds = None,
    set_: Set = None,
    name: NewName = None,
    token_stdin: TokenStdin = False,
    yes: Yes = False,
    wait: Wait = True,
    gateway: Gateway = None,
    data: Data = HERE,
) -> None:
    """Connect a Label Studio: its people label what is most worth a label.

    The token is asked for, or read from LABEL_STUDIO_API_KEY or standard input.
    """
    with connect(gateway, data) as tithe:
        pool = asking.chosen_project(tithe, project)
        url = asking.given_or_asked(url, "--url URL", "Where is Label Studio? (such as http://127.0.0.1:8080)")
        if tool_project is None and asking.on_terminal():
            tool_project = _which_project()
        settings = {
            "url": url, "project": tool_project, "title": title, "window": window, "hooks_url": hooks_url,
            "poll_seconds": poll_seconds, "aliases": asking.aliases(alias) or None,
        }  # fmt: skip
        settings |= asking.typed_settings(set_, kind_named(tithe, "label-studio").settings if set_ else {})
        told = _given(settings)
        secret = asking.secret(
            "Label Studio", "an access token: Account & Settings, Personal Access Token", ["LABEL_STUDIO_API_KEY"],
            from_stdin=token_stdin,
        )  # fmt: skip
        guide.agreed(pool, "label-studio", told, secret, yes=yes)
        made = guide.connected(pool, "label-studio", told, secret, name=name)
        if wait:
            guide.waited_for(pool, made.name)


def scale(
    project: Project = None,
    tool_project: Annotated[
        str | None, typer.Option("--project", help="The project's name in Scale; it is made where there is none.")
    ] = None,
    instruction: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A Markdown file: what labelers are told.")
    ] = None,
    window: Window = None,
    price: Annotated[float | None, typer.Option(min=0, help="What Scale charges for a task.")] = None,
    spend_limit: Annotated[float | None, typer.Option(min=0, help="The most to be spent; needs --price.")] = None,
    alias: Alias = None,
    hooks_url: HooksUrl = None,
    poll_seconds: PollSeconds = None,
    set_: Set = None,
    name: NewName = None,
    token_stdin: TokenStdin = False,
    yes: Yes = False,
    wait: Wait = True,
    gateway: Gateway = None,
    data: Data = HERE,
) -> None:
    """Connect Scale AI: each round becomes a batch of paid tasks.

    The API key is asked for, or read from SCALE_API_KEY or standard input; with --hooks-url the callback key, too, from
    SCALE_CALLBACK_KEY.
    """
    with connect(gateway, data) as tithe:
        pool = asking.chosen_project(tithe, project)
        settings = {
            "project": asking.given_or_asked(tool_project, "--project NAME", "What is the project called in Scale?"),
            "instruction": instruction and instruction.read_text("utf-8"), "window": window,
            "price_per_label": _money(price), "spend_limit": _money(spend_limit), "poll_seconds": poll_seconds,
            "aliases": asking.aliases(alias) or None,
        }  # fmt: skip
        settings |= asking.typed_settings(set_, kind_named(tithe, "scale").settings if set_ else {})
        told = _given(settings)
        secret = asking.secret(
            "Scale", "the account's API key, from its dashboard", ["SCALE_API_KEY"], from_stdin=token_stdin
        )
        callback_key = None
        if hooks_url:
            what = "the account's callback auth key, from the same page"
            callback_key = asking.secret("Scale", what, ["SCALE_CALLBACK_KEY"], from_stdin=False)
        guide.agreed(pool, "scale", told, secret, yes=yes)
        made = guide.connected(pool, "scale", told, secret, name=name, hook_secret=callback_key)
        if hooks_url:  # the hook's address has the connection's id in it
            made = pool.connections.change(made.name, settings={"callback_url": hooks_url.rstrip("/") + made.hook})
        if wait:
            guide.waited_for(pool, made.name)


def other(
    kind: Annotated[str, typer.Argument(help="The kind of tool.")],
    project: Project = None,
    set_: Set = None,
    name: NewName = None,
    token_stdin: TokenStdin = False,
    yes: Yes = False,
    wait: Wait = True,
    gateway: Gateway = None,
    data: Data = HERE,
) -> None:
    """Connect a tool of another kind that is installed where the gateway runs: KEY=VALUE says its settings.

    Its secret is asked for, or read from TITHE_CONNECT_SECRET or standard input.
    """
    with connect(gateway, data) as tithe:
        pool = asking.chosen_project(tithe, project)
        known = kind_named(tithe, kind)
        settings = asking.typed_settings(set_, known.settings)
        asking.ask_what_is_missing(settings, known.settings)
        secret = asking.secret(known.title, known.secret_help, [], from_stdin=token_stdin)
        guide.agreed(pool, known.name, settings, secret, yes=yes)
        made = guide.connected(pool, known.name, settings, secret, name=name)
        if wait:
            guide.waited_for(pool, made.name)


def kind_named(tithe: Tithe, name: str) -> ConnectorKindState:
    """The server's kind of that name. Raises BadInput, naming those there are."""
    from difflib import get_close_matches

    from tithe.errors import BadInput

    every = tithe.connector_kinds()
    found = {one.name: one for one in every.kinds}
    if name in found:
        return found[name]
    for one in every.broken:
        if one.name == name:
            raise BadInput(f"{name} cannot be used there: {one.reason}", remedy=f"see to {one.package} on the server")
    near = get_close_matches(name, [*found, "prodigy"], n=1)
    guess = f"did you mean {near[0]}? " if near else ""
    raise BadInput(f"there is no tool {name!r}", remedy=f"{guess}there are: {', '.join([*found, 'prodigy'])}")


def _which_project() -> int | None:
    answer = typer.prompt("The id of a project in it, or Enter to have one made", default="", show_default=False)
    if not str(answer).strip():
        return None
    if not str(answer).strip().isdecimal():
        raise typer.BadParameter("a project's id is a number: it stands in its page's address, …/projects/3")
    return int(answer)


def _money(value: float | None) -> str | None:
    return None if value is None else str(Decimal(str(value)))


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}
