"""``python -m tithe.gateway``."""

from __future__ import annotations

import logging
import signal
import sys
import time
from types import FrameType

import uvicorn
from fastapi import FastAPI

from tithe import telemetry
from tithe.gateway.app import create_app
from tithe.runtime import from_settings
from tithe.settings import Settings


class Server(uvicorn.Server):
    """Tells the application when it is told to stop: requests that only wait come to an end by themselves."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal begins the end."""
        self._app.state.leaving_since = self._app.state.leaving_since or time.monotonic()
        super().handle_exit(sig, frame)


def main() -> None:
    """Serve until told to stop; requests under way get ten seconds to end."""
    telemetry.configure("gateway")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    settings = Settings()
    runtime = from_settings(settings, connections=settings.gateway_connections)
    # The server ends its requests first, then raises the signal again: by then it only means to leave.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app = create_app(runtime)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        timeout_graceful_shutdown=10,
        timeout_keep_alive=30,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        ws="none",
    )
    server = Server(config, app)
    try:
        server.run()
    except KeyboardInterrupt:
        return
    finally:
        runtime.database.close()
    if not server.started:
        sys.exit(3)  # the port is taken, say: the log has the reason


if __name__ == "__main__":
    main()
