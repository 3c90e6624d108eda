"""Which function answers which message."""

from tithe.contracts.tasks import SnapshotLabels
from tithe.worker import Handlers

HANDLERS: Handlers = {SnapshotLabels: "tithe.sync.snapshot:snapshot_labels"}
