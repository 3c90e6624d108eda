"""Who may do what, and who did what: users, keys, sessions, memberships, the audit trail."""

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Run the statements beside this file."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None, "a bind is always connected"  # noqa: S101
    connection.execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))
