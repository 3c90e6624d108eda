"""Every setting, in one place, with its unit in its name. Read only where a process is composed."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Environment variables with the prefix ``TITHE_`` (or a ``.env`` file) override these defaults."""

    model_config = SettingsConfigDict(
        env_prefix="TITHE_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    # Where things are. Without the first two, `tithe up` starts its own servers.
    database_url: SecretStr | None = None
    broker_url: SecretStr | None = None
    data: Path = Field(default=Path(".tithe"), description="one folder for everything the embedded stack keeps")
    artifacts: Path | None = Field(default=None, description="feature blocks and models; default: data/artifacts")

    # Other tools.
    secret_key: SecretStr | None = Field(
        default=None, description="seals the tools' secrets; several, separated by commas: the first seals, all open"
    )
    connect_allow: str = Field(
        default="", description="hosts, addresses and networks that are not public and may be called, with commas"
    )

    # The gateway.
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    body_limit_bytes: int = Field(default=1 << 20, ge=1024)
    upload_limit_bytes: int = Field(default=16 << 30, ge=1024)
    hook_limit_bytes: int = Field(default=8 << 20, ge=1024, description="the most a labeling tool's call may hold")
    line_limit_bytes: int = Field(default=256 << 10, ge=1024)
    import_chunk_rows: int = Field(default=2000, ge=1, le=100_000)
    gateway_connections: int = Field(default=12, ge=1, le=200)
    open_loopback: bool = Field(
        default=False,
        description="callers on this machine need no credentials: they are the first admin; for trying things out",
    )

    metrics_key: SecretStr | None = Field(
        default=None, description="whoever sends it as a bearer token may read /metrics; unset: programs here only"
    )

    # The work.
    block_rows: int = Field(
        default=1024, ge=1, description="rows encoded by one job: small, so that a lost one is cheap"
    )
    vector_block_rows: int = Field(default=131_072, ge=1, description="rows per block where vectors come ready-made")
    encoder_threads: int = Field(default=1, ge=1)
    word_states_limit_bytes: int = Field(
        default=16 << 30, ge=0, description="states of words kept per project; beyond that they are made again"
    )
    costly_rows: int = Field(
        default=20_000, ge=1, description="rows a round asks a model about where an answer is a network's whole pass"
    )
    committee_members: int = Field(default=5, ge=2, le=50)
    worker_name: str = "worker"
    worker_processes: int = Field(default=1, ge=1)
    task_limit_seconds: int = Field(default=3600, ge=10)

    # The keeper.
    claim_lapse_seconds: float = Field(
        default=12.0, gt=0, description="a claim whose heart stops this long is taken back"
    )
    heartbeat_seconds: float = Field(default=3.0, gt=0)
    ring_again_seconds: float = Field(default=10.0, gt=0, description="a job nobody claimed is rung again after this")
    attempts: int = Field(default=4, ge=1, description="claims of one job before its round fails")

    # Connections to labeling tools.
    connector_threads: int = Field(default=8, ge=1, le=64, description="tools one sync process speaks to at a time")
    connector_hold_seconds: int = Field(
        default=86_400, ge=60, description="a tool that is not heard of for so long loses the items it holds"
    )
    connector_grace_seconds: float = Field(
        default=600.0, ge=0, description="an item that fell out of the best is left this long to whoever has it open"
    )
    connector_reconcile_seconds: float = Field(
        default=300.0, ge=1, description="how often all that is in a tool is compared with all that should be, at most"
    )

    @model_validator(mode="after")
    def _hearts_beat_faster_than_claims_lapse(self) -> Self:
        if 2 * self.heartbeat_seconds > self.claim_lapse_seconds:
            raise ValueError("TITHE_CLAIM_LAPSE_SECONDS must be at least twice TITHE_HEARTBEAT_SECONDS")
        return self

    def secret_keys(self) -> list[str]:
        """The keys that seal and open secrets, the newest first."""
        return [] if self.secret_key is None else _parts(self.secret_key.get_secret_value())

    def outside_allowed(self) -> tuple[str, ...]:
        """What may be called although it is not public."""
        return tuple(_parts(self.connect_allow))

    def artifact_root(self) -> Path:
        """The folder of feature blocks and models."""
        return self.artifacts or self.data / "artifacts"


def _parts(listed: str) -> list[str]:
    return [part for part in (piece.strip() for piece in listed.split(",")) if part]
