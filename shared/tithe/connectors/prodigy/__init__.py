"""Prodigy: a recipe file that people run in their own Prodigy, and its files in and out.

Prodigy asks for what it shows, so nothing of it runs in Tithe: the recipe speaks HTTP like any other labeler.
"""

from __future__ import annotations

from pathlib import Path


def recipe_path() -> Path:
    """Where the recipe file lies; it is copied as it is."""
    return Path(__file__).with_name("tithe_prodigy.py")


def recipe_source() -> str:
    """The recipe file, as text."""
    return recipe_path().read_text("utf-8")
