"""Names the adapters of a delivery loop, and puts the loop of a worker process together."""

import asyncio
import os
import random
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from worker.adapters.callbacks.poster import NAMES_KEPT, HttpPoster
from worker.adapters.celery.loop import Opener
from worker.adapters.gateways.wallet import WalletGateway
from worker.adapters.redis.ledger import RedisLedger
from worker.adapters.resolving import Resolver
from worker.appetite import Appetite
from worker.bootstrap import Addresses, Services, services
from worker.breaking import BreakerLimits, Breakers
from worker.call_limit import CallBounds
from worker.callbacks.delivering import CallbackDeliverer, CallbackLimits
from worker.callbacks.ports import Poster
from worker.callbacks.secrets import Vault
from worker.callbacks.signing import CallbackSigner
from worker.callbacks.verdicts import CallbackPolicy
from worker.coalescers import Coalescers
from worker.coalescing import CallLimits
from worker.collecting import rare_collections
from worker.contract.errors import LedgerUnavailableError, SettingsError
from worker.delivery import Delivery, DeliveryTimes
from worker.dispatch import Dispatcher
from worker.gate import Gate
from worker.holding import Holdings
from worker.outage import Outage
from worker.pacing import Paces
from worker.packing import Packer
from worker.parcels import CALL_SIZE
from worker.ports import Clock, Gateway, Hints, Ledger
from worker.retry import RetryPolicy
from worker.routing import Router
from worker.settings import Settings
from worker.settling import Settler
from worker.slots import Slots
from worker.sweeping import Sweeper

_PATIENCE = 1.0
_NAME_BYTES = 8
"""Of a process' name where it must be no other's: containers may share host name and process id."""


class Fitting:
    """Chooses what a delivery loop works with: what is given, unless a subclass puts something in its place."""

    def clock(self, given: Clock) -> Clock:
        """Return the clock."""
        return given

    def ledger(self, given: Ledger) -> Ledger:
        """Return the ledger."""
        return given

    def gateway(self, given: Gateway) -> Gateway:
        """Return the gateway."""
        return given


@dataclass(frozen=True, slots=True)
class Parts:
    """What a delivery loop works with."""

    clock: Clock
    ledger: Ledger
    gateway: Gateway
    poster: Poster


@asynccontextmanager
async def dispatcher(
    settings: Settings,
    addresses: Addresses,
    hints: Hints,
    fitting: Fitting,
    died: Callable[[], None],
) -> AsyncIterator[Dispatcher]:
    """Give the delivery loop of one worker process; see `worker.dispatch`."""
    async with services(settings, addresses) as found:
        await _open_patiently(found.ledger, found.clock)
        clock = fitting.clock(found.clock)
        gateway = WalletGateway(clock, settings.call_timeout)
        try:
            async with callback_poster(settings, clock) as poster:
                parts = Parts(clock, fitting.ledger(found.ledger), fitting.gateway(gateway), poster)
                with rare_collections():
                    yield _dispatcher(found, parts, hints, died)
        finally:
            await gateway.close()


@asynccontextmanager
async def callback_poster(settings: Settings, clock: Clock) -> AsyncIterator[HttpPoster]:
    """Give what calls merchants back, at the addresses that the settings allow."""
    poster = HttpPoster(clock, Resolver(NAMES_KEPT), settings.callback_networks, settings.callback_timeout)
    try:
        yield poster
    finally:
        await poster.close()


def _callbacks(found: Services, parts: Parts) -> CallbackDeliverer:
    settings = found.settings
    try:
        vault: Vault | None = found.vault
    except SettingsError:  # it can't call back, and says so once somebody registers a callback
        vault = None
    return CallbackDeliverer(
        outbox=found.callback_outbox,
        registry=found.callbacks,
        poster=parts.poster,
        signer=CallbackSigner(vault, parts.clock),
        clock=parts.clock,
        limits=CallbackLimits(
            settings.callback_calls_per_merchant,
            settings.callback_calls,
            settings.callback_timeout,
            settings.sweep_interval,
        ),
        policy=CallbackPolicy(
            settings.callback_backoff_base,
            settings.callback_backoff_cap,
            settings.callback_give_up,
        ),
        process=secrets.token_hex(_NAME_BYTES),
        draw=random.random,
    )


def _dispatcher(found: Services, parts: Parts, hints: Hints, died: Callable[[], None]) -> Dispatcher:
    settings = found.settings
    draw = random.random
    limits = CallLimits(
        CallBounds(settings.calls_per_gateway, settings.fewest_calls_per_gateway),
        settings.waiting_per_gateway,
        in_flight=max(CALL_SIZE, settings.slots // 2),
        hold=(settings.call_timeout + settings.lease) / 1000,
    )
    breakers = Breakers(found.breakers, parts.clock, BreakerLimits(settings.breaker_failures, settings.breaker_first))
    router = Router(breakers)
    paces = Paces(found.turns, parts.clock, draw)
    coalescers = Coalescers(parts.gateway, breakers, paces, parts.clock, limits)
    appetite = Appetite(parts.clock, coalescers.in_calls)
    policy = RetryPolicy(settings.max_tries, settings.backoff_base, settings.backoff_cap)
    settler = Settler(parts.ledger, policy, draw, worker_name())
    holdings = Holdings(parts.ledger, parts.clock, settings.lease)
    sweeper = Sweeper(
        ledger=parts.ledger,
        upkeep=(
            found.upkeep,
            found.batch_keeper,
            found.progress_teller,
        ),
        hints=hints,
        breakers=breakers,
        interval=settings.sweep_interval,
        draw=draw,
    )
    delivery = Delivery(
        ledger=parts.ledger,
        packer=Packer(found.templates, found.compiled, found.wallets, router, settings.call_size),
        router=router,
        coalescers=coalescers,
        settler=settler,
        holdings=holdings,
        clock=parts.clock,
        times=DeliveryTimes(settings.lease, settings.call_timeout),
    )
    coalescers.wire(delivery.answered)
    return Dispatcher(
        delivery=delivery,
        settler=settler,
        sweeper=sweeper,
        holdings=holdings,
        slots=Slots(settings.slots, appetite),
        appetite=appetite,
        hints=hints,
        gate=Gate(parts.clock),
        callbacks=_callbacks(found, parts),
        lease=settings.lease,
        died=died,
    )


async def _open_patiently(ledger: RedisLedger, clock: Clock) -> None:
    """Wait for the ledger, however long it is away; raise LedgerMismatchError when it is another's."""
    outage = Outage("waiting_for_ledger", "ledger_available_again", clock)
    while True:
        try:
            await ledger.open()
        except LedgerUnavailableError as error:
            outage.goes_on(error)
            await asyncio.sleep(_PATIENCE)
        else:
            outage.ends()
            return


def opener(settings: Settings, addresses: Addresses, hints: Hints, fitting: Fitting | None = None) -> Opener:
    """Return what opens a dispatcher inside a loop."""
    return partial(dispatcher, settings, addresses, hints, fitting or Fitting())


def worker_name() -> str:
    """Return this process' name in timelines: host and process id."""
    return f"{socket.gethostname()[:20]}.{os.getpid()}"
