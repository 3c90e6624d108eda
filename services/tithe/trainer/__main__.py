"""``python -m tithe.trainer``."""

from tithe.contracts.tasks import Queue
from tithe.settings import Settings
from tithe.trainer.worker import app
from tithe.worker import run_worker

if __name__ == "__main__":
    run_worker(app, [Queue.TRAIN], Settings().worker_name)
