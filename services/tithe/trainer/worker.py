"""The trainer's Celery application: ``celery -A tithe.trainer.worker worker -Q train``."""

from tithe.trainer.handlers import HANDLERS
from tithe.worker import worker_app

app = worker_app("trainer", HANDLERS)
