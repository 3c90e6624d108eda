"""Sync's Celery application: ``celery -A tithe.sync.worker worker -Q sync``."""

from tithe.contracts.tasks import SnapshotLabels
from tithe.worker import Handlers, worker_app

HANDLERS: Handlers = {SnapshotLabels: "tithe.sync.snapshot:snapshot_labels"}
app = worker_app("sync", HANDLERS)
