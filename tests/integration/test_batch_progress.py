"""A batch job's progress is told once each, whoever looks and whoever dies: on a real ledger."""

import asyncio
from collections.abc import Awaitable, Callable

import orjson
import pytest
from redis.asyncio import Redis

from tests.back_office import until
from tests.fakes.callbacks import FakeCallbackRegistry, FakePoster, Post
from tests.fakes.clock import FakeClock
from tests.ledger_driver import dead, final, new_messages
from worker.adapters.redis.audit import RedisAudit
from worker.adapters.redis.batch_jobs import RedisBatchJobs
from worker.adapters.redis.batch_progress import RedisBatchProgress
from worker.adapters.redis.batches import RedisBatches
from worker.adapters.redis.callback_figures import callback_figures
from worker.adapters.redis.callback_outbox import RedisCallbackOutbox
from worker.adapters.redis.dead_callbacks import RedisDeadCallbacks
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.ledger import RedisLedger
from worker.batch_progress import ProgressTeller
from worker.callbacks.delivering import CallbackDeliverer, CallbackLimits
from worker.callbacks.ports import Reply
from worker.callbacks.secrets import Vault, new_secret
from worker.callbacks.signing import CallbackSigner
from worker.callbacks.verdicts import CallbackPolicy
from worker.contract.batch_jobs import RUN, Extent, PartSummary, Upload
from worker.contract.callbacks import (
    EVERY_OUTCOME,
    NO_OUTCOMES,
    CallbackRegistration,
    CallbackSettlement,
    CallbackVerdict,
    DeadCallback,
    Disabled,
    ProgressKey,
    SealedSecret,
)
from worker.contract.figures import CallbackFigures, Crowd
from worker.contract.messages import Lane
from worker.contract.origins import BatchPart, Origin

KEYS = Keys(shards=3)
BATCH = Origin("shop", "june")
URL = "https://shop.example/callback"
SECRET = new_secret()
VAULT = Vault(b"the secret of the tests")
SHOP = CallbackRegistration("shop", URL, EVERY_OUTCOME, (SealedSecret(VAULT.seal("shop", SECRET)),))
LIMITS = CallbackLimits(calls_per_merchant=4, calls=20, timeout=1_000, interval=10)
POLICY = CallbackPolicy(backoff_base=1_000, backoff_cap=60_000, give_up=100_000)
WHOLE = ProgressKey("shop", "june", 100)


class Stage:
    """A running batch of eight messages of the shop, on a clock of the test's own."""

    def __init__(self, redis: Redis) -> None:
        self.clock = FakeClock()
        now = self.clock.now
        self.redis = redis
        self.ledger = RedisLedger(redis, KEYS, now=now)
        self.jobs = RedisBatchJobs(redis, KEYS, now)
        self.outbox = RedisCallbackOutbox(redis, KEYS, now)
        self.dead = RedisDeadCallbacks(redis, KEYS, now)
        self.registry = FakeCallbackRegistry(SHOP)
        self.poster = FakePoster()
        self.messages = new_messages(8)

    async def run(self, definition: bytes) -> None:
        await self.jobs.create(BATCH, definition, 1_000)
        upload = Upload(BATCH, 1, "u")
        await self.jobs.begin(upload, "0a" * 32, Extent(8, 8))
        await self.ledger.accept("shop", Lane.BULK, self.messages, NO_OUTCOMES, BatchPart("june"))
        await self.jobs.finish(upload, PartSummary(8))
        await self.jobs.move(BATCH, RUN, 0, 1_000)

    async def end(self, first: int, last: int) -> None:
        """Let these messages have their outcome: the eighth a dead letter, all others S."""
        for message in self.messages[first:last]:
            shard = KEYS.shard(message.message_id)
            (claim,) = await self.ledger.claim(shard, [message.message_id], message.message_id)
            await self.ledger.settle([dead(claim) if message is self.messages[7] else final(claim)])

    def teller(self) -> ProgressTeller:
        """Return the part of one more worker process."""
        now = self.clock.now
        progress, batches = RedisBatchProgress(self.redis, KEYS, now), RedisBatches(self.redis, KEYS, now=now)
        return ProgressTeller(
            progress=progress, jobs=self.jobs, batches=batches, registry=self.registry, clock=self.clock
        )

    async def look(self) -> None:
        """Have two workers look at the same time."""
        await asyncio.gather(self.teller().look_after(), self.teller().look_after())
        self.clock.advance(1_000)

    async def call_back(self, process: str = "p1") -> list[Post]:
        """Have a worker call the merchant until nothing is left to do; return what the merchant was sent by it."""
        known = len(self.poster.posts)
        deliverer = CallbackDeliverer(
            outbox=self.outbox,
            registry=self.registry,
            poster=self.poster,
            signer=CallbackSigner(VAULT, self.clock),
            clock=self.clock,
            limits=LIMITS,
            policy=POLICY,
            process=process,
            draw=lambda: 0.999,
        )
        tasks = [asyncio.create_task(run()) for run in (deliverer.run, deliverer.run_settling)]
        try:
            await until_async(self._is_idle)
        finally:
            await deliverer.drain()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return self.poster.posts[known:]

    async def _is_idle(self) -> bool:
        return (await self.figures()).waiting == 0

    async def figures(self) -> CallbackFigures:
        return await callback_figures(self.redis, KEYS, self.clock.now())

    async def give_up(self) -> None:
        """Give up everything that is due, after one try."""
        for callback in await self.outbox.claim(dict.fromkeys(await self.outbox.due(), 10), 1_000):
            await self.outbox.settle([CallbackSettlement(callback, CallbackVerdict.DEAD, tries=1, detail="HTTP 500")])


