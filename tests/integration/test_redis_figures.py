"""What the figures tell beside the ledger's own: gateways that are left alone."""

import asyncio

from redis.asyncio import Redis

from worker.adapters.redis.breakers import BreakerTimes, RedisBreakers
from worker.adapters.redis.figures import RedisFigures
from worker.adapters.redis.keys import Keys

START = 1_700_000_000_000
KEYS = Keys(2)


def test_R69_gateways_that_fail_are_named_with_how_long_they_do(redis_url: str) -> None:
    now = START

    async def main() -> None:
        nonlocal now
        async with Redis.from_url(redis_url) as redis:
            breakers = RedisBreakers(redis, KEYS, BreakerTimes(), lambda: now)
            figures = RedisFigures(redis, KEYS, breakers, lambda: now)
            assert (await figures.read()).failing == {}
            await breakers.open("gcash", "HTTP_503", None)
            now += 70_000
            await breakers.open("tng", "HTTP_429", 60_000)
            assert (await figures.read()).failing == {"gcash": 70_000, "tng": 0}
            await breakers.close("gcash")
            assert (await figures.read()).failing == {"tng": 0}

    asyncio.run(main())
