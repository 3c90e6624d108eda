"""``python -m tithe.scorer``."""

from tithe.contracts.tasks import Queue
from tithe.scorer.worker import app
from tithe.settings import Settings
from tithe.worker import run_worker

if __name__ == "__main__":
    run_worker(app, [Queue.SCORE, Queue.EMBED], Settings().worker_name)
