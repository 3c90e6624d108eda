"""ONNX Runtime gives what torch gives, from a file that is made once."""

import re
import shutil

import numpy as np
import pytest

from tithe.learners.encoder_minilm import EncoderUnavailable
from tithe.learners.encoding.onnx_encoder import OnnxEncoder
from tithe.learners.encoding.unusable import ModelUnusable
from tithe.learners.words import Document

TEXTS = ["Ada Lovelace met Charles Babbage in London.", "", "🙂 Zürich 𝒜", "the quick brown fox jumps, " * 20]  # noqa: RUF001
DOCUMENTS = [Document(text, [found.span() for found in re.finditer(r"\w+|[^\w\s]", text)]) for text in TEXTS]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    return tmp_path_factory.mktemp("onnx")


@pytest.fixture(scope="module")
def exported(cache, tiny_models):
    OnnxEncoder(str(tiny_models["bert"]), cache=cache)
    return next(path for path in cache.iterdir() if not path.name.startswith("."))


def test_onnx_runtime_reads_what_torch_reads(cache, exported, tiny_models):
    from tithe.learners.encoding.torch_encoder import TorchEncoder

    ours = OnnxEncoder(str(tiny_models["bert"]), cache=cache, layers=(-1, 1, 0)).read(DOCUMENTS)
    theirs = TorchEncoder(str(tiny_models["bert"]), precision="float32", layers=(-1, 1, 0)).read(DOCUMENTS)
    np.testing.assert_allclose(ours.vectors, theirs.vectors, atol=1e-4)
    np.testing.assert_allclose(ours.words, theirs.words, atol=1e-3)


def test_a_model_is_exported_once(cache, exported, tiny_models):
    before = (exported / "model.onnx").stat().st_mtime_ns
    again = OnnxEncoder(str(tiny_models["bert"]), cache=cache)
    assert (exported / "model.onnx").stat().st_mtime_ns == before
    assert [path for path in cache.iterdir() if path.name.startswith(".making")] == []
    np.testing.assert_array_equal(again.encode(TEXTS), OnnxEncoder(str(exported)).encode(TEXTS))


def test_an_exported_folder_needs_no_torch(exported):
    import subprocess
    import sys

    code = (
        "import sys; sys.modules.update(torch=None, transformers=None)\n"
        "from tithe.learners.registry import get_encoder\n"
        f"assert get_encoder('onnx:{exported}').encode(['one']).shape == (1, 32)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_torch_a_model_is_not_exported_and_says_so(tmp_path, tiny_models, monkeypatch):
    import importlib.util

    usual = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "onnxscript" else usual(name, *a))
    with pytest.raises(EncoderUnavailable, match="onnxscript, which is not installed"):
        OnnxEncoder(str(tiny_models["bert"]), cache=tmp_path)


def test_a_damaged_file_is_named(tmp_path, exported):
    folder = tmp_path / "model"
    shutil.copytree(exported, folder)
    content = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelUnusable, match=r"model\.onnx is no ONNX model"):
        OnnxEncoder(str(folder))
