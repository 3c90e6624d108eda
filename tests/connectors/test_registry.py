"""Kinds of tools by entry point: ours, strangers', and those that are broken."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.stranger import install
from tithe.connectors import registry
from tithe.errors import BadInput


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    registry.kinds.cache_clear()
    yield
    registry.kinds.cache_clear()


def test_ours_are_there():
    assert {"label-studio", "scale"} <= registry.kinds().found.keys()
    assert registry.kinds().broken == ()
    assert registry.kind("label-studio").title == "Label Studio"


def test_a_strangers_is_found_beside_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    install(tmp_path, monkeypatch)
    assert registry.kind("letter-box").title == "Letter Box"
    assert "label-studio" in registry.kinds().found


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("no_such_module_at_all:KIND", "ModuleNotFoundError"),
        ("letter_box_connector:NOTHING", "AttributeError"),
        ("letter_box_connector:NOT_A_KIND", "it has no name"),
        ("letter_box_connector:Settings", "it has no name"),
        ("letter_box_breaks:KIND", "SystemError: on purpose"),
    ],
)
def test_a_broken_one_is_told_and_breaks_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, said: str
):
    (tmp_path / "letter_box_breaks.py").write_text("raise SystemError('on purpose')\n")
    install(tmp_path, monkeypatch, {"bad-box": value, "letter-box": "letter_box_connector:KIND"})
    assert {"letter-box", "label-studio"} <= registry.kinds().found.keys()
    (broken,) = registry.kinds().broken
    assert (broken.name, broken.package) == ("bad-box", "letter-box")
    assert said in broken.reason
    with pytest.raises(BadInput, match="of letter-box cannot be used") as caught:
        registry.kind("bad-box")
    assert "install a version of letter-box" in (caught.value.remedy or "")


def test_nobody_takes_our_names_nor_calls_itself_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    points = {"label-studio": "letter_box_connector:KIND", "other-box": "letter_box_connector:KIND"}
    install(tmp_path, monkeypatch, points)
    assert registry.kind("label-studio").title == "Label Studio"
    reasons = {one.name: one.reason for one in registry.kinds().broken}
    assert "taken already" in reasons["label-studio"]
    assert "calls itself 'letter-box'" in reasons["other-box"]


@pytest.mark.parametrize("name", ["labelstudio", "Label_Studio", "label-studo"])
def test_a_misspelled_name_is_answered_with_the_nearest(name: str):
    with pytest.raises(BadInput, match="there is no connector") as caught:
        registry.kind(name)
    assert "did you mean label-studio? there are: label-studio, scale" in (caught.value.remedy or "")


def test_looking_costs_little_and_brings_no_learning_library():
    code = "import sys, tithe.connectors.registry as r; r.kinds(); print(sorted(sys.modules))"
    began = time.monotonic()
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert time.monotonic() - began < 20
    for library in ("torch", "sklearn", "scipy", "transformers", "onnxruntime", "psycopg", "fastapi", "celery"):
        assert f"'{library}'" not in out
