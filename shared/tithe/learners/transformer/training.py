"""One fine-tuning by transformers' Trainer: no files, no reports, the best weights at the end."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import PrinterCallback, ProgressCallback, Trainer, TrainerCallback, TrainingArguments

from tithe.errors import Hopeless
from tithe.learners.protocol import Float32, Progress
from tithe.learners.transformer.pieces import Piece
from tithe.learners.transformer.quiet import on_threads, quiet
from tithe.learners.transformer.reading import device_of, in_bfloat16, padded
from tithe.learners.transformer.settings import Plan, TransformerSettings, learning_rate_for, plan

#: Loss of a batch: (logits, targets, row weights), each a tensor of the batch.
Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


class TrainingDiverged(Hopeless):
    """The fine-tuning ended in numbers that are none."""

    code = "training_diverged"


@dataclass(frozen=True, slots=True)
class Row:
    """A piece and what it is to be answered with.

    Attributes
    ----------
    piece
        What is read.
    target
        Float, shape (outputs,), of a text; int64, shape (words of the piece,), of words.
    weight
        What the row counts in its batch's loss.
    more
        float32, shape (words of the piece, numbers): what the head reads beside the words' states; None of a text.
    """

    piece: Piece
    target: NDArray[Any]
    weight: float = 1.0
    more: Float32 | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """How a training went."""

    steps: int  #: optimiser steps done
    epochs: int  #: passes over the rows
    planned_epochs: int
    best_epoch: int  #: whose weights were kept; 0 for those it began with
    stopped_early: bool


def fine_tune(
    network: nn.Module,
    rows: Sequence[Row],
    loss: Loss,
    *,
    padding: int,
    settings: TransformerSettings,
    seed: int,
    look: Callable[[], float] | None = None,
    caution: float = 0.0,
    progress: Progress | None = None,
) -> Course:
    """Train a network in place: AdamW, warm-up and linear decay, rows of a length together.

    Parameters
    ----------
    network
        As :class:`tithe.learners.transformer.network.Network`; at the end with its best weights, in evaluation mode, on
        the CPU.
    rows
        What is learned.
    loss
        Of a batch.
    padding
        The id that fills batches up.
    settings
        How; see there.
    seed
        Same rows, seed and threads, same weights.
    look
        The held-out score of the network as it is, asked before the first step, so that a training that does nothing
        but harm leaves no trace, and after each epoch. The weights of the last epoch not clearly worse than the best
        are kept, and training stops `patience` epochs after it. None for as many epochs as planned, and the last
        weights.
    caution
        What is clearly worse: a score lower by more than this.
    progress
        Called with (steps done, steps planned) after each step. What it raises ends the fit.

    Raises
    ------
    TrainingDiverged
        When a loss is not finite; says at which step.
    """
    lasting = plan(len(rows), settings)
    follow = _Follow(network, look, caution, settings.patience, progress, lasting.steps)

    def of_batch(outputs: dict[str, torch.Tensor], labels: torch.Tensor, **_: Any) -> torch.Tensor:
        found = loss(outputs["logits"], labels, outputs["weights"])
        if not torch.isfinite(found):
            raise TrainingDiverged(
                f"the loss is {found.item()} at step {follow.steps + 1} of {lasting.steps}",
                remedy="lower the learning rate, or choose another model",
            )
        return found

    rate = settings.learning_rate or learning_rate_for(sum(value.numel() for value in network.parameters()))
    with tempfile.TemporaryDirectory(prefix="tithe-fit-") as folder, quiet(), on_threads(settings.threads):
        arguments = _arguments(folder, settings, lasting, rate, seed)
        trainer = Trainer(
            model=network,
            args=arguments,
            train_dataset=_Rows(rows),
            data_collator=lambda batch: _collated([item["row"] for item in batch], padding),
            compute_loss_func=of_batch,
            callbacks=[follow],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        follow.judge(0)
        trainer.train()
    network.to("cpu")
    best = follow.restore()
    network.eval()
    return Course(
        steps=follow.steps,
        epochs=follow.epochs,
        planned_epochs=lasting.epochs,
        best_epoch=best,
        stopped_early=follow.epochs < lasting.epochs,
    )


def _arguments(folder: str, settings: TransformerSettings, lasting: Plan, rate: float, seed: int) -> TrainingArguments:
    """What the Trainer is told: nothing is written, nothing reported."""
    device = device_of(settings)
    return TrainingArguments(
        output_dir=folder,
        per_device_train_batch_size=lasting.batch_rows,
        num_train_epochs=lasting.epochs,
        learning_rate=rate,
        warmup_steps=int(settings.warmup * lasting.steps),
        lr_scheduler_type="linear",
        weight_decay=settings.weight_decay,
        optim="adamw_torch_fused",
        bf16=in_bfloat16(settings.precision, device),
        use_cpu=device.type == "cpu",
        train_sampling_strategy="group_by_length",
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        label_names=["labels"],
        seed=seed % 2**32,
        report_to="none",
        logging_strategy="no",
        save_strategy="no",
        eval_strategy="no",
        disable_tqdm=True,
    )


class _Rows(torch.utils.data.Dataset):  # type: ignore[misc]  # torch is not followed by mypy
    """Rows as the Trainer's sampler asks for them: their ids tell their lengths."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, at: int) -> dict[str, Any]:
        row = self._rows[at]
        return {"input_ids": row.piece.ids, "row": row}


