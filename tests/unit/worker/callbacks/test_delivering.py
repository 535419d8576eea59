"""Calling merchants back, on the model of the ledger: each is told once, and nobody waits for another."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime

import orjson
import pytest
from standardwebhooks import Webhook
from structlog.testing import capture_logs

from tests.back_office import until
from tests.fakes.callbacks import FakeCallbackOutbox, FakeCallbackRegistry, FakePoster
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import FakeLedger
from tests.ledger_driver import final, ids, new_messages
from worker.callbacks.delivering import CallbackDeliverer, CallbackLimits
from worker.callbacks.ports import Queue, Reply
from worker.callbacks.secrets import Vault, new_secret
from worker.callbacks.signing import CallbackSigner
from worker.callbacks.verdicts import CallbackPolicy
from worker.contract.callbacks import EVERY_OUTCOME, CallbackRegistration, Disabled, SealedSecret
from worker.contract.messages import Lane, NewMessage

SECRET = new_secret()
VAULT = Vault(b"the secret of the tests")
LIMITS = CallbackLimits(calls_per_merchant=4, calls=20, timeout=1_000, interval=10)
POLICY = CallbackPolicy(backoff_base=1_000, backoff_cap=60_000, give_up=100_000)
BAD = Reply(500, "HTTP 500")
HOUR = 3_600_000


def url(app_id: str) -> str:
    return f"https://{app_id}.example/callback"


def registration(app_id: str, **fields: object) -> CallbackRegistration:
    whole: dict[str, object] = {
        "app_id": app_id,
        "url": url(app_id),
        "outcomes": EVERY_OUTCOME,
        "secrets": (SealedSecret(VAULT.seal(app_id, SECRET)),),
    }
    return CallbackRegistration(**whole | fields)  # type: ignore[arg-type]  # of any kind


class Stand:
    """One worker process' part in calling back; the clocks move when a test says so."""

    def __init__(self, *apps: str) -> None:
        self.ledger = FakeLedger(shards=2)
        self.clock = FakeClock(self.ledger.now)
        self.outbox = FakeCallbackOutbox(self.ledger)
        self.registry = FakeCallbackRegistry(*map(registration, apps))
        self.poster = FakePoster()
        self.vault: Vault | None = VAULT

    def deliverer(self, process: str = "p1", limits: CallbackLimits = LIMITS) -> CallbackDeliverer:
        return CallbackDeliverer(
            outbox=self.outbox,
            registry=self.registry,
            poster=self.poster,
            signer=CallbackSigner(self.vault, self.clock),
            clock=self.clock,
            limits=limits,
            policy=POLICY,
            process=process,
            draw=lambda: 0.999,
        )

    async def make_final(self, app_id: str, number: int = 1, prefix: str = "r") -> list[NewMessage]:
        """Have so many messages of a merchant delivered."""
        messages = new_messages(number, app_id, prefix)
        await self.ledger.accept(app_id, Lane.BULK, messages, EVERY_OUTCOME)
        for shard in range(self.ledger.shards):
            claims = await self.ledger.claim(shard, ids(messages), f"{app_id}-{prefix}-{shard}")
            await self.ledger.settle([final(claim) for claim in claims])
        return messages

    def advance(self, milliseconds: int) -> None:
        self.ledger.now += milliseconds
        self.clock.advance(milliseconds)

    @property
    def open(self) -> int:
        """How many callbacks are neither delivered nor given up."""
        return len(self.outbox.queues) + len(self.ledger.outbox)

    async def done(self) -> None:
        """Wait until every callback is delivered or given up."""
        await until(lambda: not self.open)


async def running(*deliverers: CallbackDeliverer, story: Callable[[], Awaitable[None]]) -> None:
    tasks = [asyncio.create_task(run()) for one in deliverers for run in (one.run, one.run_settling)]
    try:
        await asyncio.wait_for(story(), 30)
    finally:
        for one in deliverers:
            one.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_a_merchant_is_told_of_each_final_message_once_and_can_verify_it() -> None:
    async def story() -> None:
        stand = Stand("shop")
        messages = await stand.make_final("shop", 30)

        await running(stand.deliverer(), story=stand.done)

        posts = stand.poster.to(url("shop"))
        assert sorted(post.id for post in posts) == sorted(
            f"msg_{one.message_id}_{stand.ledger.now:x}_1" for one in messages
        )
        told = {orjson.loads(post.body)["data"]["requestId"] for post in posts}
        assert told == {one.request_id for one in messages}
        signed = dict(posts[0].headers)
        at = int(signed["webhook-timestamp"])
        assert at == stand.clock.now() // 1000
        assert len(stand.outbox.delivered) == 30

    asyncio.run(story())


