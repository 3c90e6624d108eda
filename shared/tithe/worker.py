"""What the Celery workers share: bind handlers to a runtime, run the worker of one queue."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tithe import telemetry
from tithe.bus.celery import Bus, celery_app
from tithe.contracts.tasks import Queue, TaskMessage
from tithe.loop.work import Delivery, deliver
from tithe.runtime import Runtime, broker_url, from_settings
from tithe.settings import Settings
from tithe.storage.jobs import Claim

#: (runtime, message, claim) → None. Commits its effects and the job's end in one transaction.
Handler = Callable[[Runtime, Any, Claim], None]
#: Where a handler is found, "module:function": imported when its first message comes, so that parents stay thin.
Handlers = Mapping[type[TaskMessage], str]


def worker_app(service: str, handlers: Handlers, *, threads: int | None = None) -> Bus:
    """The Celery application of a service, from the environment.

    `threads`: its work is waiting for others, so one process does so many things at a time.
    """
    settings = Settings()
    telemetry.configure(service)
    making = threading.Lock()

    @functools.cache
    def made() -> Runtime:  # one per process: made in the child that uses it
        return from_settings(settings, connections=4 if threads is None else 2 * threads + 2)

    def runtime() -> Runtime:
        with making:
            return made()

    def bound(target: str) -> Callable[[TaskMessage], None]:
        def receive(message: TaskMessage) -> None:
            handle = _resolve(target)
            delivery = Delivery(runtime().database, settings.worker_name, settings.heartbeat_seconds, settings.attempts)
            deliver(delivery, message, lambda claim: handle(runtime(), message, claim))

        return receive

    return celery_app(
        broker_url(settings),
        {message: bound(target) for message, target in handlers.items()},
        module=f"tithe.{service}.worker",
        limit_seconds=settings.task_limit_seconds,
        processes=settings.worker_processes if threads is None else threads,
        threads=threads is not None,
    )


def run_worker(app: Bus, queues: Sequence[Queue], name: str) -> None:
    """Serve queues, the first one first, until told to stop. Fewer broadcast paths, fewer things to break."""
    app.worker_main(
        [
            "worker", "--queues", ",".join(queue.value for queue in queues), "--hostname", f"{name}@%h",
            "--loglevel", "INFO", "--without-gossip", "--without-mingle", "--without-heartbeat",
        ]
    )  # fmt: skip


@functools.cache
def _resolve(target: str) -> Handler:
    from importlib import import_module

    module, _, function = target.partition(":")
    found: Handler = getattr(import_module(module), function)
    return found
