"""The read side of the ledger in Redis: look-ups and counts (CONTRACT R70, R72, R73)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import Redis

from tests.ledger_driver import DAY, START, dead, final, ids, learnt, new_message, new_messages, retry
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.ledger import RedisLedger
from worker.adapters.redis.records import RedisRecords
from worker.contract.codes import ResultStatus
from worker.contract.messages import Channel, Claim, DeliveryState, Lane, NewMessage, Settlement
from worker.contract.outcomes import Reason, Tally, WholeOutcome

Result = TypeVar("Result")

KEYS = Keys(shards=4)
UNKNOWN = "f" * 32
DEADLINE = START + DAY
NAMES = ("delivered", "failed", "dead", "waiting", "queued", "unanswered")
MESSAGES = {name: new_message(name, channels=tuple(Channel)) for name in NAMES}


class HandTime:
    """The ledger's time, which the test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


def on_redis(url: str, story: Callable[[Redis], Awaitable[Result]]) -> Result:
    async def tell() -> Result:
        async with Redis.from_url(url) as redis:
            return await story(redis)

    return asyncio.run(tell())


async def claim(ledger: RedisLedger, message: NewMessage, claim_id: str = "claim-1") -> Claim:
    (taken,) = await ledger.claim(KEYS.shard(message.message_id), [message.message_id], claim_id)
    return taken


async def one_of_each(redis: Redis) -> None:
    """Leave a message in every state that a look-up tells apart."""
    ledger = RedisLedger(redis, KEYS, now=HandTime())
    await ledger.accept("shop", Lane.SINGLE, list(MESSAGES.values()))
    ends: list[Settlement] = []
    for name, end in ENDS.items():
        ends.append(end(await claim(ledger, MESSAGES[name])))
    await ledger.settle(ends)


S, F, U = DeliveryState.S, DeliveryState.F, DeliveryState.U
ENDS: dict[str, Callable[[Claim], Settlement]] = {
    "delivered": lambda one: final(one, learnt(S), learnt(S, channel=Channel.INBOX)),
    "failed": lambda one: final(one, learnt(S), learnt(F, "BLOCKED", "no", Channel.INBOX)),
    "dead": lambda one: dead(one, learnt(F, "PROCESS_FAIL", "no"), learnt(F, "PROCESS_FAIL", "no", Channel.INBOX)),
    "waiting": lambda one: retry(one, 100),
    "unanswered": lambda one: dead(
        one, learnt(U, "UNANSWERED", ""), learnt(S, channel=Channel.INBOX), cause="UNANSWERED"
    ),
}


def test_R72_statuses_come_in_the_order_asked_with_none_for_a_message_never_seen(redis_url: str) -> None:
    asked = [*NAMES[::-1], "never seen", *NAMES]

    async def story(redis: Redis) -> list[WholeOutcome | None]:
        await one_of_each(redis)
        return await RedisRecords(redis, KEYS).statuses(
            [MESSAGES[n].message_id if n in NAMES else UNKNOWN for n in asked]
        )

    expected = {
        "delivered": WholeOutcome(ResultStatus.S, None, partial=False, settled_by=None),
        "failed": WholeOutcome(ResultStatus.F, None, partial=True, settled_by=None),
        "dead": WholeOutcome(ResultStatus.F, None, partial=False, settled_by=None),
        "waiting": WholeOutcome(ResultStatus.U, Reason.UNANSWERED, partial=False, settled_by=DEADLINE),
        "queued": WholeOutcome(ResultStatus.U, Reason.OPEN, partial=False, settled_by=DEADLINE),
        "unanswered": WholeOutcome(ResultStatus.U, Reason.UNANSWERED, partial=False, settled_by=None),
    }
    assert on_redis(redis_url, story) == [expected.get(name) for name in asked]


def test_R72_statuses_and_look_ups_agree(redis_url: str) -> None:
    asked = [*ids(MESSAGES.values()), UNKNOWN]

    async def story(redis: Redis) -> None:
        await one_of_each(redis)
        records = RedisRecords(redis, KEYS)
        found = await records.find(asked)

        assert [outcome and outcome.message_id for outcome in found] == [*asked[:-1], None]
        assert await records.statuses(asked) == [outcome and outcome.whole for outcome in found]

    on_redis(redis_url, story)


def test_R72_10_000_statuses_come_in_order(redis_url: str) -> None:
    messages = new_messages(300)

    async def story(redis: Redis) -> list[WholeOutcome | None]:
        await RedisLedger(redis, KEYS, now=HandTime()).accept("shop", Lane.BULK, messages)
        asked = [messages[index % 300].message_id if index % 7 else UNKNOWN for index in range(10_000)]
        return await RedisRecords(redis, KEYS).statuses(asked)

    still_open = WholeOutcome(ResultStatus.U, Reason.OPEN, partial=False, settled_by=DEADLINE)
    assert on_redis(redis_url, story) == [still_open if index % 7 else None for index in range(10_000)]


def test_R70_looking_up_changes_nothing_and_nothing_asked_is_nothing_found(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        await one_of_each(redis)
        records = RedisRecords(redis, KEYS)
        first = await records.find(ids(MESSAGES.values()))

        assert await records.find(ids(MESSAGES.values())) == first
        assert (await records.find([]), await records.statuses([])) == ([], [])

    on_redis(redis_url, story)


def test_tallies_are_summed_over_shards_by_app_and_channel(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        records = RedisRecords(redis, KEYS)
        assert await records.tallies() == {}
        await one_of_each(redis)
        await RedisLedger(redis, KEYS).accept("商店.1", Lane.BULK, new_messages(20, app_id="商店.1"))

        tallies = await records.tallies()

        assert tallies == {
            ("shop", Channel.PUSH): Tally(accepted=6, S=2, F=1, U=1, open=2),
            ("shop", Channel.INBOX): Tally(accepted=6, S=2, F=2, open=2),
            ("商店.1", Channel.PUSH): Tally(accepted=20, open=20),
        }
        assert all(tally.balanced for tally in tallies.values())

    on_redis(redis_url, story)


def test_a_redis_that_answers_is_ready(redis_url: str) -> None:
    on_redis(redis_url, lambda redis: RedisRecords(redis, KEYS).ping())
