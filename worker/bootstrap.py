"""The only module that names concrete adapters: it puts the parts of a process together."""

import asyncio
import os
import random
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import structlog
from redis.asyncio import Redis

from worker.adapters.callbacks.poster import HttpPoster
from worker.adapters.callbacks.resolver import Resolver
from worker.adapters.celery.app import publisher, publishing_app
from worker.adapters.celery.hints import HintPublisher
from worker.adapters.celery.loop import Opener
from worker.adapters.celery.presence import BrokerPresence
from worker.adapters.gateways.wallet import WalletGateway
from worker.adapters.introspection.assembly import examine_introspection, introspected_users
from worker.adapters.redis.audit import RedisAudit
from worker.adapters.redis.batch_jobs import RedisBatchJobs
from worker.adapters.redis.batch_progress import RedisBatchProgress
from worker.adapters.redis.batches import RedisBatches
from worker.adapters.redis.breakers import BreakerTimes, RedisBreakers
from worker.adapters.redis.callback_outbox import RedisCallbackOutbox
from worker.adapters.redis.callbacks import RedisCallbacks
from worker.adapters.redis.cancelling import RedisCancellations
from worker.adapters.redis.clients import RedisClients
from worker.adapters.redis.connection import connect
from worker.adapters.redis.dead_callbacks import RedisDeadCallbacks
from worker.adapters.redis.dead_letters import RedisDeadLetters
from worker.adapters.redis.durability import RedisDurability
from worker.adapters.redis.embedded import EmbeddedValkey
from worker.adapters.redis.figures import RedisFigures
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.ledger import RedisLedger
from worker.adapters.redis.limits import LedgerLimits
from worker.adapters.redis.pauses import RedisPauses
from worker.adapters.redis.rates import RedisRates
from worker.adapters.redis.records import RedisRecords
from worker.adapters.redis.repair import RedisRepair
from worker.adapters.redis.schedule import RedisSchedule
from worker.adapters.redis.settlement import RedisSettlement
from worker.adapters.redis.templates import RedisTemplates
from worker.adapters.redis.turns import RedisTurns
from worker.adapters.redis.upkeep import RedisUpkeep
from worker.adapters.redis.users import RedisUsers
from worker.adapters.redis.wallets import RedisCaps, RedisWallets
from worker.appetite import Appetite
from worker.batch_keeping import BatchKeeper
from worker.batch_progress import ProgressTeller
from worker.breaking import BreakerLimits, Breakers
from worker.call_limit import CallBounds
from worker.callbacks.delivering import CallbackDeliverer, CallbackLimits
from worker.callbacks.ports import Poster
from worker.callbacks.secrets import Vault
from worker.callbacks.signing import CallbackSigner
from worker.callbacks.verdicts import CallbackPolicy
from worker.clock import SystemClock
from worker.coalescers import Coalescers
from worker.coalescing import CallLimits
from worker.collecting import rare_collections
from worker.contract.errors import LedgerUnavailableError, SettingsError
from worker.contract.findings import Finding
from worker.delivery import Delivery, DeliveryTimes
from worker.dispatch import Dispatcher
from worker.examining import log_durability
from worker.gate import Gate
from worker.holding import Holdings
from worker.local_secrets import token_secret
from worker.message_content import ChannelLimits
from worker.pacing import Paces
from worker.packing import Packer
from worker.parcels import CALL_SIZE
from worker.ports import Clock, Gateway, Hints, Ledger, Users
from worker.rendering import CompiledTemplates
from worker.retry import RetryPolicy
from worker.routing import Router
from worker.settings import REDIS_SCHEMES, Settings
from worker.settling import Settler
from worker.slots import Slots
from worker.sweeping import Sweeper

_PATIENCE = 1.0
_NAME_BYTES = 8
"""Of a process' name where it must be no other's: containers may share host name and process id."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where this process finds its stores."""

    redis_url: str
    broker_url: str


