"""Learners to choose from, blind labeling, budgets in words, and word states kept beside a block's vectors."""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run the statements beside this file."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None, "a bind is always connected"  # noqa: S101
    connection.execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))
