"""A ledger, a wallet and worker processes that may be killed, stopped or sabotaged; proved sound at the end."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
from pyreqwest.client import ClientBuilder

from tests.ledger_driver import new_message
from tests.samples import payload
from tests.stacks import PATIENCE, ROOT, children
from worker.adapters.gateways.simulator import Simulator
from worker.bootstrap import Addresses, Services, services
from worker.contract.messages import Channel, Lane
from worker.contract.outcomes import MessageOutcome
from worker.contract.templates import Content, TemplateDefinition
from worker.contract.users import GatewayRoute, Wallet
from worker.settings import Settings

APP = "shop"
HASTY = {
    "lease": 1_000,
    "grace": 300,
    "longest_grace": 1_000,
    "sweep_interval": 200,
    "call_timeout": 2_000,
    "backoff_base": 50,
    "backoff_cap": 200,
}
"""Settings under which faults are over soon."""


class Worker:
    """A Celery worker and its children, in a process group of their own."""

    def __init__(self, log: Path, module: str, environ: dict[str, str]) -> None:
        """Start it."""
        self._log = log
        arguments = ["-A", module, "worker", "--concurrency=2", "--without-mingle", "--without-gossip"]
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "celery", *arguments],
                env=environ,
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    async def logged(self, text: str) -> None:
        """Wait until its log holds a text."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.log:
            assert time.monotonic() < deadline, self.log
            await asyncio.sleep(0.05)

    @property
    def children(self) -> list[int]:
        return sorted(children(self.process.pid))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the worker and all its children."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def stop(self) -> None:
        """Stop it in order, or by force when it takes too long."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.signal(signal.SIGKILL)
            self.process.wait()


@dataclass
class Premises:
    """What the tests of a worker's end stand on."""

    services: Services
    gateway_url: str
    settings: Settings
    directory: Path

    async def take(self, customers: Sequence[str]) -> list[str]:
        """Have one message taken for each customer, without hints; return their messageIds."""
        messages = [
            replace(
                new_message(customer, APP, channels=tuple(Channel)),
                payload=payload(customer_id=customer, wallet="GCASH").pack(),
            )
            for customer in customers
        ]
        await self.services.ledger.accept(APP, Lane.BULK, messages)
        return [message.message_id for message in messages]

    @contextmanager
    def worker(self, module: str = "worker", **environ: object) -> Iterator[Worker]:
        """Run a worker; `environ` are its variables beside the settings, such as TIDINGS_SABOTAGE_KILL."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
        set_here = self.settings.model_dump(include=self.settings.model_fields_set - {"token_secret"}, mode="json")
        ours |= {f"TIDINGS_{name.upper()}": str(value) for name, value in set_here.items()}
        ours |= {
            name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in environ.items()
        }
        log = self.directory / f"worker-{time.monotonic_ns()}.log"
        worker = Worker(log, module, {**ours, "PYTHONPATH": str(ROOT)})
        try:
            yield worker
        finally:
            worker.stop()

    async def outcomes(self, ids: Sequence[str]) -> list[MessageOutcome]:
        """Return what is known of messages."""
        return [outcome for outcome in await self.services.records.find(ids) if outcome is not None]

    async def settled(self, ids: Sequence[str]) -> list[MessageOutcome]:
        """Return the outcomes once all are final."""
        await self.until(lambda found: all(outcome.settled_at is not None for outcome in found), ids)
        return await self.outcomes(ids)

    async def until(self, true_of: Callable[[list[MessageOutcome]], bool], ids: Sequence[str]) -> None:
        """Wait until something is true of messages."""
        deadline = time.monotonic() + PATIENCE
        while not true_of(found := await self.outcomes(ids)):
            assert time.monotonic() < deadline, [one for one in found if one.settled_at is None][:3]
            await asyncio.sleep(0.05)

    async def behave(self, behaviour: str) -> None:
        """Let the wallet treat every call so, such as `slow-250`."""
        async with ClientBuilder().no_proxy().build() as client:
            request = client.post(f"{self.gateway_url}/behaviour").body_json({"behaviour": behaviour})
            assert (await request.build().send()).status == 200

    async def counts(self) -> dict[str, int]:
        """Return what the wallet counted."""
        async with ClientBuilder().no_proxy().build() as client:
            answer = await client.get(f"{self.gateway_url}/counts").build().send()
            counts: dict[str, int] = await answer.json()
            return counts


@asynccontextmanager
async def premises(redis_url: str, broker_url: str, directory: Path, **changed: object) -> AsyncIterator[Premises]:
    """Open the stores and the wallet; whatever happened meanwhile, the ledger must be sound at the end."""
    settings = Settings.model_validate({**HASTY, "redis_url": redis_url, "broker_url": broker_url, **changed})
    async with services(settings, Addresses(redis_url, broker_url)) as found, _wallet() as gateway_url:
        await found.ledger.open()
        await _furnish(found, gateway_url)
        yield Premises(found, gateway_url, settings, directory)
        audits = [audit async for audit in found.audit.shards()]
        assert [audit for audit in audits if not audit.clean] == []


@asynccontextmanager
async def _wallet() -> AsyncIterator[str]:
    simulator = Simulator()
    port = await simulator.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await simulator.stop()


async def _furnish(found: Services, gateway_url: str) -> None:
    text = Content(title="Paid", body="Hello, ${who}")
    contents = {"en-US": {"PUSH": text, "INBOX": text}}
    definition = {"code": "PAYMENT_NOTICE", "channels": ("PUSH", "INBOX"), "default_language": "en-US"}
    await found.templates.put(TemplateDefinition.model_validate({**definition, "contents": contents}))
    await found.wallets.put(Wallet("GCASH", (GatewayRoute("simulator", gateway_url),)))
