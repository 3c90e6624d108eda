"""The prover's Celery application: ``celery -A tithe.prover.worker worker -Q prove``."""

from tithe.prover.handlers import HANDLERS
from tithe.worker import worker_app

app = worker_app("prover", HANDLERS)
