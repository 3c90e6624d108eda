"""The trainer's Celery application: ``celery -A tithe.trainer.worker worker -Q train``."""

from tithe.contracts.tasks import TrainRound
from tithe.worker import Handlers, worker_app

HANDLERS: Handlers = {TrainRound: "tithe.trainer.train:train_round"}
app = worker_app("trainer", HANDLERS)
