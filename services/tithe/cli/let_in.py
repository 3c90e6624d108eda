"""How whoever runs a server comes in first: by its database, which is theirs."""

from __future__ import annotations

from pathlib import Path

FIRST = "admin"
_LOCAL = "commands on the server's machine"


def first_admin(database_url: str) -> str | None:
    """Make the first admin, where there is none; the invitation."""
    from tithe.loop import people
    from tithe.storage.database import Database

    with Database(database_url, connections=1) as database:
        return database.run(lambda unit: people.first_admin(unit, FIRST), repeatable=False)


def keep_local_key(database_url: str, data: Path) -> None:
    """Leave a key in the data folder, by which commands on this machine act as the first admin.

    One that still counts stays. Where there is no admin any more nothing is left.
    """
    from tithe.embedded.folder import DataFolder
    from tithe.embedded.secret_file import write_private
    from tithe.loop import people as accounts
    from tithe.storage import people
    from tithe.storage.database import Database, Unit

    file = DataFolder(data).local_key

    def work(unit: Unit) -> str | None:
        if file.exists() and people.by_key(unit, accounts.sha256_of(file.read_text("utf-8").strip())) is not None:
            return None
        admins = people.hold_admins(unit)
        if not admins:
            return None
        people.revoke_named(unit, admins[0], _LOCAL)
        return accounts.add_key(unit, admins[0], "@tithe", _LOCAL, None)[0]

    with Database(database_url, connections=1) as database:
        made = database.run(work, repeatable=False)
    if made is not None:
        write_private(file, made + "\n")
