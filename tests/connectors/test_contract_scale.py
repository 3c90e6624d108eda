"""Scale's connector keeps every promise, of each kind of task, and where lists come in small pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.scale.double import Scale, running
from connectors.scale.tool import ScaleUnderTest
from tithe.connectors.contract import ConnectorContract
from tithe.contracts.projects import Task


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Scale, str]]:
    scale = Scale()
    with running(scale) as url:
        yield scale, url


class TestScale(ConnectorContract):
    @pytest.fixture(params=[Task.TEXT, Task.MULTILABEL, Task.TOKENS])
    def tool(self, served: tuple[Scale, str], request: pytest.FixtureRequest) -> ScaleUnderTest:
        scale, url = served
        scale.__init__()  # everything is forgotten; the server stays
        scale.page_size = 5
        return ScaleUnderTest(scale, url, request.param)
