"""The bare limit as a contestant."""

from peers.plain import LIMITS as WORKS

__all__ = ["WORKS"]
