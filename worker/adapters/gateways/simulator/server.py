"""The simulator as a server: inside somebody's event loop, or as a process of its own."""

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import structlog
import uvloop

from worker.adapters.gateways.simulator.calls import MAX_BODY
from worker.adapters.gateways.simulator.deliveries import KEPT_DELIVERIES, Deliveries, Idempotency
from worker.adapters.gateways.simulator.gateway import SimulatedGateway
from worker.adapters.gateways.simulator.journal import Journal, journal_file, keep_nothing
from worker.adapters.gateways.simulator.protocol import Connection
from worker.adapters.gateways.simulator.routes import Routes
from worker.clock import SystemClock
from worker.collecting import rare_collections
from worker.contract.errors import TidingsError
from worker.ports import Clock

_BACKLOG = 2048
"""Connections that may wait for being accepted: a benchmark opens many at once."""


class SimulatorStartError(TidingsError):
    """The simulator can't listen where it was told to; the text says what to change."""


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """How a simulator runs."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: any free one."""
    idempotency: Idempotency = Idempotency.HONOURED
    kept_deliveries: int = KEPT_DELIVERIES
    """Deliveries whose content is kept; their counts are kept for ever."""
    grace: float = 5.0
    """Seconds that `stop` waits for slow answers."""
    journal: Path | None = None
    """File that each valid call is appended to, see `journal.JournalledCall`; for a process of its own alone."""


class Simulator:
    """A wallet's gateway that listens in the running event loop between `start` and `stop`."""

    def __init__(
        self,
        settings: SimulatorSettings | None = None,
        clock: Clock | None = None,
        journal: Journal = keep_nothing,
    ) -> None:
        """Begin with nothing delivered; the clock, the machine's by default, dates the deliveries."""
        self._settings = settings or SimulatorSettings()
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        deliveries = Deliveries(self._settings.idempotency, self._settings.kept_deliveries)
        gateway = SimulatedGateway(deliveries, (clock or SystemClock()).now, journal)
        self._routes = Routes(gateway, deliveries, self._in_flight)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen, and return the actual port. Raises SimulatorStartError where that is impossible."""
        connect = partial(Connection, self._routes.serve, self._connections, MAX_BODY)
        protocol = cast("Callable[[], asyncio.Protocol]", connect)
        try:
            server = await asyncio.get_running_loop().create_server(protocol, host, port, backlog=_BACKLOG)
        except (OSError, OverflowError) as error:
            text = f"the gateway simulator can't listen on {host}:{port} ({error}); choose another host or port"
            raise SimulatorStartError(text) from error
        self._server = server
        actual: int = server.sockets[0].getsockname()[1]
        return actual

    async def stop(self) -> None:
        """Take no new connection, send the slow answers that are under way, close everything; twice does no harm."""
        if self._server is not None:
            self._server.close()
            await self._close_connections()
            await self._server.wait_closed()

    async def _close_connections(self) -> None:
        for connection in list(self._connections):
            connection.finish()
        await self._wait_until_closed(self._settings.grace)
        for connection in list(self._connections):
            connection.abort()
        await self._wait_until_closed(None)

    async def _wait_until_closed(self, seconds: float | None) -> None:
        if self._connections:
            await asyncio.wait([connection.closed for connection in self._connections], timeout=seconds)

    def _in_flight(self) -> int:
        return sum(connection.is_held for connection in self._connections)


def run(settings: SimulatorSettings) -> None:
    """Serve until SIGTERM or SIGINT, then stop gracefully. Logs `gateway_simulator_ready` with the url."""
    try:
        with rare_collections(), journal_file(settings.journal) as journal:
            uvloop.run(_serve_until_signalled(settings, journal))
    except OSError as error:
        raise SimulatorStartError(f"the journal can't be written ({error.strerror}); name another file") from error


async def _serve_until_signalled(settings: SimulatorSettings, journal: Journal) -> None:
    log = structlog.get_logger()
    signalled = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, signalled.set)
    simulator = Simulator(settings, journal=journal)
    port = await simulator.start(settings.host, settings.port)
    log.info("gateway_simulator_ready", url=_url(settings.host, port))
    await signalled.wait()
    await simulator.stop()
    log.info("gateway_simulator_stopped")


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
