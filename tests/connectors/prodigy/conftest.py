"""A served gateway, the recipe file as a user has it, and a check at the end that nothing is twice or half."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.prodigy.served import Gateway
from connectors.prodigy.simulator import Dataset, Prodigy, Start
from tithe.connectors.prodigy import recipe_path
from tithe.runtime import Runtime
from tithe.storage import checks


@pytest.fixture
def gateway(runtime: Runtime) -> Iterator[Gateway]:
    served = Gateway(runtime)
    yield served
    served.stop()
    assert runtime.database.run(checks.check) == []


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """The one file that is shipped, alone in a folder."""
    folder = tmp_path / "user"
    folder.mkdir()
    return Path(shutil.copy(recipe_path(), folder / "tithe_prodigy.py"))


@pytest.fixture
def start(gateway: Gateway, recipe: Path, tmp_path: Path) -> Iterator[Start]:
    """`prodigy NAME DATASET -p PROJECT …`; what still runs at the end is stopped."""
    running: list[Prodigy] = []

    def run(name: str, dataset: Dataset, more: str = "", **settings: Any) -> Prodigy:
        def setting(module: Any) -> None:
            for key, value in {"PAUSES": (0.02, 0.05), **settings}.items():
                setattr(module, key, value)

        line = f"{name} {dataset.name} --project pool --url {gateway.url} --outbox {tmp_path / 'home'} {more}"
        running.append(Prodigy(dataset, line, recipe, setting))
        return running[-1]

    yield run
    for one in running:
        one.stop()
