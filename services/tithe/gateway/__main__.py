"""``python -m tithe.gateway``."""

from __future__ import annotations

import uvicorn

from tithe import telemetry
from tithe.gateway.app import create_app
from tithe.runtime import from_settings
from tithe.settings import Settings


def main() -> None:
    """Serve until told to stop; requests under way get ten seconds to end."""
    telemetry.configure("gateway")
    settings = Settings()
    runtime = from_settings(settings, connections=settings.gateway_connections)
    try:
        uvicorn.run(
            create_app(runtime),
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
    finally:
        runtime.database.close()


if __name__ == "__main__":
    main()
