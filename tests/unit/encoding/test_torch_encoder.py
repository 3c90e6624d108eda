"""Encoders in torch: the model's own numbers, a state for every word, and no difference from neighbours."""

import json
import re
import shutil
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

from tithe.learners.encoding import reading, torch_model  # noqa: E402
from tithe.learners.encoding.packed import PackedBert, is_kin  # noqa: E402
from tithe.learners.encoding.torch_encoder import TorchEncoder  # noqa: E402
from tithe.learners.encoding.unusable import ModelUnusable  # noqa: E402
from tithe.learners.words import Document  # noqa: E402

TEXTS = [
    "Ada Lovelace met Charles Babbage in London.",
    "",
    "the quick brown fox",
    "🙂 Zürich 𝒜",  # noqa: RUF001
    "Ada Lovelace met Charles Babbage in London.",
    "jumps over the lazy dog, don't split it; " * 12,
]
DOCUMENTS = [Document(text, [found.span() for found in re.finditer(r"\w+|[^\w\s]", text)]) for text in TEXTS]
NAMES = ["bert", "roberta", "distilbert"]


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def encoder(name, tiny_models):
    return TorchEncoder(str(tiny_models[name]), precision="float32")


def by_hand(folder, ids):
    """transformers' own model, one sequence, no padding."""
    model = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        return [h[0].numpy() for h in model(torch.from_numpy(ids)[None], output_hidden_states=True).hidden_states]


def test_vectors_are_the_mean_of_the_models_own_states(encoder, name, tiny_models):
    vectors = encoder.encode(TEXTS)
    assert vectors.dtype == np.float32
    for text, vector in zip(TEXTS, vectors, strict=True):
        mean = by_hand(tiny_models[name], encoder._reader.subwords.ids(text))[-1].mean(axis=0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=2e-5)


def test_words_are_the_means_of_their_subwords_in_the_layers_asked_for(name, tiny_models):
    encoder = TorchEncoder(str(tiny_models[name]), precision="float32", layers=(-1, 0, 2))
    found = encoder.read(DOCUMENTS[:4])
    assert found.words.shape == (found.starts[-1], encoder.word_dimension) == (found.starts[-1], 96)
    for number, document in enumerate(DOCUMENTS[:4]):
        (piece,) = encoder._reader.subwords.pieces(document)
        states = by_hand(tiny_models[name], piece.ids)
        side_by_side = np.concatenate([states[3], states[0], states[2]], axis=1)
        for word, row in enumerate(found.words[found.starts[number] : found.starts[number + 1]]):
            mine = side_by_side[piece.pairs.subwords[piece.pairs.words == word]]
            np.testing.assert_allclose(row, mine.mean(axis=0), atol=1e-4)


def test_reading_gives_the_vectors_that_encoding_gives(encoder):
    np.testing.assert_allclose(encoder.read(DOCUMENTS).vectors, encoder.encode(TEXTS), atol=2e-5)


def test_a_long_text_is_read_to_its_end(encoder):
    found = encoder.read(DOCUMENTS)
    assert (np.abs(found.words[found.starts[5] :]).sum(axis=1) > 0).all()
    assert len(encoder._reader.subwords.pieces(DOCUMENTS[5])) > 2


def test_neighbours_order_and_threads_change_nothing(encoder, name, tiny_models):
    together = encoder.read(DOCUMENTS)
    several = TorchEncoder(str(tiny_models[name]), precision="float32", threads=3)
    several._reader.most_tokens = 48
    others = several.read(DOCUMENTS)
    np.testing.assert_allclose(others.words, together.words, atol=1e-4)
    for number, document in enumerate(DOCUMENTS):
        alone = encoder.read([document])
        np.testing.assert_allclose(alone.vectors[0], together.vectors[number], atol=2e-5)
        rows = slice(*together.starts[number : number + 2])
        np.testing.assert_allclose(alone.words, together.words[rows], atol=1e-4)


def test_nothing_to_read_is_empty(encoder):
    assert encoder.encode([]).shape == (0, 32)
    found = encoder.read([])
    assert (found.vectors.shape, found.words.shape, found.starts.tolist()) == ((0, 32), (0, 32), [0])


def test_progress_ends_at_the_end_and_never_goes_back(encoder):
    encoder._reader.most_tokens = 48
    for work in (
        lambda tell: encoder.encode(TEXTS, progress=tell),
        lambda tell: encoder.read(DOCUMENTS, progress=tell),
    ):
        told = []
        work(lambda done, total, told=told: told.append((done, total)))
        assert told[-1] == (6, 6)
        assert told == sorted(told)
        assert len(told) > 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kin", ["bert", "roberta"])
def test_packed_states_are_the_models_own(kin, dtype, tiny_models):
    model = transformers.AutoModel.from_pretrained(tiny_models[kin]).eval()
    assert is_kin(model)
    ids = [np.arange(5, 5 + length) for length in (11, 7, 7, 7, 4, 2)]
    with torch.inference_mode():
        found = PackedBert(model, dtype)(ids, [3, 1])
        for layer, states in zip((3, 1), found, strict=True):
            expected = [by_hand(tiny_models[kin], each)[layer] for each in ids]
            off = (states.float() - torch.from_numpy(np.concatenate(expected))).abs()
            assert off.max() < (1e-4 if dtype == torch.float32 else 0.2)
            assert off.mean() < (1e-5 if dtype == torch.float32 else 0.02)


