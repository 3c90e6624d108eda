"""The examples in the docstrings of connecting are true."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = [
    "tithe.connectors.addresses", "tithe.vault", "tithe.sync.suggestions", "tithe.cli.connect.asking",
    "tithe.cli.connect.words",
]  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str):
    done = doctest.testmod(importlib.import_module(name))
    assert (done.failed, done.attempted > 0) == (0, True)
