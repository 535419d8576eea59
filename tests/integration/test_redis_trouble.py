"""Redis away, silent or full: a clear error in bounded time that tells no secret, and work in hand goes on."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager

import pytest
from redis import Redis as Server
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.fakes.clock import FakeClock
from tests.ledger_driver import dead, final, ids, new_messages, retry
from tests.ledger_state import state_of_redis
from worker.adapters.redis.batch_jobs import RedisBatchJobs
from worker.adapters.redis.batches import RedisBatches
from worker.adapters.redis.breakers import BreakerTimes, RedisBreakers
from worker.adapters.redis.cancelling import RedisCancellations
from worker.adapters.redis.connection import connect
from worker.adapters.redis.dead_letters import RedisDeadLetters
from worker.adapters.redis.embedded import EmbeddedValkey
from worker.adapters.redis.figures import RedisFigures
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.ledger import RedisLedger
from worker.adapters.redis.limits import LedgerLimits
from worker.adapters.redis.pauses import RedisPauses
from worker.adapters.redis.records import RedisRecords
from worker.adapters.redis.users import RedisUsers
from worker.adapters.redis.wallets import RedisCaps, RedisWallets
from worker.batch_keeping import BatchKeeper
from worker.clock import SystemClock
from worker.contract.batch_jobs import CANCEL, Moved
from worker.contract.dead_letters import DeadLetter, DeadLetterQuery
from worker.contract.errors import LedgerFaultError, LedgerUnavailableError
from worker.contract.messages import Acceptance, Claim, Lane, Settled, Settlement
from worker.contract.origins import BatchPart, BatchStart, BatchTally, Origin
from worker.contract.users import SEND_SCOPE, SendCap, TokenGrant, User, Wallet
from worker.limit_ports import CapRequest
from worker.ports import Probe

KEYS = Keys(shards=2)
DUE, REPEATED = Acceptance.DUE, Acceptance.REPEATED
SECRETS = ("token-4711", "customer-4711", "payload of r0", "shop-4711", "password-4711")
USER = User("customer-4711", "GCASH")
CLAIM = Claim("0" * 32, "claim-1", 1, 0, 0, 0, 0, 0, {}, b"payload of r0")
MESSAGES = new_messages(8, app_id="shop-4711")
LETTER = DeadLetter("0" * 32, "shop-4711", "r0", Lane.BULK, "PAY", 3, "TRIES", 0, ())


def ledger(redis: Redis) -> RedisLedger:
    return RedisLedger(redis, KEYS)


def records(redis: Redis) -> RedisRecords:
    return RedisRecords(redis, KEYS)


def dead_letters(redis: Redis) -> RedisDeadLetters:
    return RedisDeadLetters(redis, KEYS)


def users(redis: Redis) -> RedisUsers:
    return RedisUsers(redis, KEYS, b"0123456789abcdef")


async def first_grant(redis: Redis) -> None:
    async for _ in users(redis).all():
        return


def breakers(redis: Redis) -> RedisBreakers:
    return RedisBreakers(redis, BreakerTimes())


OPERATIONS: dict[str, Callable[[Redis], Awaitable[object]]] = {
    "open": lambda redis: ledger(redis).open(),
    "accept one": lambda redis: ledger(redis).accept("shop-4711", Lane.BULK, MESSAGES[:1]),
    "accept many": lambda redis: ledger(redis).accept("shop-4711", Lane.BULK, MESSAGES),
    "probe": lambda redis: ledger(redis).probe([Probe("0" * 32, "content", "customer-4711")]),
    "claim": lambda redis: ledger(redis).claim(0, ["0" * 32], "claim-1"),
    "renew": lambda redis: ledger(redis).renew([CLAIM]),
    "settle": lambda redis: ledger(redis).settle([final(CLAIM)]),
    "sweep": lambda redis: ledger(redis).sweep(),
    "release": lambda redis: ledger(redis).release([(0, Lane.BULK)]),
    "backlogged": lambda redis: ledger(redis).backlogged(),
    "forget": lambda redis: ledger(redis).forget(),
    "find": lambda redis: records(redis).find(["0" * 32]),
    "statuses": lambda redis: records(redis).statuses(ids(MESSAGES)),
    "dead letters": lambda redis: dead_letters(redis).page(DeadLetterQuery(), 10),
    "find dead letters": lambda redis: dead_letters(redis).find(ids(MESSAGES)),
    "contents of dead letters": lambda redis: dead_letters(redis).contents(ids(MESSAGES)),
    "time of dead letters": lambda redis: dead_letters(redis).now(),
    "replay": lambda redis: dead_letters(redis).replay([LETTER], "run-1", 1_000),
    "discard": lambda redis: dead_letters(redis).discard([LETTER], "run-1", "of customer-4711"),
    "dead count": lambda redis: records(redis).dead_count(),
    "tallies": lambda redis: records(redis).tallies(),
    "figures": lambda redis: RedisFigures(redis, KEYS, breakers(redis)).read(),
    "ping": lambda redis: records(redis).ping(),
    "resolve": lambda redis: users(redis).resolve(["token-4711"]),
    "put token": lambda redis: users(redis).put(
        [("token-4711", TokenGrant(USER, "shop-4711", frozenset({SEND_SCOPE}), None))]
    ),
    "revoke": lambda redis: users(redis).revoke(["0" * 32]),
    "list tokens": first_grant,
    "wallets": lambda redis: RedisWallets(redis, FakeClock()).all(),
    "put wallet": lambda redis: RedisWallets(redis, FakeClock()).put(Wallet("GCASH", ())),
    "reserve": lambda redis: RedisCaps(redis, KEYS).reserve(
        [CapRequest("0" * 32, "shop-4711", USER, SendCap(1, 1_000))]
    ),
    "open breaker": lambda redis: breakers(redis).open("g1", "UNANSWERED", 100),
    "probe breaker": lambda redis: breakers(redis).probe("g1"),
    "close breaker": lambda redis: breakers(redis).close("g1"),
    "open breakers": lambda redis: breakers(redis).opened(),
}


@contextmanager
def nobody_listens() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextmanager
def nobody_answers() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield silent.getsockname()[1]


@asynccontextmanager
async def client(port: int) -> AsyncIterator[Redis]:
    """A client as services have it, with shorter patience."""
    redis = Redis.from_url(
        f"redis://:password-4711@127.0.0.1:{port}/0",
        socket_timeout=0.05,
        socket_connect_timeout=0.5,
        retry=Retry(NoBackoff(), 1),
    )
    async with redis:
        yield redis


def error_of(operation: Callable[[Redis], Awaitable[object]], port: int) -> LedgerUnavailableError:
    async def fail() -> LedgerUnavailableError:
        async with client(port) as redis:
            with pytest.raises(LedgerUnavailableError) as caught:
                await operation(redis)
            return caught.value

    return asyncio.run(fail())


@pytest.mark.parametrize("trouble", [nobody_listens, nobody_answers])
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_R31_a_redis_that_is_away_is_said_to_be_so_soon_and_without_any_argument(
    operation: Callable[[Redis], Awaitable[object]], trouble: Callable[[], AbstractContextManager[int]]
) -> None:
    with trouble() as port:
        started = time.monotonic()
        error = error_of(operation, port)

    assert time.monotonic() - started < 3
    assert "TIDINGS_REDIS_URL" in str(error)
    assert secrets_told_by(error) == []


def secrets_told_by(error: BaseException | None) -> list[str]:
    """Return the secrets in the text of an error and of everything that led to it."""
    texts = []
    while error is not None:
        texts.append(str(error))
        error = error.__cause__ or error.__context__
    return [secret for secret in SECRETS if secret in " ".join(texts)]


@contextmanager
def full(valkey: EmbeddedValkey) -> Iterator[None]:
    """Let the server refuse whatever needs more memory, as it does by `noeviction` when it is full."""
    with Server.from_url(valkey.url) as server:
        server.config_set("maxmemory", 1)
        try:
            yield
        finally:
            server.config_set("maxmemory", 0)


def test_R31_a_full_redis_refuses_new_messages_as_a_whole_and_tells_no_argument(
    valkey: EmbeddedValkey, redis_url: str
) -> None:
    async def story() -> LedgerUnavailableError:
        async with Redis.from_url(redis_url) as redis:
            await ledger(redis).accept("shop-4711", Lane.BULK, MESSAGES[:3])
            before = await state_of_redis(redis, KEYS)
            with full(valkey), pytest.raises(LedgerUnavailableError, match="OutOfMemory") as caught:
                await ledger(redis).accept("shop-4711", Lane.BULK, MESSAGES)
            assert await state_of_redis(redis, KEYS) == before
            assert await ledger(redis).accept("shop-4711", Lane.BULK, MESSAGES) == [REPEATED] * 3 + [DUE] * 5
            return caught.value

    assert secrets_told_by(asyncio.run(story())) == []


def test_in_a_full_redis_what_was_taken_is_still_delivered_and_forgotten(
    valkey: EmbeddedValkey, redis_url: str
) -> None:
    """Also by a worker that starts meanwhile, and when the server has forgotten the scripts."""
    limits = LedgerLimits(window_bulk=2, grace=0, longest_grace=0, retention=0)

    async def story() -> None:
        async with Redis.from_url(redis_url) as redis:
            working = RedisLedger(redis, Keys(1), limits)
            await working.open()
            await working.accept("shop", Lane.BULK, MESSAGES[:4])
            await redis.script_flush()
            with full(valkey):
                await working.open()
                await breakers(redis).open("g1", "UNANSWERED", 100)
                for _ in range(4):
                    await work(working)
                assert await working.forget() == 3
                assert await RedisRecords(redis, Keys(1)).dead_count() == 1

    asyncio.run(story())


def test_in_a_full_redis_what_is_decided_of_batches_is_still_done(valkey: EmbeddedValkey, redis_url: str) -> None:
    limits, batch = LedgerLimits(retention=0), Origin("shop", "june")

    async def story() -> None:
        async with Redis.from_url(redis_url) as redis:
            working, jobs = RedisLedger(redis, Keys(1), limits), RedisBatchJobs(redis, Keys(1))
            batches, pauses = RedisBatches(redis, Keys(1), limits), RedisPauses(redis, Keys(1), limits)
            keeper = BatchKeeper(
                jobs=jobs,
                batches=batches,
                pauses=pauses,
                cancellations=RedisCancellations(redis, Keys(1), limits),
                clock=SystemClock(),
                retention=0,
            )
            await working.accept("shop", Lane.BULK, MESSAGES[:4], part=BatchPart("june", BatchStart.PAUSED))
            await working.accept("shop", Lane.BULK, MESSAGES[4:], part=BatchPart("atomic", BatchStart.STAGED))
            await jobs.create(batch, b"{}", 0)
            with full(valkey):
                assert await batches.withdraw(Origin("shop", "atomic"))
                assert await jobs.move(batch, CANCEL, 0, 0) is Moved.MOVED
                await keeper.look_after()
                assert await batches.tally(batch) == BatchTally(taken=4, F=4)
                assert await working.forget() == 4
                job = await jobs.find(batch)
                assert job is not None
                await jobs.hold(job, 0)
                await asyncio.sleep(0.01)
                await keeper.look_after()
                assert (await jobs.all(), await pauses.paused()) == ([], [])

    asyncio.run(story())


async def work(working: RedisLedger) -> None:
    """Do what a worker does: one message fails for good, the others are delivered at the second try."""
    for hint in await working.sweep():
        claims = await working.claim(hint.shard, hint.message_ids, "claim-1")
        assert await working.renew(claims) == [True] * len(claims)
        assert await working.settle([end_of(claim) for claim in claims]) == [Settled.DONE] * len(claims)
    await working.release([(0, Lane.BULK)])


def end_of(claim: Claim) -> Settlement:
    if claim.message_id == MESSAGES[1].message_id:
        return dead(claim)
    return retry(claim, 0) if claim.attempt == 1 else final(claim)


def test_a_connection_to_a_server_that_became_a_replica_is_left_so_that_the_retry_may_find_the_new_master(
    redis_url: str,
) -> None:
    async def main() -> None:
        redis = connect(redis_url)
        before = await redis.client_id()
        with Server.from_url(redis_url) as server:
            server.replicaof("127.0.0.1", 1)
            try:
                with pytest.raises(LedgerUnavailableError):
                    await ledger(redis).accept("shop", Lane.BULK, MESSAGES)
            finally:
                server.replicaof("no", "one")
        assert await redis.client_id() != before
        assert await ledger(redis).accept("shop", Lane.BULK, MESSAGES) == [DUE] * len(MESSAGES)
        await redis.aclose()

    asyncio.run(main())


def test_a_script_that_fails_on_what_a_key_holds_is_told_apart_from_a_redis_that_is_away(redis_url: str) -> None:
    async def main() -> None:
        async with Redis.from_url(redis_url) as redis:
            await redis.set(KEYS.due(0), "not a sorted set")
            await redis.set(KEYS.due(1), "not a sorted set")
            with pytest.raises(LedgerFaultError):
                await ledger(redis).accept("shop", Lane.BULK, MESSAGES)

    asyncio.run(main())
