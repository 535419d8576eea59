"""The delivery loop of a worker process on real parts, in this process: Valkey, HTTP, the gateway simulator."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson
from pyreqwest.client import ClientBuilder
from standardwebhooks import Webhook

from api_adapter.clients import CLIENT_ID, Clients
from api_adapter.wiring import make_intake
from tests.fakes.hints import FakeHints
from tests.receivers import answer, receiver
from worker.adapters.celery.loop import DeliveryLoop, Times
from worker.adapters.celery.vitals import Vitals
from worker.adapters.gateways.simulator import Simulator
from worker.adapters.redis.callback_outbox import RedisCallbackOutbox
from worker.assembly import opener
from worker.bootstrap import Addresses, Services, services
from worker.callbacks.secrets import new_secret
from worker.contract.callbacks import EVERY_OUTCOME, CallbackRegistration, SealedSecret
from worker.contract.codes import ResultStatus
from worker.contract.identity import message_id
from worker.contract.messages import DeadCause, Hint, Lane
from worker.contract.outcomes import MessageOutcome, Reason
from worker.contract.templates import Content, TemplateDefinition
from worker.contract.users import SEND_SCOPE, GatewayRoute, TokenGrant, User, Wallet
from worker.settings import Settings

APP = "app-1"
PATIENCE = 30.0
SETTINGS = {
    "token_secret": "a secret of this test alone",
    "lease": 1_000,
    "grace": 200,
    "sweep_interval": 100,
    "call_timeout": 500,
    "backoff_base": 20,
    "backoff_cap": 50,
    "max_tries": 6,
    "drain_timeout": 2_000,
}


class DirectHints:
    """Hands hints to the loop of this process from a thread, as Celery would."""

    loop: DeliveryLoop

    def publish(self, hints: Sequence[Hint]) -> None:
        for hint in hints:
            asyncio.get_running_loop().run_in_executor(None, self.loop.take, [hint])

    def flush(self, seconds: float) -> bool:
        """Have nothing to wait for, however many `seconds`."""
        return seconds > 0


@dataclass
class Place:
    """A wallet that the simulator plays, and a way to send to its users."""

    services: Services
    gateway_url: str
    settings: Settings
    addresses: Addresses

    async def send(self, customers: list[str]) -> list[str]:
        """Have one notice taken for each customer; return their messageIds."""
        grants = [
            (f"token-{one}", TokenGrant(User(one, "GCASH"), APP, frozenset({SEND_SCOPE}), None)) for one in customers
        ]
        await self.services.users.put(grants)
        intake = make_intake(self.services, Clients(self.services.clients, {}), self.services.users, FakeHints())
        bodies = [
            orjson.dumps(
                {
                    "appId": APP,
                    "accessToken": f"token-{one}",
                    "requestId": f"r-{one}",
                    "templateCode": "TP_1",
                    "redirectUrl": "/orders/1",
                    "templates": [{"templateParameters": {"who": one}}],
                },
            )
            for one in customers
        ]
        answers = await intake.take({CLIENT_ID: "merchant-1"}, bodies, Lane.BULK)
        assert {answer.result.status for answer in answers} == {ResultStatus.S}
        return [message_id(APP, f"r-{one}") for one in customers]

    async def counts(self) -> dict[str, int]:
        """Return what the simulator counted."""
        async with ClientBuilder().no_proxy().build() as client:
            answer = await client.get(self.gateway_url + "/counts").build().send()
            counts: dict[str, int] = await answer.json()
            return counts

    async def shown(self, customer: str) -> set[str]:
        """Return the contents that the simulator showed to a customer."""
        async with ClientBuilder().no_proxy().build() as client:
            answer = await client.get(f"{self.gateway_url}/deliveries?customerId={customer}").build().send()
            return {orjson.dumps(delivery).decode() for delivery in (await answer.json())["deliveries"]}

    async def called(self) -> None:
        """Return once the gateway was called."""
        deadline = time.monotonic() + PATIENCE
        while not (await self.counts())["calls"]:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)

    async def outcomes(self, ids: list[str]) -> dict[str, MessageOutcome]:
        """Return the outcomes by customer, once all are settled."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = [outcome for outcome in await self.services.records.find(ids) if outcome is not None]
            if all(outcome.settled_at is not None for outcome in found):
                return {outcome.request_id.removeprefix("r-"): outcome for outcome in found}
            assert time.monotonic() < deadline, [one for one in found if one.settled_at is None]
            await asyncio.sleep(0.05)


