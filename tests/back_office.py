"""What a worker process runs beside Celery, on fakes: one wallet and one template, for a test to change."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace

from tests.fakes.breakers import FakeBreakers
from tests.fakes.callbacks import FakeCallbackOutbox, FakeCallbackRegistry, FakePoster
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.hints import FakeHints
from tests.fakes.ledger import FakeLedger
from tests.fakes.origins import FakeUpkeep
from tests.fakes.templates import FakeTemplates
from tests.fakes.turns import FakeTurns
from tests.fakes.wallets import FakeWallets
from tests.front_desk import payment_notice, wallet
from tests.ledger_driver import new_message
from tests.samples import payload
from worker.appetite import Appetite
from worker.breaking import BreakerLimits, Breakers
from worker.call_limit import CallBounds
from worker.callbacks.delivering import CallbackDeliverer, CallbackLimits
from worker.callbacks.signing import CallbackSigner
from worker.callbacks.verdicts import CallbackPolicy
from worker.coalescers import Coalescers
from worker.coalescing import CallLimits
from worker.contract.messages import Channel, Hint, Lane, NewMessage
from worker.contract.outcomes import MessageOutcome
from worker.contract.payload import Payload
from worker.delivery import Delivery, DeliveryTimes
from worker.dispatch import Dispatcher
from worker.gate import Gate
from worker.holding import Holdings
from worker.message_content import ChannelLimits
from worker.pacing import Paces
from worker.packing import Packer
from worker.rendering import CompiledTemplates
from worker.retry import RetryPolicy
from worker.routing import Router
from worker.settling import Settler
from worker.slots import Slots
from worker.sweeping import Sweeper

LONG = 60_000
"""An interval, in milliseconds, that no test sees the end of."""


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """Sizes and times of a worker process; milliseconds."""

    slots: int = 2_000
    lease: int = LONG
    sweep_interval: int = LONG
    call_timeout: int = 10_000
    calls: int = 32
    max_tries: int = 8


class BackOffice:
    """The delivery loop of one process; a test may change each of its stores at any time."""

    def __init__(self, hours: OfficeHours | None = None, ledger: FakeLedger | None = None) -> None:
        """Open with the template and the wallet of the samples."""
        hours = hours or OfficeHours()
        self.clock = FakeClock()
        self.ledger = ledger or FakeLedger(shards=1)
        self.hints = FakeHints()
        self.breaker_store = FakeBreakers()
        self.breakers = Breakers(self.breaker_store, self.clock, BreakerLimits())
        self.turns = FakeTurns(self.clock)
        self.gateway = FakeGateway()
        self.templates = FakeTemplates(payment_notice())
        self.wallets = FakeWallets(wallet())
        self.deaths = 0
        self.slots = Slots(hours.slots)
        self.holdings = Holdings(self.ledger, self.clock, hours.lease)
        self.coalescers = Coalescers(
            self.gateway,
            self.breakers,
            Paces(self.turns, self.clock, lambda: 0.5),
            self.clock,
            CallLimits(CallBounds(hours.calls)),
        )
        self.settler = Settler(self.ledger, RetryPolicy(hours.max_tries), lambda: 0.0, "w1")
        self.sweeper = self._sweeper(hours.sweep_interval)
        self.delivery = self._delivery(hours)
        self.coalescers.wire(self.delivery.answered)
        self.dispatcher = self._dispatcher(hours.lease)

    def _sweeper(self, interval: int) -> Sweeper:
        return Sweeper(
            ledger=self.ledger,
            upkeep=[FakeUpkeep(self.ledger)],
            hints=self.hints,
            breakers=self.breakers,
            interval=interval,
            draw=lambda: 0.5,
        )

    def _delivery(self, hours: OfficeHours) -> Delivery:
        router = Router(self.breakers)
        return Delivery(
            ledger=self.ledger,
            packer=Packer(self.templates, CompiledTemplates(ChannelLimits()), self.wallets, router, 20),
            router=router,
            coalescers=self.coalescers,
            settler=self.settler,
            holdings=self.holdings,
            clock=self.clock,
            times=DeliveryTimes(hours.lease, hours.call_timeout),
        )

    def _callbacks(self) -> CallbackDeliverer:
        return CallbackDeliverer(
            outbox=FakeCallbackOutbox(self.ledger),
            registry=FakeCallbackRegistry(),
            poster=FakePoster(),
            signer=CallbackSigner(None, self.clock),
            clock=self.clock,
            limits=CallbackLimits(),
            policy=CallbackPolicy(),
            process="p1",
            draw=lambda: 0.5,
        )

    def _dispatcher(self, lease: int) -> Dispatcher:
        return Dispatcher(
            delivery=self.delivery,
            settler=self.settler,
            sweeper=self.sweeper,
            holdings=self.holdings,
            slots=self.slots,
            appetite=Appetite(self.clock, self.coalescers.in_calls),
            hints=self.hints,
            gate=Gate(self.clock),
            callbacks=self._callbacks(),
            lease=lease,
            died=self._die,
        )

    def _die(self) -> None:
        self.deaths += 1

    async def accept(self, messages: Sequence[NewMessage], lane: Lane = Lane.SINGLE) -> Hint:
        """Take messages as intake does and return the hint for them."""
        await self.ledger.accept("shop", lane, messages)
        return Hint(lane, 0, tuple(message.message_id for message in messages))

    async def take(self, *messages: NewMessage, lane: Lane = Lane.SINGLE) -> None:
        """Take messages and hand their hint to the dispatcher."""
        await self.dispatcher.take(await self.accept(messages, lane))

    async def idle(self) -> None:
        """Wait until everything taken is settled."""
        await until(lambda: not self.dispatcher._deliveries and not len(self.holdings))

    def open(self, play: Callable[["BackOffice"], Awaitable[None]]) -> "BackOffice":
        """Run the process while a test plays and until it has settled what it took, then drain it."""

        async def main() -> None:
            self.dispatcher.start()
            try:
                await play(self)
                await self.idle()
            finally:
                await self.dispatcher.drain(5.0)

        asyncio.run(main())
        return self

    def deliver(self, *messages: NewMessage) -> list[MessageOutcome]:
        """Take messages, deliver them once as one chunk and return what became of each."""

        async def play(office: BackOffice) -> None:
            await office.take(*messages)

        self.open(play)
        return [self.outcome(message) for message in messages]

    def outcome(self, message: NewMessage) -> MessageOutcome:
        """Return what the ledger knows of a message."""
        return self.ledger.records[message.message_id].outcome()

    @property
    def calls(self) -> list[list[str]]:
        """The wallet's message ids of each call, in order."""
        return [call.message_ids for call in self.gateway.calls]


def notice(
    request_id: str = "1",
    says: Payload | bytes | None = None,
    channels: Collection[Channel] = tuple(Channel),
) -> NewMessage:
    """Return a message of the samples' template, as intake hands it to the ledger."""
    content = payload() if says is None else says
    packed = content.pack() if isinstance(content, Payload) else content
    return replace(new_message(request_id, channels=channels), payload=packed)


def notices(number: int) -> list[NewMessage]:
    """Return so many messages, all different."""
    return [notice(str(index)) for index in range(number)]


async def a_moment(turns: int = 20) -> None:
    """Let everything run that can, without waiting for any time to pass."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def until(happened: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for something that needs time; raises TimeoutError if it does not happen."""
    async with asyncio.timeout(seconds):
        while not happened():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)
