"""A model's files are found, looked at, and refused with their name where they cannot be used."""

import json
import shutil
import struct

import pytest

from tithe.errors import Hopeless, Unavailable
from tithe.learners.encoding.recipe import recipe
from tithe.learners.encoding.source import (
    ModelUnreachable,
    UnknownModel,
    check_weights,
    fingerprint,
    model_folder,
    usable,
)
from tithe.learners.encoding.unusable import ModelUnusable
from tithe.learners.registry import get_encoder


def tensors(path, values=4):
    """A safetensors file written by hand: length of the header, the header, the numbers."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [values], "data_offsets": [0, 4 * values]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4 * values))


@pytest.fixture
def folder(tmp_path, tokenizer_files):
    made = tmp_path / "model"
    made.mkdir()
    (made / "config.json").write_text(json.dumps({"model_type": "bert", "max_position_embeddings": 64}))
    shutil.copy(tokenizer_files["wordpiece"], made / "tokenizer.json")
    tensors(made / "model.safetensors")
    return made


def test_a_folder_is_itself(folder):
    assert model_folder(str(folder)) == folder
    assert usable(folder).pooling == ("mean",)


def test_no_folder_and_no_name_of_the_hub():
    for name in ("/no/such/folder", "./none", "a/b/c", "two words", "a--b"):
        with pytest.raises(UnknownModel) as caught:
            model_folder(name)
        assert isinstance(caught.value, Hopeless)


def test_offline_a_model_of_the_hub_may_be_there_tomorrow(monkeypatch, tmp_path):
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelUnreachable, match="'owner/model' is not on this machine, and HF_HUB_OFFLINE") as caught:
        model_folder("owner/model")
    assert isinstance(caught.value, Unavailable)
    assert "HF_HOME" in caught.value.remedy


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(folder, file):
    (folder / file).unlink()
    with pytest.raises(ModelUnusable, match=file.replace(".", r"\.")):
        usable(folder)


def test_without_a_fast_tokenizer_there_are_no_offsets(folder):
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("[UNK]")
    with pytest.raises(ModelUnusable, match="tokenizer without offsets"):
        usable(folder)


def test_pickled_weights_are_never_read(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04N.")
    with pytest.raises(ModelUnusable, match=r"pytorch_model\.bin is a pickle"):
        usable(folder)


def test_damaged_weights_are_named(folder):
    file = folder / "model.safetensors"
    for damaged in (file.read_bytes()[:-3], file.read_bytes()[:20], b"", bytes(64)):
        file.write_bytes(damaged)
        with pytest.raises(ModelUnusable, match=r"model\.safetensors is damaged"):
            usable(folder)


def test_damaged_json_is_named(folder):
    (folder / "config.json").write_text('{"model_type": ')
    with pytest.raises(ModelUnusable, match=r"config\.json is damaged"):
        usable(folder)
    (folder / "config.json").write_text("[]")
    with pytest.raises(ModelUnusable, match="model_type"):
        usable(folder)


def test_every_shard_of_the_weights_is_looked_at(folder):
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelUnusable, match=r"model-2\.safetensors is missing"):
        check_weights(folder)
    tensors(folder / "model-2.safetensors", 5)
    assert [file.name for file in check_weights(folder)] == ["model-1.safetensors", "model-2.safetensors"]


def test_other_weights_have_another_fingerprint(folder):
    before = fingerprint(check_weights(folder))
    assert fingerprint(check_weights(folder)) == before
    tensors(folder / "model.safetensors", 5)
    assert fingerprint(check_weights(folder)) != before


def test_what_is_read_at_once_is_what_the_model_and_its_folder_allow(folder):
    assert recipe(folder).max_tokens == 64
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 32}')
    assert recipe(folder).max_tokens == 32
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 16, "do_lower_case": true}')
    assert recipe(folder).max_tokens == 16
    assert recipe(folder).lower
    config = {"model_type": "roberta", "max_position_embeddings": 12, "pad_token_id": 1}
    (folder / "config.json").write_text(json.dumps(config))
    assert recipe(folder).max_tokens == 10


def test_pooling_is_read_under_its_old_names_and_its_new_one(folder, with_modules):
    with_modules(folder, {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False})
    assert recipe(folder).pooling == ("cls",)
    with_modules(folder, {"pooling_mode": ["max", "mean"]}, "Normalize")
    assert recipe(folder).pooling == ("max", "mean")
    with_modules(folder, {"pooling_mode": "lasttoken"}, "Dense")
    assert recipe(folder).beyond == ("Dense",)
    with_modules(folder, {"pooling_mode": "hopping"})
    with pytest.raises(ModelUnusable, match="hopping"):
        recipe(folder)


def test_a_default_prompt_is_read(folder):
    said = {"prompts": {"query": "query: "}, "default_prompt_name": "query"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(said))
    assert recipe(folder).prompt == "query: "


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", '{"model_type": "bert", "max_position_embeddings": "many"}'),
        ("config.json", '{"model_type": "bert", "num_hidden_layers": "six", "hidden_size": 32}'),
        ("modules.json", "[" * 100_000),
        ("model.safetensors.index.json", "[1, 2]"),
        ("config_sentence_transformers.json", '{"prompts": ["a"]}'),
    ],
)
def test_what_strange_files_raise_is_told_as_the_models(tiny_models, tmp_path, file, content):
    folder = tmp_path / "model"
    shutil.copytree(tiny_models["bert"], folder)
    (folder / file).write_text(content)
    with pytest.raises(Hopeless) as told:
        get_encoder(f"torch:{folder}")
    assert str(folder) in told.value.message
    assert told.value.remedy


def test_a_name_longer_than_files_have_is_an_unknown_model():
    with pytest.raises(Hopeless):
        get_encoder("torch:/" + "a" * 300)
