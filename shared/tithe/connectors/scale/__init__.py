"""Scale AI: a round becomes a batch of paid tasks, which is finalised; polling tells what came of them.

Written against the public documentation and what the vendor's own client sends, and tested against a double which that
client accepts. Nobody has run it against the service yet: docs/how-to/label-with-scale.md says what is unverified.
"""

from tithe.connectors.scale.kind import KIND

__all__ = ["KIND"]
