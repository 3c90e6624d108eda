"""A fine-tuned text classifier: a transformer, and over its features the linear heads every classifier of ours has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from numpy.typing import NDArray

from tithe.learners.extra import torch_needed
from tithe.learners.linear_model import LinearModel
from tithe.learners.protocol import Float32, Float64, Progress
from tithe.learners.transformer.body import Body
from tithe.learners.transformer.packing import Parts, packed, unpacked
from tithe.learners.transformer.settings import TransformerSettings

if TYPE_CHECKING:
    from tithe.learners.transformer.reading import Reader

FORMAT = "tithe-transformer/1"


@dataclass(frozen=True)
class TextModel:
    """Probabilities of texts, from a fine-tuned transformer.

    A text becomes the mean of the last layer over its tokens (over its windows, where it is longer than one: at most
    ``settings.most_windows`` of them, evenly spread); then everything is as in
    :class:`tithe.learners.linear_model.LinearModel`: the network's own head, the committee's, one temperature, small
    but never zero probabilities for classes without a label.

    Answers do not depend on the texts beside them beyond the last bits of a sum; in bfloat16 these are bits of the
    third digit.

    Parameters
    ----------
    body
        The transformer.
    head
        The heads over its features, the network's own first.
    settings
        What it was fitted with; windows, precision, threads and device also hold when it is read.
    fitted
        How it came about, ready for JSON.
    """

    body: Body
    head: LinearModel
    settings: TransformerSettings
    fitted: Mapping[str, Any]
    out_of_fold: Float64 | None = field(default=None, compare=False)

    reads: ClassVar[Literal["texts"]] = "texts"

    @property
    def n_classes(self) -> int:
        """Classes of the project."""
        return self.head.n_classes

    @property
    def thresholds(self) -> Float64:
        """float64, shape (classes,): from which probability on a class is said, where an item may carry several."""
        return self.head.thresholds

    @property
    def members(self) -> int:
        """Heads of the committee."""
        return self.head.members

    def facts(self) -> dict[str, Any]:
        """How it was fitted, ready for JSON; see :meth:`TransformerLearner.fit`."""
        return dict(self.fitted)

    def features(self, texts: Sequence[str], *, progress: Progress | None = None) -> Float32:
        """What the heads read: one pass of the transformer over the texts, by far the dearest part of an answer.

        Parameters
        ----------
        texts
            Any texts: an empty one is answered as well.
        progress
            Called after each batch with (texts done, texts in all).

        Returns
        -------
        float32, shape (len(texts), width).
        """
        return self._reader.texts(texts, progress)

    def predict_proba(self, texts: Sequence[str], *, progress: Progress | None = None) -> Float64:
        """Calibrated probabilities.

        Returns
        -------
        float64, shape (n, classes), all in (0, 1); rows sum to one where an item carries one class.
        """
        return self.head.predict_proba(self.features(texts, progress=progress))

    def committee_proba(self, texts: Sequence[str], *, progress: Progress | None = None) -> Float64:
        """Probabilities of each committee member: float64, shape (members, n, classes)."""
        return self.head.committee_proba(self.features(texts, progress=progress))

    def stacked_proba(self, texts: Sequence[str], *, progress: Progress | None = None) -> Float64:
        """:meth:`predict_proba` and :meth:`committee_proba` in one pass: float64, shape (1 + members, n, classes)."""
        return self.head.stacked_proba(self.features(texts, progress=progress))

    def to_tensors(self) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        """Everything, as named arrays and texts: neither the base model nor a hub is needed to read it again."""
        return packed(Parts(self.body, self.head, self.settings, self.fitted), FORMAT)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, str]) -> Self:
        """The model :meth:`to_tensors` came from. Torch is not needed before it is asked something.

        Raises
        ------
        ValueError
            When this is not such a model, or its arrays do not fit together.
        """
        return cls(*unpacked(tensors, meta, FORMAT))

    @cached_property
    def _reader(self) -> Reader:
        with torch_needed("a fine-tuned model"):
            from tithe.learners.transformer.reading import reader_of

        return reader_of(self.body, self.settings)
