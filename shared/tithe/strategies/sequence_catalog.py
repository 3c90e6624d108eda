"""The strategies for texts whose words are tagged, as data."""

from __future__ import annotations

from tithe.strategies import sequence, sequence_committee
from tithe.strategies.strategy import TOKEN_LABELS, Function, Needs, Strategy, best

_READING = "O(n w t) for w words a text and t tags"
_COMMITTEE = "O(n w t), five times"


def _of_words(function: Function, reference: str, summary: str, use: str) -> Strategy:
    """An entry: named as its function is, read off one model's tags or a committee's."""
    by_committee = function.__module__ == sequence_committee.__name__
    return Strategy(
        name=function.__name__,
        needs=Needs.TAG_COMMITTEE if by_committee else Needs.TAGS,
        function=function,
        multilabel=None,
        sieves=best(function.__name__),
        reference=reference,
        summary=summary,
        use=use,
        cost=_COMMITTEE if by_committee else _READING,
        tasks=TOKEN_LABELS,
    )


OF_WORDS = (
    _of_words(
        sequence.token_entropy_mean,
        "Settles & Craven 2008 (token entropy)",
        "Texts whose words are most in doubt on average.",
        "People are paid by the word; favours short texts.",
    ),
    _of_words(
        sequence.token_entropy_max,
        "Settles & Craven 2008, of the most doubtful word; on few doubtful words Radmard et al. 2021",
        "Texts with the single most doubtful word.",
        "Entities are rare; follows one odd word too, so slips and noise.",
    ),
    _of_words(
        sequence.token_entropy_top,
        "Settles & Craven 2008, of the three most doubtful words",
        "Texts whose three most doubtful words are most in doubt.",
        "Texts of very unequal length, entities of a few words.",
    ),
    _of_words(
        sequence.token_entropy_sum,
        "Settles & Craven 2008 (total token entropy)",
        "Texts with the most doubt in all.",
        "A text costs the same whatever its length; favours long texts, much.",
    ),
    _of_words(
        sequence.mnlp,
        "Shen et al. 2018 (MNLP)",
        "Texts whose likeliest tags are least likely, per word.",
        "A sound choice where people are paid by the word.",
    ),
    _of_words(
        sequence.sequence_least_confident,
        "Culotta & McCallum 2005",
        "Texts whose likeliest tags are least likely, all words together.",
        "To follow the paper; favours long texts, much.",
    ),
    _of_words(
        sequence.entity_entropy,
        "Tithe's own weight; after Sapci, Kemik, Yeniterzi & Tastan 2024",
        "Texts whose words are in doubt and likely to belong to an entity.",
        "Entities are rare, and little doubts about ordinary words drown the rest.",
    ),
    _of_words(
        sequence_committee.token_vote_entropy,
        "Dagan & Engelson 1995; over words Settles & Craven 2008",
        "Texts on whose words a committee's votes are split most; ties often.",
        "To follow the paper; the tie-broken form asks better questions.",
    ),
    _of_words(
        sequence_committee.token_vote_entropy_tiebroken,
        "Dagan & Engelson 1995; over words Settles & Craven 2008",
        "The same, words of equal votes ordered by consensus entropy.",
        "A committee's disagreement while labels are few.",
    ),
    _of_words(
        sequence_committee.token_consensus_entropy,
        "Settles 2009; over words Settles & Craven 2008",
        "Texts about whose words a committee's mean prediction is most in doubt.",
        "As the mean of token entropy, a little steadier while labels are few.",
    ),
    _of_words(
        sequence_committee.token_kl_to_consensus,
        "McCallum & Nigam 1998; over words Settles & Craven 2008",
        "Texts on whose words a committee's members disagree, rather than doubt together.",
        "Labels are noisy: what everyone doubts alike is not asked.",
    ),
)
