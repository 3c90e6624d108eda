"""Which function answers which message."""

from tithe.contracts.tasks import MachineLabel, MeasureRound
from tithe.worker import Handlers

HANDLERS: Handlers = {
    MeasureRound: "tithe.prover.measure:measure_round",
    MachineLabel: "tithe.prover.machine_labels:label_by_machine",
}
