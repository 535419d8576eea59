"""Callbacks that are in a wrong place, or in none, in Redis: found by the audit and mended (DESIGN 7)."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import pytest
from redis.asyncio import Redis

from tests.ledger_driver import dead, final, ids, new_messages
from worker.adapters.redis.audit import RedisAudit
from worker.adapters.redis.batch_jobs import RedisBatchJobs
from worker.adapters.redis.batch_progress import RedisBatchProgress
from worker.adapters.redis.callback_outbox import RedisCallbackOutbox
from worker.adapters.redis.callback_repair import CallbackRepair
from worker.adapters.redis.dead_callbacks import RedisDeadCallbacks
from worker.adapters.redis.dead_letters import RedisDeadLetters
from worker.adapters.redis.keys import JOBS, Keys, Slot
from worker.adapters.redis.ledger import RedisLedger
from worker.adapters.redis.limits import LedgerLimits
from worker.adapters.redis.repair import RedisRepair
from worker.batch_ports import Noted
from worker.contract.audits import ShardAudit
from worker.contract.batch_jobs import RUN, Extent, PartSummary, Upload
from worker.contract.callback_audits import CallbackFault, MisplacedCallback
from worker.contract.callbacks import (
    EVERY_OUTCOME,
    CallbackKey,
    CallbackSettlement,
    CallbackVerdict,
    DueCallback,
    OutcomeKey,
    ProgressKey,
)
from worker.contract.codes import ResultStatus
from worker.contract.dead_letters import DeadLetterQuery
from worker.contract.messages import Lane
from worker.contract.origins import BatchTally, Origin
from worker.contract.repairs import CallbackMend, MendedCallback, ShardRepair

KEYS = Keys(shards=2)
MESSAGES = new_messages(30)
FAILED = new_messages(4, "cafe")
BATCH = Origin("shop", "june")
HALF = ProgressKey("shop", "june", 50)


class Stage:
    """Messages of the shop with S and of the cafe as dead letters, each told; a batch job of which half is told."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.ledger = RedisLedger(redis, KEYS, LedgerLimits(retention=1))
        self.outbox = RedisCallbackOutbox(redis, KEYS)
        self.dead = RedisDeadCallbacks(redis, KEYS)

    async def fill(self) -> None:
        for app, messages, end, told in (
            ("shop", MESSAGES, final, EVERY_OUTCOME),
            ("cafe", FAILED, dead, frozenset({ResultStatus.F})),
            ("deaf", new_messages(3, "deaf"), final, frozenset({ResultStatus.F})),
        ):
            await self.ledger.accept(app, Lane.BULK, messages, told)
            for shard in range(KEYS.shards):
                claims = await self.ledger.claim(shard, ids(messages), f"{app}-{shard}")
                await self.ledger.settle([end(claim) for claim in claims])
        await self.pass_half()

    async def pass_half(self) -> None:
        jobs, progress = RedisBatchJobs(self.redis, KEYS), RedisBatchProgress(self.redis, KEYS)
        await jobs.create(BATCH, b"{}", 1_000)
        upload = Upload(BATCH, 1, "u")
        await jobs.begin(upload, "0a" * 32, Extent(8, 8))
        await jobs.finish(upload, PartSummary(8))
        await jobs.move(BATCH, RUN, 0, 1_000)
        (standing,) = await progress.due(10)
        assert await progress.note([Noted(standing, 50, 60_000, BatchTally(taken=8, open=4, S=4))]) == [True]

    async def claim(self) -> list[DueCallback]:
        return await self.outbox.claim(dict.fromkeys(await self.outbox.due(), 200), 60_000)

    async def settle(self, callbacks: Iterable[DueCallback], verdict: CallbackVerdict) -> None:
        await self.outbox.settle([CallbackSettlement(one, verdict, 60_000, 1, "HTTP 500") for one in callbacks])

    async def audits(self) -> list[ShardAudit]:
        return [audit async for audit in RedisAudit(self.redis, KEYS).shards()]

    async def faults(self) -> list[MisplacedCallback]:
        return [one for audit in await self.audits() for one in audit.callbacks]

    async def mend(self) -> list[ShardRepair]:
        return [repair async for repair in RedisRepair(self.redis, KEYS).mend(await self.audits())]

    async def everything(self) -> dict[bytes, bytes | None]:
        return {key: await self.redis.dump(key) async for key in self.redis.scan_iter()}


