"""The examples in the docstrings outside the strategies are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import tithe.choosing
import tithe.contracts

MODULES = ["tithe.policy"] + [
    f"{package.__name__}.{module.name}"
    for package in (tithe.choosing, tithe.contracts)
    for module in pkgutil.iter_modules(package.__path__)
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    assert doctest.DocTestFinder().find(importlib.import_module("tithe.choosing.mix").turns)[0].examples
