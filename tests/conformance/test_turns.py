"""The turns of gateways with a send rate, on the fake and in a real Valkey (CONTRACT R69)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
from redis.asyncio import Redis

from tests.fakes.clock import FakeClock
from tests.fakes.turns import FakeTurns
from worker.adapters.redis.turns import RedisTurns
from worker.contract.rates import Turn
from worker.limit_ports import Turns

Story: TypeAlias = Callable[[Turns, FakeClock], Awaitable[None]]
Tell: TypeAlias = Callable[[Story], None]


@pytest.fixture(params=["fake", "valkey"])
def tell(request: pytest.FixtureRequest) -> Tell:
    def on_fake(story: Story) -> None:
        async def main() -> None:
            clock = FakeClock()
            await story(FakeTurns(clock), clock)

        asyncio.run(main())

    def on_valkey(story: Story) -> None:
        url = request.getfixturevalue("redis_url")

        async def main() -> None:
            clock = FakeClock()
            async with Redis.from_url(url) as redis:
                await story(RedisTurns(redis, clock.now), clock)

        asyncio.run(main())

    return on_fake if request.param == "fake" else on_valkey


def test_turns_follow_each_other_as_far_apart_as_the_rate_says(tell: Tell) -> None:
    async def story(turns: Turns, _: FakeClock) -> None:
        given = [await turns.reserve("gcash", 100, messages, 1_000) for messages in (10, 5, 1, 10)]
        assert given == [Turn(10, 0), Turn(5, 100), Turn(1, 150), Turn(10, 160)]

    tell(story)


def test_a_turn_that_begins_too_late_is_not_taken(tell: Tell) -> None:
    async def story(turns: Turns, clock: FakeClock) -> None:
        await turns.reserve("gcash", 10, 10, 1_000)
        assert await turns.reserve("gcash", 10, 1, 999) == Turn(0, 1_000)
        assert await turns.reserve("gcash", 10, 1, 1_000) == Turn(1, 1_000)
        assert await turns.reserve("gcash", 10, 1, 1_000) == Turn(0, 1_100)
        clock.advance(100)
        assert await turns.reserve("gcash", 10, 1, 1_000) == Turn(1, 1_000)

    tell(story)


def test_nothing_of_a_pause_is_made_up_for(tell: Tell) -> None:
    async def story(turns: Turns, clock: FakeClock) -> None:
        await turns.reserve("gcash", 100, 10, 1_000)
        clock.advance(60_000)
        assert [await turns.reserve("gcash", 100, 10, 1_000) for _ in range(2)] == [Turn(10, 0), Turn(10, 100)]

    tell(story)


def test_the_same_asked_twice_takes_two_turns(tell: Tell) -> None:
    """A lost answer costs a turn: the rate holds, whatever the network does."""

    async def story(turns: Turns, _: FakeClock) -> None:
        assert [await turns.reserve("gcash", 50, 5, 1_000) for _ in range(2)] == [Turn(5, 0), Turn(5, 100)]

    tell(story)


def test_a_new_rate_counts_from_the_next_turn_on(tell: Tell) -> None:
    async def story(turns: Turns, _: FakeClock) -> None:
        given = [await turns.reserve("gcash", rate, 10, 1_000) for rate in (100, 1_000, 1_000)]
        assert given == [Turn(10, 0), Turn(10, 100), Turn(10, 110)]

    tell(story)


def test_each_gateway_has_turns_of_its_own(tell: Tell) -> None:
    async def story(turns: Turns, _: FakeClock) -> None:
        assert [(await turns.reserve(name, 1, 1, 1_000)).wait for name in ("gcash", "tng", "gcash")] == [0, 0, 1_000]

    tell(story)


@pytest.mark.parametrize("rate", [3, 7, 999])
def test_fractions_of_milliseconds_are_kept(tell: Tell, rate: int) -> None:
    async def story(turns: Turns, _: FakeClock) -> None:
        for _number in range(min(rate, 100)):
            await turns.reserve("gcash", rate, 1, 100_000)
        wait = (await turns.reserve("gcash", rate, 1, 100_000)).wait
        assert abs(wait - min(rate, 100) * 1_000 / rate) <= 1

    tell(story)
