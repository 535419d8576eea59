"""Names the adapters of the stores: everything that reads or writes them, for any process."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from redis.asyncio import Redis

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
from worker.batch_keeping import BatchKeeper
from worker.batch_progress import ProgressTeller
from worker.callbacks.secrets import Vault
from worker.clock import SystemClock
from worker.contract.errors import LedgerUnavailableError
from worker.contract.findings import Finding
from worker.contract.users import GatewayRoute
from worker.examining import log_durability
from worker.local_secrets import token_secret
from worker.message_content import ChannelLimits
from worker.ports import Clock
from worker.registry_ports import Users
from worker.rendering import CompiledTemplates
from worker.settings import REDIS_SCHEMES, Settings


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
    def callback_outbox(self) -> RedisCallbackOutbox:
        """The callbacks that are on their way."""
        return RedisCallbackOutbox(self.redis, self.keys)

    @property
    def upkeep(self) -> RedisUpkeep:
        """What the sweepers of the stores do beside hinting."""
        return RedisUpkeep(self.pauses, self.batches, RedisSchedule(self.redis, self.keys))

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
    def progress_teller(self) -> ProgressTeller:
        """What sees how far batch jobs are."""
        return ProgressTeller(
            progress=RedisBatchProgress(self.redis, self.keys),
            jobs=self.batch_jobs,
            batches=self.batches,
            registry=self.callbacks,
            clock=self.clock,
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
        return RedisRepair(self.redis, self.keys, _limits(self.settings))


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
        wallets=RedisWallets(redis, clock),
        clients=RedisClients(redis, clock),
        callbacks=RedisCallbacks(redis, clock),
        templates=RedisTemplates(redis, clock),
        caps=RedisCaps(redis, keys),
        pauses=RedisPauses(redis, keys, limits),
        cancellations=RedisCancellations(redis, keys, limits),
        batches=RedisBatches(redis, keys, limits),
        batch_jobs=RedisBatchJobs(redis, keys),
        rates=RedisRates(redis, keys),
        breakers=RedisBreakers(redis, BreakerTimes(settings.breaker_first, settings.breaker_longest)),
        turns=RedisTurns(redis),
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


async def gateway_finding(route: GatewayRoute) -> Finding:
    """Say whether a gateway can be called; it is sent nothing."""
    from worker.adapters.gateways import examination  # noqa: PLC0415 - most commands of `tidings` call nobody

    return await examination.gateway_finding(route)


def durability(found: Services, addresses: Addresses) -> RedisDurability:
    """Return what examines the stores; a broker on the ledger's own server is examined with it."""
    own = addresses.broker_url if addresses.broker_url.startswith(REDIS_SCHEMES) else ""
    shared = urlsplit(own).netloc == urlsplit(addresses.redis_url).netloc
    return RedisDurability(found.redis, "" if shared else own)


async def check_ledger(settings: Settings, addresses: Addresses) -> None:
    """Raise LedgerMismatchError if the ledger was made with other parameters; one that is away may come back."""
    async with services(settings, addresses) as found:
        with suppress(LedgerUnavailableError):
            await found.ledger.open()


async def examine_stores(settings: Settings, addresses: Addresses) -> None:
    """Log what the stores of a worker do not keep."""
    async with services(settings, addresses) as found:
        await log_durability(durability(found, addresses))


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
