"""The whole stack of one data folder: start it, look at it, wait for its end, stop it.

Use it so:

    with suppress(KeyboardInterrupt), Stack(StackOptions(data=Path(".tithe")), migrate=migrate) as stack:
        stack.start(print)
        stack.wait()
"""

import contextlib
import logging
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from tithe.embedded.endpoints import Endpoints
from tithe.embedded.errors import EmbeddedError
from tithe.embedded.folder import DataFolder
from tithe.embedded.interrupts import Interrupts
from tithe.embedded.options import StackOptions
from tithe.embedded.ports import choose_port, demand_port
from tithe.embedded.postgres import Postgres
from tithe.embedded.process import Backoff, ProcessSpec, ProcessStatus
from tithe.embedded.secret_file import secret
from tithe.embedded.services import FLOWER_USER, no_services, service_specs
from tithe.embedded.state import StateFile
from tithe.embedded.strays import end_recorded
from tithe.embedded.supervisor import Supervisor
from tithe.embedded.valkey import Valkey

__all__ = ["Backoff", "Endpoints", "Stack", "StackOptions", "no_services", "service_specs"]

log = logging.getLogger(__name__)

_STRAY_SECONDS = 20.0


class Stack:
    """Servers and services of one data folder, supervised by this process. It runs once; make another to run again.

    Parameters
    ----------
    options
        What is asked for.
    migrate
        Called with the database URL when Postgres is ready and before any service starts.
    services
        Lists the service processes; tests and tools put others in their place.
    backoff
        How restarts are spaced.
    """

    def __init__(
        self,
        options: StackOptions,
        migrate: Callable[[str], None] | None = None,
        services: Callable[[StackOptions, Endpoints], Sequence[ProcessSpec]] = service_specs,
        backoff: Backoff | None = None,
    ) -> None:
        self._options = options
        self._migrate = migrate
        self._services = services
        self._folder = DataFolder(options.data)
        self._state_file = StateFile(self._folder.state_file)
        self._supervisor = Supervisor(self._save, backoff)
        self._interrupts = Interrupts(self._supervisor.hasten)
        self._ports: dict[str, int] = {}
        self._endpoints: Endpoints | None = None
        self._postgres: Postgres | None = None
        self._stopped = False

    @property
    def endpoints(self) -> Endpoints:
        """Where everything answers. Known once `start` has chosen the ports."""
        if self._endpoints is None:
            raise EmbeddedError("the stack has no endpoints before it is started")
        return self._endpoints

    @property
    def processes(self) -> tuple[ProcessStatus, ...]:
        """How every child fares now."""
        return self._supervisor.statuses

    def start(self, progress: Callable[[str], None] | None = None) -> None:
        """Start everything and return when the gateway is ready; if that fails, nothing is left running.

        Raises
        ------
        EmbeddedError
            One of the errors in `tithe.embedded.errors`, each naming its remedy.
        KeyboardInterrupt
            On SIGINT, SIGTERM or SIGHUP while starting.
        """
        try:
            self._interrupts.install()
            self._folder.lock()
            self._end_strays()
            self._start(progress or (lambda _line: None))
        except BaseException:
            self.stop()
            raise

    def wait(self) -> None:
        """Block until SIGINT, SIGTERM or SIGHUP; raises SupervisorEndedError if supervision itself breaks down.

        Outside `wait` such a signal is a KeyboardInterrupt for whatever the main thread is doing.
        """
        with contextlib.suppress(KeyboardInterrupt):
            self._supervisor.wait()

    def stop(self) -> None:
        """Stop services, then servers, and let the folder go. Safe to call again; a signal meanwhile hastens it."""
        self._interrupts.begin_stop()
        self._supervisor.stop()
        if self._folder.locked and not self._stopped:
            self._stopped = True
            self._save(())
        self._folder.unlock()
        self._interrupts.restore()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start(self, say: Callable[[str], None]) -> None:
        self._choose_ports()
        servers, self._endpoints = self._prepare_servers(say)
        self._save(())
        if servers:
            say(f"starting {' and '.join(spec.name for spec in servers)}")
            self._supervisor.start(servers)
        if self._postgres is not None:
            self._postgres.create_database()
        if self._migrate is not None:
            say("bringing the database up to date")
            self._migrate(self._endpoints.database_url)
        if specs := self._services(self._options, self._endpoints):
            say(f"starting {', '.join(spec.name for spec in specs)}")
            self._supervisor.start(specs)

    def _prepare_servers(self, say: Callable[[str], None]) -> tuple[list[ProcessSpec], Endpoints]:
        options, folder, specs = self._options, self._folder, []
        database_url, broker_url = options.database_url, options.broker_url
        if database_url is None:
            say("preparing postgres")
            self._postgres = Postgres(folder.postgres, self._ports["postgres"], durable=options.durable)
            self._postgres.prepare()
            specs.append(self._postgres.spec(folder.log("postgres")))
            database_url = self._postgres.url
        if broker_url is None:
            valkey = Valkey(folder.valkey, self._ports["valkey"])
            valkey.prepare()
            specs.append(valkey.spec(folder.log("valkey")))
            broker_url = valkey.url
        endpoints = Endpoints(options.host, self._ports["gateway"], database_url, broker_url)
        if options.flower:
            endpoints = replace(
                endpoints,
                flower_port=self._ports["flower"],
                flower_user=FLOWER_USER,
                flower_password=secret(folder.flower_password),
            )
        return specs, endpoints

    def _choose_ports(self) -> None:
        """Take the ports of last time again where they are free, so that bookmarks still work."""
        host, wanted = self._options.host, self._options.port
        remembered = self._state_file.read().ports
        ports = {"gateway": demand_port(wanted, host)} if wanted else {}
        for name in ("gateway", "postgres", "valkey", "flower"):
            if name not in ports:
                place = host if name == "gateway" else "127.0.0.1"
                ports[name] = choose_port(remembered.get(name), ports.values(), place)
        self._ports = ports

    def _end_strays(self) -> None:
        """End what a killed supervisor left behind; where the kernel knows no death signal, that is everything."""
        for left in reversed(self._state_file.read().processes):
            end_recorded(left.pid, left.create_time, signal.Signals(left.stop_signal), _STRAY_SECONDS)

    def _save(self, statuses: Sequence[ProcessStatus]) -> None:
        try:
            self._state_file.save(None if self._stopped else os.getpid(), self._ports, self._endpoints, statuses)
        except OSError as error:  # a full disk is no reason to stop; the next change is written again
            log.warning("cannot write %s: %s", self._folder.state_file, error)
