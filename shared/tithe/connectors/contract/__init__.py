"""What every connector must pass, ours or a stranger's: the promises of :mod:`tithe.connectors.protocol`, as tests.

::

    class TestMyTool(ConnectorContract):
        @pytest.fixture
        def tool(self) -> ToolUnderTest: ...

:class:`ToolUnderTest` is the tool as the people see it who label in it and who run it: the suite makes them do things,
and looks whether the connector tells them. It may stand on a real server or on a double. What a tool cannot do by its
:class:`~tithe.connectors.protocol.Capabilities` is skipped, and said. Needs pytest, which nothing here imports before a
test is skipped.
"""

from tithe.connectors.contract.back import BackContract
from tithe.connectors.contract.there import ThereContract
from tithe.connectors.contract.tool import Hook, ToolUnderTest
from tithe.connectors.contract.trouble import TroubleContract


class ConnectorContract(ThereContract, BackContract, TroubleContract):
    """All the tests. A subclass has the fixture `tool`."""


__all__ = ["ConnectorContract", "Hook", "ToolUnderTest"]