def on_stage(url: str, story: Callable[[Stage], Awaitable[None]]) -> None:
    async def tell() -> None:
        async with Redis.from_url(url) as redis:
            stage = Stage(redis)
            await stage.fill()
            await story(stage)

    asyncio.run(tell())


def slot_of(key: CallbackKey) -> Slot:
    return KEYS.shard(key.message_id) if isinstance(key, OutcomeKey) else JOBS


def member_of(key: CallbackKey) -> str:
    return f"{key.subject}#{key.finality if isinstance(key, OutcomeKey) else key.percentage}"


async def put_into_outbox(stage: Stage, key: CallbackKey) -> None:
    await stage.redis.zadd(KEYS.outbox(slot_of(key)), {f"{key.app_id}#{member_of(key)}": 1})


async def put_into_queue(stage: Stage, key: CallbackKey) -> None:
    await stage.redis.zadd(KEYS.callbacks_of(slot_of(key), key.app_id), {member_of(key): 1})
    await stage.redis.zadd(KEYS.callbacks(slot_of(key)), {key.app_id: 1})


async def put_among_dead(stage: Stage, key: CallbackKey) -> None:
    await stage.redis.zadd(KEYS.uncalled(slot_of(key)), {f"{key.app_id}#{member_of(key)}": 1})


async def take_away(stage: Stage, key: CallbackKey) -> None:
    slot = slot_of(key)
    await stage.redis.zrem(KEYS.outbox(slot), f"{key.app_id}#{member_of(key)}")
    await stage.redis.zrem(KEYS.callbacks_of(slot, key.app_id), member_of(key))


KEY = OutcomeKey("shop", MESSAGES[0].message_id, 1)
NOBODY = OutcomeKey("shop", "0" * 32, 1)
Harm = Callable[[Stage, CallbackKey], Awaitable[None]]
DELIVERED, RETRY, DEAD, _ = CallbackVerdict
HARMS: dict[str, tuple[CallbackVerdict | None, Harm, CallbackFault, CallbackMend]] = {
    "to be told, and in no queue": (None, take_away, CallbackFault.UNTOLD, CallbackMend.PUT_BACK),
    "to be told again, and in no queue": (RETRY, take_away, CallbackFault.UNTOLD, CallbackMend.PUT_BACK),
    "in outbox and queue": (None, put_into_queue, CallbackFault.SEVERAL_PLACES, CallbackMend.MOVED_IN),
    "in queue and outbox": (RETRY, put_into_outbox, CallbackFault.SEVERAL_PLACES, CallbackMend.MOVED_IN),
    "in queue and given up": (RETRY, put_among_dead, CallbackFault.SEVERAL_PLACES, CallbackMend.MOVED_IN),
    "told and in the outbox": (DELIVERED, put_into_outbox, CallbackFault.ENDED, CallbackMend.TAKEN_OUT),
    "told and in the queue": (DELIVERED, put_into_queue, CallbackFault.ENDED, CallbackMend.TAKEN_OUT),
    "told and given up": (DELIVERED, put_among_dead, CallbackFault.ENDED, CallbackMend.TAKEN_OUT),
    "given up and in the queue": (DEAD, put_into_queue, CallbackFault.ENDED, CallbackMend.TAKEN_OUT),
}


@pytest.mark.parametrize("key", [KEY, HALF], ids=["outcome", "progress"])
@pytest.mark.parametrize(("verdict", "harm", "fault", "mend"), HARMS.values(), ids=HARMS)
def test_a_fault_is_found_and_mended(
    redis_url: str,
    verdict: CallbackVerdict | None,
    harm: Harm,
    fault: CallbackFault,
    mend: CallbackMend,
    key: CallbackKey,
) -> None:
    async def story(stage: Stage) -> None:
        if verdict:
            await stage.settle(await stage.claim(), verdict)
        assert await stage.faults() == []
        await harm(stage, key)

        misplaced = MisplacedCallback(key, fault)
        assert await stage.faults() == [misplaced]
        (repair,) = await stage.mend()
        assert repair == ShardRepair(slot_of(key), callbacks=(MendedCallback(misplaced, mend),))
        assert [audit for audit in await stage.audits() if not audit.clean] == []

    on_stage(redis_url, story)


