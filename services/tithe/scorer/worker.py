"""The scorer's Celery application: ``celery -A tithe.scorer.worker worker -Q score,embed``."""

from tithe.scorer.handlers import HANDLERS
from tithe.worker import worker_app

app = worker_app("scorer", HANDLERS)
