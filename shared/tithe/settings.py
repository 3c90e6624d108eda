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

    # The gateway.
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    body_limit_bytes: int = Field(default=1 << 20, ge=1024)
    upload_limit_bytes: int = Field(default=16 << 30, ge=1024)
    line_limit_bytes: int = Field(default=256 << 10, ge=1024)
    import_chunk_rows: int = Field(default=2000, ge=1, le=100_000)
    gateway_connections: int = Field(default=12, ge=1, le=200)

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

    @model_validator(mode="after")
    def _hearts_beat_faster_than_claims_lapse(self) -> Self:
        if 2 * self.heartbeat_seconds > self.claim_lapse_seconds:
            raise ValueError("TITHE_CLAIM_LAPSE_SECONDS must be at least twice TITHE_HEARTBEAT_SECONDS")
        return self

    def artifact_root(self) -> Path:
        """The folder of feature blocks and models."""
        return self.artifacts or self.data / "artifacts"
