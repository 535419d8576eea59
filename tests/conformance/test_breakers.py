"""Gateways' breakers as workers share them, on the fake and in a real Valkey (CONTRACT R69)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import pytest
from redis.asyncio import Redis

from tests.fakes.breakers import FakeBreakers
from worker.adapters.redis.breakers import BreakerTimes, RedisBreakers
from worker.contract.gateways import BreakerState, OpenedBreaker
from worker.ports import BreakerStore

START = 1_700_000_000_000
TIMES = BreakerTimes(first=1_000, longest=5_000)


class Story(Protocol):
    """What a test does with a store; `wait` lets milliseconds pass."""

    def __call__(self, store: BreakerStore, wait: Callable[[int], None], /) -> Awaitable[None]: ...


Tell = Callable[[Story], None]


@pytest.fixture(params=["fake", "valkey"])
def tell(request: pytest.FixtureRequest) -> Tell:
    if request.param == "fake":
        return _on_fake
    url = request.getfixturevalue("redis_url")
    return lambda story: _on_valkey(url, story)


def _on_fake(story: Story) -> None:
    store = FakeBreakers(TIMES, START)

    def wait(milliseconds: int) -> None:
        store.now += milliseconds

    async def main() -> None:
        await story(store, wait)

    asyncio.run(main())


def _on_valkey(url: str, story: Story) -> None:
    now = START

    def wait(milliseconds: int) -> None:
        nonlocal now
        now += milliseconds

    async def main() -> None:
        async with Redis.from_url(url) as redis:
            await story(RedisBreakers(redis, TIMES, lambda: now), wait)

    asyncio.run(main())


def test_breakers_are_closed_at_first(tell: Tell) -> None:
    async def story(store: BreakerStore, _: Callable[[int], None]) -> None:
        assert await store.opened() == {}

    tell(story)


def test_an_open_breaker_is_known_with_its_reason_and_since_when(tell: Tell) -> None:
    async def story(store: BreakerStore, wait: Callable[[int], None]) -> None:
        assert await store.open("gcash", "HTTP_500", None) == 1_000
        wait(300)
        assert await store.opened() == {"gcash": OpenedBreaker(700, START, 1, "HTTP_500")}
        wait(700)
        (half_open,) = (await store.opened()).values()
        assert (half_open.open_for, half_open.state) == (0, BreakerState.HALF_OPEN)

    tell(story)


def test_each_opening_after_a_failed_probe_is_twice_as_long_up_to_the_longest(tell: Tell) -> None:
    async def story(store: BreakerStore, wait: Callable[[int], None]) -> None:
        lengths = []
        for _ in range(5):
            lengths.append(await store.open("gcash", "UNANSWERED", None))
            wait(lengths[-1])
        assert lengths == [1_000, 2_000, 4_000, 5_000, 5_000]

    tell(story)


def test_failures_that_come_in_while_it_is_open_do_not_make_it_longer(tell: Tell) -> None:
    async def story(store: BreakerStore, wait: Callable[[int], None]) -> None:
        await store.open("gcash", "UNANSWERED", None)
        wait(400)
        assert await store.open("gcash", "UNANSWERED", None) == 600
        wait(600)
        assert await store.open("gcash", "UNANSWERED", None) == 2_000

    tell(story)


def test_R69_what_the_gateway_asked_for_holds_and_a_longer_wish_in_force_stays(tell: Tell) -> None:
    async def story(store: BreakerStore, wait: Callable[[int], None]) -> None:
        assert await store.open("gcash", "HTTP_429", 60_000) == 60_000
        wait(1_000)
        assert await store.open("gcash", "HTTP_429", 2_000) == 59_000
        assert await store.open("gcash", "UNANSWERED", None) == 59_000
        assert await store.open("gcash", "HTTP_503", 90_000) == 90_000

    tell(story)


def test_R69_a_wish_counts_as_no_failure(tell: Tell) -> None:
    async def story(store: BreakerStore, wait: Callable[[int], None]) -> None:
        for _ in range(3):
            wait(await store.open("gcash", "HTTP_429", 3_000))
        assert await store.open("gcash", "UNANSWERED", None) == 1_000

    tell(story)


def test_only_one_may_probe_and_only_once_it_is_half_open(tell: Tell) -> None:
    async def story(store: BreakerStore, wait: Callable[[int], None]) -> None:
        await store.open("gcash", "UNANSWERED", None)
        assert await store.probe("gcash") == 1_000
        wait(1_000)
        assert await store.probe("gcash") == 0
        assert await store.probe("gcash") == 5_000
        wait(1_000)
        assert await store.probe("gcash") == 4_000

    tell(story)


def test_a_probe_that_is_never_answered_lets_the_next_one_ask(tell: Tell) -> None:
    async def story(store: BreakerStore, wait: Callable[[int], None]) -> None:
        wait(await store.open("gcash", "UNANSWERED", None))
        assert await store.probe("gcash") == 0
        wait(5_000)
        assert await store.probe("gcash") == 0

    tell(story)


def test_a_probe_that_failed_is_over(tell: Tell) -> None:
    async def story(store: BreakerStore, wait: Callable[[int], None]) -> None:
        wait(await store.open("gcash", "UNANSWERED", None))
        await store.probe("gcash")
        wait(await store.open("gcash", "UNANSWERED", None))
        assert await store.probe("gcash") == 0

    tell(story)


def test_a_closed_breaker_needs_no_probe_and_begins_anew(tell: Tell) -> None:
    async def story(store: BreakerStore, wait: Callable[[int], None]) -> None:
        for _ in range(3):
            wait(await store.open("gcash", "UNANSWERED", None))
        await store.close("gcash")
        await store.close("gcash")
        assert await store.opened() == {}
        assert await store.probe("gcash") == 0
        assert await store.open("gcash", "UNANSWERED", None) == 1_000

    tell(story)


def test_each_gateway_has_a_breaker_of_its_own(tell: Tell) -> None:
    async def story(store: BreakerStore, _: Callable[[int], None]) -> None:
        await store.open("gcash", "HTTP_429", 60_000)
        assert await store.probe("tng") == 0
        await store.open("tng", "UNANSWERED", None)
        await store.close("gcash")
        assert list(await store.opened()) == ["tng"]

    tell(story)


def test_a_reason_may_hold_any_text_of_a_gateway(tell: Tell) -> None:
    async def story(store: BreakerStore, wait: Callable[[int], None]) -> None:
        await store.open("gcash", "A|B %d 100%", None)
        await store.probe("gcash")
        wait(1_000)
        await store.probe("gcash")
        (opened,) = (await store.opened()).values()
        assert opened.reason == "A|B %d 100%"

    tell(story)
