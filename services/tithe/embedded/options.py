"""What a stack is asked to be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StackOptions:
    """One data folder's stack, as the caller wants it.

    `port` None lets a free one be chosen, and taken again next time. With `database_url` or `broker_url` that server is
    taken as given instead of started. `durable` is False in tests only. `env` is added to every service's environment.
    """

    data: Path
    scorers: int = 2
    host: str = "127.0.0.1"
    port: int | None = None
    flower: bool = True
    durable: bool = True
    env: Mapping[str, str] = field(default_factory=dict)
    database_url: str | None = None
    broker_url: str | None = None
