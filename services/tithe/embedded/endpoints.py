"""Where a stack answers, and with which passwords."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses of one running stack. The URLs of database and broker carry their passwords."""

    gateway_host: str
    gateway_port: int
    database_url: str = field(repr=False)  # passwords stay out of logs and tracebacks
    broker_url: str = field(repr=False)
    flower_port: int | None = None
    flower_user: str | None = None
    flower_password: str | None = field(default=None, repr=False)

    @property
    def gateway_local_host(self) -> str:
        """The gateway's address as this machine reaches it, also when it listens on every address."""
        every = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- compared with, not bound
        return every.get(self.gateway_host, self.gateway_host)

    @property
    def gateway_url(self) -> str:
        """Where a browser on this machine finds the gateway."""
        host = self.gateway_local_host
        return f"http://[{host}]:{self.gateway_port}" if ":" in host else f"http://{host}:{self.gateway_port}"

    @property
    def flower_url(self) -> str | None:
        """Where Flower is; None if it was not asked for."""
        return f"http://127.0.0.1:{self.flower_port}" if self.flower_port else None
