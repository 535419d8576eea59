"""Sends messages through intake, and accounts for each from the ledger and from what the gateway counted."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pytest_celery import CeleryTestSetup

from api_adapter.wiring import Front, front
from tests.front_desk import APP, TOKEN, grant, payment_notice
from tests.samples import send_body
from tests.servers import TOKEN_SECRET
from tests.smoke.nodes import GatewayContainer
from tests.stacks import get, post, wait_until
from worker.bootstrap import Addresses
from worker.contract.codes import ResultStatus
from worker.contract.identity import message_id
from worker.contract.messages import Channel, Lane
from worker.contract.outcomes import MessageOutcome, Tally
from worker.contract.users import GatewayRoute, Wallet
from worker.settings import Settings

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Account:
    """What became of everything that was sent."""

    delivered: int
    """Messages that the ledger calls S, both channels."""
    shown: int
    """Deliveries that the gateway showed to users."""
    shown_twice: int
    balanced: bool
    """Whether counters, records and homes agree."""


class Merchant:
    """One merchant, one user and one wallet on a running setup."""

    def __init__(self, setup: CeleryTestSetup, gateway: GatewayContainer) -> None:
        self._setup = setup
        self.gateway = gateway
        self._sent = 0

    def open_shop(self) -> None:
        """Register the template, the wallet and the user's token."""

        async def register(found: Front) -> None:
            await found.services.ledger.open()
            await found.services.templates.put(payment_notice())
            await found.services.wallets.put(Wallet("GCASH", (GatewayRoute("gcash", self.gateway.url),)))
            await found.services.users.put([(TOKEN, grant())])

        self._on(register)

    def send(self, messages: int, lane: Lane = Lane.BULK) -> None:
        """Send so many; all are taken."""
        numbers = range(self._sent, self._sent + messages)
        self._sent += messages

        async def take(found: Front) -> list[ResultStatus]:
            bodies = [send_body(requestId=f"smoke-{number}") for number in numbers]
            return [answer.result.status for answer in await found.intake.take({"client-id": "smoke"}, bodies, lane)]

        assert Counter(self._on(take)) == {ResultStatus.S: messages}

    def behave(self, script: str) -> None:
        """Let the gateway behave so towards everybody; see its simulator."""
        post(f"{self.gateway.host_url}/behaviour", {"behaviour": script})

    def shown(self) -> int:
        """Return how many deliveries users have seen."""
        return int(self._counts()["deliveredKeys"])

    def repeated_calls(self) -> int:
        """Return how often the gateway was asked again for a delivery that it had shown."""
        return int(self._counts()["repeatedCalls"])

    def until_shown(self, deliveries: int) -> None:
        wait_until(lambda: self.shown() >= deliveries, f"{deliveries} deliveries at the gateway")

    def outcomes(self) -> list[MessageOutcome]:
        """Return what the ledger knows of each message."""
        ids = [message_id(APP, f"smoke-{number}") for number in range(self._sent)]

        async def find(found: Front) -> list[MessageOutcome | None]:
            return await found.services.records.find(ids)

        return [outcome for outcome in self._on(find) if outcome is not None]

    def until_settled(self) -> None:
        """Wait until nothing is open."""

        async def still_open(found: Front) -> int:
            return sum(tally.open for tally in (await found.services.records.tallies()).values())

        wait_until(lambda: self._on(still_open) == 0, "outcomes")

    def account(self) -> Account:
        """Wait until all is settled, and prove that every message is accounted for."""
        self.until_settled()

        async def audit(found: Front) -> tuple[bool, dict[tuple[str, Channel], Tally]]:
            clean = [shard.clean async for shard in found.services.audit.shards()]
            return all(clean), await found.services.records.tallies()

        clean, tallies = self._on(audit)
        counts = self._counts()
        return Account(
            delivered=min(tally.S for tally in tallies.values()),
            shown=counts["deliveredKeys"],
            shown_twice=counts["deliveredTwice"],
            balanced=clean and all(tally.balanced for tally in tallies.values()),
        )

    def _counts(self) -> dict[str, Any]:
        found: dict[str, Any] = get(f"{self.gateway.host_url}/counts")
        return found

    def _on(self, story: Callable[[Front], Awaitable[Outcome]]) -> Outcome:
        setup = self._setup
        ledger, broker = setup.backend.config()["host_url"], setup.broker.config()["host_url"]
        settings = Settings(redis_url=ledger, broker_url=broker, token_secret=TOKEN_SECRET)

        async def tell() -> Outcome:
            async with front(settings, Addresses(ledger, broker)) as found:
                return await story(found)

        return asyncio.run(tell())
