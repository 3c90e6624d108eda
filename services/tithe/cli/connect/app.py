"""The group `tithe connect`: a command for each tool we know, and for any other kind the server has."""

from __future__ import annotations

import typer
from typer.core import TyperGroup

from tithe.cli.connect import change, look, prodigy, tools

_OTHER = "other"


class Tools(TyperGroup):
    """A word that is no command is a kind of tool, whose package may have come after us."""

    def resolve_command(self, ctx, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 -- typer's own types move
        """The command for the first word."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            return _OTHER, self.get_command(ctx, _OTHER), args
        return super().resolve_command(ctx, args)


app = typer.Typer(cls=Tools, help="Connect labeling tools to a project, and see how they do.", no_args_is_help=True)
app.command("label-studio")(tools.label_studio)
app.command("scale")(tools.scale)
app.command("prodigy")(prodigy.prodigy)
app.command(_OTHER, hidden=True)(tools.other)
app.command("status")(look.status)
app.command("list", help="As status.")(look.status)
app.command("show")(look.show)
app.command("change")(change.change)
app.command("pause")(change.pause)
app.command("resume")(change.resume)
app.command("sync")(change.sync)
app.command("remove")(change.remove)
