"""What a word looks like, by hand."""

from __future__ import annotations

import numpy as np

from tithe.learners.tagging.lexical import FEATURES, LEXICAL, lexical
from tithe.learners.tagging.words import document, document_of


def said(text: str) -> list[set[str]]:
    rows = lexical([document(text)])
    graded = {"length, 20 and more are 1", "share of words with a capital in the text"}
    return [{FEATURES[at] for at in np.flatnonzero(row)} - graded for row in rows]


def test_features_by_hand():
    ada, met, ibm, stop, at = said("Ada met IBM.@")
    assert ada == {
        FEATURES[0],
        "up to three letters long",
        "first word of the text",
        "first word of a sentence",
        FEATURES[22],
    }
    assert met == {"no capital, at least one small letter", "up to three letters long"}
    assert ibm == {"all capitals", "up to three letters long"}
    assert stop == {"neither letter nor digit", "ends a sentence", "no space before it"}
    assert at == {"neither letter nor digit", "begins with @", "first word of a sentence", "no space before it"}
    assert said("iPhone")[0] >= {"capital later only"}
    assert said("McDonald")[0] >= {"capital first and another later"}
    assert said("I")[0] >= {"one letter, a capital"}
    assert said("42")[0] >= {"digits only"}
    assert said("IL2")[0] >= {"digits and letters", "all capitals"}
    assert said("Ökonom")[0] >= {"letters outside ASCII", FEATURES[0]}


def test_one_row_a_word_document_by_document():
    texts = ["One two.", "", "  ", "👩\u200d👧 漢字 a\u0301", "THREE"]
    together = lexical([document(text) for text in texts])
    alone = np.concatenate([lexical([document(text)]) for text in texts])
    assert together.dtype == np.float32
    assert together.shape[1] == LEXICAL == len(FEATURES)
    np.testing.assert_array_equal(together, alone)
    assert together.min() >= 0
    assert together.max() <= 1


def test_no_words_no_rows():
    assert lexical([]).shape == lexical([document_of(["", " "])]).shape == (0, LEXICAL)
