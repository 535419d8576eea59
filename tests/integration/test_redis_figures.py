"""What the figures tell beside the ledger's own: gateways that are left alone, sends that rate limits refused."""

import asyncio

from redis.asyncio import Redis

from worker.adapters.redis.breakers import BreakerTimes, RedisBreakers
from worker.adapters.redis.figures import RedisFigures
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.rates import RedisRates
from worker.contract.rates import LimitedBy, RateLimit

START = 1_700_000_000_000
KEYS = Keys(2)


def test_R69_gateways_that_fail_are_named_with_how_long_they_do(redis_url: str) -> None:
    now = START

    async def main() -> None:
        nonlocal now
        async with Redis.from_url(redis_url) as redis:
            breakers = RedisBreakers(redis, BreakerTimes(), lambda: now)
            figures = RedisFigures(redis, KEYS, breakers, lambda: now)
            assert (await figures.read()).failing == {}
            await breakers.open("gcash", "HTTP_503", None)
            now += 70_000
            await breakers.open("tng", "HTTP_429", 60_000)
            assert (await figures.read()).failing == {"gcash": 70_000, "tng": 0}
            await breakers.close("gcash")
            assert (await figures.read()).failing == {"tng": 0}

    asyncio.run(main())


def test_R36_refused_sends_are_counted_by_who_was_limited(redis_url: str) -> None:
    limits = [RateLimit(LimitedBy.CLIENT, f"merchant#{number}", 10) for number in range(5)]
    limits.append(RateLimit(LimitedBy.APP, "333301", 5))

    async def main() -> None:
        async with Redis.from_url(redis_url) as redis:
            figures = RedisFigures(redis, KEYS, RedisBreakers(redis, BreakerTimes()), lambda: START)
            rates = RedisRates(redis, KEYS, lambda: START)
            assert (await figures.read()).refused == {}
            for number, limit in enumerate(limits):
                await rates.take({limit: limit.rate + number})
            refused = {(limit.by, limit.name): number for number, limit in enumerate(limits) if number}
            assert (await figures.read()).refused == refused
            assert {(limit.by, limit.name): use.refused for limit, use in (await rates.uses(limits)).items()} == {
                **refused,
                (LimitedBy.CLIENT, "merchant#0"): 0,
            }

    asyncio.run(main())
