"""The transformer learner of entities: fine-tunes a tagger of words with transformers' Trainer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tithe.learners import heads, scores
from tithe.learners.calibration import fit_temperature
from tithe.learners.extra import torch_needed
from tithe.learners.linear_model import FitFacts, LinearModel
from tithe.learners.protocol import Float32, Float64, NotEnoughClasses, Progress
from tithe.learners.tagging import decoding
from tithe.learners.tagging.entity_scores import entity_f1
from tithe.learners.tagging.lexical import LEXICAL, lexical
from tithe.learners.tagging.scheme import Scheme
from tithe.learners.transformer.base import folder_of
from tithe.learners.transformer.body import Body, arrays_of
from tithe.learners.transformer.held_out import FEWEST_TO_STOP, Judge, caution, held_out
from tithe.learners.transformer.last_layer import Standard, committee, logits_of, start_from_probe
from tithe.learners.transformer.quiet import quiet, undisturbed
from tithe.learners.transformer.settings import TransformerSettings
from tithe.learners.transformer.tag_model import TransformerTagger, tag_probabilities, word_features
from tithe.learners.words import Document, Int64, Tagged

if TYPE_CHECKING:
    import torch

    from tithe.learners.transformer.network import Network
    from tithe.learners.transformer.training import Course

Marked = Sequence[tuple[int, int, int]]  #: entities of a document: first word, stop, type
Bool = NDArray[np.bool_]

#: Words that logistic heads are fitted to at most; of more, whole documents are left out at random.
HEAD_WORDS = 20_000
_NOTHING = 1e-12


class TransformerTagLearner:
    """Fine-tunes a transformer to tag the words of documents: minutes where the linear tagger takes seconds.

    As :class:`tithe.learners.transformer.classifier.TransformerLearner`, but for words: the loss is over the first
    sub-word of each word, the score is entity F1, a document is held out as a whole, and tags weigh the same (weights
    would bend where entities end).

    Parameters
    ----------
    base
        ``"minilm"``, a folder, or a model's name on the hub.
    """

    def __init__(self, base: str | Path) -> None:
        self.base = base

    def fit(
        self,
        documents: Sequence[Document],
        entities: Sequence[Marked],
        types: int,
        *,
        seed: int,
        members: int = 5,
        previous: TransformerTagger | None = None,  # noqa: ARG002 - the protocol's; each round starts from the base
        progress: Progress | None = None,
        settings: TransformerSettings | None = None,
    ) -> TransformerTagger:
        """Fine-tune to every label there is, the held-out ones aside.

        Parameters
        ----------
        documents
            The labeled documents, words and all; left unchanged.
        entities
            Of each document, its entities ``(first word, stop word, type)``, without overlap; none is an answer too.
        types
            Entity types of the project.
        seed
            Same input, seed, settings and kind of machine, same model.
        members
            Heads of the committee; 0 for none.
        previous
            Not used.
        progress
            Called with (steps done, steps planned) after each optimiser step; what it raises ends the fit.
        settings
            How to train and read.

        Returns
        -------
        The model. Its facts: ``base``, ``parameters``, ``labels`` (documents), ``words``, ``entities``,
        ``class_counts`` (entities of each type), ``metric`` (``"entity_f1"``), ``held_out``, ``score``, ``precision``,
        ``recall``, ``log_loss`` (nats a word; these four None while no document could be held out), ``temperature``,
        ``members``, ``steps``, ``epochs``, ``planned_epochs``, ``best_epoch``, ``stopped_early``, ``seconds``.

        Raises
        ------
        NotEnoughClasses
            When no entity is marked.
        ModelUnusable
            When the base model cannot be loaded.
        TrainingDiverged
            When a loss is not finite.
        TorchMissing
            When torch, transformers or accelerate is not installed.
        ValueError
            When entities overlap or leave their document; names document and entity.
        """
        began = time.perf_counter()
        if len(entities) != len(documents):
            raise ValueError(f"entities are of {len(entities)} documents, not of {len(documents)}")
        if not any(len(found) for found in entities):
            raise NotEnoughClasses("no entity is marked yet: there is nothing to find")
        settings = settings or TransformerSettings()
        round_ = _Round(documents, entities, types, settings, np.random.default_rng(seed))
        with torch_needed("fine-tuning"), quiet(), undisturbed(seed):
            body = Body.from_folder(folder_of(self.base))
            trained = round_.train(body, seed, progress)
        body = replace(body, weights=arrays_of(trained.network.body))
        head, facts = round_.head(trained, members)
        return TransformerTagger(
            body,
            head,
            settings,
            {
                "base": str(self.base),
                "parameters": body.parameters,
                "labels": len(documents),
                "words": sum(len(document.words) for document in documents),
                **facts,
                "members": members,
                **asdict(trained.course),
                "seconds": time.perf_counter() - began,
            },
        )

    def load(self, tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, str]) -> TransformerTagger:
        """The model out of what its ``to_tensors`` returned."""
        return TransformerTagger.from_tensors(tensors, meta)


@dataclass(frozen=True)
class _Trained:
    """What a training leaves."""

    network: Network
    course: Course
    judge: Judge[Float32]
    features: Float32  # (words, width), of all labeled documents; NaN for words that were not read
    learned: Int64  # which tags the network's outputs are


class _Round:
    """The labels of a round as tags, and which documents are held out."""

    def __init__(
        self,
        documents: Sequence[Document],
        entities: Sequence[Marked],
        types: int,
        settings: TransformerSettings,
        rng: np.random.Generator,
    ) -> None:
        self.documents, self.entities, self.types = documents, entities, types
        self.settings, self.rng = settings, rng
        lengths = [len(document.words) for document in documents]
        self.starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        self.scheme = Scheme(types, "bio")
        self.tags = self.scheme.encode(entities, self.starts)
        carries = np.zeros((types, len(documents)), np.float32)
        for at, found in enumerate(entities):
            carries[[kind for *_, kind in found], at] = 1
        self.aside = held_out(carries[carries.any(axis=1)], rng)

    @property
    def aside_words(self) -> Bool:
        """bool, shape (words,): those of held-out documents."""
        return np.repeat(self.aside, np.diff(self.starts))

    def train(self, body: Body, seed: int, progress: Progress | None) -> _Trained:
        """Probe, fine-tune, and read all labeled documents once more."""
        from tithe.learners.transformer.network import Network
        from tithe.learners.transformer.reading import Reader, cutter_of
        from tithe.learners.transformer.training import Row, fine_tune

        cutter = cutter_of(body, self.settings)
        module = body.module()

        def read(documents: Sequence[Document]) -> Float32:
            return word_features(Reader(module, cutter, body.padding, self.settings), documents)[0]

        untouched = read(self.documents)
        seen = ~self.aside_words & ~np.isnan(untouched[:, 0])
        learned = np.unique(self.tags[seen])
        if len(learned) < 2:
            raise NotEnoughClasses("the words a model can learn from all have the same tag")
        network = Network(module, len(learned), self.settings.dropout, more=LEXICAL)
        chosen = self._sample(seen, learned)
        onehot = (self.tags[chosen] == learned[:, None]).astype(np.float32)
        start_from_probe(network.head, untouched[chosen], onehot, 0.0, "single")
        kept = np.flatnonzero(~self.aside).tolist()
        unseen = [self.documents[at] for at in np.flatnonzero(self.aside).tolist()]
        looks = lexical(self.documents)
        rows = []
        for piece in cutter.documents([self.documents[at] for at in kept], self.settings.overlap):
            words = self.starts[kept[piece.owner]] + piece.words
            rows.append(Row(piece, np.searchsorted(learned, self.tags[words]), more=looks[words]))

        def answer() -> Float32:
            return logits_of(network.head, read(unseen))

        judge = Judge(
            answer, self._join, lambda logits, rows: self._score(logits, learned, rows), len(unseen), self.rng
        )
        stopping = len(self.documents) >= FEWEST_TO_STOP and len(unseen) > 1
        course = fine_tune(
            network,
            rows,
            loss_of_words,
            padding=body.padding,
            settings=self.settings,
            seed=seed,
            look=judge.look if stopping else None,
            caution=caution(len(unseen)),
            progress=progress,
        )
        return _Trained(network, course, judge, read(self.documents), learned)

    def head(self, trained: _Trained, members: int) -> tuple[LinearModel, dict[str, Any]]:
        """Calibrate, add the committee, score."""
        read, aside, learned = ~np.isnan(trained.features[:, 0]), self.aside_words, trained.learned
        known = aside & read & np.isin(self.tags, learned)
        onehot = (self.tags == learned[:, None]).astype(np.float32)
        own = logits_of(trained.network.head, trained.features)
        temperature = fit_temperature(own[known], onehot[:, known].T > 0, single=True)
        standard = Standard.of(trained.features[read])
        weight, bias = (value.detach().numpy() for value in (trained.network.head.weight, trained.network.head.bias))
        stack = standard.inward(weight, bias)[None]
        if members:
            chosen = known | self._sample(read & ~aside, learned)
            others = committee(
                standard(trained.features[chosen]), np.ascontiguousarray(onehot[:, chosen]), aside[chosen], members,
                power=0.0, task="single", temperature=temperature, rng=self.rng,
            )  # fmt: skip
            stack = np.concatenate([stack, others])
        counts = np.bincount(self.tags, minlength=self.scheme.tags)
        of_type = np.bincount([kind for found in self.entities for *_, kind in found], minlength=self.types)
        facts = FitFacts(
            labels=len(self.tags),
            class_counts=tuple(int(count) for count in counts),
            c=heads.expected_c(len(self.tags), len(learned)),
            class_weight=0.0,
            temperature=temperature,
            metric="entity_f1",
            held_out=int(known.sum()),
            pseudo_labels=0,
            members=members,
        )
        scale = np.full(len(standard.mean), standard.scale, np.float32)
        prior = (counts + 1) / (len(self.tags) + 2)
        model = LinearModel(stack, learned, prior, "single", temperature, standard.mean, scale, facts)
        honest = trained.judge.honest() if trained.judge.seen else own[aside]
        told = {
            "entities": int(of_type.sum()),
            "class_counts": [int(count) for count in of_type],
            "metric": "entity_f1",
            "temperature": temperature,
            "held_out": int(self.aside.sum()),
        }
        return model, told | self._scored(model, honest)

    def _sample(self, among: Bool, learned: Int64) -> Bool:
        """bool, shape (words,): those of as many documents, drawn at random, as `HEAD_WORDS` has room for.

        Only words of `among`, with every learned tag.
        """
        lengths = np.diff(self.starts)
        order = self.rng.permutation(len(lengths))
        drawn = np.zeros(len(lengths), bool)
        drawn[order[np.cumsum(lengths[order]) <= HEAD_WORDS]] = True
        examples = [np.argmax(among & (self.tags == tag)) for tag in learned]
        drawn[np.searchsorted(self.starts, examples, side="right") - 1] = True
        chosen: Bool = among & np.repeat(drawn, lengths)
        return chosen

    def _join(self, one: Float32, other: Float32, in_one: Bool) -> Float32:
        lengths = np.diff(self.starts)[self.aside]
        joined: Float32 = np.where(np.repeat(in_one, lengths)[:, None], one, other)
        return joined

    def _score(self, logits: Float32, learned: Int64, rows: Bool) -> float:
        """Entity F1 on some of the held-out documents, by the words' probabilities as they are."""

        def plain(said: Float32) -> Float64:
            answers = np.full((1, len(said), self.scheme.tags), _NOTHING)
            wide = said.astype(np.float64)
            grown = np.exp(wide - wide.max(axis=1, keepdims=True))
            answers[0][:, learned] = np.maximum(grown / grown.sum(axis=1, keepdims=True), _NOTHING)
            return answers

        return self._measured(tag_probabilities(logits, plain, self.scheme.tags)[0], rows)["score"]

    def _measured(self, probabilities: Float64, rows: Bool) -> dict[str, float]:
        """Entities found in some of the held-out documents beside those marked."""
        documents = np.flatnonzero(self.aside)
        starts = np.concatenate([[0], np.cumsum(np.diff(self.starts)[documents])])
        found = decoding.entities(Tagged(probabilities, starts), self.scheme)
        chosen = np.flatnonzero(rows)
        truth = [self.entities[documents[at]] for at in chosen]
        said = [list[tuple[int, ...]]((one.first, one.stop, one.type) for one in found[at]) for at in chosen]
        measured = entity_f1(truth, said, self.types)
        return {"score": measured["f1"], "precision": measured["precision"], "recall": measured["recall"]}

    def _scored(self, model: LinearModel, logits: Float32) -> dict[str, Any]:
        """What the finished model's answers to held-out documents are worth."""
        if not self.aside.any():
            return dict.fromkeys(("score", "precision", "recall", "log_loss"))

        def calibrated(rows: Float32) -> Float64:
            return model.probabilities(rows.T[None].astype(np.float64)).transpose(0, 2, 1)

        probabilities = tag_probabilities(logits, calibrated, self.scheme.tags)[0]
        truth = self.tags[self.aside_words][:, None] == np.arange(self.scheme.tags)
        everyone = np.ones(int(self.aside.sum()), bool)
        return {
            **self._measured(probabilities, everyone),
            "log_loss": scores.log_loss(probabilities, truth, single=True),
        }


def loss_of_words(logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
    """Mean cross-entropy in nats over a batch's words; every word weighs the same, whatever its document's length."""
    from torch.nn import functional

    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)
