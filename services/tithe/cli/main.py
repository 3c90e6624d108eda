"""The application: every command by name."""

from __future__ import annotations

import typer

from tithe.cli import items, machine, nearest, operate, people, projects, proof, status, strategies, up
from tithe.cli.complaints import TidyGroup
from tithe.cli.connect.app import app as connect
from tithe.cli.demo.command import demo
from tithe.cli.rehearse.command import rehearse

app = typer.Typer(
    cls=TidyGroup,
    name="tithe",
    help="Tithe decides which items of a large unlabeled pool people should label next.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("up")(up.up)
app.command("demo")(demo)
app.command("rehearse")(rehearse)
app.add_typer(projects.app, name="project")
app.add_typer(connect, name="connect")
app.command("import")(items.import_)
app.command("export")(items.export)
app.command("status")(status.status)
app.add_typer(machine.app, name="auto-label")
app.command("proof")(proof.proof)
app.command("stop")(proof.stop)
app.command("resume")(proof.resume)
app.command("strategies")(strategies.strategies)
app.command("nearest-labeled")(nearest.nearest_labeled)
app.add_typer(people.users, name="user")
app.add_typer(people.keys, name="key")
app.add_typer(people.members, name="member")
app.command("round")(operate.round_)
app.command("worker")(operate.worker)
app.command("migrate")(operate.migrate)
app.command("check")(operate.check)


@app.command("version")
def version() -> None:
    """Say which version this is."""
    from importlib.metadata import version as installed

    typer.echo(installed("tithe"))
