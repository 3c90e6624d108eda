"""A real Label Studio for every test here; without one they are skipped. See :mod:`label_studio.server`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from label_studio.server import EXECUTABLE, LabelStudio
from tithe.connectors.label_studio import KIND
from tithe.connectors.outside import Outside
from tithe.connectors.protocol import Connector


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "label_studio: starts a real Label Studio (slow)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    told = os.environ.get(EXECUTABLE)
    missing = pytest.mark.skip(
        reason=f"{EXECUTABLE} does not name a label-studio executable: see make test-label-studio"
    )
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.label_studio)
            item.add_marker(pytest.mark.timeout(900))
            if not told:
                item.add_marker(missing)


@pytest.fixture(scope="session")
def outside() -> Outside:
    """Loopback may be called: here it is the user's own tool."""
    return Outside(allowed=("127.0.0.1",))


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudio]:
    """A running server, one a file."""
    with LabelStudio.started(tmp_path_factory.mktemp("studio") / "data") as running:
        yield running


@pytest.fixture
def connect(studio: LabelStudio, outside: Outside) -> Iterator[object]:
    """Opens connections to the server, and closes them."""
    opened: list[Connector] = []

    def connect(token: str | None = None, **settings: object) -> Connector:
        told = KIND.settings.model_validate({"url": studio.url} | settings)
        opened.append(KIND.open(told, token or studio.legacy_token, outside))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()
