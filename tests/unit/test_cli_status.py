"""What `tithe status` says of encoding under way."""

from __future__ import annotations

from tithe.cli.status import _encoded
from tithe.contracts.insight import Embedding


def encoded(ready: int, pace: float | None, left: float | None) -> str:
    return _encoded(
        Embedding(
            blocks_ready=1, blocks=2, rows_ready=ready, rows=100_000, imports_running=0, rows_per_second=pace,
            seconds_left=left,
        )
    )  # fmt: skip


def test_how_fast_texts_are_encoded_is_said_while_some_are_left():
    assert encoded(1000, None, None) == "1,000 of 100,000"
    assert encoded(10_000, 150.4, 598.4) == "10,000 of 100,000, 150 a second, about 10 min left"
    assert encoded(99_000, 150.4, 6.6) == "99,000 of 100,000, 150 a second, about 7 s left"
    assert encoded(1000, 3.0, 33_000.0) == "1,000 of 100,000, 3 a second, about 9 h left"
    assert encoded(100_000, 150.4, 0.0) == "100,000 of 100,000"
