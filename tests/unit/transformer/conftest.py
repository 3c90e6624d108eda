"""A transformer whose vocabulary is the toys' words."""

import pytest

import tiny_transformer

from .toys import FILLERS, KINDS

pytest.importorskip("torch", reason="the text extra is not installed: fine-tuning needs torch")
pytest.importorskip("transformers", reason="the text extra is not installed: fine-tuning needs transformers")
pytest.importorskip("accelerate", reason="the text extra is not installed: fine-tuning needs accelerate")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder of the model."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny_transformer.make(folder, [word for kind in [*KINDS, FILLERS] for word in kind])
    return folder
