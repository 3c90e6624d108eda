"""Tiny tokenizers and random models: what matters is how they are read, not what they know."""

import json

import pytest

CORPUS = [
    "Ada Lovelace met Charles Babbage in London.",
    "the quick brown fox jumps over the lazy dog",
    "naïve café, Zürich: 12.5 % of 3,000 €!",
    "emoji 🙂👩‍👩‍👧 and 𝒜𝓈𝓉𝓇𝒶𝓁 letters",  # noqa: RUF001
    "don't split o'clock; re-use it",
    "Москва 東京 ไทย नमस्ते",
] * 20


def word_piece():
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=220, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def byte_level(*, trim=True):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<s>", "<pad>", "</s>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=trim, add_prefix_space=False
    )
    return tokenizer


def unigram():
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>")
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


KINDS = {
    "wordpiece": word_piece,
    "bytes": byte_level,
    "bytes-untrimmed": lambda: byte_level(trim=False),
    "unigram": unigram,
}


@pytest.fixture(scope="session")
def tokenizer_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizers")
    for kind, make in KINDS.items():
        make().save(str(folder / f"{kind}.json"))
    return {kind: folder / f"{kind}.json" for kind in KINDS}


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory, tokenizer_files):
    """Folders of random models: of BERT's make, of RoBERTa's, and one that only its own forward pass computes."""
    transformers = pytest.importorskip("transformers", reason="torch and transformers are not installed")
    import torch

    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
    bert = transformers.BertConfig(vocab_size=220, max_position_embeddings=40, initializer_range=0.4, **size)
    roberta = transformers.RobertaConfig(
        vocab_size=400, max_position_embeddings=42, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2,
        initializer_range=0.4, **size,
    )  # fmt: skip
    distil = transformers.DistilBertConfig(
        vocab_size=220, max_position_embeddings=40, dim=32, n_layers=3, n_heads=4, hidden_dim=64, initializer_range=0.4
    )
    folders = {}
    for name, config, tokenizer in (
        ("bert", bert, "wordpiece"), ("roberta", roberta, "bytes"), ("distilbert", distil, "wordpiece"),
    ):  # fmt: skip
        folder = tmp_path_factory.mktemp(name)
        transformers.AutoModel.from_config(config).eval().save_pretrained(folder)
        (folder / "tokenizer.json").write_bytes(tokenizer_files[tokenizer].read_bytes())
        folders[name] = folder
    return folders


@pytest.fixture
def with_modules():
    """Lists a folder's modules as sentence-transformers does."""

    def write(folder, pooling, *more):
        kinds = ["Transformer", "Pooling", *more]
        listed = [
            {"path": f"{at}_{kind}" if at else "", "type": f"sentence_transformers.models.{kind}"}
            for at, kind in enumerate(kinds)
        ]
        (folder / "modules.json").write_text(json.dumps(listed))
        (folder / "1_Pooling").mkdir(exist_ok=True)
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))

    return write
