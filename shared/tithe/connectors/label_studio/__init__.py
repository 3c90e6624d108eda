"""Label Studio, community edition: tasks and their order go in, annotations come out, over its HTTP interface.

Polling is the truth and hooks only hurry it: its guard refuses addresses of the private network, where Tithe mostly is.
"""

from tithe.connectors.label_studio.kind import KIND

__all__ = ["KIND"]
