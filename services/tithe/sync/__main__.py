"""``python -m tithe.sync``."""

from tithe.contracts.tasks import Queue
from tithe.settings import Settings
from tithe.sync.worker import app
from tithe.worker import run_worker

if __name__ == "__main__":
    run_worker(app, [Queue.SYNC], Settings().worker_name)
