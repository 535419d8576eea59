"""Counters of batches that the records contradict, in Redis: found by the audit and set right (DESIGN 7)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace

import pytest
from redis.asyncio import Redis

from tests.ledger_driver import dead, final, ids, learnt, new_messages
from worker.adapters.redis.audit import RedisAudit
from worker.adapters.redis.batches import RedisBatches
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.ledger import RedisLedger
from worker.adapters.redis.limits import LedgerLimits
from worker.adapters.redis.repair import RedisRepair
from worker.contract.audits import ShardAudit
from worker.contract.counting import BatchMiscount
from worker.contract.messages import Channel, DeliveryState, Lane
from worker.contract.origins import BatchPart, BatchTally, Origin
from worker.contract.repairs import BatchRecounted, ShardRepair

KEYS = Keys(shards=1)
BATCH = Origin("shop", "june")
MESSAGES = new_messages(12)
RIGHT = BatchTally(taken=12, open=5, S=3, F=2, U=1, forgotten=1)


async def a_batch(redis: Redis) -> None:
    """Make one with every outcome, one of which is forgotten."""
    ledger = RedisLedger(redis, KEYS, LedgerLimits(retention=1))
    await ledger.accept("shop", Lane.BULK, MESSAGES, part=BatchPart("june"))
    forgotten, *claims = await ledger.claim(0, ids(MESSAGES[:7]), "c")
    await ledger.settle([final(forgotten)])
    await asyncio.sleep(0.01)
    assert await ledger.forget() == 1
    unknown = learnt(DeliveryState.U, "UNANSWERED", "time-out")
    await ledger.settle([final(one) for one in claims[:3]])
    await ledger.settle([dead(claims[3]), dead(claims[4]), dead(claims[5], unknown)])


def on_redis(url: str, story: Callable[[Redis], Awaitable[None]]) -> None:
    async def tell() -> None:
        async with Redis.from_url(url) as redis:
            await a_batch(redis)
            assert await RedisBatches(redis, KEYS).tally(BATCH) == RIGHT
            await story(redis)

    asyncio.run(tell())


async def faulty(redis: Redis) -> list[ShardAudit]:
    return [audit async for audit in RedisAudit(redis, KEYS).shards() if not audit.clean]


async def mended(redis: Redis) -> list[ShardRepair]:
    return [repair async for repair in RedisRepair(redis, KEYS).mend(await faulty(redis))]


async def count(redis: Redis, status: str, number: int) -> None:
    await redis.hincrby(KEYS.batches(0), f"shop#june#{status}", number)


def test_a_batch_whose_counters_are_right_is_clean(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        assert await faulty(redis) == []

    on_redis(redis_url, story)


@pytest.mark.parametrize("status", ["taken", "open", "S", "F", "U"])
@pytest.mark.parametrize("off", [-1, 1])
def test_a_counter_that_the_records_contradict_is_found_and_set_right(redis_url: str, status: str, off: int) -> None:
    async def story(redis: Redis) -> None:
        await count(redis, status, off)

        right = asdict(RIGHT)[status]
        remembered = right - 1 if status == "taken" else right
        (audit,) = await faulty(redis)
        assert audit.batches == (BatchMiscount(BATCH, status, remembered + off, remembered),)
        assert await mended(redis) == [ShardRepair(0, batches=(BatchRecounted(BATCH, status, right + off, right),))]
        assert await RedisBatches(redis, KEYS).tally(BATCH) == RIGHT
        assert await mended(redis) == []

    on_redis(redis_url, story)


def test_a_batch_whose_counters_are_lost_is_counted_anew(redis_url: str) -> None:
    """What was forgotten of it is known to the counters alone."""

    async def story(redis: Redis) -> None:
        await redis.delete(KEYS.batches(0))

        await mended(redis)

        assert await RedisBatches(redis, KEYS).tally(BATCH) == BatchTally(taken=11, open=5, S=3, F=2, U=1)

    on_redis(redis_url, story)


def test_a_batch_without_messages_is_forgotten(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        for status, number in asdict(RIGHT).items():
            await redis.hset(KEYS.batches(0), f"shop#july#{status}", number)

        assert len((await mended(redis))[0].batches) == 6
        assert {name for name in await redis.hkeys(KEYS.batches(0)) if b"july" in name} == set()

    on_redis(redis_url, story)


def test_a_message_of_which_one_channel_is_open_is_open_and_one_with_a_failed_channel_failed(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        ledger = RedisLedger(redis, KEYS)
        both = new_messages(2, prefix="both")
        await ledger.accept(
            "shop", Lane.BULK, [replace(one, channels=tuple(Channel)) for one in both], part=BatchPart("may")
        )
        first, _ = await ledger.claim(0, ids(both), "c")
        await ledger.settle([dead(first, learnt(DeliveryState.S), learnt(DeliveryState.F, "X", "", Channel.INBOX))])

        assert await RedisBatches(redis, KEYS).tally(Origin("shop", "may")) == BatchTally(taken=2, open=1, F=1)
        assert await faulty(redis) == []

    on_redis(redis_url, story)


def test_a_batch_in_motion_is_clean(redis_url: str) -> None:
    async def work(redis: Redis, stop: asyncio.Event) -> None:
        ledger = RedisLedger(redis, KEYS)
        number = 0
        while not stop.is_set():
            number += 1
            news = new_messages(30, prefix=f"m{number}-")
            await ledger.accept("shop", Lane.BULK, news, part=BatchPart("june"))
            await ledger.settle([final(one) for one in await ledger.claim(0, ids(news), f"{number}")])

    async def story(redis: Redis) -> None:
        stop = asyncio.Event()
        working = asyncio.ensure_future(work(redis, stop))
        found = [audit for _ in range(5) for audit in await faulty(redis)]
        stop.set()
        await working
        assert found == []

    on_redis(redis_url, story)