def test_no_more_calls_of_one_merchant_are_under_way_than_it_may_have() -> None:
    async def story() -> None:
        stand = Stand("shop")
        await stand.make_final("shop", 50)

        await running(stand.deliverer("p1"), stand.deliverer("p2"), story=stand.done)

        assert stand.poster.most_at_once[url("shop")] == LIMITS.calls_per_merchant
        assert len(stand.poster.posts) == 50

    asyncio.run(story())


def test_a_merchant_that_hangs_keeps_no_other_waiting() -> None:
    async def story() -> None:
        stand = Stand("hanging", "shop")
        await stand.make_final("hanging", 100)
        stand.poster.hanging[url("hanging")] = asyncio.Event()
        await stand.make_final("shop", 100)

        async def others_are_told() -> None:
            await until(lambda: len(stand.poster.to(url("shop"))) == 100)

        await running(stand.deliverer(), story=others_are_told)

        assert stand.poster.most_at_once[url("hanging")] == LIMITS.calls_per_merchant

    asyncio.run(story())


def test_many_merchants_share_the_calls_of_a_process_and_all_are_told() -> None:
    async def story() -> None:
        apps = [f"app{number}" for number in range(12)]
        stand = Stand(*apps)
        for app in apps:
            await stand.make_final(app, 10)

        await running(stand.deliverer(limits=CallbackLimits(4, 5, 1_000, 10)), story=stand.done)

        assert len(stand.poster.posts) == 120

    asyncio.run(story())


