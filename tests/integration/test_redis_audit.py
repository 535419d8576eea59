"""The audit of the ledger in Redis, on ledgers that are right, wrong and in motion (DESIGN 1, 7)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest
from redis.asyncio import Redis
from typing_extensions import override

from tests.ledger_driver import final, learnt, new_message, new_messages
from worker.adapters.redis.audit import RedisAudit
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.ledger import RedisLedger
from worker.adapters.redis.limits import LedgerLimits
from worker.adapters.redis.reading import LedgerReader, Place
from worker.contract.audits import Fault, Misplaced, ShardAudit
from worker.contract.counting import Miscount
from worker.contract.errors import LedgerUnavailableError
from worker.contract.messages import Channel, DeliveryState, Lane
from worker.contract.origins import Origin

Result = TypeVar("Result")

KEYS = Keys(shards=2)
SHOP = Origin("shop")
MESSAGES = new_messages(600)
OPEN, FINAL = MESSAGES[0].message_id, MESSAGES[-1].message_id
WINDOW = 20


def on_redis(url: str, story: Callable[[Redis], Awaitable[Result]]) -> Result:
    async def tell() -> Result:
        async with Redis.from_url(url) as redis:
            return await story(redis)

    return asyncio.run(tell())


async def a_ledger(redis: Redis) -> RedisLedger:
    """Give one with final messages, due ones and backlogs that hold most."""
    ledger = RedisLedger(redis, KEYS, LedgerLimits(window_bulk=WINDOW))
    await ledger.accept("gone", Lane.SINGLE, MESSAGES[-10:])
    await finish(ledger, [message.message_id for message in MESSAGES[-10:]])
    await ledger.accept("shop", Lane.BULK, MESSAGES[:-10])
    return ledger


async def finish(ledger: RedisLedger, ids: Sequence[str]) -> None:
    for id_ in ids:
        for claim in await ledger.claim(KEYS.shard(id_), [id_], f"claim of {id_}"):
            await ledger.settle([final(claim, learnt(DeliveryState.S))])


async def audited(redis: Redis) -> list[ShardAudit]:
    return [audit async for audit in RedisAudit(redis, KEYS).shards()]


def found_after(url: str, harm: Callable[[Redis], Awaitable[object]]) -> list[ShardAudit]:
    """Return what an audit says once a sound ledger was harmed."""

    async def story(redis: Redis) -> list[ShardAudit]:
        await a_ledger(redis)
        await harm(redis)
        return [audit for audit in await audited(redis) if not audit.clean]

    return on_redis(url, story)


def record(id_: str) -> str:
    return KEYS.message(KEYS.shard(id_), id_)


def due(id_: str) -> str:
    return KEYS.due(KEYS.shard(id_))


def backlog(id_: str) -> str:
    return KEYS.backlog(KEYS.shard(id_), Lane.BULK, SHOP)


def misplaced(id_: str, app_id: str, request_id: str, fault: Fault) -> tuple[Misplaced, ...]:
    return (Misplaced(id_, app_id, request_id, fault),)


def test_a_sound_ledger_is_clean_and_every_record_was_read(redis_url: str) -> None:
    async def story(redis: Redis) -> list[ShardAudit]:
        await a_ledger(redis)
        return await audited(redis)

    audits = on_redis(redis_url, story)

    assert [audit.shard for audit in audits] == [0, 1, "jobs"]
    assert all(audit.clean for audit in audits)
    assert sum(audit.records for audit in audits) == len(MESSAGES)


def test_an_empty_ledger_is_clean(redis_url: str) -> None:
    assert on_redis(redis_url, audited) == [ShardAudit(0, 0), ShardAudit(1, 0), ShardAudit("jobs", 0)]


def test_forgotten_messages_are_not_missed(redis_url: str) -> None:
    async def story(redis: Redis) -> list[ShardAudit]:
        ledger = RedisLedger(redis, KEYS, LedgerLimits(retention=1))
        await ledger.accept("shop", Lane.BULK, MESSAGES[:50])
        await finish(ledger, [message.message_id for message in MESSAGES[:40]])
        await asyncio.sleep(0.01)
        assert await ledger.forget() == 40
        return await audited(redis)

    audits = on_redis(redis_url, story)

    assert all(audit.clean for audit in audits)
    assert sum(audit.records for audit in audits) == 10


def test_a_skipped_channel_is_no_delivery(redis_url: str) -> None:
    async def story(redis: Redis) -> list[ShardAudit]:
        message = new_message("one", channels=[Channel.INBOX], skipped=[Channel.PUSH])
        await RedisLedger(redis, KEYS).accept("shop", Lane.BULK, [message])
        return await audited(redis)

    assert all(audit.clean for audit in on_redis(redis_url, story))


def test_an_open_message_without_a_home_is_named(redis_url: str) -> None:
    (audit,) = found_after(redis_url, lambda redis: redis.zrem(due(OPEN), OPEN))

    assert audit.misplaced == misplaced(OPEN, "shop", "r0", Fault.HOMELESS)
    assert audit.miscounts == ()


def test_a_message_with_two_homes_is_named(redis_url: str) -> None:
    (audit,) = found_after(redis_url, lambda redis: redis.zadd(backlog(OPEN), {OPEN: 1}))

    assert audit.misplaced == misplaced(OPEN, "shop", "r0", Fault.TWO_HOMES)


def test_a_final_message_that_is_still_due_is_named(redis_url: str) -> None:
    (audit,) = found_after(redis_url, lambda redis: redis.zadd(due(FINAL), {FINAL: 1}))

    assert audit.misplaced == misplaced(FINAL, "gone", "r599", Fault.LEFT_BEHIND)


def test_a_due_message_without_a_record_is_named(redis_url: str) -> None:
    nobody = "0" * 32

    (audit,) = found_after(redis_url, lambda redis: redis.zadd(due(nobody), {nobody: 1}))

    assert audit.misplaced == misplaced(nobody, "", "", Fault.NO_RECORD)


def test_a_backlogged_message_that_takes_a_place_in_the_window_is_named(redis_url: str) -> None:
    """It would keep a message of its merchant from being released, for ever."""
    shard = KEYS.shard(OPEN)

    async def put_in(redis: Redis) -> None:
        (waiting,) = await redis.zrange(backlog(OPEN), -1, -1)
        await redis.zadd(KEYS.window(shard), {f"bulk#shop#{waiting.decode()}": 0})  # type: ignore[union-attr]

    (audit,) = found_after(redis_url, put_in)

    assert [message.fault for message in audit.misplaced] == [Fault.OVERSTAYED]


def test_the_keyspace_is_scanned_once_however_many_shards_there_are(redis_url: str) -> None:
    async def story(redis: Redis) -> int:
        ledger = RedisLedger(redis, Keys(16))
        await ledger.accept("shop", Lane.BULK, MESSAGES)
        await redis.config_resetstat()
        audits = [audit async for audit in RedisAudit(redis, Keys(16)).shards()]
        assert sum(audit.records for audit in audits) == len(MESSAGES)
        calls: int = (await redis.info("commandstats"))["cmdstat_scan"]["calls"]
        return calls

    assert on_redis(redis_url, story) == 1


def test_a_backlog_that_its_index_does_not_list_is_no_home(redis_url: str) -> None:
    audits = found_after(redis_url, lambda redis: redis.zrem(KEYS.backlogs(0, Lane.BULK), "shop"))

    (audit,) = audits
    assert len(audit.misplaced) > 100
    assert {message.fault for message in audit.misplaced} == {Fault.HOMELESS}


def test_a_counter_that_the_records_contradict_is_named(redis_url: str) -> None:
    async def count_twice(redis: Redis) -> None:
        await redis.hincrby(KEYS.counters(KEYS.shard(FINAL)), "gone#PUSH#S", 1)

    (audit,) = found_after(redis_url, count_twice)

    (miscount,) = audit.miscounts
    assert (miscount.app_id, miscount.status, miscount.counted - miscount.found) == ("gone", "S", 1)


def test_a_lost_record_is_missed_by_the_counters(redis_url: str) -> None:
    (audit,) = found_after(redis_url, lambda redis: redis.delete(record(FINAL)))

    statuses = {(miscount.status, miscount.counted - miscount.found) for miscount in audit.miscounts}
    assert statuses == {("accepted", 1), ("S", 1)}
    assert isinstance(audit.miscounts[0], Miscount)


def test_an_audit_changes_nothing(redis_url: str) -> None:
    async def everything(redis: Redis) -> dict[bytes, bytes | None]:
        return {key: await redis.dump(key) async for key in redis.scan_iter()}

    async def story(redis: Redis) -> tuple[object, object]:
        await a_ledger(redis)
        before = await everything(redis)
        await audited(redis)
        return before, await everything(redis)

    before, after = on_redis(redis_url, story)
    assert before == after


def test_a_ledger_in_motion_is_clean(redis_url: str) -> None:
    """While messages are taken, released and delivered as fast as they go."""

    async def work(redis: Redis, stop: asyncio.Event) -> None:
        ledger = RedisLedger(redis, KEYS, LedgerLimits(window_bulk=WINDOW))
        number = 0
        while not stop.is_set():
            number += 1
            news = [new_message(f"{number}-{each}") for each in range(50)]
            await ledger.accept("shop", Lane.BULK, news)
            for shard in range(KEYS.shards):
                hints = await ledger.release([(shard, Lane.BULK)])
                await finish(ledger, [id_ for hint in hints for id_ in hint.message_ids])

    async def story(redis: Redis) -> list[ShardAudit]:
        await a_ledger(redis)
        stop = asyncio.Event()
        working = asyncio.ensure_future(work(redis, stop))
        audits = [audit for _ in range(10) for audit in await audited(redis)]
        stop.set()
        await working
        return audits + await audited(redis)

    assert [audit for audit in on_redis(redis_url, story) if not audit.clean] == []


class MovingReader(LedgerReader):
    """A reader that something happens to between its reading of the backlogs and of the records, at every look."""

    def __init__(self, redis: Redis, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__(redis, KEYS)
        self._meanwhile = meanwhile

    @override
    async def backlogs(self, shard: int) -> dict[Place, set[str]]:
        found = await super().backlogs(shard)
        await self._meanwhile()
        return found


class Moving(RedisAudit):
    def __init__(self, redis: Redis, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__(redis, KEYS)
        self._reader = MovingReader(redis, meanwhile)


def test_a_message_released_while_it_is_looked_at_is_not_named(redis_url: str) -> None:
    async def story(redis: Redis) -> list[ShardAudit]:
        ledger = await a_ledger(redis)

        async def deliver_some() -> None:
            for shard in range(KEYS.shards):
                due_now: list[bytes] = await redis.zrange(KEYS.due(shard), 0, WINDOW - 1)  # type: ignore[assignment]
                await finish(ledger, [member.decode() for member in due_now])
                await ledger.release([(shard, Lane.BULK)])

        return [audit async for audit in Moving(redis, deliver_some).shards()]

    assert all(audit.clean for audit in on_redis(redis_url, story))


def test_a_store_that_does_not_answer_is_told_as_one(redis_url: str) -> None:
    with pytest.raises(LedgerUnavailableError, match="check TIDINGS_REDIS_URL"):
        on_redis("redis://127.0.0.1:1", audited)
    assert on_redis(redis_url, audited)
