"""The repair of a ledger in Redis: every fault that an audit finds, mended, and nothing else (DESIGN 1, 7)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import pytest
from redis.asyncio import Redis
from typing_extensions import override

from tests.ledger_driver import dead, final, learnt, new_message, new_messages, retry
from tests.ledger_invariants import check_homes
from tests.ledger_state import state_of_redis
from worker.adapters.redis.audit import RedisAudit
from worker.adapters.redis.batches import RedisBatches
from worker.adapters.redis.dead_letters import RedisDeadLetters
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.ledger import RedisLedger
from worker.adapters.redis.limits import LedgerLimits
from worker.adapters.redis.pauses import RedisPauses
from worker.adapters.redis.reading import LedgerReader, Reading, Seen
from worker.adapters.redis.recounting import Recounting
from worker.adapters.redis.repair import RedisRepair
from worker.contract.audits import Fault, Misplaced, ShardAudit
from worker.contract.dead_letters import DeadLetterQuery
from worker.contract.errors import LedgerUnavailableError
from worker.contract.messages import Channel, DeliveryState, Lane
from worker.contract.origins import BatchPart, BatchStart, Origin
from worker.contract.repairs import Mend, Recounted, Relisted, ShardRepair

Result = TypeVar("Result")
Harm = Callable[[Redis], Awaitable[object]]

KEYS = Keys(shards=2)
SHOP = Origin("shop")
MESSAGES = new_messages(100)
WINDOW = 10
FINAL = MESSAGES[0].message_id
DUE, WAITING = MESSAGES[1].message_id, MESSAGES[-1].message_id
NOBODY = "0" * 32


def on_redis(url: str, story: Callable[[Redis], Awaitable[Result]]) -> Result:
    async def tell() -> Result:
        async with Redis.from_url(url) as redis:
            await _a_ledger(redis)
            return await story(redis)

    return asyncio.run(tell())


async def _a_ledger(redis: Redis) -> None:
    """Make one with a final message, due ones and backlogs that hold most."""
    ledger = RedisLedger(redis, KEYS, LedgerLimits(window_bulk=WINDOW))
    await ledger.accept("shop", Lane.BULK, MESSAGES)
    (claim,) = await ledger.claim(KEYS.shard(FINAL), [FINAL], "claim-1")
    await ledger.settle([final(claim, learnt(DeliveryState.S))])


def due(id_: str) -> str:
    return KEYS.due(KEYS.shard(id_))


def window(id_: str) -> str:
    return KEYS.window(KEYS.shard(id_))


def waiting(id_: str) -> str:
    return KEYS.waiting(KEYS.shard(id_))


def counters(id_: str) -> str:
    return KEYS.counters(KEYS.shard(id_))


def backlog(id_: str) -> str:
    return KEYS.backlog(KEYS.shard(id_), Lane.BULK, SHOP)


def own_place(id_: str) -> str:
    return f"bulk#shop#{id_}"


async def audited(redis: Redis) -> list[ShardAudit]:
    return [audit async for audit in RedisAudit(redis, KEYS).shards()]


async def mended(redis: Redis, audits: list[ShardAudit]) -> list[ShardRepair]:
    return [repair async for repair in RedisRepair(redis, KEYS).mend(audits)]


async def everything(redis: Redis) -> dict[bytes, bytes | None]:
    return {key: await redis.dump(key) async for key in redis.scan_iter()}


def after_harm(url: str, harm: Harm) -> list[ShardRepair]:
    """Return what was mended of a sound ledger that was harmed; it must be sound again then."""

    async def story(redis: Redis) -> list[ShardRepair]:
        await harm(redis)
        repairs = await mended(redis, await audited(redis))
        assert all(audit.clean for audit in await audited(redis))
        check_homes(await state_of_redis(redis, KEYS))
        return repairs

    return on_redis(url, story)


async def take_home(redis: Redis) -> None:
    await redis.zrem(due(DUE), DUE)
    await redis.zrem(window(DUE), own_place(DUE))


async def give_second_home(redis: Redis) -> None:
    await redis.zadd(due(WAITING), {WAITING: 1})


async def leave_final_due(redis: Redis) -> None:
    await redis.zadd(due(FINAL), {FINAL: 1})
    await redis.zadd(window(FINAL), {own_place(FINAL): 0})


async def leave_final_in_backlog(redis: Redis) -> None:
    await redis.zadd(backlog(FINAL), {FINAL: 1})


async def haunt_due(redis: Redis) -> None:
    await redis.zadd(due(NOBODY), {NOBODY: 1})


async def haunt_backlog(redis: Redis) -> None:
    await redis.zadd(backlog(NOBODY), {NOBODY: 1})


async def haunt_window(redis: Redis) -> None:
    await redis.zadd(window(NOBODY), {f"single#cafe#{NOBODY}": 0})


async def overstay(redis: Redis) -> None:
    await redis.zadd(window(FINAL), {own_place(FINAL): 0})


async def stray(redis: Redis) -> None:
    await redis.zrem(window(DUE), own_place(DUE))
    await redis.zadd(window(DUE), {f"single#cafe#{DUE}": 0})


async def stop_counting(redis: Redis) -> None:
    await redis.zrem(window(DUE), own_place(DUE))


async def count_twice(redis: Redis) -> None:
    await redis.zadd(waiting(DUE), {own_place(DUE): 0})


async def wait_in_backlog(redis: Redis) -> None:
    await redis.zadd(waiting(WAITING), {own_place(WAITING): 0})


async def wait_as_another(redis: Redis) -> None:
    await redis.zadd(waiting(DUE), {f"single#cafe#{DUE}": 0})


async def wait_without_record(redis: Redis) -> None:
    await redis.zadd(waiting(NOBODY), {f"bulk#shop#{NOBODY}": 0})


async def lose_answer(redis: Redis) -> None:
    key = KEYS.message(KEYS.shard(DUE), DUE)
    await redis.hset(key, "PUSH", "O|5|UNANSWERED|time-out")


async def miss_nothing(redis: Redis) -> None:
    await redis.zadd(KEYS.unanswered(KEYS.shard(WAITING)), {WAITING: 5})


async def miss_nothing_final(redis: Redis) -> None:
    await redis.zadd(KEYS.unknown(KEYS.shard(FINAL)), {FINAL: 5})


async def miss_nothing_unrecorded(redis: Redis) -> None:
    await redis.zadd(KEYS.unanswered(KEYS.shard(NOBODY)), {NOBODY: 5})


async def never_forget(redis: Redis) -> None:
    await redis.zrem(KEYS.retention(KEYS.shard(FINAL)), FINAL)


async def forget_open(redis: Redis) -> None:
    await redis.zadd(KEYS.retention(KEYS.shard(DUE)), {DUE: 5})


async def forget_nobody(redis: Redis) -> None:
    await redis.zadd(KEYS.retention(KEYS.shard(NOBODY)), {NOBODY: 5})


async def bury_final(redis: Redis) -> None:
    await redis.zadd(KEYS.dead(KEYS.shard(FINAL)), {FINAL: 5})
    await redis.zadd(KEYS.cards(KEYS.shard(FINAL)), {f"{5:013}#{FINAL} cause=TRIES ": 0})


async def plan(redis: Redis, id_: str) -> dict[str, int]:
    """Return the member of the schedule that the message's record asks for."""
    deadline = await redis.hget(KEYS.message(KEYS.shard(id_), id_), "exp")
    return {f"bulk#shop##{id_}#{int(deadline or 5)}": 5}


