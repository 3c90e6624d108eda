"""What annotators are told about how to label, version by version."""

from pathlib import Path

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Run the statements beside this file."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None, "a bind is always connected"  # noqa: S101
    connection.execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))
