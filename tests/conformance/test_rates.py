"""Merchants' rate limits, on the fake and in a real Valkey (CONTRACT R36)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
from redis.asyncio import Redis

from tests.fakes.clock import FakeClock
from tests.fakes.rates import FakeRates
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.rates import RedisRates
from worker.contract.rates import Grant, LimitedBy, RateLimit
from worker.limit_ports import Rates

Story: TypeAlias = Callable[[Rates, FakeClock], Awaitable[None]]
Tell: TypeAlias = Callable[[Story], None]
SHOP = RateLimit(LimitedBy.CLIENT, "shop", 10)


@pytest.fixture(params=["fake", "valkey"])
def tell(request: pytest.FixtureRequest) -> Tell:
    def on_fake(story: Story) -> None:
        clock = FakeClock()
        asyncio.run(_told(story(FakeRates(clock), clock)))

    def on_valkey(story: Story) -> None:
        url, clock = request.getfixturevalue("redis_url"), FakeClock()

        async def main() -> None:
            async with Redis.from_url(url) as redis:
                await story(RedisRates(redis, Keys(4), clock.now), clock)

        asyncio.run(main())

    return on_fake if request.param == "fake" else on_valkey


async def _told(story: Awaitable[None]) -> None:
    await story


async def take(rates: Rates, number: int, limit: RateLimit = SHOP) -> Grant:
    return (await rates.take({limit: number}))[limit]


def test_R36_a_seconds_worth_may_come_at_once_after_a_pause(tell: Tell) -> None:
    async def story(rates: Rates, _: FakeClock) -> None:
        assert await take(rates, 9) == Grant(9, 1, 0)
        assert await take(rates, 1) == Grant(1, 0, 100)
        assert await take(rates, 1) == Grant(0, 0, 100)

    tell(story)


def test_R36_of_a_batch_the_first_are_let_through(tell: Tell) -> None:
    async def story(rates: Rates, _: FakeClock) -> None:
        assert await take(rates, 500) == Grant(10, 0, 100)

    tell(story)


def test_R36_after_that_they_come_evenly(tell: Tell) -> None:
    async def story(rates: Rates, clock: FakeClock) -> None:
        await take(rates, 10)
        clock.advance(99)
        assert await take(rates, 1) == Grant(0, 0, 1)
        clock.advance(1)
        assert await take(rates, 2) == Grant(1, 0, 100)
        clock.advance(250)
        assert await take(rates, 9) == Grant(2, 0, 50)
        clock.advance(60_000)
        assert await take(rates, 11) == Grant(10, 0, 100)

    tell(story)


def test_R36_what_is_refused_makes_nobody_wait_longer(tell: Tell) -> None:
    async def story(rates: Rates, clock: FakeClock) -> None:
        await take(rates, 10)
        for _ in range(3):
            assert await take(rates, 1_000) == Grant(0, 0, 100)
        clock.advance(100)
        assert (await take(rates, 1)).taken == 1

    tell(story)


def test_R36_asking_for_nothing_tells_what_is_left(tell: Tell) -> None:
    async def story(rates: Rates, _: FakeClock) -> None:
        assert await take(rates, 0) == Grant(0, 10, 0)
        await take(rates, 4)
        assert await take(rates, 0) == await take(rates, 0) == Grant(0, 6, 0)

    tell(story)


def test_R36_the_same_asked_twice_takes_twice(tell: Tell) -> None:
    """A lost answer costs permits: the limit holds, whatever the network does."""

    async def story(rates: Rates, _: FakeClock) -> None:
        assert [(await take(rates, 6)).taken for _ in range(2)] == [6, 4]

    tell(story)


def test_R36_each_limit_is_counted_by_itself(tell: Tell) -> None:
    async def story(rates: Rates, _: FakeClock) -> None:
        others = [RateLimit(LimitedBy.APP, "shop", 10), RateLimit(LimitedBy.CLIENT, "shop#2", 10)]
        await take(rates, 10)
        grants = await rates.take({SHOP: 1, others[0]: 3, others[1]: 11})
        assert grants == {SHOP: Grant(0, 0, 100), others[0]: Grant(3, 7, 0), others[1]: Grant(10, 0, 100)}

    tell(story)


@pytest.mark.parametrize("rate", [1, 3, 7, 30, 999, 1_000, 4_001, 100_000])
def test_R36_any_rate_is_kept_over_a_minute_asked_at_odd_times(tell: Tell, rate: int) -> None:
    limit = RateLimit(LimitedBy.CLIENT, "shop", rate)

    async def story(rates: Rates, clock: FakeClock) -> None:
        taken, passed = 0, 0
        for step in (0, 1, 17, 333, 50, 999, 8_600, 1, 49_999):
            clock.advance(step)
            passed += min(step, 1_000)  # what is not used within a second is lost
            taken += (await take(rates, 200_000, limit)).taken
        assert taken == pytest.approx(rate + rate * passed / 1000, abs=2)
        assert taken <= rate + rate * passed / 1000 + 0.001

    tell(story)
