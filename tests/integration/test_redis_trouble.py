"""Redis away, silent or full: a clear error in bounded time that tells no secret, and work in hand goes on."""

import asyncio
import socket
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.fakes.clock import FakeClock
from tests.ledger_driver import dead, final, ids, new_message, new_messages, retry
from tests.ledger_state import state_of_redis
from worker.adapters.redis.embedded import EmbeddedValkey
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.ledger import LedgerLimits, RedisLedger
from worker.adapters.redis.records import RedisRecords
from worker.adapters.redis.users import RedisUsers
from worker.adapters.redis.wallets import RedisCaps, RedisGatewayPauses, RedisWallets
from worker.contract.errors import LedgerUnavailableError
from worker.contract.messages import Acceptance, Claim, Lane, Settled
from worker.contract.users import SEND_SCOPE, SendCap, TokenGrant, User, Wallet
from worker.ports import CapRequest, Probe

KEYS = Keys(shards=2)
SECRETS = ("token-4711", "customer-4711", "payload of r0", "shop-4711", "password-4711")
USER = User("customer-4711", "GCASH")
CLAIM = Claim("0" * 32, "claim-1", 1, 0, 0, 0, 0, 0, {}, b"payload of r0")
MESSAGES = new_messages(8, app_id="shop-4711")


def ledger(redis: Redis) -> RedisLedger:
    return RedisLedger(redis, KEYS)


def records(redis: Redis) -> RedisRecords:
    return RedisRecords(redis, KEYS)


def users(redis: Redis) -> RedisUsers:
    return RedisUsers(redis, KEYS, b"0123456789abcdef")


async def first_grant(redis: Redis) -> None:
    async for _ in users(redis).all():
        return


OPERATIONS: dict[str, Callable[[Redis], Awaitable[object]]] = {
    "open": lambda redis: ledger(redis).open(),
    "accept one": lambda redis: ledger(redis).accept("shop-4711", Lane.BULK, MESSAGES[:1]),
    "accept many": lambda redis: ledger(redis).accept("shop-4711", Lane.BULK, MESSAGES),
    "probe": lambda redis: ledger(redis).probe([Probe("0" * 32, "content", "customer-4711")]),
    "claim": lambda redis: ledger(redis).claim(0, ["0" * 32], "claim-1"),
    "renew": lambda redis: ledger(redis).renew([CLAIM]),
    "settle": lambda redis: ledger(redis).settle([final(CLAIM)]),
    "sweep": lambda redis: ledger(redis).sweep(),
    "release": lambda redis: ledger(redis).release(0, Lane.BULK),
    "backlogged": lambda redis: ledger(redis).backlogged(),
    "forget": lambda redis: ledger(redis).forget(),
    "find": lambda redis: records(redis).find(["0" * 32]),
    "statuses": lambda redis: records(redis).statuses(ids(MESSAGES)),
    "dead": lambda redis: records(redis).dead(10),
    "dead count": lambda redis: records(redis).dead_count(),
    "tallies": lambda redis: records(redis).tallies(),
    "ping": lambda redis: records(redis).ping(),
    "resolve": lambda redis: users(redis).resolve(["token-4711"]),
    "put token": lambda redis: users(redis).put(
        [("token-4711", TokenGrant(USER, "shop-4711", frozenset({SEND_SCOPE}), None))]
    ),
    "revoke": lambda redis: users(redis).revoke(["0" * 32]),
    "list tokens": first_grant,
    "wallets": lambda redis: RedisWallets(redis, KEYS, FakeClock()).all(),
    "put wallet": lambda redis: RedisWallets(redis, KEYS, FakeClock()).put(Wallet("GCASH", ())),
    "reserve": lambda redis: RedisCaps(redis, KEYS).reserve(
        [CapRequest("0" * 32, "shop-4711", USER, SendCap(1, 1_000))]
    ),
    "pause": lambda redis: RedisGatewayPauses(redis, KEYS).pause("g1", 100),
    "remaining": lambda redis: RedisGatewayPauses(redis, KEYS).remaining(),
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
        socket_timeout=0.1,
        socket_connect_timeout=0.1,
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
    operation: Callable[[Redis], Awaitable[object]], trouble: Callable[[], Iterator[int]]
) -> None:
    with contextmanager(lambda: trouble())() as port:
        started = time.monotonic()
        error = error_of(operation, port)

    assert time.monotonic() - started < 3
    assert "TIDINGS_REDIS_URL" in str(error)
    told = "".join(traceback.format_exception(error))
    assert [secret for secret in SECRETS if secret in told] == []


@contextmanager
def memory_full(valkey: EmbeddedValkey) -> Iterator[None]:
    """Let the server refuse what needs more memory, as `noeviction` does when it is full."""

    async def set_limit(limit: int) -> None:
        async with Redis.from_url(valkey.url) as redis:
            await redis.config_set("maxmemory", limit)

    asyncio.run(set_limit(1))
    try:
        yield
    finally:
        asyncio.run(set_limit(0))
