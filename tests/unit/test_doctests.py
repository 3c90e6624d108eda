"""The examples in the docstrings outside the strategies are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import tithe.choosing
import tithe.connectors
import tithe.contracts
import tithe.proof
import tithe.rehearsal

MODULES = ["tithe.policy", "tithe.vault", "tithe.loop.budget"] + [
    module.name
    for package in (tithe.choosing, tithe.connectors, tithe.contracts, tithe.proof, tithe.rehearsal)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    if not module.name.endswith("tithe_prodigy")  # the recipe imports prodigy, which is not here
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    assert doctest.DocTestFinder().find(importlib.import_module("tithe.choosing.mix").turns)[0].examples
