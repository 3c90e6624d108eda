"""The examples in the docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import tithe.learners.tagging


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(tithe.learners.tagging.__path__)])
def test_examples(name: str):
    assert doctest.testmod(importlib.import_module(f"tithe.learners.tagging.{name}")).failed == 0
