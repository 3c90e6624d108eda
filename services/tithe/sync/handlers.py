"""Which function answers which message."""

from tithe.contracts.tasks import SnapshotLabels, SyncConnector
from tithe.worker import Handlers

HANDLERS: Handlers = {
    SnapshotLabels: "tithe.sync.snapshot:snapshot_labels",
    SyncConnector: "tithe.sync.passes:sync_connector",
}
