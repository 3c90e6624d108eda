"""``python -m tithe.prover``."""

from tithe.contracts.tasks import Queue
from tithe.prover.worker import app
from tithe.settings import Settings
from tithe.worker import run_worker

if __name__ == "__main__":
    run_worker(app, [Queue.PROVE], Settings().worker_name)
