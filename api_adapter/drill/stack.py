"""The stack of a drill: Redis, API, workers and gateway as processes that may be killed, with lines between them."""

import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from pydantic import SecretStr
from pyreqwest.client import Client

from api_adapter.drill.layout import BROKER, LEDGER, Crew, Layout
from api_adapter.drill.line import Line
from api_adapter.drill.parts import Parts, ReadyWhen
from api_adapter.drill.store import Store
from api_adapter.stack.claim import claimed
from api_adapter.stack.environment import environment
from api_adapter.stack.exchanges import exchange, http_client
from api_adapter.stack.ports import Wish, choose_ports, url_of
from api_adapter.stack.processes import Program, celery, tidings
from api_adapter.stack.readiness import consumes, serves
from api_adapter.stack.running import API_GRACE, GATEWAY_GRACE, WORKER_GRACE
from worker.bootstrap import Addresses
from worker.settings import PREFIX, Settings

API, GATEWAY, REDIS = "api", "gateway", "redis"
_HOST = "127.0.0.1"
_CHILDREN = 2
"""Processes of each worker that deliver."""


class DrillStack:
    """Where everything is, and what a fault does to it."""

    def __init__(self, settings: Settings, layout: Layout, parts: Parts, client: Client) -> None:
        """Take settings that name the ports and the directory of this stack alone; nothing runs yet."""
        self.directory = settings.data_dir
        self.layout = layout
        self.parts = parts
        self.journal = self.directory / "gateway.jsonl"
        self.workers = tuple(f"worker-{number}" for number in range(len(layout.crews)))
        self._client = client
        self._placed = settings
        (port,) = choose_ports([Wish(_HOST, 0, "the drill's Redis")])
        self.store = Store(self.directory / "redis", port, layout.fsync)
        self.store_line = Line(port)
        self.gateway_line = Line(settings.gateway_port)

    @property
    def api_url(self) -> str:
        """Root of the API."""
        return url_of(_HOST, self._placed.api_port)

    @property
    def gateway_url(self) -> str:
        """Root of the gateway, reached directly."""
        return url_of(_HOST, self._placed.gateway_port)

    def wallet_url(self, wallet: str) -> str:
        """Return where the workers find the gateway of a wallet."""
        return url_of(_HOST, self.gateway_line.port) if wallet in self.layout.wallets_over_line else self.gateway_url

    @property
    def addresses(self) -> Addresses:
        """Where intake finds Redis."""
        return self._addresses(self.layout.hints_to)

    @property
    def settings(self) -> Settings:
        """What intake is told."""
        return self._told(self.addresses)

    async def start(self) -> None:
        """Start Redis and the gateway, and the lines that lead there."""
        self.parts.start(self.store.program(self._log(REDIS), os.environ), lambda _: self.store.answers)
        arguments = tidings(GATEWAY, "--journal", str(self.journal))
        program = Program(GATEWAY, arguments, self._environ(), self._log(GATEWAY), GATEWAY_GRACE)
        self.parts.start(program, self._serves(f"{self.gateway_url}/healthz"))
        for line in (self.store_line, self.gateway_line):
            await line.open()
        await self.parts.until_ready(REDIS, GATEWAY)

    async def start_rest(self) -> None:
        """Start API and workers, once the ledger is open and furnished."""
        program = Program(API, tidings("serve"), self._environ(), self._log(API), API_GRACE)
        self.parts.start(program, self._serves(f"{self.api_url}/readyz"))
        for name, crew in zip(self.workers, self.layout.crews, strict=True):
            self.parts.start(self._worker(name, crew), lambda part: partial(consumes, part.log))
        await self.parts.until_ready(API, *self.workers)

    def send_file(self, name: str, file: Path, results: Path, client_id: str) -> None:
        """Start a merchant's `tidings send` under a name."""
        arguments = tidings("send", str(file), "--results", str(results), "--client-id", client_id)
        self.parts.begin(Program(name, arguments, self._environ(), self._log(name), API_GRACE))

    async def behave(self, behaviour: str | None) -> None:
        """Let the gateway treat everybody so; None: as usual."""
        await exchange(self._client.post(f"{self.gateway_url}/behaviour").body_json({"behaviour": behaviour}))

    async def close(self) -> None:
        """End every process and line."""
        self.parts.end()
        await self.store_line.close()
        await self.gateway_line.close()

    def _worker(self, name: str, crew: Crew) -> Program:
        sabotage = {f"{PREFIX}SABOTAGE_{key}": text for key, text in crew.sabotage.items()}
        arguments = ("-A", crew.module, "worker", f"--concurrency={_CHILDREN}", "--loglevel=INFO")
        grace = self._placed.drain_timeout / 1000 + WORKER_GRACE
        environ = environment(self._told(self._addresses(BROKER)), os.environ)
        return Program(name, celery(*arguments), {**environ, **sabotage}, self._log(name), grace)

    def _environ(self) -> Mapping[str, str]:
        return environment(self.settings, os.environ)

    def _addresses(self, broker: int) -> Addresses:
        port = self.store_line.port if self.layout.store_line else None
        return Addresses(self.store.url(LEDGER, port), self.store.url(broker, port))

    def _told(self, found: Addresses) -> Settings:
        return self._placed.model_copy(update={"redis_url": found.redis_url, "broker_url": found.broker_url})

    def _serves(self, url: str) -> ReadyWhen:
        return lambda _: partial(serves, self._client, url)

    def _log(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"


@asynccontextmanager
async def drill_stack(settings: Settings, layout: Layout, directory: Path) -> AsyncIterator[DrillStack]:
    """Give a stack of one drill, whose Redis and gateway run; all of it is ended by force at the end.

    Args:
        settings: how tidings is set; where things are is the stack's own.
        layout: of what it is made.
        directory: its data and logs.

    Raises PartError where a part does not start.

    """
    api, gateway = choose_ports([Wish(_HOST, 0, "the drill's API"), Wish(_HOST, 0, "the drill's gateway")])
    placed = {
        "data_dir": directory,
        "api_host": _HOST,
        "api_port": api,
        "gateway_host": _HOST,
        "gateway_port": gateway,
        "token_secret": SecretStr(secrets.token_urlsafe(32)),
        "clients": {},
        "signatures": "off",
        "log_level": "info",
        "log_format": "json",
    }
    with claimed(directory) as claim:
        async with http_client() as client:
            stack = DrillStack(settings.model_copy(update=placed), layout, Parts(claim), client)
            try:
                await stack.start()
                yield stack
            finally:
                await stack.close()
