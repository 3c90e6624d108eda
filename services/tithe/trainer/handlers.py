"""Which function answers which message."""

from tithe.contracts.tasks import TrainRound
from tithe.worker import Handlers

HANDLERS: Handlers = {TrainRound: "tithe.trainer.train:train_round"}