def notice(title: str) -> TemplateDefinition:
    """Return the template that is sent."""
    text = Content(title=title, body="Hello, ${who}")
    contents = {"en-US": {"PUSH": text, "INBOX": text}}
    definition = {"code": "TP_1", "channels": ("PUSH", "INBOX"), "default_language": "en-US", "contents": contents}
    return TemplateDefinition.model_validate(definition)


@asynccontextmanager
async def place(redis_url: str, **changed: object) -> AsyncIterator[Place]:
    """Open the stores and the simulator, and put a template and a wallet."""
    settings = Settings.model_validate({**SETTINGS, "redis_url": redis_url, **changed})
    addresses = Addresses(redis_url, redis_url)
    simulator = Simulator()
    gateway_url = f"http://127.0.0.1:{await simulator.start()}"
    async with services(settings, addresses) as found:
        await found.ledger.open()
        await found.templates.put(notice("Payment"))
        await found.wallets.put(Wallet("GCASH", (GatewayRoute("simulator", gateway_url),)))
        yield Place(found, gateway_url, settings, addresses)
    await simulator.stop()


async def with_loop(here: Place, then: Callable[[], Awaitable[None]]) -> None:
    """Run a delivery loop, whose sweeper finds the work by itself, for as long as `then` takes."""
    hints = DirectHints()
    loop = DeliveryLoop(
        opener(here.settings, here.addresses, hints),
        Times(drain=here.settings.drain_timeout, patience=here.settings.grace, wait=here.settings.grace),
        hints,
        Vitals().pulse(0),
    )
    hints.loop = loop
    try:
        await then()
    finally:
        await asyncio.to_thread(loop.stop)


FATES = {
    "ann": (ResultStatus.S, "", ""),
    "sim-fail-bob": (ResultStatus.F, "", ""),
    "sim-retry-2-cat": (ResultStatus.S, "", ""),
    "sim-retry-dan": (ResultStatus.F, DeadCause.TRIES, ""),
    "sim-unknown-1-eve": (ResultStatus.S, "", ""),
    "sim-act-hang-1-fay": (ResultStatus.S, "", ""),
    "sim-hang-gus": (ResultStatus.U, DeadCause.UNANSWERED, Reason.UNANSWERED),
    "sim-act-garbage-1-hal": (ResultStatus.S, "", ""),
    "sim-act-reset-1-ida": (ResultStatus.S, "", ""),
    "sim-503-1-1-jan": (ResultStatus.S, "", ""),
    "sim-reject-kim": (ResultStatus.F, "", ""),
    "sim-missing-1-leo": (ResultStatus.S, "", ""),
}
"""What each customer's messages come to, as the script in the customer id says."""


def fate(outcome: MessageOutcome) -> tuple[str, str, str]:
    return outcome.whole.status, outcome.dead_cause, outcome.whole.reason or ""


def test_each_fault_of_a_gateway_ends_as_the_contract_says_and_nobody_gets_a_message_twice(redis_url: str) -> None:
    async def main() -> None:
        async with place(redis_url) as here:
            good = [f"customer-{number}" for number in range(100)]
            ids = await here.send([*FATES, *good])

            async def then() -> None:
                outcomes = await here.outcomes(ids)
                found = {
                    customer: (
                        outcomes[customer].whole.status,
                        outcomes[customer].dead_cause,
                        outcomes[customer].whole.reason or "",
                    )
                    for customer in FATES
                }
                assert found == FATES
                assert {outcomes[customer].whole.status for customer in good} == {ResultStatus.S}

            await with_loop(here, then)
            assert (await here.counts())["deliveredTwice"] == 0
            tallies = await here.services.records.tallies()
            assert all(tally.balanced and not tally.open for tally in tallies.values())
            assert all([audit.clean async for audit in here.services.audit.shards()])

    asyncio.run(main())


