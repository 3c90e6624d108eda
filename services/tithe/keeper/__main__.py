"""``python -m tithe.keeper``: wakes at once when work is sent, and every second anyway."""

from __future__ import annotations

import signal
import threading

from tithe import telemetry
from tithe.bus.celery import celery_app
from tithe.keeper.sweep import Keeper
from tithe.runtime import broker_url, from_settings
from tithe.settings import Settings
from tithe.storage.notices import wait_for_notice


def main() -> None:
    """Run until told to stop."""
    telemetry.configure("keeper")
    settings = Settings()
    runtime = from_settings(settings, connections=3)
    keeper = Keeper(runtime, celery_app(broker_url(settings), {}))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    for _ in wait_for_notice(runtime.database.url, "tithe_jobs", every_seconds=1.0, stop=stop):
        keeper.wake()
    runtime.database.close()


if __name__ == "__main__":
    main()
