"""How far a fit is, told to whoever looks at the project; and whether anybody still waits for it."""

from __future__ import annotations

import time
from uuid import UUID

from tithe.errors import StaleClaim
from tithe.learners.protocol import Progress
from tithe.runtime import Runtime
from tithe.storage import rounds

_EVERY_SECONDS = 2.0


def telling(runtime: Runtime, round_id: UUID) -> Progress:
    """What a learner calls with (steps done, steps in all): now and then written beside the round.

    Raises StaleClaim, which ends the fit, where the round no longer trains: somebody else went on with it, it was
    ended, or its project is gone.
    """
    told_at = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at < _EVERY_SECONDS:
            return
        told_at = time.monotonic()
        share = round(done / max(1, total), 3)
        if not runtime.database.run(lambda unit: rounds.note_training(unit, round_id, share)):
            raise StaleClaim("the round no longer trains")

    return tell
