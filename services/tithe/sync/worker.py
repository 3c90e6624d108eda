"""Sync's Celery application: ``celery -A tithe.sync.worker worker -Q sync``."""

from tithe.settings import Settings
from tithe.sync.handlers import HANDLERS
from tithe.worker import worker_app

app = worker_app("sync", HANDLERS, threads=Settings().connector_threads)
