"""What one run of the demo is asked to be. The defaults fit three minutes on two busy cores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

#: Of classes: reviews hold no entities.
Metric = Literal["macro_f1", "accuracy"]
POOL = 5000
TEST = 1200
BUDGET = 400
ANNOTATORS = 4
#: Whatever the product chooses by itself.
STRATEGY = "default"
METRIC: Metric = "macro_f1"
ENCODER = "minilm"
SCORERS = 2
BATCH_SIZE = 10
RETRAIN_EVERY = 40
RANDOM_SEEDS = 5
RANDOM_SECONDS = 40.0
#: Between these lies an annotator's thinking time, per item.
SECONDS_PER_ITEM = (0.02, 0.06)
#: A server process that is killed comes back within seconds; an annotator's lease should not run out meanwhile.
LEASE_SECONDS = 60
#: Enough for a client to bridge a server that was killed: about a minute.
RETRIES = 18


@dataclass(frozen=True)
class DemoOptions:
    """One run."""

    data: Path
    out: Path
    pool: int = POOL
    test: int = TEST
    budget: int = BUDGET
    annotators: int = ANNOTATORS
    strategy: str = STRATEGY
    metric: Metric = METRIC
    encoder: str = ENCODER
    seed: int = 0
    scorers: int = SCORERS
    batch_size: int = BATCH_SIZE
    retrain_every: int = RETRAIN_EVERY
    random_seconds: float = RANDOM_SECONDS
    keep: bool = False
    kill: str | None = None
