"""Vectors of labeled items, a table per project; distances to the nearest of them that are kept between rounds."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run the statements beside this file."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None, "a bind is always connected"  # noqa: S101
    connection.execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))
