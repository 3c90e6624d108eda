"""The Celery application: every knob of it, once.

`docs/decisions/0003-rows-are-truth.md` says why nothing here is needed for correctness.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from celery import Celery

from tithe.contracts.tasks import Queue, TaskMessage

#: A Celery application; the name other floors use for it.
Bus = Celery
Deliver = Callable[[TaskMessage], None]


def celery_app(
    broker_url: str,
    handlers: Mapping[type[TaskMessage], Deliver],
    *,
    module: str | None = None,
    limit_seconds: int = 3600,
    processes: int = 1,
    threads: bool = False,
) -> Celery:
    """An application that answers the topics of `handlers` and can send to any topic.

    `module` is where the application is made: a spawned child knows no task before it has imported that. `threads`:
    work that waits for others is done by threads of one process; a time limit cannot end it, so it keeps its own.

    The visibility timeout is above twice the hard limit: a message is not given to a second worker while the first may
    still be at it. (Were it, the second would find the row claimed and do nothing.)
    """
    app = Celery("tithe", broker=broker_url, set_as_current=False, include=[module] if module else [])
    visibility = 2 * limit_seconds + 600
    app.conf.update(
        result_backend=None,
        task_ignore_result=True,
        accept_content=["json"],
        task_serializer="json",
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_acks_on_failure_or_timeout=True,  # failures are retried by rows, not by the broker
        task_time_limit=limit_seconds,
        task_soft_time_limit=limit_seconds - 10,
        task_default_queue=Queue.SCORE.value,
        task_create_missing_queues=True,
        broker_transport_options={
            "visibility_timeout": visibility,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": 5,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 25,
            "queue_order_strategy": "priority",  # a worker of two queues empties the first one first
        },
        visibility_timeout=visibility,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_publish_retry_policy={"max_retries": 2, "interval_start": 0.2, "interval_max": 1},
        worker_prefetch_multiplier=1,
        worker_concurrency=processes,
        worker_pool="threads" if threads else "prefork",
        worker_pool_start_method="spawn",  # fork and OpenMP threads do not mix
        worker_proc_alive_timeout=60,
        worker_max_tasks_per_child=500,
        worker_soft_shutdown_timeout=10,
        worker_enable_soft_shutdown_on_idle=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,  # the fence makes it unnecessary
        worker_send_task_events=True,  # Flower watches
        task_send_sent_event=True,
        worker_hijack_root_logger=False,
    )
    for message_type, deliver in handlers.items():
        app.task(_receiver(message_type, deliver), name=message_type.topic, bind=False)
    return app


def _receiver(message_type: type[TaskMessage], deliver: Deliver) -> Callable[..., None]:
    def receive(**body: Any) -> None:
        deliver(message_type.model_validate(body))

    receive.__name__ = message_type.topic.replace(".", "_")
    receive.__doc__ = message_type.__doc__
    return receive


def publish(app: Celery, topic: str, queue: str, body: Mapping[str, Any]) -> None:
    """Send one message. Raises the transport's errors: the caller sends again later."""
    app.send_task(topic, kwargs=dict(body), queue=queue, ignore_result=True)