class _Follow(TrainerCallback):  # type: ignore[misc]  # transformers is not followed by mypy
    """Tells the steps, looks after each epoch, keeps the best weights in memory, says when to stop."""

    def __init__(
        self,
        network: nn.Module,
        look: Callable[[], float] | None,
        caution: float,
        patience: int,
        progress: Progress | None,
        planned: int,
    ) -> None:
        self._network, self._look, self._caution, self._patience = network, look, caution, patience
        self._progress, self._planned = progress, planned
        self._highest = -np.inf
        self._kept: tuple[int, dict[str, torch.Tensor]] | None = None
        self.steps = self.epochs = 0

    def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        self.steps = int(state.global_step)
        if self._progress is not None:
            self._progress(self.steps, self._planned)

    def on_epoch_end(self, _args: Any, _state: Any, control: Any, **_: Any) -> None:
        self.epochs += 1
        self.judge(self.epochs)
        if self._kept is not None and self.epochs - self._kept[0] >= self._patience:
            control.should_training_stop = True

    def judge(self, epoch: int) -> None:
        """Look, and keep the weights unless they are clearly worse than the best so far."""
        if self._look is None:
            return
        was_training = self._network.training
        score = self._look()
        self._network.train(was_training)
        self._highest = max(self._highest, score)
        if score >= self._highest - self._caution:
            weights = {name: value.detach().cpu().clone() for name, value in self._network.state_dict().items()}
            self._kept = (epoch, weights)

    def restore(self) -> int:
        """Put the weights that were kept back; the epoch they are of."""
        if self._kept is None:
            return self.epochs
        self._network.load_state_dict(self._kept[1])
        return self._kept[0]


def _collated(rows: Sequence[Row], padding: int) -> dict[str, torch.Tensor]:
    """A batch for the network: pieces padded, words without a target -100."""
    batch = {name: torch.from_numpy(array) for name, array in padded([row.piece for row in rows], padding).items()}
    if "positions" in batch:
        targets = np.full(batch["positions"].shape, -100, np.int64)
        for target, row in zip(targets, rows, strict=True):
            target[: len(row.target)] = row.target
        more = [row.more for row in rows if row.more is not None]
        if more:
            beside = np.zeros((*targets.shape, more[0].shape[1]), np.float32)
            for at, numbers in zip(beside, more, strict=True):
                at[: len(numbers)] = numbers
            batch["more"] = torch.from_numpy(beside)
    else:
        targets = np.stack([row.target for row in rows]).astype(np.float32)
    batch["labels"] = torch.from_numpy(targets)
    batch["weights"] = torch.tensor([row.weight for row in rows], dtype=torch.float32)
    return batch
