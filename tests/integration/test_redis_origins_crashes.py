"""Whoever pauses, resumes, cancels, withdraws or wakes may die before any call to Redis: done again, it is done."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from typing_extensions import override

from tests.ledger_driver import START, final, new_messages
from tests.ledger_invariants import check_homes
from tests.ledger_state import LedgerState, state_of_redis
from worker.adapters.redis.batches import RedisBatches
from worker.adapters.redis.cancelling import RedisCancellations
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.ledger import RedisLedger
from worker.adapters.redis.limits import LedgerLimits
from worker.adapters.redis.pauses import RedisPauses
from worker.adapters.redis.schedule import RedisSchedule
from worker.adapters.redis.upkeep import RedisUpkeep
from worker.contract.messages import Lane
from worker.contract.origins import BatchPart, BatchStart, Origin

KEYS = Keys(shards=3)
LIMITS = LedgerLimits(window_bulk=5, staging=60_000)
SHOP, B1 = Origin("shop"), Origin("shop", "b1")
LATER = START + 120_000
"""After which what is staged is withdrawn, and what is scheduled is woken."""


class Died(BaseException):
    """The process is no more."""


class Mortal(Redis):
    """A connection pool of a process that dies before one of its calls."""

    calls_left = 1_000_000

    def _live(self) -> None:
        self.calls_left -= 1
        if self.calls_left < 0:
            raise Died

    @override
    async def execute_command(self, *args: Any, **options: Any) -> Any:
        self._live()
        return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    @override
    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        pipeline = super().pipeline(transaction, shard_hint)
        execute = pipeline.execute

        async def counted(raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002 - redis-py's own
            self._live()
            return await execute(raise_on_error)

        pipeline.execute = counted  # type: ignore[method-assign]
        return pipeline


async def furnish(redis: Redis) -> None:
    """Leave messages in every home, of a merchant and of two batches."""
    await redis.flushdb()
    ledger = RedisLedger(redis, KEYS, LIMITS, lambda: START)
    await ledger.accept("shop", Lane.BULK, new_messages(40))
    await ledger.accept("shop", Lane.BULK, new_messages(12, prefix="b"), part=BatchPart("b1", BatchStart.STAGED))
    planned = [replace(message, send_at=START + 60_000) for message in new_messages(12, prefix="p")]
    await ledger.accept("shop", Lane.BULK, planned)
    await ledger.accept("shop", Lane.BULK, [replace(one, row=7) for one in planned], part=BatchPart("b1"))
    await ledger.accept("cafe", Lane.SINGLE, new_messages(9, app_id="cafe"))
    for shard in range(KEYS.shards):
        ids = [message.message_id for message in new_messages(6) if KEYS.shard(message.message_id) == shard]
        claims = await ledger.claim(shard, ids, "claim-1")
        await ledger.settle([final(claim) for claim in claims[:1]])


Act = Callable[[Redis], Awaitable[object]]


async def pause(redis: Redis) -> None:
    await RedisPauses(redis, KEYS, LIMITS, lambda: START).pause(SHOP)


async def resume(redis: Redis) -> None:
    await RedisPauses(redis, KEYS, LIMITS, lambda: START).resume(B1)


async def cancel(redis: Redis) -> None:
    async for _ in RedisCancellations(redis, KEYS, LIMITS, lambda: START + 5).cancel_all(SHOP, "why"):
        pass


async def run(redis: Redis) -> None:
    assert await RedisBatches(redis, KEYS, LIMITS, lambda: START).run(B1)


async def withdraw(redis: Redis) -> None:
    assert await RedisBatches(redis, KEYS, LIMITS, lambda: START).withdraw(B1)


async def look_after(redis: Redis) -> None:
    pauses = RedisPauses(redis, KEYS, LIMITS, lambda: LATER)
    batches = RedisBatches(redis, KEYS, LIMITS, lambda: LATER)
    await RedisUpkeep(pauses, batches, RedisSchedule(redis, KEYS, lambda: LATER)).look_after()


@pytest.mark.parametrize("act", [pause, resume, cancel, run, withdraw, look_after])
def test_done_again_after_any_death_it_is_as_if_nobody_had_died(redis_url: str, act: Act) -> None:
    async def after(calls: int) -> tuple[LedgerState, bool]:
        async with Redis.from_url(redis_url) as redis, Mortal.from_url(redis_url) as mortal:
            await furnish(redis)
            assert isinstance(mortal, Mortal)
            mortal.calls_left = calls
            died = False
            try:
                await act(mortal)
            except Died:
                died = True
            check_homes(await state_of_redis(redis, KEYS))
            await act(redis)
            return await state_of_redis(redis, KEYS), died

    async def story() -> None:
        expected, _ = await after(1_000_000)
        check_homes(expected)
        calls, died = 0, True
        while died:
            state, died = await after(calls)
            assert state == expected
            calls += 1
        assert calls > 1

    asyncio.run(story())