def test_a_failed_callback_is_made_again_under_the_same_id_with_the_same_body() -> None:
    async def story() -> None:
        stand = Stand("shop")
        await stand.make_final("shop")
        stand.poster.replies[url("shop")] = [BAD, Reply(None, "TIMEOUT"), Reply(302, "HTTP 302")]

        async def in_time() -> None:
            for number in (1, 2, 3):
                await until(lambda number=number: len(stand.poster.posts) == number)  # type: ignore[misc]
                await until(lambda: stand.outbox.queues and min(e.tries for e in stand.outbox.queues.values()) > 0)  # type: ignore[arg-type,return-value]
                stand.advance(60_000 // 4)
            await stand.done()

        await running(stand.deliverer(), story=in_time)

        assert len({(post.id, post.body) for post in stand.poster.posts}) == 1
        assert len(stand.poster.posts) == 4
        assert len({post.headers["webhook-timestamp"] for post in stand.poster.posts}) > 1

    asyncio.run(story())


def test_retry_after_is_obeyed() -> None:
    async def story() -> None:
        stand = Stand("shop")
        await stand.make_final("shop", 8)
        stand.poster.replies[url("shop")] = [Reply(429, "HTTP 429", 50_000)]

        async def in_time() -> None:
            await until(lambda: any(entry.tries for entry in stand.outbox.queues.values()))
            called = len(stand.poster.posts)
            stand.advance(49_000)
            await asyncio.sleep(0.1)
            assert len(stand.poster.posts) == called <= LIMITS.calls_per_merchant
            stand.advance(1_000)
            await stand.done()

        await running(stand.deliverer(), story=in_time)

    asyncio.run(story())


def test_what_fails_for_too_long_is_given_up() -> None:
    async def story() -> None:
        stand = Stand("shop")
        await stand.make_final("shop")
        stand.advance(POLICY.give_up)
        stand.poster.replies[url("shop")] = [BAD]

        await running(stand.deliverer(), story=stand.done)

        assert list(stand.outbox.dead.values()) == ["HTTP 500"]

    asyncio.run(story())


def test_gone_disables_the_callback_and_gives_up_what_waits() -> None:
    async def story() -> None:
        stand = Stand("shop")
        await stand.make_final("shop", 60)
        stand.poster.replies[url("shop")] = [Reply(410, "HTTP 410")] * 100

        await running(stand.deliverer(), story=stand.done)

        assert stand.registry.registrations["shop"].disabled == Disabled(0, "the receiver answered 410 Gone")
        assert len(stand.poster.posts) <= LIMITS.calls_per_merchant
        assert len(stand.outbox.dead) == 60

    asyncio.run(story())


def test_a_merchant_that_fails_again_and_again_is_left_alone_and_asked_now_and_then() -> None:
    async def story() -> None:
        stand = Stand("shop")
        await stand.make_final("shop", 100)
        stand.poster.replies[url("shop")] = [BAD] * 1_000

        async def for_a_minute() -> None:
            for _ in range(60):
                stand.advance(1_000)
                await asyncio.sleep(0.03)

        await running(stand.deliverer(), story=for_a_minute)

        assert len(stand.poster.posts) < 40

    asyncio.run(story())


def test_a_process_without_the_key_calls_nobody_and_says_so_once() -> None:
    async def story() -> None:
        stand = Stand("shop")
        stand.vault = None
        await stand.make_final("shop", 3)
        with capture_logs() as logs:
            await running(stand.deliverer(), story=lambda: asyncio.sleep(0.1))

        assert stand.poster.posts == []
        assert [entry["event"] for entry in logs] == ["callbacks_can_not_be_signed"]
        assert stand.open == 3

    asyncio.run(story())


def test_no_log_line_holds_a_secret_or_a_body() -> None:
    async def story() -> None:
        stand = Stand("shop", "other")
        stand.registry.registrations["other"] = registration("other", secrets=(SealedSecret("unreadable"),))
        await stand.make_final("shop", 20)
        await stand.make_final("other", 20)
        stand.poster.replies[url("shop")] = [Reply(410, "HTTP 410")] * 100
        with capture_logs() as logs:
            await running(stand.deliverer(), story=lambda: until(lambda: len(stand.outbox.dead) == 20))

        texts = str(logs)
        assert len(logs) >= 2
        assert SECRET not in texts
        assert SECRET.removeprefix("whsec_") not in texts
        assert "requestId" not in texts

    asyncio.run(story())


def test_what_waits_for_a_merchant_whose_callback_was_removed_is_given_up() -> None:
    async def story() -> None:
        stand = Stand("shop", "other")
        await stand.make_final("shop", 300)
        stand.poster.hanging[url("shop")] = asyncio.Event()
        calls = LIMITS.calls_per_merchant

        async def removed() -> None:
            await until(lambda: len(stand.poster.posts) == calls)
            del stand.registry.registrations["shop"]
            await until(lambda: len(stand.outbox.dead) == 300 - calls)
            stand.poster.hanging[url("shop")].set()
            await stand.done()

        await running(stand.deliverer(), story=removed)

        assert set(stand.outbox.dead.values()) == {"REMOVED"}
        assert (len(stand.poster.taken), len(stand.outbox.delivered)) == (calls, calls)

    asyncio.run(story())


def test_what_waits_is_given_up_within_a_minute_also_where_the_last_callback_was_removed() -> None:
    async def story() -> None:
        stand = Stand()
        await stand.make_final("shop", 300)

        async def a_minute_later() -> None:
            await asyncio.sleep(0.05)
            assert stand.open == 300
            stand.advance(60_001)
            await stand.done()

        await running(stand.deliverer(), story=a_minute_later)

        assert set(stand.outbox.dead.values()) == {"REMOVED"}
        assert stand.poster.posts == []

    asyncio.run(story())


def test_nothing_is_asked_of_the_ledger_while_nobody_registered_a_callback() -> None:
    async def story() -> None:
        stand = Stand()
        asked = 0

        async def due() -> list[Queue]:
            nonlocal asked
            asked += 1
            return []

        stand.outbox.due = due  # type: ignore[method-assign]
        await running(stand.deliverer(), story=lambda: asyncio.sleep(0.1))

        assert asked == 0

    asyncio.run(story())


def test_who_died_between_call_and_settlement_leaves_the_same_id_to_another() -> None:
    async def story() -> None:
        stand = Stand("shop")
        await stand.make_final("shop")
        first = stand.deliverer("p1")
        rounds = asyncio.create_task(first.run())  # nobody settles: the process dies with the answer in hand
        await until(lambda: len(stand.poster.posts) == 1)
        rounds.cancel()
        with suppress(asyncio.CancelledError):
            await rounds
        stand.advance(LIMITS.lease)

        await running(stand.deliverer("p2"), story=stand.done)

        assert len(stand.poster.posts) == 2
        assert len({post.id for post in stand.poster.posts}) == 1

    asyncio.run(story())


def test_a_ledger_that_is_away_loses_no_answer() -> None:
    async def story() -> None:
        stand = Stand("shop")
        await stand.make_final("shop")
        stand.poster.hanging[url("shop")] = asyncio.Event()

        async def away_meanwhile() -> None:
            await until(lambda: len(stand.poster.posts) == 1)
            stand.ledger.away = True
            stand.poster.hanging[url("shop")].set()
            await asyncio.sleep(0.1)
            stand.ledger.away = False
            await stand.done()

        await running(stand.deliverer(), story=away_meanwhile)

        assert len(stand.poster.posts) == 1

    asyncio.run(story())


def test_what_nobody_foresaw_does_not_end_the_rounds() -> None:
    async def story() -> None:
        stand = Stand("shop")
        await stand.make_final("shop")
        readable, broken = stand.registry.all, 0

        async def unreadable() -> Mapping[str, CallbackRegistration]:
            nonlocal broken
            broken += 1
            if broken < 3:
                raise ValueError("what somebody wrote by hand")
            return await readable()

        stand.registry.all = unreadable  # type: ignore[method-assign]
        with capture_logs() as logs:
            await running(stand.deliverer(), story=stand.done)

        assert [entry["event"] for entry in logs] == ["callback_round_broke"] * 2

    asyncio.run(story())


def test_who_stops_gives_back_what_it_did_not_send_and_leaves_its_merchants() -> None:
    async def story() -> None:
        stand = Stand("shop")
        await stand.make_final("shop", 30)
        stand.poster.hanging[url("shop")] = asyncio.Event()
        deliverer = stand.deliverer("p1")

        async def stop() -> None:
            await until(lambda: len(stand.poster.posts) == LIMITS.calls_per_merchant)
            draining = asyncio.create_task(deliverer.drain())
            await asyncio.sleep(0)
            stand.poster.hanging[url("shop")].set()
            await draining

        await running(deliverer, story=stop)
        del stand.poster.hanging[url("shop")]
        assert stand.open == 30 - LIMITS.calls_per_merchant

        await running(stand.deliverer("p2"), story=stand.done)
        assert len(stand.poster.posts) == 30

    asyncio.run(story())


def test_a_merchant_that_hangs_does_not_keep_a_process_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.callbacks.delivering._LAST_CALLS", 0.05)

    async def story() -> None:
        stand = Stand("shop")
        await stand.make_final("shop")
        stand.poster.hanging[url("shop")] = asyncio.Event()
        deliverer = stand.deliverer()

        async def stop() -> None:
            await until(lambda: len(stand.poster.posts) == 1)
            await deliverer.drain()

        await running(deliverer, story=stop)

        assert stand.open == 1

    asyncio.run(story())


def test_while_a_secret_is_rotated_both_verify() -> None:
    async def story() -> None:
        stand = Stand()
        now, newer = stand.clock.now(), new_secret()
        known = registration("shop").rotated(VAULT.seal("shop", newer), now, HOUR)
        stand.registry.registrations["shop"] = known
        await stand.make_final("shop")

        await running(stand.deliverer(), story=stand.done)

        (post,) = stand.poster.posts
        assert len(post.headers["webhook-signature"].split(" ")) == 2
        for secret in (SECRET, newer):
            own = Webhook(secret).sign(post.id, _at(post.headers["webhook-timestamp"]), post.body.decode())
            assert own in post.headers["webhook-signature"].split(" ")

    asyncio.run(story())


def _at(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