async def schedule_due(redis: Redis) -> None:
    for index in (KEYS.scheduled, KEYS.plans):
        await redis.zadd(index(KEYS.shard(DUE)), await plan(redis, DUE))


async def schedule_backlogged(redis: Redis) -> None:
    for index in (KEYS.scheduled, KEYS.plans):
        await redis.zadd(index(KEYS.shard(WAITING)), await plan(redis, WAITING))


async def schedule_final(redis: Redis) -> None:
    await redis.zadd(KEYS.scheduled(KEYS.shard(FINAL)), await plan(redis, FINAL))


async def schedule_unrecorded(redis: Redis) -> None:
    await redis.zadd(KEYS.scheduled(KEYS.shard(NOBODY)), await plan(redis, NOBODY))


async def plan_without_a_time(redis: Redis) -> None:
    await redis.zadd(KEYS.plans(KEYS.shard(DUE)), await plan(redis, DUE))


async def schedule_without_a_plan(redis: Redis) -> None:
    await redis.zrem(due(DUE), DUE)
    await redis.zrem(window(DUE), own_place(DUE))
    await redis.zadd(KEYS.scheduled(KEYS.shard(DUE)), await plan(redis, DUE))


async def schedule_as_another(redis: Redis) -> None:
    await redis.zadd(KEYS.scheduled(KEYS.shard(DUE)), {f"bulk#shop#b9#{DUE}#7": 5})