@contextmanager
def stores(settings: Settings) -> Iterator[Addresses]:
    """Give the addresses of the stores, with the embedded Valkey running for as long where the settings name none."""
    if settings.redis_url:
        yield Addresses(settings.redis_url, settings.broker_url or settings.redis_url)
        return
    with EmbeddedValkey(settings.data_dir) as valkey:
        yield Addresses(valkey.url, settings.broker_url or valkey.broker_url)


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that reads or writes the stores, on one pool of connections."""

    settings: Settings
    clock: Clock
    ledger: RedisLedger
    records: RedisRecords
    dead_letters: RedisDeadLetters
    wallets: RedisWallets
    clients: RedisClients
    callbacks: RedisCallbacks
    templates: RedisTemplates
    caps: RedisCaps
    pauses: RedisPauses
    cancellations: RedisCancellations
    batches: RedisBatches
    batch_jobs: RedisBatchJobs
    rates: RedisRates
    breakers: RedisBreakers
    turns: RedisTurns
    compiled: CompiledTemplates
    redis: Redis
    keys: Keys

    @property
    def users(self) -> RedisUsers:
        """The tokens; raises SettingsError where their secret is not set: a worker needs neither."""
        return RedisUsers(self.redis, self.keys, token_secret(self.settings))

    @property
    def dead_callbacks(self) -> RedisDeadCallbacks:
        """The callbacks that were given up."""
        return RedisDeadCallbacks(self.redis, self.keys)

    @property
    def vault(self) -> Vault:
        """What seals the secrets of callbacks; raises SettingsError where its key is not set."""
        return Vault(token_secret(self.settings))

    @property
    def figures(self) -> RedisFigures:
        """The ledger in numbers."""
        return RedisFigures(self.redis, self.keys, self.breakers)

    @property
    def batch_keeper(self) -> BatchKeeper:
        """What carries out what was decided of batch jobs."""
        return BatchKeeper(
            jobs=self.batch_jobs,
            batches=self.batches,
            pauses=self.pauses,
            cancellations=self.cancellations,
            clock=self.clock,
            retention=self.settings.retention,
        )

    @property
    def audit(self) -> RedisAudit:
        """The proof of the ledger from its records."""
        return RedisAudit(self.redis, self.keys)

    @property
    def settlement(self) -> RedisSettlement:
        """Every message of a span of time."""
        return RedisSettlement(self.redis, self.keys)

    @property
    def repair(self) -> RedisRepair:
        """What mends the faults that an audit found."""
        return RedisRepair(self.redis, self.keys)


@asynccontextmanager
async def services(settings: Settings, addresses: Addresses) -> AsyncIterator[Services]:
    """Give the services of one asyncio loop; connects at the first use."""
    redis = connect(addresses.redis_url)
    try:
        yield services_on(redis, settings, SystemClock())
    finally:
        await redis.aclose()


def services_on(redis: Redis, settings: Settings, clock: Clock) -> Services:
    """Return the services on a client that the caller closes."""
    keys, limits = Keys(settings.shards), _limits(settings)
    return Services(
        settings=settings,
        clock=clock,
        ledger=RedisLedger(redis, keys, limits),
        records=RedisRecords(redis, keys),
        dead_letters=RedisDeadLetters(redis, keys, limits),
        wallets=RedisWallets(redis, keys, clock),
        clients=RedisClients(redis, keys, clock),
        callbacks=RedisCallbacks(redis, keys, clock),
        templates=RedisTemplates(redis, keys, clock),
        caps=RedisCaps(redis, keys),
        pauses=RedisPauses(redis, keys, limits),
        cancellations=RedisCancellations(redis, keys, limits),
        batches=RedisBatches(redis, keys, limits),
        batch_jobs=RedisBatchJobs(redis, keys),
        rates=RedisRates(redis, keys),
        breakers=RedisBreakers(redis, keys, BreakerTimes(settings.breaker_first, settings.breaker_longest)),
        turns=RedisTurns(redis, keys),
        compiled=CompiledTemplates(ChannelLimits()),
        redis=redis,
        keys=keys,
    )


@asynccontextmanager
async def token_resolver(found: Services) -> AsyncIterator[Users]:
    """Give what resolves access tokens: an authorization server where the settings name one, else what was put.

    Raises SettingsError where a secret is missing.
    """
    if not found.settings.introspection_url:
        yield found.users
        return
    async with introspected_users(found.settings, found.clock) as users:
        yield users


async def introspection_finding(settings: Settings) -> Finding:
    """Say whether the authorization server that the settings name answers as it should; raises SettingsError."""
    return await examine_introspection(settings)


def durability(found: Services, addresses: Addresses) -> RedisDurability:
    """Return what examines the stores; a broker on the ledger's own server is examined with it."""
    own = addresses.broker_url if addresses.broker_url.startswith(REDIS_SCHEMES) else ""
    shared = urlsplit(own).netloc == urlsplit(addresses.redis_url).netloc
    return RedisDurability(found.redis, "" if shared else own)


