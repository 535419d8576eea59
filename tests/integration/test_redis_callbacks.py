"""Registrations of callbacks in Redis, and the callbacks that were given up."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from tests.fakes.clock import FakeClock
from tests.ledger_driver import dead, final, ids, new_messages
from worker.adapters.redis.callback_outbox import RedisCallbackOutbox
from worker.adapters.redis.callbacks import RedisCallbacks
from worker.adapters.redis.dead_callbacks import RedisDeadCallbacks
from worker.adapters.redis.dead_letters import RedisDeadLetters
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.ledger import RedisLedger
from worker.adapters.redis.limits import LedgerLimits
from worker.contract.callbacks import (
    EVERY_OUTCOME,
    CallbackKey,
    CallbackRegistration,
    CallbackSettlement,
    CallbackVerdict,
    DeadCallback,
    Disabled,
    OutcomeKey,
    SealedSecret,
)
from worker.contract.codes import ResultStatus
from worker.contract.dead_letters import DeadLetterQuery
from worker.contract.messages import Lane

KEYS = Keys(shards=4)
SHOP = CallbackRegistration(
    "shop", "https://shop.example", EVERY_OUTCOME, (SealedSecret("sealed", 7), SealedSecret("n"))
)
START = 1_700_000_000_000


def on_redis(url: str, story: Callable[[Redis], Awaitable[None]]) -> None:
    async def tell() -> None:
        async with Redis.from_url(url) as redis:
            await story(redis)

    asyncio.run(tell())


async def put(registry: RedisCallbacks, registration: CallbackRegistration) -> None:
    await registry.change(registration.app_id, lambda _: registration)


@pytest.mark.parametrize(
    "registration", [SHOP, replace(SHOP, outcomes=frozenset({ResultStatus.F}), disabled=Disabled(7, "by hand"))]
)
def test_a_registration_is_read_as_it_was_put(redis_url: str, registration: CallbackRegistration) -> None:
    async def story(redis: Redis) -> None:
        await put(RedisCallbacks(redis, FakeClock()), registration)

        assert await RedisCallbacks(redis, FakeClock()).all() == {"shop": registration}

    on_redis(redis_url, story)


def test_other_processes_hear_of_a_registration_within_a_second(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        clock = FakeClock()
        other = RedisCallbacks(redis, clock)
        assert await other.all() == {}
        await put(RedisCallbacks(redis, FakeClock()), SHOP)

        assert await other.all() == {}
        clock.advance(1_001)
        assert await other.all() == {"shop": SHOP}

    on_redis(redis_url, story)


def test_of_changes_at_once_none_is_lost(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        registries = [RedisCallbacks(redis, FakeClock()) for _ in range(10)]
        await put(registries[0], replace(SHOP, secrets=()))

        def more(known: CallbackRegistration | None) -> CallbackRegistration:
            assert known is not None
            return replace(known, secrets=(*known.secrets, SealedSecret("one more")))

        await asyncio.gather(*(registry.change("shop", more) for registry in registries))

        assert len((await registries[0].all())["shop"].secrets) == 10

    on_redis(redis_url, story)


def test_a_callback_is_disabled_once_and_only_for_the_url_that_said_so(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        clock = FakeClock()
        registry = RedisCallbacks(redis, clock)
        await put(registry, SHOP)

        await registry.disable("shop", "https://older.example", "gone")
        await registry.disable("unknown", SHOP.url, "gone")
        assert await registry.all() == {"shop": SHOP}
        await registry.disable("shop", SHOP.url, "gone")
        first = clock.now()
        clock.advance(5)
        await registry.disable("shop", SHOP.url, "gone again")

        assert (await registry.all())["shop"] == SHOP.disabled_by(Disabled(first, "gone"))

    on_redis(redis_url, story)


class Cemetery:
    """Callbacks that were given up: six of the shop, which failed, and four of the cafe, which were delivered."""

    def __init__(self, redis: Redis) -> None:
        self.now = START
        self.ledger = RedisLedger(redis, KEYS, LedgerLimits(retention=50_000), self._time)
        self.letters = RedisDeadLetters(redis, KEYS, LedgerLimits(), self._time)
        self.outbox = RedisCallbackOutbox(redis, KEYS, self._time)
        self.dead = RedisDeadCallbacks(redis, KEYS, self._time)

    def _time(self) -> int:
        return self.now

    async def fill(self) -> None:
        for app, number, end in (("shop", 6, dead), ("cafe", 4, final)):
            messages = new_messages(number, app)
            await self.ledger.accept(app, Lane.BULK, messages, EVERY_OUTCOME)
            for shard in range(KEYS.shards):
                claims = await self.ledger.claim(shard, ids(messages), f"{app}{shard}")
                await self.ledger.settle([end(claim) for claim in claims])
        await self.give_up()

    async def give_up(self) -> None:
        """Give up everything that is due, one a millisecond, after one try each."""
        for callback in await self.outbox.claim(dict.fromkeys(await self.outbox.due(), 10), 1_000):
            self.now += 1
            await self.outbox.settle([CallbackSettlement(callback, CallbackVerdict.DEAD, tries=1, detail="HTTP 500")])

    async def keys(self, app_id: str | None = None) -> list[CallbackKey]:
        return [callback.key for callback in await self.dead.newest(100, app_id)]


def in_cemetery(url: str, story: Callable[[Cemetery], Awaitable[None]]) -> None:
    async def tell(redis: Redis) -> None:
        cemetery = Cemetery(redis)
        await cemetery.fill()
        await story(cemetery)

    on_redis(url, tell)


def test_dead_callbacks_are_listed_the_newest_first_with_what_was_answered(redis_url: str) -> None:
    async def story(cemetery: Cemetery) -> None:
        found = await cemetery.dead.newest(100)

        assert [one.died_at for one in found] == [START + number for number in range(10, 0, -1)]
        assert found == [
            DeadCallback(
                one.key,
                one.died_at,
                one.request_id,
                ResultStatus.F if one.key.app_id == "shop" else ResultStatus.S,
                1,
                "HTTP 500",
            )
            for one in found
        ]
        assert await cemetery.dead.newest(3) == found[:3]
        assert {key.app_id for key in await cemetery.keys("shop")} == {"shop"}
        assert len(await cemetery.dead.newest(5, "shop")) == 5
        assert await cemetery.dead.find([found[4].key.subject, "f" * 32]) == [found[4]]

    in_cemetery(redis_url, story)


def test_an_appid_with_the_marks_of_a_pattern_means_itself(redis_url: str) -> None:
    async def story(cemetery: Cemetery) -> None:
        assert await cemetery.keys("s*") == []
        assert await cemetery.dead.every("s[h]op") == []
        assert len(await cemetery.dead.every("shop")) == 6

    in_cemetery(redis_url, story)


def test_a_replayed_callback_is_made_from_the_start_and_only_once(redis_url: str) -> None:
    async def story(cemetery: Cemetery) -> None:
        keys = await cemetery.keys("shop")
        cemetery.now += 70

        assert await cemetery.dead.replay([*keys[:2], OutcomeKey("shop", "f" * 32, 1)]) == [True, True, False]
        assert await cemetery.dead.replay(keys[:2]) == [False, False]

        due = await cemetery.outbox.claim(dict.fromkeys(await cemetery.outbox.due(), 10), 1_000)
        assert {callback.key for callback in due} == set(keys[:2])
        assert {(callback.tries, callback.since) for callback in due} == {(0, cemetery.now)}
        assert set(await cemetery.keys("shop")) == set(keys[2:])

    in_cemetery(redis_url, story)


def test_a_discarded_callback_is_gone_for_good(redis_url: str) -> None:
    async def story(cemetery: Cemetery) -> None:
        keys = await cemetery.dead.every()

        assert await cemetery.dead.discard(keys) == [True] * 10
        assert await cemetery.dead.discard(keys) == [False] * 10
        assert await cemetery.dead.replay(keys) == [False] * 10

        assert await cemetery.outbox.due() == []
        assert await cemetery.dead.newest(10) == []

    in_cemetery(redis_url, story)


def test_a_message_that_is_opened_again_takes_its_dead_callback_along(redis_url: str) -> None:
    async def story(cemetery: Cemetery) -> None:
        letters = (await cemetery.letters.page(DeadLetterQuery(), 100)).letters

        await cemetery.letters.replay(letters[:2], "run-1", 60_000)

        assert len(await cemetery.keys("shop")) == 4

    in_cemetery(redis_url, story)


def test_what_is_forgotten_is_no_dead_callback_any_more(redis_url: str) -> None:
    async def story(cemetery: Cemetery) -> None:
        cemetery.now += 50_000
        assert await cemetery.ledger.forget() == 4

        assert {key.app_id for key in await cemetery.keys()} == {"shop"}

    in_cemetery(redis_url, story)
