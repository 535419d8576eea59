"""Dead letters in Redis: an index that makes itself complete, and what no ledger ought to hold."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import Redis

from tests.ledger_driver import DAY, dead, ids, new_message, new_messages
from tests.samples import payload
from worker.adapters.redis.dead_letters import RedisDeadLetters
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.ledger import RedisLedger
from worker.adapters.redis.scripts import Call, Script, run
from worker.contract.dead_letters import DeadLetterQuery, Replayed
from worker.contract.messages import Lane, NewMessage
from worker.contract.payload import MaskedPayload

Result = TypeVar("Result")
KEYS = Keys(shards=4)
MESSAGES = new_messages(900)
ANY = DeadLetterQuery()


def on_redis(url: str, story: Callable[[Redis], Awaitable[Result]]) -> Result:
    async def tell() -> Result:
        async with Redis.from_url(url) as redis:
            return await story(redis)

    return asyncio.run(tell())


async def bury(redis: Redis, *messages: NewMessage) -> None:
    """Let messages become dead letters."""
    ledger = RedisLedger(redis, KEYS)
    await ledger.accept("shop", Lane.BULK, messages)
    for shard in range(KEYS.shards):
        claims = await ledger.claim(shard, [one for one in ids(messages) if KEYS.shard(one) == shard], "claim-1")
        await ledger.settle([dead(claim) for claim in claims])


async def without_cards(redis: Redis) -> None:
    """Leave what a release without an index left."""
    await redis.delete(*(KEYS.cards(shard) for shard in range(KEYS.shards)))


def test_letters_from_before_there_was_an_index_are_found(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        await bury(redis, *MESSAGES)
        letters = RedisDeadLetters(redis, KEYS)
        expected = await letters.page(ANY, 1_000)
        await without_cards(redis)

        assert await letters.page(ANY, 1_000) == expected
        assert len(expected.letters) == len(MESSAGES)

    on_redis(redis_url, story)


def test_a_letter_looked_up_by_its_id_needs_no_index_either(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        await bury(redis, MESSAGES[0])
        await without_cards(redis)
        (letter,) = await RedisDeadLetters(redis, KEYS).find(ids(MESSAGES[:1]))

        assert letter is not None
        assert letter.request_id == "r0"

    on_redis(redis_url, story)


def test_a_dead_letter_without_a_record_hides_no_other_one(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        await bury(redis, *MESSAGES[:5])
        await redis.zadd(KEYS.dead(KEYS.shard("0" * 32)), {"0" * 32: 2**41})
        await without_cards(redis)
        page = await RedisDeadLetters(redis, KEYS).page(ANY, 10)

        assert len(page.letters) == 5

    on_redis(redis_url, story)


def test_indexing_twice_changes_nothing(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        message = MESSAGES[0].message_id
        shard = KEYS.shard(message)
        await bury(redis, MESSAGES[0])
        before = await redis.zrange(KEYS.cards(shard), 0, -1)
        call = Call(
            Script.read("index_dead_letters"),
            [KEYS.dead(shard), KEYS.cards(shard), KEYS.message(shard, message)],
            [message],
        )

        assert await run(redis, [call, call]) == [0, 0]
        assert await redis.zrange(KEYS.cards(shard), 0, -1) == before

    on_redis(redis_url, story)


def test_what_is_no_dead_letter_gets_no_card(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        message = MESSAGES[0].message_id
        shard = KEYS.shard(message)
        await RedisLedger(redis, KEYS).accept("shop", Lane.BULK, MESSAGES[:1])
        keys = [KEYS.dead(shard), KEYS.cards(shard), KEYS.message(shard, message)]

        assert await run(redis, [Call(Script.read("index_dead_letters"), keys, [message])]) == [0]

    on_redis(redis_url, story)


def test_a_selective_query_looks_through_more_cards_than_one_script_does(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        cards = {
            f"{1_700_000_000_000 + index:013d}#{index:032x} cause=TRIES lane=bulk app=shop req=r{index} tpl=PAY ver=3 "
            "PUSH=F|BUSY|gcash inbox=S~ ": 0
            for index in range(4_500)
        }
        await redis.zadd(KEYS.cards(0), cards)
        letters = RedisDeadLetters(redis, KEYS)

        oldest = await letters.page(DeadLetterQuery(request_id="r0"), 10)
        none = await letters.page(DeadLetterQuery(code="BUS"), 10)
        every = await letters.page(DeadLetterQuery(app_id="shop"), 5_000)

        assert [letter.request_id for letter in oldest.letters] == ["r0"]
        assert (none.letters, len(every.letters), every.more_after) == ((), 4_500, None)

    on_redis(redis_url, story)


def test_a_letter_whose_payload_is_gone_is_left_as_it_is(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        await bury(redis, MESSAGES[0])
        letters = RedisDeadLetters(redis, KEYS)
        (letter,) = (await letters.page(ANY, 1)).letters
        await redis.delete(KEYS.payload(KEYS.shard(letter.message_id), letter.message_id))

        assert await letters.replay([letter], "run-1", DAY) == [Replayed.EMPTY]
        assert await letters.find([letter.message_id]) == [letter]

    on_redis(redis_url, story)


def test_of_a_payload_only_names_and_sizes_are_told(redis_url: str) -> None:
    says = payload(parameters={"who": "小明", "amount": "$12.50"}, extend_info=None)

    async def story(redis: Redis) -> list[MaskedPayload | None]:
        for name, packed in (("r0", says.pack()), ("r1", b"not ours")):
            id_ = new_message(name).message_id
            await redis.set(KEYS.payload(KEYS.shard(id_), id_), packed)
        return await RedisDeadLetters(redis, KEYS).contents(ids(new_messages(3)))

    masked = MaskedPayload("GCASH", "en-US", ("amount", "who"), True, False, len(says.pack()))  # noqa: FBT003 - fields
    assert on_redis(redis_url, story) == [masked, None, None]
