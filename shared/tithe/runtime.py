"""The composition root: settings in, what a process works with out. Nothing heavy is imported before it is used."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tithe.errors import BadInput
from tithe.loop.ingest import BlockSizes
from tithe.settings import Settings
from tithe.storage.database import Database

if TYPE_CHECKING:
    from tithe.artifacts import ArtifactStore
    from tithe.connectors.outside import Outside
    from tithe.vault import Vault


@dataclass(frozen=True)
class Runtime:
    """What every service is given."""

    settings: Settings
    database: Database

    @property
    def block_sizes(self) -> BlockSizes:
        """How the pool is cut into blocks."""
        return BlockSizes(self.settings.block_rows, self.settings.vector_block_rows)

    @functools.cached_property
    def artifacts(self) -> ArtifactStore:
        """Feature blocks and models."""
        from tithe.artifacts import ArtifactStore

        return ArtifactStore(self.settings.artifact_root())

    @functools.cached_property
    def vault(self) -> Vault:
        """What seals the tools' secrets; closed where no key is set. Raises BadInput where a key is none."""
        from tithe.vault import Vault

        return Vault(self.settings.secret_keys())

    @functools.cached_property
    def outside(self) -> Outside:
        """What of the world may be called. Raises BadInput where the setting cannot be read."""
        from tithe.connectors.outside import SETTING, Outside

        try:
            return Outside(allowed=self.settings.outside_allowed())
        except ValueError as error:
            raise BadInput(f"{SETTING}: {error}", place=SETTING, remedy="set it right, or unset it") from error


def from_settings(settings: Settings, *, connections: int = 4) -> Runtime:
    """Compose a process. Raises BadInput where the database's address is missing."""
    if settings.database_url is None:
        raise BadInput(
            "TITHE_DATABASE_URL is not set", remedy="run `tithe up`, which starts its own servers, or set it to yours"
        )
    database = Database(settings.database_url.get_secret_value(), connections).open()
    return Runtime(settings, database)


def broker_url(settings: Settings) -> str:
    """The broker's address. Raises BadInput where it is missing."""
    if settings.broker_url is None:
        raise BadInput(
            "TITHE_BROKER_URL is not set", remedy="run `tithe up`, which starts its own servers, or set it to yours"
        )
    return settings.broker_url.get_secret_value()
