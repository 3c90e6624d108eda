"""The first schema."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the statements beside this file."""
    # The driver's own cursor: no parameter style is applied, so the file runs as psql would run it.
    connection = op.get_bind().connection.driver_connection
    assert connection is not None, "a bind is always connected"  # noqa: S101
    connection.execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))
