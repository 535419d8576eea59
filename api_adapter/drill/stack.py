"""The stack of a drill: Redis, API, workers and gateway as processes that may be killed, with lines between them."""

import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from pydantic import SecretStr
from pyreqwest.client import Client

from api_adapter.drill.layout import Crew, Layout
from api_adapter.drill.line import Line
from api_adapter.drill.parts import Parts, ReadyWhen
from api_adapter.drill.store import BROKER, LEDGER, Store
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

    @property
    def wallet_url(self) -> str:
        """Where the workers find the gateway."""
        return url_of(_HOST, self.gateway_line.port) if self.layout.gateway_line else self.gateway_url

    @property
    def addresses(self) -> Addresses:
        """Where everybody but the drill itself finds Redis."""
        port = self.store_line.port if self.layout.store_line else None
        return Addresses(self.store.url(LEDGER, port), self.store.url(BROKER, port))

    @property
    def settings(self) -> Settings:
        """What the parts are told."""
        found = self.addresses
        return self._placed.model_copy(update={"redis_url": found.redis_url, "broker_url": found.broker_url})

    async def start(self) -> None:
        """Start Redis and the gateway, and the lines that lead there."""
        self.parts.start(self.store.program(self._log(REDIS), os.environ), lambda _: self.store.answers)
        arguments = tidings(GATEWAY, "--journal", str(self.journal))
        program = Program(GATEWAY, arguments, self._environ(), self._log(GATEWAY), GATEWAY_GRACE)
        self.parts.start(program, self._serves(f"{self.gateway_url}/healthz"))
        for line, wanted in ((self.store_line, self.layout.store_line), (self.gateway_line, self.layout.gateway_line)):
            if wanted:
                await line.open()
        await self.parts.until_ready(REDIS, GATEWAY)

    async def start_rest(self) -> None:
        """Start API and workers, once the ledger is open and furnished."""
        of_api = self.settings.model_copy(update={"broker_url": self.store.url(self.layout.api_broker)})
        environ = environment(of_api if self.layout.api_broker != BROKER else self.settings, os.environ)
        program = Program(API, tidings("serve"), environ, self._log(API), API_GRACE)
        self.parts.start(program, self._serves(f"{self.api_url}/readyz"))
        for name, crew in zip(self.workers, self.layout.crews, strict=True):
            self.parts.start(self._worker(name, crew), lambda part: partial(consumes, part.log))
        await self.parts.until_ready(API, *self.workers)

    def run_tidings(self, name: str, *arguments: str) -> None:
        """Start a `tidings` command of a merchant beside the stack."""
        program = Program(name, tidings(*arguments), self._environ(), self._log(name), API_GRACE)
        self.parts.start(program, lambda _: _at_once)

    async def behave(self, behaviour: str | None) -> None:
        """Let the gateway treat everybody so; None: as usual."""
        await exchange(self._client.post(f"{self.gateway_url}/behaviour").body_json({"behaviour": behaviour}))

    async def close(self) -> None:
        """End every process and line."""
        self.parts.end()
        await self.store_line.cut()
        await self.gateway_line.cut()

    def _worker(self, name: str, crew: Crew) -> Program:
        sabotage = {f"{PREFIX}SABOTAGE_{key}": text for key, text in crew.sabotage.items()}
        arguments = ("-A", crew.module, "worker", f"--concurrency={_CHILDREN}", "--loglevel=INFO")
        grace = self._placed.drain_timeout / 1000 + WORKER_GRACE
        return Program(name, celery(*arguments), {**self._environ(), **sabotage}, self._log(name), grace)

    def _environ(self) -> Mapping[str, str]:
        return environment(self.settings, os.environ)

    def _serves(self, url: str) -> ReadyWhen:
        return lambda _: partial(serves, self._client, url)

    def _log(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"


async def _at_once() -> bool:
    return True


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