def broker_presence(addresses: Addresses) -> BrokerPresence:
    """Return who asks whether the broker is there, and who listens to it."""
    return BrokerPresence(addresses.broker_url)


@contextmanager
def hint_publisher(addresses: Addresses, flush_seconds: float = 2.0) -> Iterator[HintPublisher]:
    """Give a publisher of hints for a process that runs no tasks; what waits at the end is flushed."""
    app = publishing_app(addresses.broker_url)
    hints = publisher(app)
    try:
        yield hints
    finally:
        hints.flush(flush_seconds)
        app.close()


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
        await _open_patiently(found.ledger)
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
    poster = HttpPoster(clock, Resolver(clock), settings.callback_networks, settings.callback_timeout)
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
        outbox=RedisCallbackOutbox(found.redis, found.keys),
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
            RedisUpkeep(found.pauses, found.batches, RedisSchedule(found.redis, found.keys)),
            found.batch_keeper,
            ProgressTeller(
                progress=RedisBatchProgress(found.redis, found.keys),
                batches=found.batches,
                registry=found.callbacks,
                clock=parts.clock,
            ),
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


async def _open_patiently(ledger: RedisLedger) -> None:
    """Wait for the ledger, however long it is away; raise LedgerMismatchError when it is another's."""
    waiting = False
    while True:
        try:
            await ledger.open()
        except LedgerUnavailableError as error:
            if not waiting:
                log.warning("waiting_for_ledger", reason=str(error))
            waiting = True
            await asyncio.sleep(_PATIENCE)
        else:
            return


async def check_ledger(settings: Settings, addresses: Addresses) -> None:
    """Raise LedgerMismatchError if the ledger was made with other parameters; one that is away may come back."""
    async with services(settings, addresses) as found:
        with suppress(LedgerUnavailableError):
            await found.ledger.open()


async def examine_stores(settings: Settings, addresses: Addresses) -> None:
    """Log what the stores of a worker do not keep."""
    async with services(settings, addresses) as found:
        await log_durability(durability(found, addresses))


def opener(settings: Settings, addresses: Addresses, hints: Hints, fitting: Fitting | None = None) -> Opener:
    """Return what opens a dispatcher inside a loop."""
    return partial(dispatcher, settings, addresses, hints, fitting or Fitting())


def worker_name() -> str:
    """Return this process' name in timelines: host and process id."""
    return f"{socket.gethostname()[:20]}.{os.getpid()}"


def _limits(settings: Settings) -> LedgerLimits:
    return LedgerLimits(
        lease=settings.lease,
        grace=settings.grace,
        longest_grace=settings.longest_grace,
        sweep_size=settings.sweep_size,
        window_single=settings.window_single,
        window_bulk=settings.window_bulk,
        waiting=settings.waiting_per_merchant,
        retention=settings.retention,
    )
