"""The examples in the docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import tithe.strategies

MODULES = [f"tithe.strategies.{module.name}" for module in pkgutil.iter_modules(tithe.strategies.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    assert {"uncertainty", "committee", "binary_committee", "coverage", "ranking", "catalog", "sequence"} <= {
        name.rpartition(".")[2] for name in MODULES
    }