HARMS: dict[str, tuple[Harm, str, Fault, Mend]] = {
    "an open message without a home": (take_home, DUE, Fault.HOMELESS, Mend.PUT_BACK),
    "a message with two homes": (give_second_home, WAITING, Fault.TWO_HOMES, Mend.MOVED_IN),
    "a final message that is due": (leave_final_due, FINAL, Fault.LEFT_BEHIND, Mend.TAKEN_OUT),
    "a final message in a backlog": (leave_final_in_backlog, FINAL, Fault.LEFT_BEHIND, Mend.TAKEN_OUT),
    "a due message without a record": (haunt_due, NOBODY, Fault.NO_RECORD, Mend.TAKEN_OUT),
    "a backlogged message without a record": (haunt_backlog, NOBODY, Fault.NO_RECORD, Mend.TAKEN_OUT),
    "a message without a record in a window": (haunt_window, NOBODY, Fault.NO_RECORD, Mend.MADE_ROOM),
    "a final message in its window": (overstay, FINAL, Fault.OVERSTAYED, Mend.TAKEN_OUT),
    "a message in the window of another merchant": (stray, DUE, Fault.OVERSTAYED, Mend.MADE_ROOM),
    "a due message in no window": (stop_counting, DUE, Fault.NOT_INDEXED, Mend.INDEXED),
    "a message in its window that is said to wait": (count_twice, DUE, Fault.INDEXED_STILL, Mend.INDEXED),
    "a backlogged message that is said to wait": (wait_in_backlog, WAITING, Fault.OVERSTAYED, Mend.MADE_ROOM),
    "a message that waits as another merchant's": (wait_as_another, DUE, Fault.OVERSTAYED, Mend.MADE_ROOM),
    "an open message without an answer": (lose_answer, DUE, Fault.NOT_INDEXED, Mend.INDEXED),
    "an open message that misses no answer": (miss_nothing, WAITING, Fault.INDEXED_STILL, Mend.INDEXED),
    "a final message that misses no answer": (miss_nothing_final, FINAL, Fault.INDEXED_STILL, Mend.INDEXED),
    "a message without a record or answer": (miss_nothing_unrecorded, NOBODY, Fault.NO_RECORD, Mend.INDEXED),
    "a due message that is scheduled": (schedule_due, DUE, Fault.TWO_HOMES, Mend.MOVED_IN),
    "a backlogged message that is scheduled": (schedule_backlogged, WAITING, Fault.TWO_HOMES, Mend.MOVED_IN),
    "a final message that is scheduled": (schedule_final, FINAL, Fault.LEFT_BEHIND, Mend.TAKEN_OUT),
    "a message without a record that is scheduled": (schedule_unrecorded, NOBODY, Fault.NO_RECORD, Mend.MADE_ROOM),
    "a due message that is scheduled as another's": (schedule_as_another, DUE, Fault.TWO_HOMES, Mend.MADE_ROOM),
    "a due message among the plans": (plan_without_a_time, DUE, Fault.INDEXED_STILL, Mend.INDEXED),
    "a scheduled message without a plan": (schedule_without_a_plan, DUE, Fault.NOT_INDEXED, Mend.INDEXED),
    "a final message that is never forgotten": (never_forget, FINAL, Fault.NOT_INDEXED, Mend.INDEXED),
    "an open message that is to be forgotten": (forget_open, DUE, Fault.INDEXED_STILL, Mend.INDEXED),
    "a message without a record that is to be forgotten": (forget_nobody, NOBODY, Fault.NO_RECORD, Mend.INDEXED),
    "a final message among the dead letters": (bury_final, FINAL, Fault.INDEXED_STILL, Mend.INDEXED),
    "a message without a record that waits": (wait_without_record, NOBODY, Fault.NO_RECORD, Mend.MADE_ROOM),
}