def test_a_merchant_is_called_back_once_for_each_message_by_two_workers_with_what_a_look_up_says(
    redis_url: str,
) -> None:
    async def main() -> None:
        async with (
            place(redis_url, callback_networks="127.0.0.0/8", callback_backoff_base=20) as here,
            receiver() as merchant,
        ):
            secret = new_secret()
            sealed = (SealedSecret(here.services.vault.seal(APP, secret)),)
            registration = CallbackRegistration(APP, f"http://127.0.0.1:{merchant.port}/", EVERY_OUTCOME, sealed)
            await here.services.callbacks.change(APP, lambda _: registration)
            merchant.answers.append(answer(503, "Retry-After: 0"))
            ids = await here.send([*FATES, *(f"customer-{number}" for number in range(60))])

            async def told() -> None:
                while len({request.headers["webhook-id"] for request in merchant.received}) < len(ids):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)

            await with_loop(here, lambda: with_loop(here, lambda: asyncio.wait_for(told(), PATIENCE)))

            events = [Webhook(secret).verify(one.body, one.headers) for one in merchant.received]
            outcomes = await here.outcomes(ids)
            said = {event["data"]["requestId"].removeprefix("r-"): event["data"] for event in events}
            assert {one: (data["status"], data["reason"]) for one, data in said.items()} == {
                one: (outcome.whole.status, outcome.whole.reason) for one, outcome in outcomes.items()
            }
            assert len(events) == len(ids) + 1, "the one that was answered 503 was sent once more"
            assert await RedisCallbackOutbox(here.services.redis, here.services.keys).due() == []

    asyncio.run(main())


def test_a_message_past_its_deadline_is_never_sent(redis_url: str) -> None:
    async def main() -> None:
        async with place(redis_url, deliver_within=1) as here:
            ids = await here.send(["ann"])
            await with_loop(here, lambda: _expired(here, ids))
            assert (await here.counts())["delivered"] == 0

    asyncio.run(main())


async def _expired(here: Place, ids: list[str]) -> None:
    for outcome in (await here.outcomes(ids)).values():
        assert outcome.whole.status is ResultStatus.F
        assert {delivery.code for delivery in outcome.deliveries} == {"EXPIRED"}
        assert outcome.dead_cause == DeadCause.EXPIRED


def test_what_expires_in_a_backlog_is_a_dead_letter_though_the_window_stays_full(redis_url: str) -> None:
    """A gateway that hangs keeps the only place in the window for as long as this test waits."""

    async def main() -> None:
        async with place(redis_url, window_bulk=1, shards=1, deliver_within=2_000, call_timeout=30_000) as here:
            await here.send(["sim-hang"])
            await with_loop(here, lambda: _expired_behind_it(here))
            assert (await here.counts())["delivered"] == 0

    asyncio.run(main())


async def _expired_behind_it(here: Place) -> None:
    await here.called()
    ids = await here.send([f"customer-{number}" for number in range(30)])
    assert await here.services.ledger.backlogged() == [(0, Lane.BULK)]
    await _expired(here, ids)


def test_a_merchant_beyond_its_window_is_delivered_in_the_end(redis_url: str) -> None:
    async def main() -> None:
        async with place(redis_url, window_bulk=2, shards=2) as here:
            ids = await here.send([f"customer-{number}" for number in range(60)])
            assert await here.services.ledger.backlogged() == [(0, Lane.BULK), (1, Lane.BULK)]

            async def then() -> None:
                outcomes = await here.outcomes(ids)
                assert {outcome.whole.status for outcome in outcomes.values()} == {ResultStatus.S}

            await with_loop(here, then)

    asyncio.run(main())


def test_R60_a_send_is_rendered_with_the_version_that_was_live_when_it_was_taken(redis_url: str) -> None:
    async def main() -> None:
        async with place(redis_url) as here:
            await here.services.templates.put(notice("The second version"))
            before = await here.send(["ann"])
            await here.services.templates.roll_back("TP_1")
            after = await here.send(["bob"])
            await here.services.templates.put(notice("The third version"))

            async def then() -> None:
                outcomes = await here.outcomes([*before, *after])
                assert {who: outcome.template_version for who, outcome in outcomes.items()} == {"ann": 2, "bob": 1}
                assert all("The second version" in shown for shown in await here.shown("ann"))
                assert all("Payment" in shown for shown in await here.shown("bob"))

            await with_loop(here, then)

    asyncio.run(main())
