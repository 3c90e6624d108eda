"""The application Flower looks through; it does no work. ``celery -A tithe.bus.flower flower``."""

from __future__ import annotations

from tithe.bus.celery import celery_app
from tithe.settings import Settings

_broker = Settings().broker_url
app = celery_app(_broker.get_secret_value() if _broker else "redis://127.0.0.1:6379/0", {})
