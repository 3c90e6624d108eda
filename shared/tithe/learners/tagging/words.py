"""Where the words of a text are: stretches of code points at whose borders a label can begin and end."""

from __future__ import annotations

from collections.abc import Sequence

import regex

from tithe.learners.words import Document, Stretch

#: Graphemes after which a run of letters is cut: word-piece tokenizers give up on longer words, and a model's window
#: has room for one of these.
LONGEST_WORD = 100

#: Scripts that put no spaces between words, and Korean, where an ending that is no part of a name sticks to it.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
#: Nobody sees these: a word goes on after one (soft hyphen, word joiner, marks of writing direction).
_INVISIBLE = r"\u00AD\u2060\u200E\u200F\u061C"
#: What continues a grapheme whatever comes before, but for control characters.
_EXTENDING = r"\p{Grapheme_Cluster_Break=Extend}\p{Grapheme_Cluster_Break=SpacingMark}\u200D"
_SPACE = r"\s\x1C-\x1F"  # as str.isspace has it
_LETTER = rf"(?:[{_INVISIBLE}]?+(?=[\p{{L}}\p{{N}}\p{{M}}])(?![{_UNSPACED}])\X)"
_WORD = regex.compile(
    rf"{_LETTER}{{1,{LONGEST_WORD}}}+"
    # A flag is spelled out: \X would look back to the first of a row of flags, each time.
    rf"|\p{{Regional_Indicator}}{{2}}[{_EXTENDING}]*+"
    rf"|(?![{_SPACE}])\X"
    # A mark on a space is seen, so that the two are a word.
    rf"|(?=\p{{Zs}}[{_EXTENDING}])\X"
)


def document(text: str) -> Document:
    r"""Cut a text into words.

    Letters, digits and their marks stand together; each punctuation mark or symbol is a word, apostrophes, hyphens and
    underscores too, so that a label can end before the *'s* of *Iverson's* and the cuts are those of BERT's own
    tokenizers; each grapheme is a word where a script puts no spaces between words (Han, kana, Thai, Lao, Khmer,
    Burmese, Tibetan) and in Korean; an emoji is one word, however many code points it is made of. A run of letters is
    cut after `LONGEST_WORD` graphemes.

    Parameters
    ----------
    text
        Any text, an empty one too.

    Returns
    -------
    The text itself, unchanged, and its words: in order, without overlap, nothing but white space between them, no
    border inside an extended grapheme cluster.

    Notes
    -----
    Time O(len(text)), whatever is in it: about 0.3 s for a million code points.

    References
    ----------
    Unicode Standard Annex 29, Unicode text segmentation, section 3 (grapheme clusters).

    Examples
    --------
    >>> found = document("Zoë's 2-year-old")
    >>> [found.text[start:stop] for start, stop in found.words]
    ['Zoë', "'", 's', '2', '-', 'year', '-', 'old']
    >>> document("東京 is").words
    ((0, 1), (1, 2), (3, 5))
    """
    return Document(text, tuple(found.span() for found in _WORD.finditer(text)))


def document_of(tokens: Sequence[str]) -> Document:
    """The document of an item that came as tokens: they are its words, joined by single spaces.

    Parameters
    ----------
    tokens
        In order. One that is empty or all white space keeps its place in the text and is no word: offsets stay those
        of ``" ".join(tokens)``.

    Examples
    --------
    >>> document_of(["New York", "", "'s"])
    Document(text="New York  's", words=((0, 8), (10, 12)))
    """
    words: list[Stretch] = []
    at = 0
    for token in tokens:
        if token and not token.isspace():
            words.append((at, at + len(token)))
        at += len(token) + 1
    return Document(" ".join(tokens), tuple(words))