@pytest.mark.parametrize(("harm", "id_", "fault", "mend"), HARMS.values(), ids=HARMS)
def test_a_fault_is_mended_and_named(redis_url: str, harm: Harm, id_: str, fault: Fault, mend: Mend) -> None:
    (repair,) = after_harm(redis_url, harm)

    (one,) = repair.mended
    assert (one.message.message_id, one.message.fault, one.mend) == (id_, fault, mend)
    assert (repair.relisted, repair.recounted) == ((), ())


def test_a_dead_letter_that_is_U_is_listed_again_with_the_time_of_its_answer(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        ledger = RedisLedger(redis, KEYS)
        unknown = learnt(DeliveryState.U, "UNANSWERED", "time-out")
        await ledger.settle([dead(claim, unknown) for claim in await ledger.claim(KEYS.shard(DUE), [DUE], "claim-1")])
        before = (await state_of_redis(redis, KEYS)).unknown
        await redis.zrem(KEYS.unknown(KEYS.shard(DUE)), DUE)
        (repair,) = await mended(redis, await audited(redis))
        assert [(one.message.fault, one.mend) for one in repair.mended] == [(Fault.NOT_INDEXED, Mend.INDEXED)]
        assert (await state_of_redis(redis, KEYS)).unknown == before
        assert before.keys() == {DUE}

    on_redis(redis_url, story)


def test_a_dead_letter_that_no_index_names_is_found_by_searches_again(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        letters = RedisDeadLetters(redis, KEYS)
        ledger = RedisLedger(redis, KEYS)
        await ledger.settle([dead(claim) for claim in await ledger.claim(KEYS.shard(DUE), [DUE], "claim-1")])
        assert all(audit.clean for audit in await audited(redis))
        await redis.delete(KEYS.dead(KEYS.shard(DUE)), KEYS.cards(KEYS.shard(DUE)))
        assert (await letters.page(DeadLetterQuery(), 10)).letters == ()

        (repair,) = await mended(redis, await audited(redis))

        assert [(one.message.fault, one.mend) for one in repair.mended] == [(Fault.NOT_INDEXED, Mend.INDEXED)]
        assert [letter.message_id for letter in (await letters.page(DeadLetterQuery(), 10)).letters] == [DUE]

    on_redis(redis_url, story)


def test_a_final_message_among_the_dead_letters_takes_its_card_along(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        await bury_final(redis)
        await mended(redis, await audited(redis))
        assert not await redis.exists(KEYS.dead(KEYS.shard(FINAL)), KEYS.cards(KEYS.shard(FINAL)))

    on_redis(redis_url, story)


def test_a_message_put_back_is_due_at_once_and_has_its_place_in_the_window(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        before = await state_of_redis(redis, KEYS)
        await take_home(redis)
        await mended(redis, await audited(redis))
        after = await state_of_redis(redis, KEYS)
        assert after.window == before.window
        assert len(await RedisLedger(redis, KEYS).sweep()) == 1

    on_redis(redis_url, story)


def test_a_message_put_back_that_waits_for_a_retry_waits_still(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        ledger = RedisLedger(redis, KEYS)
        await ledger.settle([retry(claim) for claim in await ledger.claim(KEYS.shard(DUE), [DUE], "claim-1")])
        before = await state_of_redis(redis, KEYS)
        await redis.zrem(due(DUE), DUE)
        await redis.zrem(waiting(DUE), own_place(DUE))
        await mended(redis, await audited(redis))
        after = await state_of_redis(redis, KEYS)
        assert (after.window, after.waiting) == (before.window, before.waiting)
        assert (Lane.BULK, "shop", DUE) in after.waiting

    on_redis(redis_url, story)


def test_a_backlog_that_was_in_no_index_is_listed_again_and_its_messages_stay_in_it(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        before = await everything(redis)
        await redis.zrem(KEYS.backlogs(1, Lane.BULK), "shop")
        assert await mended(redis, await audited(redis)) == [ShardRepair(1, (), (Relisted(Lane.BULK, SHOP),), ())]
        assert (await everything(redis)).keys() == before.keys()
        assert all(audit.clean for audit in await audited(redis))

    on_redis(redis_url, story)


def test_a_backlog_that_is_listed_as_paused_and_is_not_has_its_turns_again(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        before = await everything(redis)
        await redis.zrem(KEYS.backlogs(1, Lane.BULK), "shop")
        await redis.zadd(KEYS.stopped(1, Lane.BULK), {"shop": 1})
        assert await mended(redis, await audited(redis)) == [ShardRepair(1, (), (Relisted(Lane.BULK, SHOP),), ())]
        assert (await everything(redis)).keys() == before.keys()

    on_redis(redis_url, story)


def test_a_paused_backlog_that_is_listed_as_if_it_were_not_is_paused_again(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        pauses = RedisPauses(redis, KEYS)
        await pauses.pause(SHOP)
        assert all(audit.clean for audit in await audited(redis))
        await redis.zrem(KEYS.stopped(1, Lane.BULK), "shop")
        await redis.zadd(KEYS.backlogs(1, Lane.BULK), {"shop": 1})
        assert await mended(redis, await audited(redis)) == [ShardRepair(1, (), (Relisted(Lane.BULK, SHOP),), ())]
        assert await redis.zrange(KEYS.stopped(1, Lane.BULK), 0, -1) == [b"shop"]
        assert all(audit.clean for audit in await audited(redis))

    on_redis(redis_url, story)


def test_the_open_message_of_a_batch_goes_back_to_where_its_record_says(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        (message,) = new_messages(1, prefix="batch")
        await RedisLedger(redis, KEYS).accept("shop", Lane.BULK, [message], part=BatchPart("b1", BatchStart.PAUSED))
        shard = KEYS.shard(message.message_id)
        await redis.zadd(due(message.message_id), {message.message_id: 1})
        assert len(await mended(redis, await audited(redis))) == 1
        assert not await redis.exists(KEYS.backlog(shard, Lane.BULK, Origin("shop", "b1")))
        assert all(audit.clean for audit in await audited(redis))

    on_redis(redis_url, story)


def test_a_row_that_its_batch_does_not_name_is_named_again(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        rows = [replace(new_message(f"row-{row}"), row=row) for row in range(3)]
        await RedisLedger(redis, KEYS).accept("shop", Lane.BULK, rows, part=BatchPart("b1"))
        assert all(audit.clean for audit in await audited(redis))
        batches = RedisBatches(redis, KEYS)
        before = await batches.rows(Origin("shop", "b1"), 0, 10)
        await redis.delete(*map(KEYS.rows, range(KEYS.shards)))

        repairs = await mended(redis, await audited(redis))

        faults = [(one.message.fault, one.mend) for repair in repairs for one in repair.mended]
        assert faults == [(Fault.NOT_INDEXED, Mend.INDEXED)] * 3
        assert await batches.rows(Origin("shop", "b1"), 0, 10) == before
        assert len(before) == 3

    on_redis(redis_url, story)


def test_counters_are_set_to_what_the_records_say_and_keep_what_was_forgotten(redis_url: str) -> None:
    async def miscount(redis: Redis) -> None:
        await redis.hincrby(counters(FINAL), "shop#PUSH#forgotten", 7)
        await redis.hincrby(counters(FINAL), "shop#PUSH#accepted", 5)
        await redis.hincrby(counters(FINAL), "shop#PUSH#S", 3)

    (repair,) = after_harm(redis_url, miscount)

    changed = {(count.status, count.after - count.before) for count in repair.recounted}
    assert changed == {("accepted", 2), ("S", -3)}


def test_a_counter_of_a_merchant_without_records_becomes_nothing(redis_url: str) -> None:
    (repair,) = after_harm(redis_url, lambda redis: redis.hset(KEYS.counters(0), "cafe#INBOX#open", 4))

    assert repair == ShardRepair(0, (), (), (Recounted("cafe", Channel.INBOX, "open", 4, 0),))


def test_a_sound_ledger_is_left_as_it_is(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        before = await everything(redis)
        assert await mended(redis, await audited(redis)) == []
        assert await everything(redis) == before

    on_redis(redis_url, story)


def test_what_is_sound_by_the_time_of_the_repair_is_left_alone(redis_url: str) -> None:
    """An audit may be old: the script takes nothing that it says for granted."""

    async def story(redis: Redis) -> None:
        before = await everything(redis)
        for id_ in (DUE, WAITING, FINAL, NOBODY):
            said = [Misplaced(id_, "shop", "r", fault) for fault in Fault]
            place, seen = (Lane.BULK, SHOP), Seen({DUE: own_place(DUE)}, {})
            assert await RedisRepair(redis, KEYS)._mend(KEYS.shard(id_), place, said, seen) == []
        assert await everything(redis) == before

    on_redis(redis_url, story)


def test_a_repair_done_twice_changes_nothing_the_second_time(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        for harm, *_ in HARMS.values():
            await harm(redis)
        await redis.zrem(KEYS.backlogs(1, Lane.BULK), "shop")
        await redis.hincrby(counters(FINAL), "shop#PUSH#S", 3)
        audits = await audited(redis)
        await mended(redis, audits)
        before = await everything(redis)

        again = await mended(redis, audits)
        for shard, audit in enumerate(audits[:-1]):
            place, nothing = (Lane.BULK, SHOP), Seen({}, {})
            assert await RedisRepair(redis, KEYS)._mend(shard, place, audit.misplaced, nothing) == []

        assert {(repair.mended, repair.relisted, repair.recounted) for repair in again} <= {((), (), ())}
        assert await everything(redis) == before

    on_redis(redis_url, story)


class BusyReader(LedgerReader):
    """A reader during whose survey of a shard another message is taken, as often as it is told."""

    def __init__(self, redis: Redis, times: int) -> None:
        super().__init__(redis, KEYS)
        self._ledger = RedisLedger(redis, KEYS)
        self._times = times

    @override
    async def survey(self, shard: int, recorded: object) -> Reading:
        reading = await super().survey(shard, recorded)  # type: ignore[arg-type]
        if self._times:
            self._times -= 1
            news = [new_message(f"meanwhile-{self._times}-{number}") for number in range(10)]
            await self._ledger.accept("shop", Lane.BULK, news)
        return reading


@pytest.mark.parametrize(("times", "is_mended"), [(0, True), (2, True), (3, False)])
def test_counters_that_move_while_the_records_are_read_are_counted_anew_and_never_set_to_what_is_old(
    redis_url: str, times: int, *, is_mended: bool
) -> None:
    async def story(redis: Redis) -> None:
        await redis.hincrby(counters(FINAL), "shop#PUSH#S", 3)
        audits = await audited(redis)
        repair = RedisRepair(redis, KEYS)
        repair._counters = Recounting(redis, KEYS, BusyReader(redis, times))
        (repaired,) = [one async for one in repair.mend(audits)]
        assert bool(repaired.recounted) == is_mended
        assert all(audit.clean for audit in await audited(redis)) == is_mended

    on_redis(redis_url, story)


def test_a_store_that_does_not_answer_is_told_as_one(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        await take_home(redis)
        audits = await audited(redis)
        async with Redis.from_url("redis://127.0.0.1:1") as away:
            with pytest.raises(LedgerUnavailableError, match="check TIDINGS_REDIS_URL"):
                await mended(away, audits)

    on_redis(redis_url, story)
