"""What a fine-tuning may be told, and what it does when nobody says anything."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Literal, Self

Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True, slots=True)
class TransformerSettings:
    """How a transformer is fine-tuned and read. The defaults suit 50 to 5,000 labels.

    Attributes
    ----------
    learning_rate
        Peak; None for a rate by the model's size (:func:`learning_rate_for`).
    batch_rows
        Texts, or windows of texts, an optimiser step looks at; half as many below 100.
    least_steps, least_epochs, most_epochs
        Training lasts as many epochs as make `least_steps` optimiser steps, within these bounds: few labels need many
        passes, many labels few (Mosbach et al. 2021).
    patience
        Epochs without a better held-out score before training stops.
    warmup
        Share of the steps in which the rate rises; then it falls linearly to zero.
    weight_decay, dropout
        Of AdamW; of what the head reads.
    max_tokens
        Tokens of a window, special ones included; never more than the model takes.
    overlap
        Tokens that neighbouring windows of a document share at least, where words are tagged.
    most_windows
        Windows of one text that are read where texts are classified: a longer text is read at so many places, evenly
        spread, its beginning and its end among them. Where words are tagged, everything is read.
    most_tokens
        Tokens of a batch, padding included, when answers are computed.
    precision
        What matrix products are computed in. ``"auto"``: bfloat16 where the GPU or the CPU has instructions for it,
        float32 elsewhere. Weights are trained and stored as float32 either way.
    threads
        Threads of a fit or a prediction on the CPU; None leaves torch as it is set. Sums, and so the last bits of a
        model, depend on it.
    device
        ``"cpu"``, ``"cuda"``…; None for a GPU where there is one.

    References
    ----------
    Mosbach, Andriushchenko & Klakow (2021), On the stability of fine-tuning BERT: misconceptions, explanations, and
    strong baselines, ICLR.
    """

    learning_rate: float | None = None
    batch_rows: int = 16
    least_steps: int = 150
    least_epochs: int = 4
    most_epochs: int = 20
    patience: int = 3
    warmup: float = 0.1
    weight_decay: float = 0.01
    dropout: float = 0.1
    max_tokens: int = 256
    overlap: int = 32
    most_windows: int = 4
    most_tokens: int = 8192
    precision: Precision = "auto"
    threads: int | None = None
    device: str | None = None

    def to_json(self) -> str:
        """As text, for a model's file. Threads and device belong to a machine and stay behind."""
        return json.dumps({name: value for name, value in asdict(self).items() if name not in _OF_A_MACHINE})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What :meth:`to_json` wrote; names of a later version are passed over."""
        known = {field.name for field in fields(cls)} - _OF_A_MACHINE
        return cls(**{name: value for name, value in json.loads(text).items() if name in known})


_OF_A_MACHINE = {"threads", "device"}


def learning_rate_for(parameters: int) -> float:
    """The peak rate by size: 1e-4 up to 50 million parameters, 5e-5 up to 200 million, 2e-5 beyond.

    Examples
    --------
    >>> learning_rate_for(22_000_000), learning_rate_for(110_000_000), learning_rate_for(350_000_000)
    (0.0001, 5e-05, 2e-05)
    """
    if parameters <= 50_000_000:
        return 1e-4
    return 5e-5 if parameters <= 200_000_000 else 2e-5


@dataclass(frozen=True, slots=True)
class Plan:
    """How long a fit lasts."""

    batch_rows: int
    steps_per_epoch: int
    epochs: int

    @property
    def steps(self) -> int:
        """Optimiser steps in all, unless it stops early."""
        return self.steps_per_epoch * self.epochs


def plan(rows: int, settings: TransformerSettings) -> Plan:
    """Batch size and epochs for so many rows.

    Examples
    --------
    >>> plan(40, TransformerSettings()).epochs, plan(400, TransformerSettings()).epochs
    (20, 6)
    >>> plan(5000, TransformerSettings())
    Plan(batch_rows=16, steps_per_epoch=313, epochs=4)
    """
    batch_rows = settings.batch_rows if rows >= 100 else max(1, settings.batch_rows // 2)
    steps = max(1, math.ceil(rows / batch_rows))
    epochs = math.ceil(settings.least_steps / steps)
    return Plan(batch_rows, steps, min(max(epochs, settings.least_epochs), settings.most_epochs))
