"""Who imports what when a process starts, and what stands where torch is not installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WITH_TORCH = ("accelerate", "onnx", "onnxscript", "sentence_transformers", "torch", "transformers")  # the extra `text`
LEARNING = (*WITH_TORCH, "huggingface_hub", "model2vec", "nervaluate", "onnxruntime", "scipy", "sklearn", "tokenizers")
TORCH_PACKAGES = ("tithe.learners.encoding.", "tithe.learners.transformer.")
#: Run first in a process: what the extra `text` brings is not there.
WITHOUT = f"""
import sys

class Away:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {WITH_TORCH!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Away())
"""


def answer(code: str, *arguments: str) -> object:
    """What a fresh Python prints, as JSON."""
    environment = {**os.environ, "TITHE_BROKER_URL": "redis://127.0.0.1:1/0"}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def loaded_by(module: str) -> set[str]:
    """The libraries that are in memory once a module is imported."""
    code = "import importlib, json, sys; importlib.import_module(sys.argv[1]); print(json.dumps(sorted(sys.modules)))"
    return {name.partition(".")[0] for name in answer(code, module)}


def test_the_gateway_starts_without_any_learning_library_or_broker():
    assert loaded_by("tithe.gateway.app") & {*LEARNING, "celery", "kombu", "redis"} == set()


@pytest.mark.parametrize(
    "module", ["tithe.scorer.worker", "tithe.trainer.worker", "tithe.prover.worker", "tithe.sync.worker"]
)
def test_a_worker_starts_without_any_learning_library(module: str):
    assert loaded_by(module) & set(LEARNING) == set()


def test_the_command_line_starts_without_any_learning_library():
    assert loaded_by("tithe.cli.main") & set(LEARNING) == set()


def modules() -> list[str]:
    """Every module of Tithe but the migrations, which only Alembic can import."""
    return sorted(
        ".".join(path.relative_to(wing).with_suffix("").parts).removesuffix(".__init__")
        for wing in (ROOT / "shared", ROOT / "services")
        for path in (wing / "tithe").rglob("*.py")
        if "migrations" not in path.parts and path.stem != "__main__"
    )


def test_everything_is_imported_without_torch_but_what_is_made_of_it():
    code = f"""{WITHOUT}
import importlib, json
missing = {{}}
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing[name] = error.name
print(json.dumps(missing))
"""
    missing = answer(code, json.dumps(modules()))
    assert {name for name in missing if not name.startswith(TORCH_PACKAGES)} == set()
    assert {library.partition(".")[0] for library in missing.values()} <= set(WITH_TORCH)


ENCODES = """
from tithe.learners.registry import get_encoder
get_encoder("torch:minilm").encode(["one"])
"""
FINE_TUNES = """
import numpy as np
from tithe.learners.transformer.classifier import TransformerLearner
TransformerLearner("minilm").fit(["one", "two"] * 8, np.array([0, 1] * 8), 2, task="single", seed=0)
"""


@pytest.mark.parametrize("use", [ENCODES, FINE_TUNES], ids=["encodes", "fine-tunes"])
def test_without_torch_what_needs_it_says_what_to_install(use: str):
    code = f"""{WITHOUT}
import json
from tithe.errors import TitheError
try:
    exec(sys.argv[1])
except TitheError as error:
    print(json.dumps([error.message, error.remedy]))
"""
    message, remedy = answer(code, use)
    assert "torch" in message
    assert "make setup-text" in remedy


def test_what_is_installed_has_all_it_requires():
    from importlib.metadata import distributions

    from packaging.requirements import Requirement

    there = {item.metadata["Name"].lower().replace("_", "-").replace(".", "-"): item for item in distributions()}
    lacking = []
    for name, item in there.items():
        for text in item.requires or ():
            need = Requirement(text)
            if need.marker and not need.marker.evaluate({"extra": ""}):
                continue
            have = there.get(need.name.lower().replace("_", "-").replace(".", "-"))
            if have is None or not need.specifier.contains(have.version, prereleases=True):
                lacking.append(f"{name} needs {need}")
    if "torch" not in there:  # TORCH=none
        lacking = [line for line in lacking if " torch" not in line]
    assert lacking == []