def test_what_was_given_up_of_nothing_is_found_and_erased(redis_url: str) -> None:
    async def story(stage: Stage) -> None:
        await put_among_dead(stage, NOBODY)

        assert await stage.faults() == [MisplacedCallback(NOBODY, CallbackFault.NOTHING_TO_TELL)]
        await stage.mend()
        assert await stage.dead.every() == []

    on_stage(redis_url, story)


def test_a_callback_that_was_put_back_is_made(redis_url: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.claim()
        await take_away(stage, KEY)
        await stage.mend()

        assert [callback.key for callback in await stage.claim()] == [KEY]

    on_stage(redis_url, story)


def test_a_queue_that_no_index_names_is_found_and_named_again(redis_url: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.settle(await stage.claim(), RETRY)
        before = await stage.everything()
        for slot in (0, JOBS):
            await stage.redis.zrem(KEYS.callbacks(slot), "shop")

        assert [audit.unlisted for audit in await stage.audits()] == [("shop",), (), ("shop",)]
        assert await stage.mend() == [ShardRepair(0, queues=("shop",)), ShardRepair(JOBS, queues=("shop",))]
        assert await stage.everything() == before

    on_stage(redis_url, story)


def test_what_is_dropped_when_its_turn_comes_is_no_fault(redis_url: str) -> None:
    """A replay and forgetting leave callbacks in outbox and queue that are true no more."""

    async def story(stage: Stage) -> None:
        letters = RedisDeadLetters(stage.redis, KEYS)
        await letters.replay((await letters.page(DeadLetterQuery(), 10)).letters, "run", 60_000)
        await stage.outbox.due()
        await asyncio.sleep(0.01)
        assert await stage.ledger.forget() == len(MESSAGES) + 3

        assert [audit for audit in await stage.audits() if not audit.clean] == []

    on_stage(redis_url, story)


def test_what_was_let_go_is_no_fault(redis_url: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.settle(await stage.claim(), DEAD)
        await stage.dead.discard(await stage.dead.every())

        assert [audit for audit in await stage.audits() if not audit.clean] == []

    on_stage(redis_url, story)


def test_what_ends_as_given_up_after_its_message_was_opened_again_or_forgotten_is_kept_by_nobody(
    redis_url: str,
) -> None:
    async def story(stage: Stage) -> None:
        held = await stage.claim()
        letters = RedisDeadLetters(stage.redis, KEYS)
        await letters.replay((await letters.page(DeadLetterQuery(), 10)).letters, "run", 60_000)
        await asyncio.sleep(0.01)
        await stage.ledger.forget()
        await stage.settle(held, DEAD)

        assert await stage.dead.every() == [HALF]
        assert [audit for audit in await stage.audits() if not audit.clean] == []

    on_stage(redis_url, story)


def test_a_repair_done_twice_or_of_what_is_sound_changes_nothing(redis_url: str) -> None:
    async def story(stage: Stage) -> None:
        await take_away(stage, KEY)
        audits = await stage.audits()
        await stage.mend()
        before = await stage.everything()

        said = tuple(MisplacedCallback(key, fault) for key in (KEY, HALF) for fault in CallbackFault)
        for audit in (
            *audits,
            *(ShardAudit(slot_of(one.key), 0, callbacks=(one,), unlisted=("shop",)) for one in said),
        ):
            assert await CallbackRepair(stage.redis, KEYS).mend(audit) == ((), ())

        assert await stage.everything() == before

    on_stage(redis_url, story)


def test_callbacks_in_motion_are_no_fault(redis_url: str) -> None:
    async def work(stage: Stage, stop: asyncio.Event) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            news = new_messages(20, prefix=f"m{number}-")
            await stage.ledger.accept("shop", Lane.BULK, news, EVERY_OUTCOME)
            for shard in range(KEYS.shards):
                await stage.ledger.settle(
                    [final(one) for one in await stage.ledger.claim(shard, ids(news), f"{number}")]
                )
            held = await stage.claim()
            await stage.settle(held[::2], DELIVERED)
            await stage.settle(held[1::2], DEAD)
            await stage.dead.replay((await stage.dead.every())[:3])

    async def story(stage: Stage) -> None:
        stop = asyncio.Event()
        working = asyncio.ensure_future(work(stage, stop))
        found = [audit for _ in range(5) for audit in await stage.audits() if not audit.clean]
        stop.set()
        await working
        assert found == []

    on_stage(redis_url, story)
