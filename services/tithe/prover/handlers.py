"""Which function answers which message."""

from tithe.contracts.tasks import MeasureRound
from tithe.worker import Handlers

HANDLERS: Handlers = {MeasureRound: "tithe.prover.measure:measure_round"}
