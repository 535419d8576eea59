import asyncio
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from tests.ledger_driver import ids, new_messages
from worker.adapters.redis.connection import connect
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.ledger import RedisLedger
from worker.adapters.redis.scripts import Call, Script
from worker.adapters.redis.together import Together
from worker.contract.errors import LedgerFaultError, LedgerUnavailableError
from worker.contract.messages import Claim, Lane

KEYS = Keys(shards=4)
PROBE = Script.read("probe_messages")


def probe(key: str, times: int = 1) -> list[Call]:
    return [Call(PROBE, ["staged", key], ["content", "user"])] * times


def on_redis(url: str, story: Callable[[Redis], Awaitable[None]]) -> None:
    async def tell() -> None:
        async with connect(url) as redis:
            await story(redis)

    asyncio.run(tell())


async def exchanges(redis: Redis) -> int:
    """Return how often the server has read something from a client."""
    return int((await redis.info("stats"))["total_reads_processed"])


def test_what_is_asked_for_at_the_same_moment_shares_a_round_trip_and_each_has_its_own_answers(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        together = Together(redis)
        await together.run(probe("p0"))
        before = await exchanges(redis)
        answers = await asyncio.gather(*(together.run(probe(f"p{number}", number)) for number in range(8)))
        assert [len(answer) for answer in answers] == list(range(8))
        assert await exchanges(redis) - before == 2  # the scripts, and this question

    on_redis(redis_url, story)


def test_claims_in_many_shards_are_each_told_their_own_messages(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        ledger, messages = RedisLedger(redis, KEYS), new_messages(40)
        await ledger.accept("shop-4711", Lane.BULK, messages)
        by_shard = {shard: [id_ for id_ in ids(messages) if KEYS.shard(id_) == shard] for shard in range(4)}
        claims: list[list[Claim]] = await asyncio.gather(
            *(ledger.claim(shard, wanted, f"claim-{shard}") for shard, wanted in by_shard.items())
        )
        assert {shard: [one.message_id for one in found] for shard, found in enumerate(claims)} == by_shard

    on_redis(redis_url, story)


def test_what_one_can_not_read_is_its_own_fault_alone(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        await redis.set("broken", "no record")
        together = Together(redis)
        asked = [together.run(probe(key)) for key in ("p1", "broken", "p2")]
        first, broken, second = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(broken, LedgerFaultError)
        assert first == second == [[5]]

    on_redis(redis_url, story)


def test_who_stopped_waiting_keeps_nobody_from_an_answer(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        together = Together(redis)
        gone, stays = (asyncio.create_task(together.run(probe(key))) for key in ("p1", "p2"))
        await asyncio.sleep(0)
        gone.cancel()
        assert await stays == [[5]]

    on_redis(redis_url, story)


def test_while_redis_is_away_everybody_is_told() -> None:
    async def story(redis: Redis) -> None:
        together = Together(redis)
        asked = await asyncio.gather(*(together.run(probe("p")) for _ in range(3)), return_exceptions=True)
        assert [type(answer) for answer in asked] == [LedgerUnavailableError] * 3

    on_redis("redis://127.0.0.1:1", story)


@pytest.mark.parametrize("times", [0, 1])
def test_asked_alone_it_is_a_plain_run(redis_url: str, times: int) -> None:
    async def story(redis: Redis) -> None:
        assert await Together(redis).run(probe("p", times)) == [[5]] * times

    on_redis(redis_url, story)
