"""A word's sub-words are those of its letters: by every kind of tokenizer, in texts of every length."""

import re
import time

import numpy as np
import pytest

from tithe.learners.encoding.subwords import Subwords
from tithe.learners.encoding.unusable import ModelUnusable
from tithe.learners.words import Document

KINDS = ["wordpiece", "bytes", "bytes-untrimmed", "unigram"]
TEXTS = [
    "Ada Lovelace met Charles Babbage in London.",
    "🙂 Ada 🙂Lovelace🙂 met 👩‍👩‍👧 in Zürich",
    "Zu\u0308rich cafe\u0301 n\u0303 at the borde\u0301",
    "𝒜𝓈𝓉𝓇𝒶𝓁 letters: 𝒜 b 𝓈",  # noqa: RUF001
    "  two  spaces \t and\na line ",
    "don't re-use 12.5 % of it",
    "Москва 東京 ไทย नमस्ते",
    "ﬁne ½ ｆｕｌｌ",  # noqa: RUF001
]


def document(text, pattern=r"\S+"):
    return Document(text, [found.span() for found in re.finditer(pattern, text)])


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def subwords(kind, tokenizer_files):
    return Subwords(tokenizer_files[kind], 512)


def word_ids(subwords, doc):
    """The ids of each word, over all windows."""
    found = [[] for _ in doc.words]
    for piece in subwords.pieces(doc):
        for row, word in zip(*piece.pairs, strict=True):
            found[word].append(int(piece.ids[row]))
    return found


@pytest.mark.parametrize("text", TEXTS)
def test_a_word_in_a_text_has_the_subwords_it_has_alone(subwords, kind, text):
    doc = document(text)
    # Byte-level and metaspace tokenizers see the space before a word as part of it.
    lead = " " if kind.startswith("bytes") else ""
    for (start, stop), ids in zip(doc.words, word_ids(subwords, doc), strict=True):
        before = lead if start and text[start - 1] == " " else ""
        word = before + text[start:stop]
        if start and text[start - 1] != " ":
            continue
        expected = word_ids(subwords, Document(word, [(len(before), len(word))]))[0]
        assert [i for i in ids if i not in blank(subwords)] == [i for i in expected if i not in blank(subwords)]
        assert ids


def blank(subwords):
    """What a lone space becomes."""
    return set(subwords.ids(" ").tolist()) | set(subwords.ids("").tolist())


@pytest.mark.parametrize("text", TEXTS)
def test_every_subword_shares_letters_with_its_word_and_none_is_shifted(subwords, text):
    doc = document(text, r"\w+|[^\w\s]")
    cut = subwords._cut(text)
    piece = subwords.pieces(doc)[0]
    for row, word in zip(*piece.pairs, strict=True):
        a, b = cut.offsets[row - len(subwords._prefix)]
        start, stop = doc.words[word]
        assert max(a, start) < min(b, stop)


def test_every_word_has_subwords(subwords):
    for text in TEXTS:
        assert all(word_ids(subwords, document(text)))


def test_special_tokens_belong_to_no_word(subwords):
    doc = document(TEXTS[0])
    piece = subwords.pieces(doc)[0]
    special = set(range(len(subwords._prefix))) | {len(piece.ids) - 1 - at for at in range(len(subwords._suffix))}
    assert special
    assert not special & set(piece.pairs.subwords.tolist())


def test_an_empty_text_is_its_special_tokens(subwords):
    (piece,) = subwords.pieces(Document("", []))
    assert piece.ids.tolist() == subwords.ids("").tolist()
    assert len(piece.pairs.words) == 0


def test_ids_are_what_the_tokenizer_itself_gives_a_truncated_text(kind, tokenizer_files):
    from tokenizers import Tokenizer

    own = Tokenizer.from_file(str(tokenizer_files[kind]))
    own.enable_truncation(12)
    short = Subwords(tokenizer_files[kind], 12)
    for text in [*TEXTS, ""]:
        assert short.ids(text).tolist() == own.encode(text).ids


def test_windows_cover_every_word_once_and_whole_words_come_from_one(kind, tokenizer_files):
    text = " ".join(TEXTS * 3)
    doc = document(text)
    long, short = Subwords(tokenizer_files[kind], 4096), Subwords(tokenizer_files[kind], 40)
    pieces = short.pieces(doc)
    assert len(pieces) > 3
    assert pieces[0].ids.tolist() == short.ids(text).tolist()
    assert max(len(piece.ids) for piece in pieces) == 40
    assert word_ids(short, doc) == word_ids(long, doc)
    homes = [{int(word) for word in piece.pairs.words} for piece in pieces]
    assert sum(map(len, homes)) == len(set().union(*homes))


def test_a_word_longer_than_a_window_is_put_together(tokenizer_files):
    text = "x" * 90 + " y"
    doc = document(text)
    short, long = Subwords(tokenizer_files["bytes"], 20), Subwords(tokenizer_files["bytes"], 512)
    assert len(short.pieces(doc)) > 3
    assert word_ids(short, doc) == word_ids(long, doc)


def test_long_texts_take_linear_time(subwords, kind):
    text = "Ada 🙂 met Zu\u0308rich 𝒜𝓈, don't! "  # noqa: RUF001
    doc = document(text * ((1_000_000 if kind == "wordpiece" else 200_000) // len(text)))
    began = time.process_time()
    pieces = subwords.pieces(doc)
    assert time.process_time() - began < 15
    words = np.concatenate([piece.pairs.words for piece in pieces])
    assert len(np.unique(words)) == len(doc.words)


def test_half_a_surrogate_pair_stops_nothing(subwords):
    text = "Ada \ud800 Lovelace"
    doc = document(text)
    assert word_ids(subwords, doc)[2] == word_ids(subwords, document("Ada \ufffd Lovelace"))[2]


def test_lower_casing_and_prompts_move_no_word(tokenizer_files):
    plain = Subwords(tokenizer_files["bytes"], 512)
    lowering = Subwords(tokenizer_files["bytes"], 512, lower=True, prompt="query: ")
    text = "İstanbul ADA Zürich"
    assert word_ids(lowering, document(text))[1:] == word_ids(plain, document("xstanbul ada zürich"))[1:]
    assert lowering.ids("ADA").tolist() == plain.ids("query: ada").tolist()


def test_a_damaged_tokenizer_is_named(tmp_path, tokenizer_files):
    broken = tmp_path / "tokenizer.json"
    broken.write_text(tokenizer_files["wordpiece"].read_text()[:500])
    with pytest.raises(ModelUnusable, match=r"tokenizer\.json is no tokenizer"):
        Subwords(broken, 512)
    with pytest.raises(ModelUnusable, match="no room"):
        Subwords(tokenizer_files["wordpiece"], 2)