def test_without_onednn_the_numbers_stay(tiny_models, monkeypatch):
    from tithe.learners.encoding import dense

    usual = TorchEncoder(str(tiny_models["bert"]), precision="float32").read(DOCUMENTS)
    monkeypatch.setattr(dense, "has_onednn", lambda: False)
    plain = TorchEncoder(str(tiny_models["bert"]), precision="float32").read(DOCUMENTS)
    np.testing.assert_allclose(plain.words, usual.words, atol=1e-4)


def test_a_batch_that_memory_does_not_hold_is_halved(encoder, monkeypatch):
    expected = encoder.read(DOCUMENTS)
    forward, tried = encoder._reader.forward, []

    class Small:
        dimension, word_dimension = forward.dimension, forward.word_dimension

        def __call__(self, batch):
            tried.append(len(batch.ids))
            if len(batch.ids) > 1:
                raise reading.TooMuchAtOnce
            return forward(batch)

    monkeypatch.setattr(encoder._reader, "forward", Small())
    found = encoder.read(DOCUMENTS)
    np.testing.assert_allclose(found.words, expected.words, atol=1e-4)
    assert max(tried) > 1
    assert encoder._reader.most_tokens < 100


def test_memory_that_ended_is_told_from_other_errors():
    assert torch_model.memory_ended(RuntimeError("DefaultCPUAllocator: can't allocate memory")) is not None
    assert torch_model.memory_ended(RuntimeError("shapes do not fit")) is None


@pytest.mark.parametrize("mode", ["cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"])
def test_the_folder_says_how_to_pool(mode, tmp_path, tiny_models, with_modules):
    folder = tmp_path / "model"
    shutil.copytree(tiny_models["bert"], folder)
    with_modules(folder, {"pooling_mode": mode}, "Normalize")
    encoder = TorchEncoder(str(folder), precision="float32")
    states = by_hand(folder, encoder._reader.subwords.ids(TEXTS[0]))[-1]
    pooled = {
        "cls": states[0], "max": states.max(axis=0), "lasttoken": states[-1],
        "mean_sqrt_len_tokens": states.sum(axis=0), "weightedmean": np.arange(1, len(states) + 1) @ states,
    }[mode]  # fmt: skip
    np.testing.assert_allclose(encoder.encode(TEXTS[:1])[0], pooled / np.linalg.norm(pooled), atol=2e-5)


def test_another_window_precision_or_model_is_another_identity(tiny_models):
    found = {
        TorchEncoder(str(tiny_models[name]), precision=precision, max_tokens=most).identity
        for name in ("bert", "roberta")
        for precision in ("float32", "bfloat16")
        for most in (None, 16)
    }
    assert len(found) == 8


def test_another_pooling_is_another_identity(tmp_path, tiny_models, with_modules):
    folder = tmp_path / "model"
    shutil.copytree(tiny_models["bert"], folder)
    found = set()
    for mode in ("cls", "mean"):
        with_modules(folder, {"pooling_mode": mode})
        found.add(TorchEncoder(str(folder)).identity)
    assert len(found) == 2


def test_modules_beyond_pooling_need_sentence_transformers(tmp_path, tiny_models, with_modules, monkeypatch):
    folder = tmp_path / "model"
    shutil.copytree(tiny_models["bert"], folder)
    with_modules(folder, {"pooling_mode": "mean"}, "Dense")
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ModelUnusable, match="Dense, which needs sentence-transformers"):
        TorchEncoder(str(folder))
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "pytorch_model.bin").write_bytes(b"\x80\x04N.")
    with pytest.raises(ModelUnusable, match="is a pickle"):
        TorchEncoder(str(folder))


def test_a_model_with_code_of_its_own_is_refused(tmp_path, tiny_models):
    folder = tmp_path / "model"
    shutil.copytree(tiny_models["bert"], folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "strange", "auto_map": {"AutoModel": "code.Strange"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text("raise SystemExit")
    with pytest.raises(ModelUnusable, match="never run"):
        TorchEncoder(str(folder))


def test_weights_that_lack_a_tensor_are_an_error_not_random_numbers(tmp_path, tiny_models):
    from safetensors.numpy import load_file, save_file

    folder = tmp_path / "model"
    shutil.copytree(tiny_models["bert"], folder)
    held = load_file(folder / "model.safetensors")
    lost = next(name for name in held if "layer.1.output.dense.weight" in name)
    del held[lost]
    save_file(held, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelUnusable, match=r"lack .*layer\.1\.output\.dense\.weight"):
        TorchEncoder(str(folder))


def test_weights_of_another_shape_are_an_error(tmp_path, tiny_models):
    folder = tmp_path / "model"
    shutil.copytree(tiny_models["bert"], folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))
    with pytest.raises(ModelUnusable, match="cannot load"):
        TorchEncoder(str(folder))