async def until_async(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await holds():  # noqa: ASYNC110 - what is waited for is in Redis
            await asyncio.sleep(0.01)


def on_stage(url: str, story: Callable[[Stage], Awaitable[None]], definition: bytes = b"{}") -> None:
    async def tell() -> None:
        async with Redis.from_url(url) as redis:
            stage = Stage(redis)
            await stage.run(definition)
            await story(stage)
            assert [audit async for audit in RedisAudit(redis, KEYS).shards() if not audit.clean] == []

    asyncio.run(tell())


def data(post: Post) -> dict[str, object]:
    told: dict[str, object] = orjson.loads(post.body)["data"]
    return told


def test_each_percentage_is_told_once_when_it_is_true_whoever_looks(redis_url: str) -> None:
    async def story(stage: Stage) -> None:
        told: list[tuple[int, list[object]]] = []
        for number in range(9):
            await stage.end(max(number - 1, 0), number)
            await stage.look()
            told.append((number, [data(post)["percentage"] for post in await stage.call_back()]))

        assert [one for one in told if one[1]] == [(2, [25]), (4, [50]), (6, [75]), (8, [100])]
        last = stage.poster.posts[-1]
        assert data(last) == {
            "batchId": "june",
            "appId": "shop",
            "percentage": 100,
            "state": "RUNNING",
            "accepted": 8,
            "open": 0,
            "S": 7,
            "U": 0,
            "F": 1,
            "forgotten": 0,
            "createdAt": stage.clock.now() - 9_000,
            "passedAt": stage.clock.now() - 1_000,
        }
        assert len({post.id for post in stage.poster.posts}) == 4

    on_stage(redis_url, story)


def test_of_percentages_passed_together_the_highest_is_told(redis_url: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.end(0, 5)
        await stage.look()
        await stage.end(5, 8)
        await stage.look()

        assert sorted(str(data(post)["percentage"]) for post in await stage.call_back()) == ["100", "50"]

    on_stage(redis_url, story)


def test_a_worker_that_dies_after_it_noted_what_was_passed_leaves_it_to_another(redis_url: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.end(0, 8)
        await stage.teller().look_after()
        # Nobody of this process lives any more.

        (post,) = await stage.call_back("another")

        assert data(post)["percentage"] == 100
        assert await stage.call_back("a third") == []

    on_stage(redis_url, story)


def test_a_worker_that_dies_over_a_call_is_followed_by_one_that_sends_the_same(redis_url: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.end(0, 8)
        await stage.look()
        await stage.outbox.claim(dict.fromkeys(await stage.outbox.due(), 10), 5_000)  # and it is called, and dies
        stage.clock.advance(5_000)
        stage.poster.replies[URL] = [Reply(None, "TIMEOUT")]

        calling = asyncio.create_task(stage.call_back())
        await until(lambda: len(stage.poster.posts) == 1)
        while not calling.done():
            stage.clock.advance(1_000)
            await asyncio.sleep(0.02)
        first, second = calling.result()

        assert (first.id, first.body) == (second.id, second.body)

    on_stage(redis_url, story)


@pytest.mark.parametrize("absence", ["no callback", "disabled"])
def test_what_is_passed_while_a_merchant_hears_nothing_is_not_told_later(redis_url: str, absence: str) -> None:
    async def story(stage: Stage) -> None:
        disabled = SHOP.disabled_by(Disabled(0, "by hand"))
        stage.registry.registrations = {} if absence == "no callback" else {"shop": disabled}
        await stage.end(0, 5)
        await stage.look()
        stage.registry.registrations["shop"] = SHOP
        await stage.look()
        assert await stage.call_back() == []

        await stage.end(5, 6)
        await stage.look()
        assert [data(post)["percentage"] for post in await stage.call_back()] == [75]

    on_stage(redis_url, story)


def test_what_a_batch_is_not_to_tell_is_passed_and_never_told(redis_url: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.end(0, 5)
        await stage.look()
        await stage.end(5, 8)
        await stage.look()

        assert await stage.call_back() == []
        assert await stage.figures() == CallbackFigures()
        assert await RedisBatchProgress(stage.redis, KEYS, stage.clock.now).due(10) == []

    on_stage(redis_url, story, b'{"progressCallbacks":false}')


def test_what_a_merchant_did_not_take_is_among_the_dead_and_is_replayed_as_it_was(redis_url: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.end(0, 8)
        await stage.look()
        passed_at = stage.clock.now() - 1_000
        assert await stage.figures() == CallbackFigures(waiting=1, late=1_000)
        await stage.give_up()
        assert await stage.figures() == CallbackFigures(dead=Crowd(1, 0), over={("shop", "dead"): 1})

        found = [DeadCallback(WHOLE, stage.clock.now(), "", None, 1, "HTTP 500")]
        assert await stage.dead.newest(10) == found
        assert await stage.dead.newest(10, "shop") == found
        assert await stage.dead.find(["june", "may"]) == found
        assert await stage.dead.every("shop") == [WHOLE]

        assert await stage.dead.replay([WHOLE, ProgressKey("shop", "june", 75)]) == [True, False]
        (post,) = await stage.call_back()
        assert data(post)["passedAt"] == passed_at

    on_stage(redis_url, story)


@pytest.mark.parametrize("way", ["discarded", "forgotten"])
def test_dead_callbacks_of_a_batch_end_with_it(redis_url: str, way: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.end(0, 8)
        await stage.look()
        await stage.give_up()
        if way == "discarded":
            assert await stage.dead.discard([WHOLE]) == [True]
        else:
            job = await stage.jobs.find(BATCH)
            assert job is not None
            assert await stage.jobs.forget(job)
            left = [key async for key in stage.redis.scan_iter("tidings:{jobs}*")]
            assert left == [KEYS.called("jobs").encode()]

        assert await stage.dead.newest(10) == []

    on_stage(redis_url, story)
