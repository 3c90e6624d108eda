"""Static embeddings: model2vec's own vectors, and for each word the mean of its sub-words' rows."""

import re

import numpy as np
import pytest

model2vec = pytest.importorskip("model2vec", reason="model2vec is not installed")

from tithe.learners.encoding.static_encoder import StaticEncoder  # noqa: E402
from tithe.learners.encoding.unusable import ModelUnusable  # noqa: E402
from tithe.learners.registry import get_encoder  # noqa: E402
from tithe.learners.words import Document  # noqa: E402

TEXTS = ["Ada met Babbage in London.", "", "🙂 Zürich", "the quick brown fox, " * 300]
DOCUMENTS = [Document(text, [found.span() for found in re.finditer(r"\w+|[^\w\s]", text)]) for text in TEXTS]


@pytest.fixture(scope="module", params=["plain", "weighted"])
def folder(request, tmp_path_factory, tokenizer_files):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_files["wordpiece"]))
    tokenizer.post_processor = None
    size = tokenizer.get_vocab_size()
    rng = np.random.default_rng(0)
    more = {}
    if request.param == "weighted":
        more = {"weights": rng.random(size).astype(np.float32), "token_mapping": rng.integers(0, 50, size)}
    rows = 50 if more else size
    model = model2vec.StaticModel(rng.standard_normal((rows, 16)).astype(np.float32), tokenizer, **more)
    made = tmp_path_factory.mktemp(f"static-{request.param}")
    model.save_pretrained(made)
    return made


def test_vectors_are_the_models_own_of_length_one(folder):
    encoder = StaticEncoder(str(folder))
    vectors = encoder.encode(TEXTS)
    own = model2vec.StaticModel.from_pretrained(folder).encode(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for at in (0, 2, 3):
        np.testing.assert_allclose(vectors[at], own[at] / np.linalg.norm(own[at]), atol=1e-5)


def test_words_are_means_of_the_models_own_token_vectors(folder):
    found = StaticEncoder(str(folder)).read(DOCUMENTS)
    own = model2vec.StaticModel.from_pretrained(folder)
    for document, first in zip(DOCUMENTS, found.starts, strict=False):
        for at, (start, stop) in enumerate(document.words[:40]):
            tokens = own.encode_as_sequence([document.text[start:stop]])[0]
            expected = tokens.mean(axis=0) if len(tokens) else np.zeros(16)
            np.testing.assert_allclose(found.words[first + at], expected, atol=1e-5)


def test_every_word_of_a_long_text_has_a_state(folder):
    found = StaticEncoder(str(folder)).read(DOCUMENTS[3:])
    assert (np.abs(found.words).sum(axis=1) > 0).all()


def test_a_family_name_leads_here(folder):
    encoder = get_encoder(f"static:{folder}")
    assert encoder.identity == StaticEncoder(str(folder)).identity
    assert encoder.encode([]).shape == (0, 16)


def test_a_transformer_is_no_static_model(tiny_models):
    with pytest.raises(ModelUnusable, match="no static model"):
        StaticEncoder(str(tiny_models["bert"]))
